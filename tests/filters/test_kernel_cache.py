"""Compiled kernels are kept where that is possible, found again, and never out of date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILTERS = Path(__file__).resolve().parents[2] / "filters"
INNER = """
from filters.kernels.kernel import inlined, kernel

@inlined
def _one(value):
    if value < 0:
        raise ValueError("negative")
    return value + 1

@kernel
def inner(values, start):
    total = 0
    for i in range(start, len(values)):
        total += _one(values[i])
    return total
"""
OUTER = """
from filters.inner import inner
from filters.kernels.kernel import kernel

@kernel
def outer(values):
    return inner(values, 0) + inner(values, values[0])
"""
SCRIPT = """
import numpy as np
from numba.core import event
from filters.outer import outer

with event.install_recorder("numba:compile") as compiled:
    print(outer(np.arange(4, dtype=np.int32)), bool(len(compiled.buffer)))
try:
    outer(np.array([0, -1], dtype=np.int32))
except ValueError as error:
    print(error)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with two kernels, one calling the other, in a file each."""
    kernels = tmp_path / "filters" / "kernels"
    kernels.mkdir(parents=True)
    for name in ("__init__.py", "kernels/kernel.py", "kernels/cache.py", "kernels/linked.py"):
        shutil.copy(FILTERS / name, tmp_path / "filters" / name)
    (tmp_path / "filters" / "inner.py").write_text(INNER)
    (tmp_path / "filters" / "outer.py").write_text(OUTER)
    return tmp_path


def run(tree: Path, **environment: str) -> str:
    """What the script prints: the sum, whether anything was compiled, the error."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=kept | environment, cwd=tree, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.replace("\n", " ").strip()


def test_a_kernel_is_loaded_again_until_a_file_that_it_imports_changes(tree: Path) -> None:
    assert run(tree) == "20 True negative"
    assert run(tree) == "20 False negative"
    inner = tree / "filters" / "inner.py"
    inner.write_text(INNER.replace("value + 1", "value + 2"))
    assert run(tree) == "28 True negative"
    # A cache file that was cut off costs a compilation, not the run.
    for file in (tree / "filters" / "__pycache__").glob("*.nb?"):
        file.write_bytes(file.read_bytes()[:100])
    assert run(tree) == "28 True negative"


def test_where_neither_the_sources_nor_a_home_can_be_written(tree: Path) -> None:
    temporary = tree / "tmp"
    temporary.mkdir()
    closed = {"HOME": "/dev/null", "TMPDIR": str(temporary)}
    # A file in place of the folder: not even root can write there.
    for folder in (tree / "filters", tree / "filters" / "kernels"):
        (folder / "__pycache__").touch()
    assert run(tree, **closed) == "20 True negative"
    (own,) = temporary.iterdir()
    assert own.name == f"inaho-{os.getuid()}" and own.stat().st_mode & 0o777 == 0o700
    assert run(tree, **closed) == "20 False negative"
    # A folder that others can write may hold their code: it is not used, and all goes on.
    own.chmod(0o777)
    assert run(tree, **closed) == "20 True negative"


def test_what_an_image_was_built_with_is_read_where_another_folder_is_written(tree: Path) -> None:
    assert run(tree) == "20 True negative"
    elsewhere = tree / "elsewhere"
    assert run(tree, NUMBA_CACHE_DIR=str(elsewhere)) == "20 False negative"
    assert not list(elsewhere.rglob("*.nbi"))
