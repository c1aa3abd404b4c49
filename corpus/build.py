"""The plan of a build: which stage runs on what, in which order, and whether it adds up.

A stage is a list of units, each with a receipt once it is done. A stage that finds its receipts
valid does nothing; a stage whose settings (or whose predecessor's) changed is done anew.

    DIR/state/plan.json            the units of the input
    DIR/state/STAGE/settings.json  fingerprint of what the stage depends on
    DIR/state/STAGE/NNNNNNN.json     receipt of a unit: outputs with size and SHA-256, counts
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus import __version__, config
from corpus.answers import card, report
from corpus.config import Settings
from corpus.engine.units import Engine
from corpus.errors import RunError, UsageError
from corpus.folder import books, commit, removals, scores
from corpus.folder.schema import DOCUMENT
from corpus.folder.signals import made_from
from corpus.sources.item import Unit
from corpus.sources.plan import units as plan_units
from corpus.stages import decontaminate, dedup, publish, trim
from corpus.stages.harvest import harvest_unit
from corpus.stages.select import check_sources, select_unit, sources_of
from filters import profile

STAGES = books.STAGES
# What a stage owns in the build folder: cleared when the stage is done anew.
OWNED = {
    "harvest": (("documents", "*"), ("ledger", "harvest-*"), ("state/harvest", "*")),
    "remove": (("ledger", "remove-*"), ("state/remove", "*")),
    "dedup": (("duplicates", "*"), ("ledger", "dedup-*"), ("state/dedup", "*")),
    "select": (("ledger", "select-*"), ("state/select", "*")),
    "trim": (("paragraphs", "*"), ("ledger", "trim-*"), ("state/trim", "*")),
    "decontaminate": (("ledger", "decontaminate-*"), ("state/decontaminate", "*")),
    "publish": (("corpus", "*"), ("state/publish", "*"), (".", "README.md"), (".", "report.html"),
                (".", "croissant.json"), (".", "funnel.json"), (".", "manifest.json")),
}  # fmt: skip
SECTIONS = {
    "harvest": ("input", "ccindex", "harvest", "normalize", "clean"),
    "remove": (),
    "dedup": ("dedup",),
    "select": ("select", "rights", "urls"),
    "trim": (),
    "decontaminate": ("decontaminate",),
    "publish": ("publish",),
}


@dataclass(frozen=True)
class Build:
    """A build folder with its settings and inputs."""

    root: Path
    settings: Settings
    inputs: tuple[str, ...]
    engine: Engine
    update: bool = False  # append the crawl to the index that [dedup] against names

    # stages ---------------------------------------------------------------------------------------

    def run(self, last: str = "publish", change: bool = False) -> dict[str, Any]:
        """Run the stages up to `last`; returns the funnel so far.

        `change`: the folder's settings may be changed (the stage commands); otherwise a folder that
        belongs to another configuration is refused, untouched.
        """
        if not change:
            self._refuse_other()
        with commit.lock(self.root):
            commit.sweep(self.root)
            units = self._plan(change)
            commit.commit_bytes(
                self.root / "corpus.toml",
                config.to_toml(self.settings, list(self.inputs)).encode(),
            )
            stages: dict[str, Callable[[list[Unit]], None]] = {
                "harvest": self._harvest,
                "remove": self._remove,
                "dedup": self._dedup,
                "select": self._select,
                "trim": self._trim,
                "decontaminate": self._decontaminate,
                "publish": self._publish,
            }
            for name in STAGES[: STAGES.index(last) + 1]:
                if name in books.OPTIONAL and not self._wanted(name):
                    for folder, pattern in OWNED[name]:
                        commit.clear(self.root / folder, pattern)
                    continue
                self._open(name)
                stages[name](units)
                books.check(self.root, name)
            if last == "publish":
                self._finish()
            return books.read(self.root)

    def _refuse_changed(self, before: dict[str, int]) -> None:
        """UsageError when an input file is not as long as it was when its units were cut."""
        for file, size in _sizes(before).items():
            if size != before[file]:
                raise UsageError(
                    f"{file} had {before[file]:,} bytes when this build began, now {size:,}: "
                    "build into another folder"
                )

    def _plan(self, change: bool) -> list[Unit]:
        """The units, planned once, then read back: a resumed build sees the same.

        UsageError when an input file changed since then, unless the verb reads no input: the stage
        commands (`change`) of a folder whose harvest is complete go on from its documents.
        """
        path = self.root / "state" / "plan.json"
        fingerprint = self._fingerprint("harvest")
        try:
            plan = json.loads(path.read_bytes())
        except (OSError, ValueError):
            plan = {}
        if plan.get("fingerprint") == fingerprint:
            units = [Unit(**{**unit, "files": tuple(unit["files"])}) for unit in plan["units"]]
            if not change or self._unread(units):
                self._refuse_changed(plan.get("bytes", {}))
        else:
            units = plan_units(list(self.inputs), self.settings, path.parent)
            files = sorted({file for unit in units for file in unit.files})
            about = {"fingerprint": fingerprint, "bytes": _sizes(files)}
            commit.commit_json(path, about | {"units": [asdict(u) for u in units]})
        return [dataclasses.replace(unit, state=str(path.parent)) for unit in units]

    def _refuse_other(self) -> None:
        """UsageError when the folder holds results of other settings or inputs."""
        if not books.receipts(self.root, "harvest"):
            return
        settings, inputs = load_settings(self.root)
        ours = {"inputs": list(self.inputs)} | _flat(self.settings)
        theirs = {"inputs": list(inputs)} | _flat(settings)
        for key, value in ours.items():
            if theirs[key] != value and not key.startswith("fetch."):  # changes no byte
                stage = next((s for s, names in SECTIONS.items() if key.split(".")[0] in names), "")
                mend = "choose another --out or remove that folder"
                if stage not in ("", "harvest"):
                    mend = f"change it there with `corpus {stage} {self.root} …`, or " + mend
                raise UsageError(
                    f"{self.root} belongs to another configuration ({key} is {theirs[key]!r} "
                    f"there, {value!r} here): {mend}"
                )

    def _harvest(self, units: list[Unit]) -> None:
        function = functools.partial(harvest_unit, settings=self.settings, root=self.root)
        self._each(function, self._unread(units), "harvest")

    def _unread(self, units: list[Unit]) -> list[Unit]:
        """The units that harvest has still to read."""
        return [unit for unit in units if self._receipt("harvest", unit.index) is None]

    def _wanted(self, stage: str) -> bool:
        """Whether an optional stage has anything to do."""
        if stage == "remove":
            return bool(removals.obeyed(self.root, self.settings.dedup.against))
        if stage == "trim":
            return trim.wanted(self.settings.dedup)
        return bool(self.settings.decontaminate.sets)

    def _remove(self, units: list[Unit]) -> None:
        entries = removals.obeyed(self.root, self.settings.dedup.against)
        receipt = self._receipt("remove", 0)
        if receipt is None or receipt["counts"]["made_from"] != removals.digest(entries):
            removals.run(self.root, len(units), entries)

    def _dedup(self, units: list[Unit]) -> None:
        spread = self.engine.map if self.engine.distributed else None
        dedup.run(self.root, len(units), self.settings, self._each, self.update, spread)

    def _trim(self, units: list[Unit]) -> None:
        trim.run(self.root, len(units), self.settings.dedup, self._each)

    def _decontaminate(self, units: list[Unit]) -> None:
        decontaminate.run(self.root, len(units), self.settings.decontaminate, self._each)

    def _selected(self, index: int) -> bool:
        """Whether select decided on a documents file, and dedup has said nothing new since."""
        receipt = self._receipt("select", index)
        return receipt is not None and receipt["counts"]["made_from"] == made_from(self.root, index)

    def _select(self, units: list[Unit]) -> None:
        for each in self.settings.select.names():
            scores.check(self.root, profile.load(each))
        if self.settings.select.profiles:
            check_sources(self.settings.select, sources_of(self.root))
        todo = [u.index for u in units if not self._selected(u.index)]
        function = functools.partial(select_unit, settings=self.settings, root=self.root)
        self._each(function, todo, "select")

    def _publish(self, units: list[Unit]) -> None:
        shards = publish.plan(self.root, len(units), self.settings)
        publish.forget_stale(self.root, shards)
        todo = [s for s in shards if self._receipt("publish", s.index) is None]
        function = functools.partial(publish.publish_unit, root=self.root, settings=self.settings)
        self._each(function, todo, "publish")

    def _each(self, function: Callable[[Any], Any], units: Sequence[Any], label: str) -> None:
        for _ in self.engine.map(function, units, label):
            pass

    def _finish(self) -> None:
        """Card, report, funnel and manifest: all from what was counted and stored."""
        about = books.read(self.root)
        commit.commit_json(self.root / "funnel.json", about)
        facts = card.facts(self.root, self.settings, about)
        commit.commit_bytes(self.root / "README.md", card.markdown(facts).encode())
        commit.commit_json(self.root / "croissant.json", card.croissant(self.root, facts))
        commit.commit_bytes(self.root / "report.html", report.html(facts).encode())
        commit.commit_json(self.root / "manifest.json", _manifest(self.root))

    # receipts and fingerprints --------------------------------------------------------------------

    def _open(self, stage: str) -> None:
        """Clear a stage (and the later ones) whose settings changed; note the new fingerprint."""
        path = self.root / "state" / stage / "settings.json"
        wanted = {"fingerprint": self._fingerprint(stage)}
        try:
            there = json.loads(path.read_bytes())
        except (OSError, ValueError):
            there = None
        if there == wanted:
            return
        first = there is None and stage in books.OPTIONAL  # the later ones see by their receipts
        for later in [stage] if first else STAGES[STAGES.index(stage) :]:
            for folder, pattern in OWNED[later]:
                commit.clear(self.root / folder, pattern)
        for folder, _ in OWNED[stage]:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        commit.commit_json(path, wanted)

    def _fingerprint(self, stage: str) -> str:
        """Hash of everything the outputs of `stage` depend on: versions, settings, inputs."""
        depends: list[Any] = [__version__, pa.__version__, str(DOCUMENT), list(self.inputs)]
        for name in STAGES[: STAGES.index(stage) + 1]:
            depends += [asdict(getattr(self.settings, section)) for section in SECTIONS[name]]
            if name == "select":  # a profile may be the user's own file, edited since
                chosen = self.settings.select
                depends.append(repr([profile.load(each) for each in chosen.names()]))
                depends.append(_state_of((chosen.word_lists,) if chosen.word_lists else ()))
                depends.append(_state_of((*self.settings.urls.block, *self.settings.urls.allow)))
        text = json.dumps(depends, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _receipt_path(self, stage: str, index: int) -> Path:
        return self.root / "state" / stage / f"{index:07d}.json"

    def _receipt(self, stage: str, index: int) -> dict[str, Any] | None:
        return commit.read_receipt(self._receipt_path(stage, index), self.root)


def load_settings(root: Path) -> tuple[Settings, tuple[str, ...]]:
    """Settings and inputs of an existing build folder; UsageError when it is none."""
    import tomllib

    path = root / "corpus.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{root} is no build folder (it has no corpus.toml)") from error
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}") from error
    inputs = tuple(table.pop("inputs", {}).get("files", ()))
    settings = Settings()
    for section, keys in table.items():
        for key, value in keys.items():
            settings = config.set_key(settings, section, key, value, str(path))
    return settings, inputs


def _state_of(lists: tuple[str, ...]) -> list[list[Any]]:
    """Name, size and time of the files of URL lists: an edited list decides anew."""
    files = [f for name in lists for f in (Path(name), *sorted(Path(name).rglob("*")))]
    return [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]


def _flat(settings: Settings) -> dict[str, Any]:
    return {
        f"{section.name}.{f.name}": getattr(getattr(settings, section.name), f.name)
        for section in dataclasses.fields(settings)
        for f in dataclasses.fields(getattr(settings, section.name))
    }


def _manifest(root: Path) -> dict[str, Any]:
    """Every file of the build with size and SHA-256, and the units with their counts."""
    files: dict[str, Any] = {}
    stages: dict[str, Any] = {}
    for stage in STAGES:
        stages[stage] = []
        for path in books.receipts(root, stage):
            receipt = json.loads(path.read_bytes())
            stages[stage].append(receipt["counts"])
            files |= {k: v for k, v in receipt["outputs"].items() if not k.startswith("state/")}
    for name in ("corpus.toml", "README.md", "croissant.json", "report.html", "funnel.json"):
        path = root / name
        files[name] = {"bytes": path.stat().st_size, "sha256": commit.sha256(path)}
    return {
        "inaho": __version__,
        "plan": json.loads((root / "state" / "plan.json").read_bytes())["units"],
        "stages": stages,
        "files": files,
    }


def _sizes(files: Iterable[str]) -> dict[str, int]:
    """Bytes of the local files among `files` that are there."""
    local = (file for file in files if not commit.is_remote(file) and os.path.exists(file))
    return {file: commit.input_size(file) for file in local}
