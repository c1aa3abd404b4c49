"""What a stage is: a row of `corpus.stages.table`, and a file with the function that runs it.

The file of a stage has `run(job)`, which does what is not done yet, and may have
`depends(settings)`: what its outputs depend on besides its settings and those of the stages before
it. The file is imported when the stage runs, so that the table can be read at no cost.
"""

from __future__ import annotations

import functools
import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus.settings import Settings

if TYPE_CHECKING:
    from corpus.engine.units import Engine
    from corpus.folder.folder import Folder
    from corpus.sources.item import Unit

Counts = dict[str, Any]  # of a unit's receipt
SMALL, SMALL_UNITS = 5_000, 64  # documents, and units that hold them: about three seconds of work
EXAMPLES = 20  # files that are not read: so many are named for each rule, all are counted


@dataclass(frozen=True)
class Job:
    """What a stage gets to work with."""

    folder: Folder
    settings: Settings
    units: tuple[Unit, ...]  # of the input; documents file i is made from unit i
    engine: Engine
    update: bool = False  # append the crawl to the index that [dedup] against names
    strict: bool = False  # stop at the first file that cannot be read
    chain: tuple[str, ...] = ()  # stages before this one that hand rows on, in their order

    @property
    def files(self) -> range:
        """The numbers of the documents files."""
        return range(len(self.units))

    @functools.cached_property
    def is_small(self) -> bool:
        """Whether one process is done with a stage after harvest before others have started."""
        if len(self.units) > SMALL_UNITS:
            return False
        receipts = (self.folder.receipt("harvest", index) for index in self.files)
        return sum(r["counts"]["documents"] for r in receipts if r) < SMALL

    def each(self, function: Callable[[Any], Any], units: Sequence[Any], label: str) -> None:
        """Run a picklable function on every unit, in any order and place; RunError if one fails."""
        for _ in self.engine.map(function, units, label, here=self.is_small):
            pass


def always(job: Job) -> bool:
    return True


@dataclass(frozen=True)
class Stage:
    """A row of the table.

    module: the stage's file. sections: settings it depends on, `section` or `section.key`.
    owns: names of `corpus.folder.layout` that are cleared when it is done anew (its state and its
    ledger files are in any case). summary: counts of its receipts → its line of the funnel, with
    `in` and `out` and where the rest went. rows: a folder whose rows are what comes `out`.
    hands_on: it writes the rows that the stages after it read. wanted: else it is passed over.
    """

    name: str
    japanese: str  # its name on the Japanese half of card and report
    module: str
    summary: Callable[[list[Counts]], dict[str, Any]]
    sections: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    rows: str = ""
    hands_on: bool = False
    wanted: Callable[[Job], bool] = always
    help: str = ""  # of the verb that runs the build up to this stage; "" where there is none

    @property
    def optional(self) -> bool:
        return self.wanted is not always

    def run(self, job: Job) -> None:
        importlib.import_module(self.module).run(job)

    def depends(self, settings: Settings) -> list[Any]:
        """What the stage's file adds to the fingerprint."""
        asked = getattr(importlib.import_module(self.module), "depends", None)
        return asked(settings) if asked else []


# what summaries are made with ---------------------------------------------------------------------


def summed(units: list[Counts], key: str) -> int:
    return sum(int(unit.get(key, 0)) for unit in units)


def merged(units: list[Counts], key: str) -> dict[str, int]:
    """name → count over all units, most first."""
    total: Counter[str] = Counter()
    for unit in units:
        total.update(unit.get(key, {}))
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))
