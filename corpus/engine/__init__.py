"""Engines run units of work: `map(function, units, label)` on this machine or on a Ray cluster."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from corpus.errors import UsageError

NAMES = ("local", "ray")


def start(
    name: str, workers: int, address: str, memory: int, quiet: bool, lock: Path
) -> contextlib.AbstractContextManager[Any]:
    """The engine called `name` (corpus.engine.units.Engine).

    workers: most units in flight, 0: all that fit; address: of a Ray cluster; memory: bytes that a
    worker may use, 0: not said; lock: a file that exists in the build's folder while it runs, by
    which workers see that they share it. UsageError for an unknown engine, a missing package, no
    cluster.
    """
    if name not in NAMES:
        raise UsageError(f"unknown engine {name!r}: it is {' or '.join(NAMES)}")
    if address and name != "ray":
        raise UsageError("--ray-address needs --engine ray")
    if name == "local":
        from corpus.engine.local import LocalEngine

        count = workers or len(os.sched_getaffinity(0))
        return contextlib.nullcontext(LocalEngine(count, quiet=quiet))
    try:
        from corpus.engine.ray import RayEngine
    except ModuleNotFoundError as error:
        raise UsageError("--engine ray needs Ray: pip install 'inaho[ray]'") from error
    shared = lock.absolute()
    return RayEngine(address, workers, quiet, memory=memory, name=str(shared.parent), shared=shared)
