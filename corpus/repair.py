"""`corpus verify --repair`: damaged units are done anew, and only they.

A unit is done anew by the build itself, once its receipt is gone: of harvest from the input, of the
stages behind it from the documents. What comes out has the bytes that were there before, so nothing
else has to be touched. Nothing is removed that cannot be made again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from corpus import config
from corpus.answers import integrity
from corpus.build import Build
from corpus.errors import UsageError
from corpus.folder.commit import sealed
from corpus.folder.folder import Folder
from corpus.folder.layout import INDEX
from corpus.sources.identity import refuse_changed
from corpus.stages.table import STAGES


def repair(folder: Folder, facts: dict[str, Any], engine: Any) -> dict[str, Any]:
    """Mend what `integrity.verify` found; returns what it finds afterwards.

    Has in addition `repaired`: the files that are whole again, and `lost`: file → why it is not.
    """
    layout = folder.layout
    lost: dict[str, str] = {}
    names = [row["file"] for row in facts["findings"] if row["file"]]
    by_hand = {
        layout.settings.name: "it says how this was built: restore it from a copy",
        layout.removals.name: "it says what must stay out: restore it from a copy",
    }
    lost |= {name: by_hand[name] for name in names if name in by_hand}
    if lost:  # nothing may be built by settings, or a register, that nobody can read
        return facts | {"repaired": [], "lost": lost}
    settings, inputs = config.of_folder(layout)
    build = Build(folder, settings, inputs, engine)
    done = [stage.name for stage in STAGES if layout.receipts(stage.name)]
    with folder.lock():
        for row in facts["findings"]:
            if reason := _forget(build, row):
                lost[row["file"]] = reason
    if done and len(lost) < len(facts["findings"]):
        build.run(done[-1], change=True, damaged=tuple(lost))
    after = integrity.verify(layout)
    left = {row["file"] for row in after["findings"]}
    return after | {"repaired": [name for name in names if name not in left], "lost": lost}


def _forget(build: Build, row: dict[str, Any]) -> str:
    """Make the build do a unit anew; why it cannot, where it cannot."""
    folder, layout = build.folder, build.folder.layout
    name, stage, unit = row["file"], row["stage"], row["unit"]
    path = layout.root / name
    if not name:
        return "no file is damaged: please report this with the build folder's manifest"
    if stage == INDEX:
        return "sort the texts again: corpus index"
    if stage and stage not in [row.name for row in STAGES]:
        return "score the documents again: corpus classifier score"
    if stage and path == layout.fingerprint(stage):
        wanted = {"fingerprint": build.fingerprint(next(s for s in STAGES if s.name == stage))}
        folder.commit_json(path, sealed(wanted))
        return ""
    if stage == STAGES[0].name and (gone := _missing_input(layout.plan, unit)):
        return gone
    if stage and unit >= 0:
        folder.remove([layout.receipt(stage, unit)])
    if path.is_relative_to(layout.signatures_folder) or path in (layout.plan, layout.manifest):
        folder.remove([path])
    return ""


def _missing_input(plan: Path, unit: int) -> str:
    """Why a unit of harvest cannot be read again; "" where its input is as it was."""
    try:
        planned = json.loads(plan.read_bytes())
        files = next(u["files"] for u in planned["units"] if u["index"] == unit)
    except (OSError, ValueError, KeyError, StopIteration):
        return ""
    for file in files:
        if "://" in file:
            continue
        if not os.path.exists(file):
            return f"its input {file} is gone"
        try:
            refuse_changed({file: planned["files"][file]} if file in planned["files"] else {})
        except UsageError:
            return f"its input {file} has changed"
    return ""


def as_text(facts: dict[str, Any]) -> str:
    """What a terminal is told after a repair."""
    lines = [f"  {name}: made anew" for name in facts["repaired"]]
    lines += [f"  {name}: cannot be made anew, {why}" for name, why in facts["lost"].items()]
    return "\n".join(lines) + "\n" + integrity.as_text(facts)
