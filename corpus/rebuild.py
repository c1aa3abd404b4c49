"""`corpus rebuild reproducibility.json`: the same bytes again, or what is another one now.

First what the corpus was made from and with is compared with what is here: inputs by content,
programs by version, registers by their head. Where an input differs nothing is built. Then it is
built, and stage by stage compared: the first stage that wrote other bytes is where to look.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpus import config, register
from corpus.answers import recipe
from corpus.build import Build
from corpus.engine.units import Engine
from corpus.errors import RunError, UnreadableError, UsageError, one_line
from corpus.folder import removals
from corpus.folder.commit import is_sealed
from corpus.folder.folder import Folder
from corpus.folder.removals import Removal
from corpus.settings import Settings
from corpus.sources import identity
from corpus.sources.identity import InputFile


def read(file: Path) -> dict[str, Any]:
    """A reproducibility.json; UsageError when it is none, or was changed."""
    try:
        facts: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {file}: {one_line(error)}") from error
    if not is_sealed(facts) or "made_with" not in facts:
        raise UsageError(f"{file} is no reproducibility.json, or was changed by hand")
    return facts


def compare(facts: dict[str, Any], settings: Settings) -> dict[str, list[dict[str, str]]]:
    """What is another one here: {inputs, registers, programs: [{name, then, now}]}."""
    files, registers = [], []
    for entry in facts["files"]:
        try:
            now = identity.look(InputFile(entry["path"], "")).identity
        except (UnreadableError, RunError) as error:
            now = one_line(error)
        # Large files that agree in size, beginning and end have a whole digest: not repeated here.
        if now != entry["identity"]:
            files.append({"name": entry["path"], "then": entry["identity"], "now": now})
    for name, then in facts["registers"].items():
        now = _head(name, then["entries"])
        if now != then["head"]:
            registers.append({"name": name, "then": then["head"], "now": now})
    here = recipe.versions()
    programs = [
        {"name": name, "then": version, "now": here.get(name, "")}
        for name, version in facts["made_with"].items()
        if here.get(name, "") != version
    ]
    return {"inputs": files, "registers": registers, "programs": programs}


def _head(name: str, number: int) -> str:
    """The head of the register as it is: other, too, where entries came since."""
    try:
        entries = register.read(Path(name))
    except RunError as error:
        return one_line(error)
    more = len(entries) - number
    head = register.head_of(entries)
    return f"{head}, {more} entries more" if more > 0 else head


def rebuild(file: Path, folder: Folder, engine: Engine, check: bool) -> dict[str, Any]:
    """{file, differs, built, same, stages: [names of those that wrote other bytes], shards}.

    check: only compare. UsageError for a corpus that was merged, or an `--out` in use.
    """
    facts = read(file)
    if facts["merged"]:
        names = ", ".join(part["name"] for part in facts["merged"])
        raise UsageError(
            f"{file} is of a merged corpus: rebuild its parts ({names}) and merge them"
        )
    settings, inputs = config.from_toml(facts["settings"], str(file))
    differs = compare(facts, settings)
    answer = {"file": str(file), "differs": differs, "built": False, "same": False}
    if check or differs["inputs"] or differs["registers"]:
        return answer | {"stages": [], "shards": []}
    if folder.layout.shards():
        raise UsageError(f"{folder} holds a corpus already: choose another --out")
    if facts["removals"]:
        with folder.lock():
            removals.add(folder, [Removal.read(entry) for entry in facts["removals"]])
    Build(folder, settings, inputs, engine).run()
    layout = folder.layout
    stages = [
        stage
        for stage, digest in facts["stages"].items()
        if recipe.stage_digest(layout, stage) != digest
    ]
    now = recipe.shards(layout)
    then = facts["shards"]
    shards = sorted(name for name in then | now if then.get(name) != now.get(name))
    return answer | {"built": True, "same": not shards, "stages": stages, "shards": shards}


def as_text(answer: dict[str, Any]) -> str:
    """The answer for a terminal."""
    words = {"inputs": "input", "registers": "register", "programs": "program"}
    lines = [
        f"{words[kind]} {row['name']} is another one: {row['then'] or '-'} then, "
        f"{row['now'] or '-'} now"
        for kind, rows in answer["differs"].items()
        for row in rows
    ]
    if not answer["built"]:
        lines.append("Everything it was made from is here." if not lines else "Nothing was built.")
    elif answer["same"]:
        lines.append("The same bytes: every shard has the SHA-256 it had.")
    else:
        lines.append(f"Other bytes: {', '.join(answer['shards'])}")
        lines.append(f"First to differ: {(answer['stages'] or ['publish'])[0]}")
    return "\n".join(lines) + "\n"
