"""A build killed in the middle of one archive goes on inside it, to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from corpus.build import Build
from corpus.config import load
from corpus.engine.local import LocalEngine
from corpus.folder.folder import Folder


def outputs(folder: Path) -> dict[str, bytes]:
    kinds = ("documents", "ledger", "state/harvest")
    paths = [path for kind in kinds for path in sorted((folder / kind).iterdir())]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_build_killed_inside_an_archive_goes_on_inside_it(
    run_corpus: Callable[..., subprocess.CompletedProcess[str]],
    repo: Path, data: Path, tmp_path: Path,
) -> None:  # fmt: skip
    archive = str(data / "sample.warc.gz")
    args = ["harvest", archive, "--set", "input.unit_mib=1", "--workers", "1", "-q", "--out"]
    out = tmp_path / "killed"
    receipts = out / "state" / "harvest"
    process = subprocess.Popen([sys.executable, "-m", "corpus", *args, str(out)], cwd=repo)
    while not (receipts / "0000000.json").exists():
        assert process.poll() is None, "the build ended before its first unit was done"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in receipts.glob("0*.json")}
    assert 1 <= len(done) < 3, "the archive has three units"
    run_corpus(*args, out)
    after = {path.name: path.stat().st_mtime_ns for path in receipts.glob("0*.json")}
    assert len(after) == 3 and done.items() <= after.items()  # what was done was not done again
    engine = LocalEngine(1, quiet=True)
    Build(Folder(tmp_path / "whole"), load(None, ["input.unit_mib=1"]), (archive,), engine).run(
        "harvest"
    )
    assert outputs(out) == outputs(tmp_path / "whole")
