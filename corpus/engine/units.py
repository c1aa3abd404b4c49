"""What every engine does with the units of a stage: progress, reports, and the failures at the end.

An engine has `map(function, units, label, here)`, which yields (unit, result) in any order, and
`workers`, the most units it has in flight. How a unit is run, and tried again, is the engine's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from corpus.errors import RunError, counted, one_line

ATTEMPTS = 2
COMPILATION = 130  # seconds of one core, all kernels of a first build (docs/benchmarks.md)


class Engine(Protocol):
    """What a build needs of an engine; `distributed`: its workers are on several machines."""

    @property
    def workers(self) -> int: ...

    @property
    def distributed(self) -> bool: ...

    def map(
        self,
        function: Callable[[Any], Any],
        units: Sequence[Any],
        label: str,
        here: bool = False,
    ) -> Generator[tuple[Any, Any]]:
        """Yield (unit, result) as units finish. Raises RunError at the end if units failed.

        here: they take less than workers take to start; an engine of one machine starts none.
        """
        ...


@dataclass(frozen=True)
class Failure:
    """A unit that failed for good: its error in one line and the traceback of the last attempt."""

    unit: Any
    error: str
    trace: str


def collect(
    results: Iterator[tuple[Any, Any]], total: int, label: str, console: Console
) -> Iterator[tuple[Any, Any]]:
    """Pass results on under a progress bar; RunError after the last one if there were Failures."""
    failures: list[Failure] = []
    bar = Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=total)
        for unit, result in results:
            bar.advance(task)
            if isinstance(result, Failure):
                failures.append(result)
            else:
                yield unit, result
    # Failures last: one bad unit does not keep the others from being done.
    if failures:
        first = failures[0]
        more = f" (and {counted(len(failures) - 1, 'more unit')})" if len(failures) > 1 else ""
        error = RunError(
            f"{label} failed on {first.unit}: {first.error}{more}; "
            "what is done is kept: run the same command again to retry the rest"
        )
        error.add_note(first.trace)
        raise error


@functools.cache
def announce_compilation(console: Console) -> None:
    """Say once that the first run will be slow, if kernels are not compiled for this machine."""
    from filters.kernels import cache
    from filters.kernels.decode import decode

    if not decode._cache.holds():
        place = cache.folder() or "__pycache__ beside the sources"
        console.print(
            f"compiling kernels for this machine, once: about {COMPILATION} s of processor time, "
            f"kept in {place} (elsewhere: NUMBA_CACHE_DIR)", highlight=False, soft_wrap=True,
        )  # fmt: skip


def report(console: Console, unit: Any, error: str, again: bool) -> None:
    """Say at once that a unit failed, and whether it is tried again."""
    fate = "trying once more" if again else "given up"
    console.print(
        f"warning: {unit}: {error}; {fate}", markup=False, highlight=False, soft_wrap=True
    )


def failure_text(error: BaseException) -> str:
    """The error in one line; its class too, unless it was written for users."""
    text = one_line(error, None)
    name = type(error).__name__
    return text if isinstance(error, RunError) else f"{name}: {text}" if text else name
