"""`corpus disclose`: what a provider must publish, from the build alone, line by line.

Three sheets: the EU's public summary of training content (AI Act, Article 53(1)(d)), the principle
code of Japan's Cabinet Office (comply or explain), and Datasheets for Datasets (Gebru et al. 2021).
Their lines stand in corpus/words/disclose.toml, with how far their wording was checked. A line is
*measured* (a figure of this build), *stated* (by the provider, in a TOML file: `key = "words"`), or
*unanswered*. What is stated without a number or a date is a claim nobody can check: `problems`
lists it.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from corpus.answers.disclose_figures import FIGURES
from corpus.answers.disclose_measure import Measured, measure
from corpus.answers.markdown import escaped
from corpus.errors import UsageError, one_line
from corpus.folder.commit import sha256

__all__ = ["TEMPLATES", "as_facts", "markdown", "measure", "problems", "read_stated", "sheet"]

TEMPLATES = ("eu", "japan", "datasheet")
UNANSWERED = ("unanswered", "未回答")
KINDS = {
    "measured": "計測値 / figure",
    "stated": "記述 / stated",
    "unanswered": "未回答 / unanswered",
}


@dataclass(frozen=True)
class Line:
    """A line of a sheet; `kind`: measured, stated or unanswered."""

    part: str
    key: str
    english: str
    japanese: str
    kind: str
    answer: tuple[str, str]  # English, Japanese
    complies: bool  # false where the figure says that what is asked for was not done


@cache
def _templates() -> dict[str, dict[str, Any]]:
    """Name of a template → {title, note, parts: [{name, lines}]}."""
    text = resources.files("corpus.words").joinpath("disclose.toml").read_text("utf-8")
    return tomllib.loads(text)


def _keys() -> list[str]:
    """The keys of all templates, each once."""
    every = (
        line[0]
        for name in TEMPLATES
        for part in _templates()[name]["parts"]
        for line in part["lines"]
    )
    return list(dict.fromkeys(every))


def sheet(measured: Measured, template: str, stated: dict[str, str]) -> list[Line]:
    """The lines of a template; UsageError for a stated key that no line has."""
    known = _keys()
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"no line {key!r}: {hint}")
    lines = []
    for part in _templates()[template]["parts"]:
        english, japanese = part["name"]
        name = f"{english} / {japanese}"
        lines += [_line(name, line, measured, stated.get(line[0], "")) for line in part["lines"]]
    return lines


def _line(part: str, line: list[str], measured: Measured, said: str) -> Line:
    key, figure, english, japanese = line
    counted = FIGURES[figure](measured) if figure else None
    kind = "measured" if counted else "stated" if said else "unanswered"
    answer = counted or ((said, said) if said else UNANSWERED)
    if counted and said:
        answer = (f"{counted[0]}; {said}", f"{counted[1]}。{said}")
    complies = kind != "unanswered" and _is_done(key, measured, said)
    return Line(part, key, english, japanese, kind, answer, complies)


def _is_done(key: str, m: Measured, said: str) -> bool:
    """Whether the build does what a line asks for: a figure may say that it does not.

    said: by the provider; a class of licences alone shows no contract.
    """
    rights = m.settings.rights
    if key == "rights.reserved":
        return rights.obey_robots_txt and rights.drop_noai and rights.drop_tdm_reservation
    if key == "data.licensed":
        return bool(said)
    return bool(m.settings.urls.block) if key == "processing.illegal" else True


def problems(lines: list[Line]) -> list[str]:
    """Claims without a number: what nobody can check."""
    return [
        f"{line.key}: {line.answer[0]!r} states no number and no day"
        for line in lines
        if line.kind != "unanswered" and not re.search(r"\d", line.answer[0])
    ]


def read_stated(file: Path | None) -> dict[str, str]:
    """What the provider says of itself: `key = "words"`, tables as prefixes."""
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {one_line(error)}") from error
    flat: dict[str, str] = {}
    for key, value in table.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, words in inner:
            if not isinstance(words, str | int | float):
                raise UsageError(f"{file}: {key}.{name} must be a text or a number")
            flat[f"{key}.{name}" if name else key] = str(words)
    return flat


def _status(line: Line) -> str:
    """Comply or explain: what a figure shows was not done is to be explained."""
    if line.complies:
        return KINDS[line.kind]
    return KINDS["unanswered"] if line.kind == "unanswered" else "要説明 / to explain"


def markdown(lines: list[Line], template: str, measured: Measured) -> str:
    """The sheet as a document in both languages."""
    digest = sha256(measured.layout.manifest) if measured.layout.manifest.exists() else ""
    about = _templates()[template]
    (english, japanese), note = about["title"], about["note"]
    out = [f"# {english} / {japanese}", "", f"> {note[0]}", ">", f"> {note[1]}", ""]
    out += [f"manifest SHA-256: `{digest}`", ""]
    counts = Counter(map(_status, lines))
    out += [", ".join(f"{status}: {number}" for status, number in sorted(counts.items()))]
    for part in dict.fromkeys(line.part for line in lines):
        out += ["", f"## {part}", "", "| | answer | 回答 | |", "|---|---|---|---|"]
        out += [
            f"| {line.english} / {line.japanese} | {escaped(line.answer[0])} | "
            f"{escaped(line.answer[1])} | {_status(line)} |"
            for line in lines
            if line.part == part
        ]
    return "\n".join(out) + "\n"


def as_facts(lines: list[Line]) -> list[dict[str, Any]]:
    """The lines for --json."""
    return [asdict(line) for line in lines]
