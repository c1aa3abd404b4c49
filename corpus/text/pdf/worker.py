"""The process that reads PDF files of strangers: `python -m corpus.text.pdf.worker`.

It holds no more memory than MEMORY and computes no longer than each file is allowed; the kernel
ends it otherwise (RLIMIT_AS, SIGPROF), and `bounded` starts another. It imports no kernels.

Messages both ways: 8 bytes of length, then the bytes. In: a line of JSON (seconds, ruby, gate), a
line feed, the file. Out: JSON as `document.read` gives it, or {"refused": rule, "detail": words}.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import IO, Any

from corpus.text.pdf.document import read
from corpus.text.pdf.page import REASONS, Refused

MEMORY = 2 << 30  # bytes of address space


def main() -> None:
    """Answer files until the input ends."""
    sys.setrecursionlimit(600)  # objects nested deeper are no document
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (message := receive(source)) is not None:
        asked, _, data = message.partition(b"\n")
        wish = json.loads(asked)
        # SIGPROF ends the process when it has computed so long, also inside native code.
        signal.setitimer(signal.ITIMER_PROF, wish["seconds"])
        answer = json.dumps(_answer(data, wish)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        send(sink, answer)


def _answer(data: bytes, wish: dict[str, Any]) -> dict[str, Any]:
    try:
        return read(data, wish["ruby"], wish["gate"])
    except Refused as refusal:
        rule = str(refusal.args[0])
        return {"refused": rule, "detail": REASONS[rule]}
    except MemoryError:
        return {"refused": "pdf_limit", "detail": f"it needs more than {MEMORY >> 20:,} MiB"}
    except Exception as error:  # hostile input
        return {"refused": "malformed", "detail": f"no PDF: {type(error).__name__}: {error}"[:300]}


def send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(8, "little"))
    stream.write(message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """The next message; None when the other side has ended."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "little")
    message = stream.read(size)
    return message if len(message) == size else None


if __name__ == "__main__":
    main()
