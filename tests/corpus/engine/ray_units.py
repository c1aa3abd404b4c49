"""Units of work that the workers of tests/corpus/engine/test_ray.py import on their nodes."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray


def node_of(number: int) -> tuple[int, str]:
    time.sleep(0.2)
    return number * number, ray.get_runtime_context().get_node_id()


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three is bad")
    return number


def die_on_two(number: int, folder: Path, once: bool) -> int:
    mark = folder / "died"
    if number == 2 and not (once and mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def in_flight(number: int, folder: Path) -> int:
    """How many units of this folder run now."""
    mark = folder / str(number)
    mark.touch()
    time.sleep(0.1)
    count = len(list(folder.iterdir()))
    mark.unlink()
    return count


@functools.lru_cache(maxsize=1)
def model() -> dict[str, int]:
    return {"uses": 0}


def use_model(number: int) -> tuple[int, int]:
    model()["uses"] += 1
    return os.getpid(), model()["uses"]


def hang_once(number: int, mark: Path) -> int:
    """Unit 0 hangs the first time."""
    if number == 0 and not mark.exists():
        mark.write_text(str(os.getpid()))
        time.sleep(600)
    return number


def on_doomed_node(unit: Any, function: Callable[[Any], Any], mark: Path) -> Any:
    """The first unit of all names its node and waits for its death; the others just run."""
    draft = mark.with_name(f"{mark.name}.{os.getpid()}")
    draft.write_text(ray.get_runtime_context().get_node_id())
    try:
        os.link(draft, mark)
    except FileExistsError:
        return function(unit)
    finally:
        draft.unlink()
    time.sleep(600)
    raise AssertionError("nobody killed this node")
