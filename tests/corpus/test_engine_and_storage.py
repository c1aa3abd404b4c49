"""The engine survives its workers; storage leaves nothing half-written under a final name."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.engine.local import LocalEngine
from corpus.errors import RunError, UsageError
from corpus.folder import commit
from corpus.folder.folder import Folder


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


# storage ------------------------------------------------------------------------------------------


def test_commit_replaces_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    commit.commit_bytes(path, b"one")

    def broken(file) -> None:  # type: ignore[no-untyped-def]
        file.write(b"half of tw")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        commit.commit(path, broken)
    assert path.read_bytes() == b"one" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    """A file size limit stands in where no small file system can be mounted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(RunError, match=r"big\.bin"):
            commit.commit_bytes(tmp_path / "big.bin", bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_build_on_a_full_disk_fails_in_one_line(repo: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("A SMALL FILE SYSTEM CANNOT BE MOUNTED HERE: the full disk was not tested")
    try:
        result = subprocess.run(
            [sys.executable, "-m", "corpus", "build", "tests/data/sample.warc.gz",
             "--out", str(disk / "out"), "-j", "1", "-q"],
            cwd=repo, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 1
        lines = result.stderr.strip().splitlines()
        assert "disk full" in lines[-1] and "free space" in lines[-1]
        assert not list((disk / "out").glob("documents/*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_receipt_counts_only_with_its_outputs(tmp_path: Path) -> None:
    folder, output = Folder(tmp_path), tmp_path / "x.bin"
    digest = folder.commit_bytes(output, b"data")
    folder.write_receipt("harvest", 0, {output: digest}, {"n": 1})
    assert folder.receipt("harvest") == {
        "outputs": {"x.bin": {"bytes": 4, "sha256": digest}}, "counts": {"n": 1}
    }  # fmt: skip
    output.write_bytes(b"dat")
    assert folder.receipt("harvest") is None
    output.write_bytes(b"data")
    receipt = folder.layout.receipt("harvest")
    receipt.write_text(receipt.read_text()[:-10])
    assert folder.receipt("harvest") is None


def test_two_builds_cannot_share_a_folder(tmp_path: Path) -> None:
    with (
        Folder(tmp_path).lock(),
        pytest.raises(UsageError, match="another build"),
        Folder(tmp_path).lock(),
    ):
        pass


def test_parquet_bytes_depend_on_rows_only(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(["x", "y", None]), "b": pa.array([1, 2, 3])})
    one = commit.commit_parquet(tmp_path / "1.parquet", table.schema, table)
    two = commit.commit_parquet(tmp_path / "2.parquet", table.schema, iter(table.to_batches()))
    assert one == two and one[1] == 3
