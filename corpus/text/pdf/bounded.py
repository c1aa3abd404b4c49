"""Reading PDF files in a process of its own, which dies instead of this one.

    blocks = read(data, ruby="drop", gate=True)

PDFium is native code and files of strangers may do to it what they can; a page may also cost any
amount of time or memory. One child a process is kept over all files (`worker`); one that a file
ends is replaced, and costs that file alone.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from typing import IO, Any, cast

SECONDS = 1.0  # of processor time for any file
SECONDS_A_MIB = 20.0  # more for larger ones: 400 pages of text are about 1 MiB
MOST_SECONDS = 900.0
PATIENCE = 20.0  # times as much time by the clock: other processes compute, too
MAX_ANSWER = 512 << 20  # bytes
_LOCK = threading.Lock()


class Child:
    """The process that reads; started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, data: bytes, ruby: str, gate: bool) -> dict[str, Any]:
        """What `document.read` says of the file, or {"refused": rule, "detail": words}."""
        seconds = seconds_for(data)
        wish = {"seconds": seconds, "ruby": ruby, "gate": gate}
        message = json.dumps(wish).encode() + b"\n" + data
        answer = self._exchange(message, PATIENCE * (seconds + 2))
        if answer is None:
            self.close()
            detail = f"it took more than {seconds:.1f} s of a processor, or ended its reader"
            return {"refused": "pdf_limit", "detail": detail}
        return cast(dict[str, Any], json.loads(answer))

    def _exchange(self, message: bytes, patience: float) -> bytes | None:
        """The answer to a message; None if the child ends, or is silent for so many seconds."""
        if self._process is None or self._process.poll() is not None:
            self._process = _start()
        to, answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            to.write(len(message).to_bytes(8, "little"))
            to.write(message)
            to.flush()
            if not select.select([answers], [], [], patience)[0]:
                return None
            size = int.from_bytes(answers.read(8), "little")
            answer = answers.read(size) if 0 < size <= MAX_ANSWER else b""
        except OSError:
            return None
        return answer if answer and len(answer) == size else None

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process = None


def seconds_for(data: bytes) -> float:
    """Seconds of processor time that a file may take."""
    return min(SECONDS + SECONDS_A_MIB * len(data) / (1 << 20), MOST_SECONDS)


def _start() -> subprocess.Popen[bytes]:
    """A fresh interpreter that finds the same packages; it ends when its input does."""
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "corpus.text.pdf.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip


_CHILD = Child()
atexit.register(_CHILD.close)


def read(data: bytes, ruby: str, gate: bool) -> dict[str, Any]:
    """`document.read` in the child. Answers {"refused": rule, "detail": words} for what it does
    not read: a rule of `document.REASONS`, "malformed", or "pdf_limit" (time, memory, a crash)."""
    with _LOCK:
        return _CHILD.ask(data, ruby, gate)
