"""Fixtures shared by all tests: the sample input of the repository and the real data beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture(scope="session")
def run_corpus() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the `corpus` command as a user does, in a process of its own."""

    def run(*args: object, check: bool = True, cwd: Path = REPO, timeout: float = 600):  # type: ignore[no-untyped-def]
        result = subprocess.run(
            [sys.executable, "-m", "corpus", *map(str, args)],
            cwd=cwd, capture_output=True, text=True, timeout=timeout,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"corpus {args} exited {result.returncode}: {result.stderr}")
        return result

    return run


@pytest.fixture(scope="session")
def built(
    run_corpus: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A corpus built once from the sample WARC, with every Japanese document kept."""
    out = tmp_path_factory.mktemp("built") / "corpus"
    run_corpus("build", "tests/data/sample.warc.gz", "--out", out, "--profile", "none", "-q")
    return out
