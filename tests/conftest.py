"""Fixtures shared by all tests: the sample input of the repository and the real data beside it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from hypothesis import settings

# The first call of a kernel compiles it: a deadline would measure numba. The same examples on every
# run, so that a red CI can be repeated.
settings.register_profile("inaho", deadline=None, derandomize=True)
settings.load_profile("inaho")

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared" / "data"


@pytest.fixture(scope="session")
def repo() -> Path:
    """The checkout."""
    return REPO


@pytest.fixture(scope="session")
def data() -> Path:
    """tests/data: real pages that ship with the repository."""
    return REPO / "tests" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """shared/data: larger real data with ground truth, beside the checkout in CI."""
    if not SHARED.is_dir():
        pytest.skip(f"THE SHARED DATA IS ABSENT ({SHARED}): this test did not run")
    return SHARED


class Result(NamedTuple):
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


class RunCorpus(Protocol):
    def __call__(self, *args: object, check: bool = True, cwd: Path = REPO) -> Result: ...


@pytest.fixture(scope="session")
def run_corpus() -> RunCorpus:
    """Run the `corpus` command in this process; start-up, signals and pipes are tested in others.

    Raises AssertionError for a command that fails, unless `check` is false.
    """
    from corpus.cli.app import main

    def run(*args: object, check: bool = True, cwd: Path = REPO) -> Result:
        out, err = io.StringIO(), io.StringIO()
        status: object = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["corpus", *map(str, args)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("COLUMNS", "200")
            patch.chdir(cwd)
            try:
                main()
            except SystemExit as end:
                status = end.code
        result = Result(int(str(status or 0)), out.getvalue(), err.getvalue())
        if check and result.returncode:
            raise AssertionError(f"corpus {args} exited {result.returncode}: {result.stderr}")
        return result

    return run


@pytest.fixture(scope="session")
def spawn_corpus() -> RunCorpus:
    """Run the `corpus` command as a user does, in a process of its own."""

    def run(*args: object, check: bool = True, cwd: Path = REPO) -> Result:
        ended = subprocess.run(
            [sys.executable, "-m", "corpus", *map(str, args)],
            cwd=cwd, capture_output=True, text=True, timeout=600,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        if check and ended.returncode:
            raise AssertionError(f"corpus {args} exited {ended.returncode}: {ended.stderr}")
        return Result(ended.returncode, ended.stdout, ended.stderr)

    return run


SMALL = ["tests/data/documents.csv", "tests/data/documents.parquet"]  # two units


@pytest.fixture(scope="session")
def small_built(run_corpus: RunCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of fifty documents in two units, to be copied and damaged: built in seconds."""
    out = tmp_path_factory.mktemp("small") / "corpus"
    run_corpus("build", *SMALL, "--out", out, "--profile", "none", "-j", 1, "-q")
    return out


@pytest.fixture(scope="session")
def built(run_corpus: RunCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus built once from the sample WARC, with every Japanese document kept."""
    out = tmp_path_factory.mktemp("built") / "corpus"
    run_corpus("build", "tests/data/sample.warc.gz", "--out", out, "--profile", "none", "-q")
    return out
