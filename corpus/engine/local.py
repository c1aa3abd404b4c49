"""The local engine: a pool of worker processes that survives what its workers do not.

A worker gets one unit at a time over a pipe. A unit that raises, or whose worker dies (killed,
segmentation fault, out of memory), is reported and tried once more on a fresh worker; a second
failure is kept and the other units go on, so one bad unit costs one unit. The results carry no
order; callers sort by unit.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from rich.console import Console

from corpus.engine.units import (
    ATTEMPTS,
    Failure,
    announce_compilation,
    collect,
    failure_text,
    report,
)
from corpus.errors import RunError


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    index: int = -1  # of the unit in flight


class LocalEngine:
    """Runs units on `workers` local processes (1: in this process)."""

    distributed = False

    def __init__(self, workers: int = 1, quiet: bool = False) -> None:
        self.workers = max(1, workers)
        self.console = Console(stderr=True, quiet=quiet)

    def map(
        self,
        function: Callable[[Any], Any],
        units: Sequence[Any],
        label: str,
        here: bool = False,
    ) -> Generator[tuple[Any, Any]]:
        """Yield (unit, result) as units finish. Raises RunError at the end if units failed.

        `function` and the units must be picklable. The first line of each failure goes to stderr
        at once. here: in this process.
        """
        announce_compilation(self.console)
        alone = here or self.workers == 1 or len(units) == 1
        run = self._inline if alone else self._processes
        yield from collect(run(function, units), len(units), label, self.console)

    def _inline(
        self, function: Callable[[Any], Any], units: Sequence[Any]
    ) -> Iterator[tuple[Any, Any]]:
        """In this process: no worker has to start (seconds), and a debugger can follow."""
        for unit in units:
            for attempt in range(ATTEMPTS):
                try:
                    result = function(unit)
                except Exception as error:
                    result = Failure(unit, failure_text(error), traceback.format_exc())
                    if isinstance(error, RunError):
                        break
                    report(self.console, unit, result.error, attempt + 1 < ATTEMPTS)
                else:
                    break
            yield unit, result

    def _processes(
        self, function: Callable[[Any], Any], units: Sequence[Any]
    ) -> Iterator[tuple[Any, Any]]:
        """On worker processes, each a fresh interpreter: no thread or lock is inherited."""
        queue = deque(range(len(units)))
        attempts = [0] * len(units)
        workers = [self._start(function) for _ in range(min(self.workers, len(units)))]
        open_units = len(units)
        try:
            while open_units:
                # One unit a worker: nothing queues up behind a slow one.
                for worker in workers:
                    if worker.index < 0 and queue:
                        worker.index = queue.popleft()
                        worker.pipe.send(units[worker.index])
                busy = [w for w in workers if w.index >= 0]
                ready = wait([w.pipe for w in busy])
                for worker in [w for w in busy if w.pipe in ready]:
                    index, unit = worker.index, units[worker.index]
                    attempts[index] += 1
                    # A pipe that ends is a dead worker: say how it died, and start another.
                    try:
                        result = worker.pipe.recv()
                    except (EOFError, OSError):
                        worker.process.join()
                        code = worker.process.exitcode
                        result = Failure(unit, f"worker died ({_exit_text(code)})", "")
                        workers.remove(worker)
                        workers.append(self._start(function))
                    else:
                        worker.index = -1
                    if isinstance(result, Failure):
                        again = attempts[index] < ATTEMPTS
                        report(self.console, unit, result.error, again)
                        if again:
                            queue.append(index)
                            continue
                    open_units -= 1
                    yield unit, result
        finally:
            for worker in workers:
                worker.pipe.close()
                worker.process.terminate()
            for worker in workers:
                worker.process.join()

    def _start(self, function: Callable[[Any], Any]) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(function, theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _work(function: Callable[[Any], Any], pipe: Connection, parent: int) -> None:
    """Body of a worker: units in, results out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _die_with_parent(parent)
    while True:
        try:
            unit = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            result = function(unit)
        except Exception as error:
            result = Failure(unit, failure_text(error), traceback.format_exc())
        try:
            pipe.send(result)
        except (BrokenPipeError, OSError):
            return


def _die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies, so that no orphan writes on."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
