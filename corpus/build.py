"""A build: the stages of `corpus.stages.table`, each done as far as it is not done yet.

A stage is a list of units, each with a receipt once it is done. A stage that finds its receipts
valid does nothing; a stage whose settings (or whose predecessor's) changed is done anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus import __version__, config
from corpus.answers import croissant, recipe
from corpus.answers import facts as stated
from corpus.answers.card.page import markdown
from corpus.answers.report.measures import measures
from corpus.answers.report.page import html
from corpus.engine.units import Engine
from corpus.errors import RunError, UsageError
from corpus.folder import layout as paths
from corpus.folder import swap, times
from corpus.folder.commit import SEAL, is_sealed, json_bytes, sealed, sealed_text, sha256
from corpus.folder.folder import Folder
from corpus.folder.schema import DOCUMENT, TEXT_VERSION
from corpus.settings import Settings
from corpus.sources import identity
from corpus.sources.item import Unit
from corpus.sources.listing import place
from corpus.sources.plan import plan as plan_units
from corpus.sources.plan import unit_of
from corpus.stages import books
from corpus.stages.stage import Job, Stage
from corpus.stages.table import STAGES, up_to

_AGAIN = "merge its parts into another folder (corpus merge)"


@dataclass(frozen=True)
class Build:
    """A build folder with its settings and inputs, and the stages it goes through."""

    folder: Folder
    settings: Settings
    inputs: tuple[str, ...]
    engine: Engine
    update: bool = False  # append the crawl to the index that [dedup] against names
    strict: bool = False  # stop at the first file that cannot be read
    stages: tuple[Stage, ...] = STAGES

    def run(
        self, last: str = "publish", change: bool = False, damaged: Collection[str] = ()
    ) -> dict[str, Any]:
        """Run the stages up to `last`; returns the funnel so far.

        `change`: the folder's settings may be changed (the stage commands); otherwise a folder that
        belongs to another configuration is refused, untouched. RunError where a file has other
        bytes than were written, unless it is among `damaged`.
        """
        folder, layout = self.folder, self.folder.layout
        if not change and (obeying := self._obeying()) != self.settings:
            return dataclasses.replace(self, settings=obeying).run(last, damaged=damaged)
        if not change and (begun := self._begun_with()) != self.inputs:
            return dataclasses.replace(self, inputs=begun).run(last)
        with folder.lock():
            folder.sweep()
            job = Job(
                folder, self.settings, self._plan(change), self.engine, self.update, self.strict
            )
            resolved = config.to_toml(self.settings, list(self.inputs))
            folder.commit_bytes(layout.settings, sealed_text(resolved))
            for stage in up_to(last, self.stages):
                # Nothing to do for it: what it once did is of no use to the stages after it.
                if not stage.wanted(job):
                    folder.remove(layout.owned(stage.name, stage.owns))
                    continue
                self._open(stage)
                folder.refuse_damaged(stage.name, damaged)
                with times.watched(layout, stage.name, self.engine) as engine:
                    stage.run(dataclasses.replace(job, engine=engine))
                # No stage begins before the books of the one before it balance.
                books.check(layout, stage, self.stages)
                if stage.hands_on:
                    job = dataclasses.replace(job, chain=(*job.chain, stage.name))
            if last == self.stages[-1].name:
                self._finish()
            return books.funnel(layout, self.stages)

    # the plan -------------------------------------------------------------------------------------

    def _plan(self, change: bool) -> tuple[Unit, ...]:
        """The units, planned once, then read back: a resumed build sees the same.

        UsageError when an input file changed since then, unless the verb reads no input: the stage
        commands (`change`) of a folder whose harvest is complete go on from its documents.
        """
        path = self.folder.layout.plan
        fingerprint = self.fingerprint(self.stages[0])
        plan = self._whole(path) or {}
        merged = plan.get("merged")
        if merged and plan["fingerprint"] != fingerprint:
            raise UsageError(f"{self.folder} was merged under other settings: {_AGAIN}")
        if plan.get("fingerprint") == fingerprint:
            units = [unit_of(entry) for entry in plan["units"]]
            if not change or not all(map(self._is_read, units)):
                identity.refuse_changed(plan["files"])
            # Its parts had settings of their own: a unit of one cannot be read under ours.
            if merged and not all(map(self._is_read, units)):
                raise RunError(f"{self.folder} lacks a unit of what it was merged from: {_AGAIN}")
        else:
            units, files = plan_units(list(self.inputs), self.settings, self.folder)
            plan = {"fingerprint": fingerprint, "files": identity.noted(files)}
            plan |= {"units": [asdict(unit) for unit in units]}
            self.folder.commit_json(path, sealed(plan))
        selection = str(self.folder.layout.selection)
        return tuple(dataclasses.replace(unit, state=selection) for unit in units)

    def _is_read(self, unit: Unit) -> bool:
        return self.folder.receipt(self.stages[0].name, unit.index) is not None

    def _obeying(self) -> Settings:
        """The settings with the registers that the folder obeyed before: none is forgotten."""
        if not self.folder.layout.settings.is_file():
            return self.settings
        begun = config.of_folder(self.folder.layout)[0].remove.registers
        return config.obeying(self.settings, *begun)

    def _begun_with(self) -> tuple[str, ...]:
        """The inputs as the build that this one goes on with spelled them.

        UsageError when the folder holds results of other settings or inputs.
        """
        if not self.folder.layout.receipts(self.stages[0].name):
            return self.inputs
        settings, begun = config.of_folder(self.folder.layout)
        inputs = begun
        if [*map(place, inputs)] != [*map(place, self.inputs)]:
            inputs = self.inputs
        ours = {"inputs": list(inputs)} | config.flat(self.settings)
        theirs = {"inputs": list(begun)} | config.flat(settings)
        for key, value in ours.items():
            may_change = key.startswith("fetch.") or key == "remove.registers"
            if theirs[key] != value and not may_change:
                mend = "choose another --out or remove that folder"
                owner = self._first_to_depend(key)
                if owner is not None and owner is not self.stages[0]:
                    mend = f"change it there with `corpus {owner.name} {self.folder} …`, or {mend}"
                raise UsageError(
                    f"{self.folder} belongs to another configuration ({key} is {theirs[key]!r} "
                    f"there, {value!r} here): {mend}"
                )
        return inputs

    def _first_to_depend(self, key: str) -> Stage | None:
        """The first stage that depends on a setting `section.key`."""
        names = {key, key.partition(".")[0]}
        return next((stage for stage in self.stages if names & set(stage.sections)), None)

    # what is done, and of what --------------------------------------------------------------------

    def _open(self, stage: Stage) -> None:
        """Clear a stage (and the later ones) whose settings changed; note the new fingerprint."""
        layout = self.folder.layout
        path = layout.fingerprint(stage.name)
        wanted = sealed({"fingerprint": self.fingerprint(stage)})
        there = self._whole(path)
        if there == wanted:
            return
        # An optional stage that begins changes nothing of itself: the later ones see by receipts.
        first = there is None and stage.optional
        redone = [stage] if first else self.stages[self.stages.index(stage) :]
        for later in redone:
            self.folder.remove(layout.owned(later.name, later.owns))
        times.forget(layout, [later.name for later in redone])
        layout.make_folders(stage.name, stage.owns)
        self.folder.commit_json(path, wanted)

    def _whole(self, path: Path) -> dict[str, Any] | None:
        """The value of a sealed file, None where there is none; RunError when it is damaged."""
        try:
            value: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise RunError(paths.damaged(self.folder.layout, path)) from error
        if SEAL in value and not is_sealed(value):  # earlier versions had no seals
            raise RunError(paths.damaged(self.folder.layout, path))
        return value

    def fingerprint(self, stage: Stage) -> str:
        """Hash of everything the outputs of `stage` depend on: versions, settings, inputs."""
        depends: list[Any] = [__version__, pa.__version__, TEXT_VERSION, str(DOCUMENT)]
        depends.append(list(self.inputs))
        for earlier in up_to(stage.name, self.stages):
            for name in earlier.sections:
                section, _, key = name.partition(".")
                values = asdict(getattr(self.settings, section))
                depends.append(values[key] if key else values)
            depends += earlier.depends(self.settings)
        text = json.dumps(depends, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    # the end --------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Publish: card, report, funnel and manifest of the new shards, and all at once in place.

        Everything is from what was counted and stored. Nothing happens where nothing is new.
        """
        folder, layout = self.folder, self.folder.layout
        staged = layout.staged
        funnel = books.funnel(layout, self.stages)
        where = staged if staged.receipts(self.stages[-1].name) else layout
        facts = stated.facts(layout, self.settings, funnel, where)
        written = {
            layout.funnel: json_bytes(funnel),
            layout.card: markdown(facts, "en").encode(),
            layout.card_ja: markdown(facts, "ja").encode(),
            layout.croissant: json_bytes(croissant.metadata(where, facts)),
            layout.report: html(facts, measures(layout, facts, where)).encode(),
            layout.reproducibility: json_bytes(recipe.recipe(layout, self.settings, self.inputs)),
        }
        written[layout.manifest] = json_bytes(self._manifest(written))
        if where is layout and all(map(_holds, written, written.values())):
            return
        # The manifest last: once it is there, the publication is complete, and will be swapped in.
        for path, data in written.items():
            folder.commit_bytes(staged.root / path.name, data)
        swap.finish(layout, folder.mirror)

    def _manifest(self, written: dict[Path, bytes]) -> dict[str, Any]:
        """Every file of the build with size and SHA-256, and the units with their counts."""
        layout, files = self.folder.layout, dict[str, Any]()
        for stage in self.stages:
            for path, facts in books.outputs(layout, stage.name).items():
                root = (
                    layout.staged.root if path.is_relative_to(layout.staged.root) else layout.root
                )
                files[path.relative_to(root).as_posix()] = facts
        # Of what lies in the state only what no receipt speaks of, and what has no seal.
        state = {k: files.pop(k) for k in [k for k in files if k.startswith(f"{paths.STATE}/")]}
        others = {
            name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for name, path in layout.state_files()
            if name not in state and not _is_sealed(path)
        }
        for path, data in {layout.settings: layout.settings.read_bytes(), **written}.items():
            files[path.name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        manifest = {
            "inaho": __version__,
            "plan": json.loads(layout.plan.read_bytes())["units"],
            "stages": {stage.name: books.counts(layout, stage.name) for stage in self.stages},
            "files": files,
            "state": others,
        }
        return sealed(manifest)


def _is_sealed(path: Path) -> bool:
    return path.suffix == ".json" and is_sealed(json.loads(path.read_bytes()))


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there and has these bytes."""
    return path.exists() and path.read_bytes() == data
