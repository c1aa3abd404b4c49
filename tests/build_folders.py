"""What tests of build folders share."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq


def tree(folder: Path) -> dict[str, str]:
    """Relative path → SHA-256 of every file of a build, without what is hidden: lock and times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def rows(folder: Path, *columns: str) -> list[dict]:
    """The rows of a Parquet file or folder, of all columns or of these."""
    return pq.read_table(folder, columns=list(columns) or None).to_pylist()
