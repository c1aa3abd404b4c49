"""The local engine survives its workers, and Ctrl-C leaves none."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from corpus.engine.local import LocalEngine
from corpus.engine.units import announce_compilation
from corpus.errors import RunError
from filters.kernels.decode import decode


def square(number: int) -> int:
    return number * number


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three is bad")
    return number


def die_once(place: tuple[str, int]) -> int:
    folder, number = place
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_unit_gives_its_result(workers: int) -> None:
    results = dict(LocalEngine(workers, quiet=True).map(square, range(20), "square"))
    assert results == {n: n * n for n in range(20)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_unit_is_tried_twice_reported_and_costs_only_itself(
    workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    done = []
    with pytest.raises(RunError, match=r"step failed on 3: ValueError: three is bad"):
        for unit, _ in LocalEngine(workers).map(fail_on_three, range(6), "step"):
            done.append(unit)
    assert sorted(done) == [0, 1, 2, 4, 5]
    said = capfd.readouterr().err
    assert said.count("three is bad") == 2 and "trying once more" in said and "given up" in said


def test_a_killed_worker_is_replaced_and_its_unit_done_again(tmp_path: Path) -> None:
    units = [(str(tmp_path), n) for n in range(6)]
    results = dict(LocalEngine(2, quiet=True).map(die_once, units, "step"))
    assert sorted(results.values()) == list(range(6))


def test_a_unit_that_kills_every_worker_fails_alone() -> None:
    done = []
    with pytest.raises(RunError, match="SIGSEGV"):
        for unit, _ in LocalEngine(2, quiet=True).map(die_always, range(4), "step"):
            done.append(unit)
    assert sorted(done) == [0, 2, 3]


def test_ctrl_c_stops_at_once_says_how_to_go_on_and_leaves_no_process(
    repo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "corpus", "build", "tests/data/sample.warc.gz", "--out", str(out),
         "--workers", "2", "--set", "input.unit_mib=1", "-q"],
        cwd=repo, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # a shell's background job ignores SIGINT, and would hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )  # fmt: skip
    while not (out / "state" / "plan.json").exists():  # the workers are just starting
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole process group
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.strip() == ("error: interrupted; what is done is kept: run the same command again")
    for _ in range(100):  # the last helper of multiprocessing goes when its pipe closes
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("processes of the interrupted build are still alive")


def said_at_start() -> str:
    out = io.StringIO()
    announce_compilation(Console(file=out, width=80))
    return out.getvalue()


def test_a_run_says_that_kernels_are_compiled_unless_they_are(monkeypatch) -> None:
    arrays = np.empty(0, np.uint8), np.zeros(1, np.int64), np.empty(0, np.uint32)
    decode(*arrays, np.zeros(1, np.int64))
    assert said_at_start() == ""
    monkeypatch.setattr(decode._cache, "_files", [])  # where nothing is kept
    assert "compiling kernels for this machine, once" in said_at_start()


@pytest.mark.slow
def test_after_doctor_warm_a_build_compiles_nothing(tmp_path: Path, data: Path) -> None:
    repo = Path(__file__).resolve().parents[3]
    for package in ("corpus", "filters"):  # a new checkout: nothing compiled beside the sources
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repo / package, tmp_path / package, ignore=ignored)
    script = (
        "import sys; from numba.core import event; from corpus.cli.app import app\n"
        "with event.install_recorder('numba:compile') as made:\n"
        "    app(sys.argv[1:], standalone_mode=False)\n"
        "print({str(e.data['dispatcher'].py_func) for _, e in made.buffer})"
    )
    run = [sys.executable, "-c", script]
    place = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(tmp_path)}}
    subprocess.run([*run, "doctor", "--warm"], **place, check=True)
    inputs = [str(data / name) for name in ("sample.warc.gz", "sources")]
    build = ["build", *inputs, "--out", str(tmp_path / "out"), "-q"]
    done = subprocess.run([*run, *build], **place, check=True, capture_output=True)
    assert done.stdout == b"set()\n"
