"""Files and receipts: nothing is half-written under a final name, one build writes at a time."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.errors import RunError, UsageError
from corpus.folder import commit
from corpus.folder.folder import Folder


def test_commit_replaces_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    commit.commit_bytes(path, b"one")

    def broken(file) -> None:
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
    outputs = {"x.bin": {"bytes": 4, "sha256": digest}}
    assert folder.receipt("harvest") == commit.sealed({"outputs": outputs, "counts": {"n": 1}})
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
