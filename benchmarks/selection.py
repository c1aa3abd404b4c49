"""Speed of `corpus select` on a harvest of a million rows, on one core.

    python benchmarks/selection.py BUILD [--rows 1000000] [--profile web]

BUILD is any harvested build. Its rows are drawn again and again, with signals moved by up to 3 %
and ids and URLs of their own, until there are enough; texts are a word each, since select reads
none. "Rules alone" reads the signals of the profile from Parquet and decides; "whole stage" also
reads ids and URLs, asks for duplicates and rights, and writes selection, ledger and receipts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from corpus.config import load, set_profiles
from corpus.folder import commit
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.schema import DOCUMENT
from corpus.stages.select import decide, select_unit
from filters.profile import load as load_profile

ROWS_PER_FILE = 100_000
REPEATS = 3


def synthesise(source: pa.Table, root: Path, index: int, rows: int) -> None:
    """One documents file of `rows` rows drawn from `source`."""
    rng = np.random.default_rng(index)
    table = source.take(pa.array(rng.integers(0, source.num_rows, rows)))
    quality = table["quality"].combine_chunks()
    moved = []
    for i, field in enumerate(quality.type):
        values = quality.field(i)
        if pa.types.is_floating(field.type) and values.null_count == 0:
            factor = rng.uniform(0.97, 1.03, rows)
            values = pa.array((values.to_numpy() * factor).astype(np.float32))
        moved.append(values)
    new = {
        "id": pa.array([f"{index:04x}{i:020x}" for i in range(rows)]),
        "url": pa.array([f"https://host{i % 997}.example/{index}/{i}" for i in range(rows)]),
        "text": pa.array(["本文"] * rows),
        "quality": pa.StructArray.from_arrays(moved, fields=list(quality.type)),
    }
    columns = [new.get(name, table[name]) for name in DOCUMENT.names]
    path = Layout(root).documents(index)
    commit.commit_parquet(path, DOCUMENT, pa.table(columns, schema=DOCUMENT).combine_chunks())


def best(work: Callable[[], object]) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of the fastest of REPEATS runs."""
    runs = []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        runs.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--profile", default="web")
    options = parser.parse_args()
    settings = set_profiles(load(), options.profile, "--profile")
    profile = load_profile(settings.select.profile)
    source = pq.read_table(options.build / "documents").combine_chunks()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = range(-(-options.rows // ROWS_PER_FILE))
        for index in files:
            synthesise(source, root, index, ROWS_PER_FILE)
        rows = ROWS_PER_FILE * len(files)
        print(f"{rows:,} rows, profile {options.profile}, {len(profile.rules)} rules\n")
        print("| what | CPU s | wall s | documents/s of CPU |\n|---|--:|--:|--:|")
        for name, work in (
            ("rules alone", lambda: [decide(profile, Layout(root), i) for i in files]),
            ("whole stage", lambda: [select_unit(i, settings, Folder(root)) for i in files]),
        ):
            cpu, wall = best(work)
            print(f"| {name} | {cpu:.2f} | {wall:.2f} | {rows / cpu:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
