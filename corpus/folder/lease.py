"""A lease on a prefix of an object store: one build writes there at a time.

The object `.lock` says who holds it. It is created by a conditional write (If-None-Match: *), so of
two builds that start together one gets it, and its holder writes it anew every quarter of LEASE_S.
A lease whose holder died is taken over: at once when the holder was a process of this machine, else
after LEASE_S without a sign of life. No clocks are compared: the newcomer watches the object.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corpus.errors import RunError, UsageError
from corpus.folder.objects import Store

KEY = ".lock"
LEASE_S = 60.0


@contextlib.contextmanager
def held(store: Store, lost: Callable[[], None], seconds: float = LEASE_S) -> Iterator[None]:
    """Hold the prefix of `store`; UsageError when a living build holds it.

    `lost` is called, from another thread, if somebody else took the lease over.
    """
    # Two builds may start together: the store's conditional write decides, not what we read.
    ours = _self()
    if not store.create(KEY, _data(ours, 0)):
        _take_over(store, ours, seconds)
    stop = threading.Event()
    thread = threading.Thread(target=_renew, args=(store, ours, stop, lost, seconds), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with contextlib.suppress(RunError):  # the store is away: the lease runs out
            if _holder(store).get("owner") == ours["owner"]:
                store.delete(KEY)


def _take_over(store: Store, ours: dict[str, Any], seconds: float) -> None:
    """Wait until the holder is known to be dead, then hold the lease; UsageError if it lives."""
    # A holder on this machine is looked up by its process; of another one only time tells: it
    # writes the lock every quarter of a lease, so a lock unchanged for a whole one has no holder.
    first = _holder(store)
    refusal = UsageError(
        f"another build is writing to {store.url} ({first.get('host', 'unknown host')}, process "
        f"{first.get('process', '?')}): wait for it or choose another --out"
    )
    if first.get("machine") == ours["machine"]:
        if _lives(first):
            raise refusal
    elif first:
        print(
            f"{store.url} is held by {first.get('host')}: looking for {seconds:.0f} s whether "
            "that build is alive",
            file=sys.stderr,
        )
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(1.0, seconds / 8))
            holder = _holder(store)
            if not holder:
                break
            if holder != first:
                raise refusal
    if _holder(store) == first:  # else it was given back, or somebody else was faster
        store.delete(KEY)
    if not store.create(KEY, _data(ours, 0)):
        raise refusal


def _renew(
    store: Store,
    ours: dict[str, Any],
    stop: threading.Event,
    lost: Callable[[], None],
    seconds: float,
) -> None:
    """Say every quarter of the lease that the holder lives, until it stops or is robbed."""
    beat = 0
    while not stop.wait(seconds / 4):
        beat += 1
        with contextlib.suppress(RunError):  # the next commit says what is wrong with the store
            if _holder(store).get("owner") != ours["owner"]:
                lost()
                return
            store.write(KEY, _data(ours, beat))


def _holder(store: Store) -> dict[str, Any]:
    """What the lock object says; empty when there is none."""
    data = store.read(KEY)
    if data is None:
        return {}
    try:
        holder = json.loads(data)
    except ValueError:
        holder = None
    return holder if isinstance(holder, dict) and holder else {"host": "unknown host"}


def _data(ours: dict[str, Any], beat: int) -> bytes:
    return json.dumps(ours | {"beat": beat}, sort_keys=True).encode()


def _self() -> dict[str, Any]:
    """This process: on a machine (boot and process namespace) its number and start are unique."""
    return {
        "owner": uuid.uuid4().hex,
        "host": socket.gethostname(),
        "machine": _machine(),
        "process": os.getpid(),
        "started": _started(os.getpid()),
    }


def _machine() -> str:
    """This boot of this machine, and its process namespace: containers count processes apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux: every lease is another machine's
        return uuid.uuid4().hex


def _started(process: int) -> str:
    """Start time of a process in clock ticks; empty when there is no such process (or a zombie)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _lives(holder: dict[str, Any]) -> bool:
    """Whether the holding process runs; its start time tells it from a later one of that number."""
    started = _started(int(holder.get("process") or 0))
    return bool(started) and started == holder.get("started")
