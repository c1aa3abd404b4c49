"""What the tests of builds in S3 share: the same small build, on disk and below a prefix."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
INPUTS = ["tests/data/documents.csv", "tests/data/documents.parquet"]  # two units
OPTIONS = ["--profile", "none", "--set", "publish.shard_mib=1"]


def files() -> Any:
    import fsspec

    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


def remote(prefix: str) -> dict[str, bytes]:
    store = files()
    return {name.removeprefix(f"{prefix}/"): store.cat_file(name) for name in store.find(prefix)}


def on_disk(root: Path) -> dict[str, bytes]:
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {k: path.read_bytes() for k, path in found.items() if "/." not in f"/{k}"}


def start(*args: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "corpus", *map(str, args)], cwd=REPO, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip


def corpus(*args: object, status: int = 0, **environment: str) -> tuple[str, str]:
    process = start(*args, **environment)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == status, f"{args}: {process.returncode} {errors}"
    return said, errors


def build(out: str, work: Path, *more: object, status: int = 0, **env: str) -> str:
    args = ["--out", f"s3://{out}", "--work", work, *OPTIONS, "-q", *(more or ("-j", 1))]
    return corpus("build", *INPUTS, *args, status=status, **env)[1]
