"""The Ray engine: the units of a build on the machines of a cluster.

A worker is an actor: a process that keeps what it loaded (models, profiles, compiled kernels) from
unit to unit, and holds the CPUs and the memory of one unit. There are as many as the cluster has
room for, at most `workers`, and each has one unit at a time: nothing queues up outside the driver.

    unit raises           reported with its host, tried once more, then kept as a failure
    worker or node lost   its unit goes back to the queue, LOSSES times; a new worker is started
                          wherever there is room
    straggler             once the queue is empty, a unit that runs much longer than the median is
                          started a second time, on another node if one is free; the first to
                          finish counts and the other is killed
    driver lost           the workers end with it; the same command goes on from the receipts, after
                          it has ended what still runs in the name of the build folder

Outputs are committed atomically and depend on nothing but the unit, so a unit that ran twice, or
half, changes no byte.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from rich.console import Console

from corpus.engine.ray_pool import POLL_SECONDS, WAIT_SECONDS, Hand, Pool, lost_text
from corpus.engine.units import ATTEMPTS, Failure, collect, failure_text, report
from corpus.errors import RunError

LOSSES = 4  # lost workers a unit survives: most are the fault of a node, not of the unit
STRAGGLER_FACTOR = 3.0  # times the median of the finished units
STRAGGLER_SECONDS = 60.0  # and at least this long: below it a second copy gains nothing


class RayEngine:
    """Runs units on a Ray cluster; the arguments are corpus.engine.ray_pool.Pool's."""

    distributed = True

    def __init__(
        self,
        address: str = "",
        workers: int = 0,
        quiet: bool = False,
        cpus: float = 1.0,
        memory: int = 0,
        name: str = "inaho",
        shared: Path | None = None,
        straggler_seconds: float = STRAGGLER_SECONDS,
    ) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.straggler_seconds = straggler_seconds
        self.pool = Pool(self.console, address, workers, cpus, memory, name, shared)

    @property
    def workers(self) -> int:
        """Units in flight at most, by the CPUs of the cluster as it is now."""
        return self.pool.size

    def close(self) -> None:
        """End the workers and leave the cluster (or end it, if this engine started it)."""
        self.pool.close()

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(
        self,
        function: Callable[[Any], Any],
        units: Sequence[Any],
        label: str,
        here: bool = False,
    ) -> Generator[tuple[Any, Any]]:
        """Yield (unit, result) as units finish. Raises RunError at the end if units failed.

        `function` and the units must be picklable. The first line of each failure goes to stderr
        at once, with the host. Tasks are called "LABEL UNIT" in the dashboard. `here` says nothing
        to a cluster: its workers stand ready.
        """
        results = self._run(function, units, label)
        try:
            yield from collect(results, len(units), label, self.console)
        except RayError as error:
            raise RunError(
                f"the Ray cluster is lost: {lost_text(error)}; what is done is kept: start it and "
                "run the same command again"
            ) from error

    def _run(
        self, function: Callable[[Any], Any], units: Sequence[Any], label: str
    ) -> Iterator[tuple[Any, Any]]:
        """The results as they come; Failures among them.

        The function travels once a stage, by reference: as an argument it would travel with each
        unit.
        """
        stage = _Stage(units)
        reference = [ray.put(function)]
        killed: list[Any] = []
        try:
            while stage.open:
                # Give every idle worker a unit, or a second copy of one that takes too long.
                self.pool.hire(len(stage.open))
                for hand in [h for h in self.pool.hands if not h.starting and h.call is None]:
                    index = stage.next() if stage.queue else self._straggler(stage, hand)
                    if index < 0:
                        break
                    name = f"{label} {units[index]}"[:200]
                    hand.call = hand.actor.run.options(name=name).remote(reference, units[index])
                    hand.index, hand.since = index, time.monotonic()
                # Wait for any start or result, half a second at most: nodes and stragglers are then
                # looked at again.
                waiting = {h.starting or h.call: h for h in self.pool.hands if h.starting or h.call}
                ready = ray.wait(list(waiting), timeout=POLL_SECONDS)[0] if waiting else []
                self.pool.complain_if_idle()
                for hand in [waiting[r] for r in ready if waiting[r] in self.pool.hands]:
                    if hand.starting:
                        self.pool.started(hand)
                        continue
                    # The first result of a unit counts; workers with another copy of it are ended.
                    index, result = hand.index, self._result(hand, units[hand.index])
                    if index not in stage.open or not self._final(stage, index, result):
                        continue
                    for other in [h for h in self.pool.hands if h.call and h.index == index]:
                        killed.append(other.call)
                        self.pool.dismiss(other)
                    yield units[index], result
        finally:
            for hand in [h for h in self.pool.hands if h.call]:
                killed.append(hand.call)
                self.pool.dismiss(hand)
            if killed:  # the folder is left alone only when they are gone
                ray.wait(killed, num_returns=len(killed), timeout=WAIT_SECONDS)

    def _result(self, hand: Hand, unit: Any) -> Any:
        """The result of a worker's call, a Failure, or _Lost."""
        call, hand.call, hand.index = hand.call, None, -1
        try:
            return ray.get(call)
        except RayTaskError as error:  # outside the unit: it cannot be unpickled, for example
            text = failure_text(error.cause or error)[:300]
            return Failure(unit, f"{text} (on {hand.host})", str(error))
        except RayError as error:
            self.pool.dismiss(hand)
            return _Lost(unit, f"worker lost ({lost_text(error)}) on {hand.host}", str(error))

    def _final(self, stage: _Stage, index: int, result: Any) -> bool:
        """Note the result of a unit; False if it has to be tried again."""
        if not isinstance(result, Failure):
            stage.done(index)
            return True
        lost = isinstance(result, _Lost)
        stage.losses[index] += lost
        stage.attempts[index] += not lost
        if lost and any(h.call and h.index == index for h in self.pool.hands):
            return False  # the other copy is still at it
        again = stage.attempts[index] < ATTEMPTS and stage.losses[index] <= LOSSES
        report(self.console, result.unit, result.error, again)
        if again:
            stage.queue.append(index)
        else:
            stage.open.discard(index)
        return not again

    def _straggler(self, stage: _Stage, idle: Hand) -> int:
        """A unit to start a second time on this worker, or −1: the longest in flight."""
        flights = [h for h in self.pool.hands if h.call]
        copies = [h.index for h in flights]
        limit = max(self.straggler_seconds, STRAGGLER_FACTOR * stage.median())
        now = time.monotonic()
        slow = [h for h in flights if now - h.since > limit and copies.count(h.index) == 1]
        if not slow:
            return -1
        slowest = min(slow, key=lambda h: h.since)
        free = [h for h in self.pool.hands if not h.starting and h.call is None]
        if idle.node == slowest.node and any(h.node != slowest.node for h in free):
            return -1  # one of those will take it
        unit = stage.units[slowest.index]
        self.pool.say(
            f"note: {unit} runs for {now - slowest.since:.0f} s on {slowest.host}, the median is "
            f"{stage.median():.0f} s; started a second time on {idle.host}"
        )
        return slowest.index


class _Lost(Failure):
    """The worker is gone, by the unit's fault or its node's."""


class _Stage:
    """The units of a map: which are open, which wait, and how long the finished ones took."""

    def __init__(self, units: Sequence[Any]) -> None:
        self.units = units
        self.queue = deque(range(len(units)))
        self.open = set(self.queue)
        self.attempts = [0] * len(units)
        self.losses = [0] * len(units)
        self.started: dict[int, float] = {}
        self.seconds: list[float] = []

    def next(self) -> int:
        """The index of the unit that has waited longest; its clock starts."""
        index = self.queue.popleft()
        self.started[index] = time.monotonic()
        return index

    def done(self, index: int) -> None:
        """A unit is finished: note how long it took."""
        self.open.discard(index)
        self.seconds.append(time.monotonic() - self.started[index])

    def median(self) -> float:
        """Of the finished units, in seconds; infinite until half of all are finished."""
        enough = len(self.seconds) * 2 >= len(self.units)
        return statistics.median(self.seconds) if enough and self.seconds else float("inf")
