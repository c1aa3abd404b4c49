"""Counts of published word lists, exactly as the projects that use them count.

Each function returns columns for `Profile.decide(..., extra=...)`. The lists stay where the user
has them: HojiChar's in the package `hojichar`, the others in a folder the user points to. A
project's files are found by their names anywhere below that folder.

    check(profile.extra_signals(), lists)          # before any work: is everything there?
    measure_extra(profile.extra_signals(), texts, lists)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path

import pyarrow as pa
from ahocorasick_rs import AhoCorasick, MatchKind

from filters import sudachi_words
from filters.words import WordError

LLMJP_TOPICS = ("adult", "discrimination", "violence")
HOJICHAR_FILES = (
    ("adult_ja", "adult_keywords_ja"),
    ("discrimination", "discrimination_keywords_ja"),
    ("violence", "violence_keywords_ja"),
    ("ads", "advertisement_keywords_ja"),
)
LDNOOBW_ALLOWED = frozenset({"sm", "グロ", "女の子"})  # datatrove: common subwords in Japanese
KATAKANA_RUN = re.compile("[ァ-ヴー]+")


def measure_extra(
    names: Iterable[str], texts: pa.Array, lists: Path | None = None
) -> dict[str, pa.Array]:
    """Columns for those of the signals `names` that are counted here; others are left out.

    lists: a folder with LLM-jp's and LDNOOBW's files, and HojiChar's where its package is absent.
    Raises WordError, one line, for lists or packages that are missing.
    """
    wanted = list(names)
    out: dict[str, pa.Array] = {}
    for prefix, count in _SOURCES.items():
        if any(name.startswith(prefix) and name not in out for name in wanted):
            out |= count(texts, lists)
    return {name: out[name] for name in wanted if name in out}


def check(names: Iterable[str], lists: Path | None = None) -> None:
    """WordError, one line, unless everything is there that `measure_extra` needs for `names`."""
    if lists is not None and not lists.is_dir():
        raise WordError(f"word lists {lists}: no such folder")
    measure_extra(names, pa.array(["稲穂"]), lists)


def hojichar_counts(texts: pa.Array, folder: Path | None = None) -> dict[str, pa.Array]:
    """`hojichar_adult_ja` … `hojichar_ads`: the lists of the package `hojichar`, or of `folder`."""
    documents = texts.to_pylist()
    out = {}
    for name, file in HOJICHAR_FILES:
        automaton = _automaton(_hojichar_words(file, folder))
        out[f"hojichar_{name}"] = _counts(documents, automaton)
    english = "|".join(re.escape(w) for w in _hojichar_words("adult_keywords_en", folder))
    pattern = re.compile(rf"(?:^| )({english})(?:( |,|\.)|$)", re.IGNORECASE)
    out["hojichar_adult_en"] = pa.array(
        [len(pattern.findall(d or "")) for d in documents], pa.int32()
    )
    return out


def llmjp_counts(
    texts: pa.Array, folder: Path | None, hojichar_folder: Path | None = None
) -> dict[str, pa.Array]:
    """`llmjp_adult` …, `hojichar_ads`; folder: scripts/dict of llm-jp-corpus.

    Words of katakana alone count only as whole runs of katakana (HojiChar's `ignore_confused`).
    """
    documents = texts.to_pylist()
    out = {}
    for topic in LLMJP_TOPICS:
        words = _read(_file(folder, f"ja_{topic}_keywords.txt", "llm-jp-corpus"))
        out[f"llmjp_{topic}"] = _unconfused_counts(documents, words)
    automaton = _automaton(_hojichar_words("advertisement_keywords_ja", hojichar_folder))
    out["hojichar_ads"] = _counts(documents, automaton)
    return out


def uzushio_counts(texts: pa.Array, folder: Path | None = None) -> dict[str, pa.Array]:
    """`uzushio_adult_types`, `uzushio_discrimination_types`: different words, longest match."""
    documents = texts.to_pylist()
    out = {}
    for topic in ("adult", "discrimination"):
        words = _hojichar_words(f"{topic}_keywords_ja", folder)
        automaton = AhoCorasick(list(dict.fromkeys(words)), matchkind=MatchKind.LeftmostLongest)
        types = [
            len({i for line in (d or "").split("\n") for i, _, _ in _find(automaton, line)})
            for d in documents
        ]
        out[f"uzushio_{topic}_types"] = pa.array(types, pa.int32())
    return out


def ldnoobw_counts(texts: pa.Array, path: Path) -> dict[str, pa.Array]:
    """`ldnoobw_ja`: words of LDNOOBW's file `ja` anywhere in the lower-cased text."""
    words = [w for w in _read(path) if w not in LDNOOBW_ALLOWED]
    documents = [(d or "").lower() for d in texts.to_pylist()]
    return {"ldnoobw_ja": _counts(documents, _automaton(words))}


def _automaton(words: Sequence[str]) -> AhoCorasick:
    """Finds what the regular expression word|word|… finds: leftmost, earlier words first."""
    return AhoCorasick(list(words), matchkind=MatchKind.LeftmostFirst)


def _find(automaton: AhoCorasick, text: str) -> list[tuple[int, int, int]]:
    return automaton.find_matches_as_indexes(text)


def _counts(documents: Sequence[str | None], automaton: AhoCorasick) -> pa.Array:
    return pa.array([len(_find(automaton, d or "")) for d in documents], pa.int32())


def _unconfused_counts(documents: Sequence[str | None], words: Sequence[str]) -> pa.Array:
    """Matches of `others|(?<!katakana)(katakana words)(?!katakana)`.

    A katakana word can only match a whole run of katakana, so the runs are looked up in a set.
    """
    runs = {w for w in words if KATAKANA_RUN.fullmatch(w)}
    automaton = AhoCorasick([w for w in words if w not in runs], matchkind=MatchKind.Standard)
    out = []
    for document in documents:
        text = document or ""
        matches = [
            (begin, 0, index, end)
            for index, begin, end in automaton.find_matches_as_indexes(text, overlapping=True)
        ]
        matches += [
            (m.start(), 1, 0, m.end()) for m in KATAKANA_RUN.finditer(text) if m.group() in runs
        ]
        matches.sort()
        position = hits = 0
        for begin, _, _, end in matches:
            if begin >= position:
                position = end
                hits += 1
        out.append(hits)
    return pa.array(out, pa.int32())


def _hojichar_words(name: str, folder: Path | None) -> list[str]:
    """HojiChar's dictionary of that name: from `folder` if it is there, else from the package."""
    if folder is not None and (path := _file_below(folder, f"{name}.txt")):
        return _read(path)
    try:
        dictionary = resources.files("hojichar").joinpath("dict", f"{name}.txt")
    except ModuleNotFoundError:
        raise WordError(
            "HojiChar's word lists are in the package hojichar, which is not installed: "
            f"pip install hojichar, or give a folder with {name}.txt"
        ) from None
    return _words(dictionary.read_text(encoding="utf-8"))


def _file_below(folder: Path, name: str) -> Path | None:
    """The file of that name below the folder, also with a path in its name (scripts__dict__X)."""
    exact = re.compile(rf"(?:.*__)?{re.escape(name)}")
    matches = sorted(
        path for path in folder.rglob(f"*{name}") if exact.fullmatch(path.name) and path.is_file()
    )
    return matches[0] if matches else None


def _file(folder: Path | None, name: str, project: str) -> Path:
    if folder is None:
        raise WordError(f"{project}'s word list {name} is needed: give a folder that holds it")
    path = _file_below(folder, name)
    if path is None:
        raise WordError(f"word lists {folder}: {project}'s file {name} is not below it")
    return path


def _read(path: Path) -> list[str]:
    try:
        return _words(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WordError(f"word list {path}: {error}") from None


def _words(text: str) -> list[str]:
    """The lines as HojiChar reads them: empty ones left out, the others stripped."""
    return [line.strip() for line in text.split("\n") if line]


def _ldnoobw(texts: pa.Array, lists: Path | None) -> dict[str, pa.Array]:
    return ldnoobw_counts(texts, _file(lists, "ja", "LDNOOBW"))


def _llmjp(texts: pa.Array, lists: Path | None) -> dict[str, pa.Array]:
    return llmjp_counts(texts, lists, lists)


def _sudachi(texts: pa.Array, lists: Path | None) -> dict[str, pa.Array]:
    return sudachi_words.sudachi_numbers(texts)


# The first letters of a signal's name say who counts it.
_SOURCES: dict[str, Callable[[pa.Array, Path | None], dict[str, pa.Array]]] = {
    "llmjp_": _llmjp,  # counts HojiChar's advertising words too
    "hojichar_": hojichar_counts,
    "uzushio_": uzushio_counts,
    "ldnoobw_": _ldnoobw,
    sudachi_words.PREFIX: _sudachi,
}
