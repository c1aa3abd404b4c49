"""What one document of strangers may take: processor time and memory, of this very process.

    with Bounds():
        item = next(items)

Readers bound what they unpack and how deep they go; this is for what they did not think of. The
kernel refuses memory (RLIMIT_AS: MemoryError), and a signal ends what computes too long
(LimitError); both are raised inside the reader, which says that this document is none and goes on
with the next. Code that is not Python's is ended only when it returns: PDFium, the one reader of
which more is to be feared, has a process of its own (corpus.text.pdf.bounded).
"""

from __future__ import annotations

import functools
import gc
import resource
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from corpus.text.normalize import normalize

RULE = "document_limit"  # of the ledger
MEMORY = 2 << 30  # bytes beyond what the process holds already
SECONDS = 120.0  # of processor time; 64 MiB by the slowest reader take some 15
TICKS = 10  # looks at what is being computed, in that time; the time of compilers does not count
_PAGE = resource.getpagesize()


class LimitError(Exception):
    """A document took more processor time than any may."""


def words_of(error: BaseException) -> str:
    """What a LimitError or MemoryError means, in words for the ledger."""
    if isinstance(error, MemoryError):
        return f"it needs more than {MEMORY >> 20:,} MiB of memory"
    return f"it took more than {SECONDS:g} s of a processor"


class Bounds:
    """The bounds, in force inside `with`; they can be entered many times, not inside each other.

    The collector of cycles rests meanwhile: trees of documents have none, and looking for some in
    them took a third of the time of the largest. In a thread that is not the main one, which no
    signal reaches, only it does.
    """

    def __init__(self) -> None:
        _load_libraries()
        self._main = threading.current_thread() is threading.main_thread()
        self._limits = resource.getrlimit(resource.RLIMIT_AS)
        self._collects = False
        self._handler: Any = None
        self._ticks = 0

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()
        if self._main:
            self._limit_memory()
            self._ticks = 0
            self._handler = signal.signal(signal.SIGPROF, self._tick)
            signal.setitimer(signal.ITIMER_PROF, SECONDS / TICKS, SECONDS / TICKS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._main:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, self._handler)
            resource.setrlimit(resource.RLIMIT_AS, self._limits)
        if self._collects:
            gc.enable()

    def _limit_memory(self) -> None:
        try:
            with open("/proc/self/statm", "rb", buffering=0) as pages:
                held = int(pages.read(32).split(None, 1)[0]) * _PAGE
        except OSError:  # not Linux
            return
        soft, hard = self._limits
        if soft == resource.RLIM_INFINITY or held + MEMORY < soft:
            resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, hard))

    def _tick(self, number: int, frame: FrameType | None) -> None:
        """Counts the time, and ends the reading from TICKS on; a reader may swallow one error."""
        self._ticks += not _compiles(frame)
        if self._ticks >= TICKS:
            raise LimitError


@functools.cache
def _load_libraries() -> None:
    """Load what the first kernel loads (SciPy's OpenBLAS): without memory for it, that spins."""
    normalize("稲")


def _compiles(frame: FrameType | None) -> bool:
    """Whether a kernel is being compiled, which no document is to blame for."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(("numba.", "llvmlite.")):
            return True
        frame = frame.f_back
    return False
