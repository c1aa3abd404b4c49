"""What the stages of a build took, on the machines where they ran.

    DIR/state/.times.jsonl    {stage, step, seconds, cpu}        a unit, as it ends
                              {stage, seconds, cpu}              a run of a stage, without its units

Times are of a run and not of a corpus. So the file is hidden: no manifest names it, no store gets
it, and the bytes of a build stay the same. A unit is noted as it ends, so that a run that is killed
keeps what it had done; of such a run only the time by the clock is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.engine.units import Engine
from corpus.folder.layout import Layout


@dataclass(frozen=True)
class Took:
    """Seconds of a stage over all its runs.

    seconds: by the clock, of the runs that came to an end; cpu: of the processor, all processes
    together; units: that were done; slowest: seconds by the clock of the longest of them.
    """

    seconds: float
    cpu: float
    units: int
    slowest: float


def read(layout: Layout) -> dict[str, Took]:
    """Stage → what it took; empty where no build noted it."""
    taken: dict[str, Took] = {}
    for line in _lines(layout):
        old = taken.get(line["stage"], Took(0.0, 0.0, 0, 0.0))
        is_unit = "step" in line
        taken[line["stage"]] = Took(
            old.seconds + (0.0 if is_unit else line["seconds"]),
            old.cpu + line["cpu"],
            old.units + is_unit,
            max(old.slowest, line["seconds"]) if is_unit else old.slowest,
        )
    return taken


def forget(layout: Layout, stages: Collection[str]) -> None:
    """Drop what stages took that are done anew."""
    left = [line for line in _lines(layout) if line["stage"] not in stages]
    if layout.times.exists():
        layout.times.write_text("".join(json.dumps(line) + "\n" for line in left), "utf-8")


@contextlib.contextmanager
def watched(layout: Layout, stage: str, engine: Engine) -> Iterator[Engine]:
    """The engine for a run of a stage; what it took is noted, unless nothing was left to do."""
    watch = _Watched(engine, layout, stage)
    before, clock, cpu = _receipts(layout, stage), time.perf_counter(), time.process_time()
    try:
        yield watch
    finally:
        if watch.units or _receipts(layout, stage) != before:
            own = max(0.0, time.process_time() - cpu - watch.inline)
            _note(layout, {"stage": stage, "seconds": time.perf_counter() - clock, "cpu": own})


@dataclass
class _Watched:
    """An engine that notes what its units take. inline: CPU seconds of those in this process."""

    engine: Engine
    layout: Layout
    stage: str
    units: int = 0
    inline: float = 0.0

    @property
    def workers(self) -> int:
        return self.engine.workers

    @property
    def distributed(self) -> bool:
        return self.engine.distributed

    def map(
        self, function: Callable[[Any], Any], units: Sequence[Any], label: str, here: bool = False
    ) -> Generator[tuple[Any, Any]]:
        timed = self.engine.map(_Timed(function), units, label, here)
        with contextlib.closing(timed) as results:
            for unit, (result, seconds, cpu, process) in results:
                self.units += 1
                self.inline += cpu if process == os.getpid() else 0.0
                line = {"stage": self.stage, "step": label, "seconds": seconds, "cpu": cpu}
                _note(self.layout, line)
                yield unit, result


@dataclass(frozen=True)
class _Timed:
    """A function of a unit → (its result, seconds by the clock, CPU seconds, process)."""

    function: Callable[[Any], Any]

    def __call__(self, unit: Any) -> tuple[Any, float, float, int]:
        clock, cpu = time.perf_counter(), time.process_time()
        result = self.function(unit)
        return result, time.perf_counter() - clock, time.process_time() - cpu, os.getpid()


def _receipts(layout: Layout, stage: str) -> list[tuple[str, int]]:
    """The receipts of a stage with when they were written."""
    places = (*layout.receipts(stage), *layout.staged.receipts(stage))
    return [(str(path), path.stat().st_mtime_ns) for path in places]


def _note(layout: Layout, line: dict[str, Any]) -> None:
    """Append a line; a build goes on without, where it cannot be written."""
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}
    with contextlib.suppress(OSError), open(layout.times, "a", encoding="utf-8") as file:
        file.write(json.dumps(rounded) + "\n")


def _lines(layout: Layout) -> Iterator[dict[str, Any]]:
    """The lines that are whole: a kill may have cut the last."""
    try:
        text = layout.times.read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            value = json.loads(line)
            times = {"seconds": float(value["seconds"]), "cpu": float(value["cpu"])}
            yield value | {"stage": str(value["stage"])} | times
