"""`trainer prepare`: Parquet text -> token shards that remember where every token came from.

    OUT/train/tokens-00000.parquet …   one file per unit of input, in input order
    OUT/held/tokens-00000.parquet …    the held-out documents of the same units
    OUT/tokenizer/                     the tokenizer that made the ids
    OUT/manifest.json                  rows, tokens and SHA-256 of each shard; input and settings

A shard's row is a document: tokens (begin mark, text, end mark), the lineage columns of the
corpus, n_bytes and n_chars of the text; rows of a unit stand by source. A unit is written under a
temporary name, fsynced and renamed; its `.done` row makes it final, so a killed run goes on and
any number of workers gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer import files
from trainer.config.settings import ConfigError, TrainError
from trainer.tokens import parquet
from trainer.tokens.tokenizer import Tokenizer, copy

SPLITS = ("train", "held")
ROW_GROUP_TOKENS = 1 << 20  # a row group is what the loader reads at a time
FORMAT = 3  # 2: with the column weight; 3: rows by source inside a unit, page checksums


@dataclass(frozen=True)
class Job:
    """One unit to tokenise; everything a worker process needs."""

    index: int
    unit: parquet.Unit
    out: str
    tokenizer: str
    held_out: float
    key: str  # fingerprint of input and settings: a unit of another run does not count as done


def prepare(
    source: str | Path,
    tokenizer_dir: str | Path,
    out: str | Path,
    held_out: float = 0.02,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Tokenise every document of `source` into `out`; returns the manifest.

    `progress(done, total)` is called after each unit. Raises ConfigError when `out` belongs to
    other input or settings.
    """
    if not 0 <= held_out < 1:
        raise ConfigError(f"--held-out is {held_out}: give a share from 0 up to below 1")
    inputs = parquet.input_files(source)
    tokenizer = Tokenizer.load(tokenizer_dir)
    settings = {
        "format": FORMAT,
        "input": parquet.fingerprint(inputs),
        "tokenizer": tokenizer.hash,
        "held_out": held_out,
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    folder = Path(out)
    claim(folder, key)
    target = folder / "tokenizer"
    model = target / tokenizer.file
    if not model.exists() or files.sha256(model) != tokenizer.hash:  # absent, cut short, another
        copy(tokenizer_dir, target)
    jobs = [
        Job(i, unit, str(folder), str(target), held_out, key)
        for i, unit in enumerate(parquet.units(inputs))
    ]
    rows = []
    for done, row in enumerate(_run(jobs, workers), 1):
        rows.append(row)
        if progress:
            progress(done, len(jobs))
    return write_manifest(folder, key, settings, tokenizer, rows)


def tokenise(batch: pa.RecordBatch, tokenizer: Tokenizer) -> pa.Table:
    """Token rows of a batch of documents; empty texts give no row."""
    text = batch.column("text")
    batch = batch.filter(pc.greater(pc.binary_length(text), 0))
    text = batch.column("text")
    kind = pa.uint16() if tokenizer.vocab_size <= 1 << 16 else pa.uint32()
    ids, ends = tokenizer.encode_flat(text.to_pylist())
    offsets = np.concatenate([[0], ends + 2 * np.arange(1, len(ends) + 1)])
    flat = np.empty(offsets[-1], dtype=kind.to_pandas_dtype())
    inside = np.ones(len(flat), dtype=bool)
    inside[offsets[:-1]] = inside[offsets[1:] - 1] = False
    flat[offsets[:-1]], flat[offsets[1:] - 1] = tokenizer.bos, tokenizer.eos
    flat[inside] = ids
    tokens = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat, kind))
    columns = {"tokens": tokens, **{n: batch.column(n) for n in parquet.LINEAGE.names}}
    columns["n_tokens"] = pa.array(np.diff(offsets), pa.int64())
    columns["n_bytes"] = pc.binary_length(text).cast(pa.int64())
    columns["n_chars"] = pc.utf8_length(text).cast(pa.int64())
    return pa.table(columns)


def load_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a prepared folder. Raises ConfigError when it is missing or unfinished."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise ConfigError(f"no finished token shards in {folder}: run `trainer prepare` first")
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: format {manifest.get('format')}, expected {FORMAT}: "
            "run `trainer prepare` again into another folder"
        )
    return manifest


def _run(jobs: list[Job], workers: int) -> Iterator[dict[str, Any]]:
    if workers <= 1 or len(jobs) <= 1:
        yield from map(_work, jobs)
        return
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the processes are the threads
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_work, jobs)


def _work(job: Job) -> dict[str, Any]:
    done = Path(job.out) / "units" / f"{job.index:05d}.json"
    if done.exists():
        row: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        if row["key"] == job.key and all(_intact(job.out, s) for s in row["shards"]):
            return row
    tokenizer = Tokenizer.load(job.tokenizer)
    tables: list[pa.Table] = []
    held: list[NDArray[np.bool_]] = []
    documents = 0
    for batch in parquet.read(job.unit):
        documents += batch.num_rows
        tables.append(tokenise(batch, tokenizer))
        ids = tables[-1].column("id").to_pylist()
        held.append(parquet.in_sample(ids, job.held_out, "held-out"))
    shards = write_splits(job, tables, held)
    row = {"key": job.key, "unit": asdict(job.unit), "documents": documents, "shards": shards}
    files.write(done, json.dumps(row).encode())
    return row


def write_splits(job: Job, tables: list[pa.Table], held: list[NDArray[np.bool_]]) -> list[Any]:
    """Write the shards of a unit whole or not at all; their entries in the manifest.

    held: which rows are held out. Rows of a source stand together, otherwise in input order: a
    block of one reads few row groups.
    """
    shards = []
    for split in SPLITS:
        name = f"{split}/tokens-{job.index:05d}.parquet"
        part = None
        if tables:
            table, mask = pa.concat_tables(tables).combine_chunks(), np.concatenate(held)
            source = table.column("source").cast(pa.string()).fill_null("").combine_chunks()
            order = np.argsort(pc.rank(source, tiebreaker="dense").to_numpy(), kind="stable")
            part = table.take(order[mask[order] == (split == "held")])
        shards.append(write_shard(Path(job.out) / name, name, part))
    return shards


def write_shard(path: Path, name: str, table: pa.Table | None) -> dict[str, Any]:
    """Write the rows of a shard, whole or not at all; returns what the manifest says of it."""
    if table is None or not table.num_rows:
        path.unlink(missing_ok=True)
        return {"name": name, "rows": 0, "tokens": 0, "bytes": 0, "chars": 0, "sha256": ""}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    n_tokens = table.column("n_tokens").to_numpy()
    groups = (np.cumsum(n_tokens) - n_tokens) // ROW_GROUP_TOKENS
    cuts = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), table.num_rows]
    try:
        with pq.ParquetWriter(
            partial, table.schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for start, stop in pairwise(cuts):
                writer.write_table(table.slice(start, stop - start), row_group_size=stop - start)
        files.fsync(partial)
        size, digest = partial.stat().st_size, files.sha256(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise TrainError(f"{path}: cannot write: {error.strerror or error}") from error
    sums = {c: int(pc.sum(table.column(f"n_{c}")).as_py()) for c in ("tokens", "bytes", "chars")}
    return {"name": name, "rows": table.num_rows, **sums, "size": size, "sha256": digest}


def _intact(out: str, shard: dict[str, Any]) -> bool:
    path = Path(out) / shard["name"]
    return not shard["rows"] or (path.exists() and path.stat().st_size == shard["size"])


def write_manifest(
    folder: Path, key: str, settings: dict[str, Any], tokenizer: Tokenizer, rows: list[Any]
) -> dict[str, Any]:
    """manifest.json of all units' rows, which makes the folder a finished one."""
    shards = [s for split in SPLITS for row in rows for s in row["shards"] if _of(s, split)]
    manifest: dict[str, Any] = {**settings, "key": key, "vocab_size": tokenizer.vocab_size}
    manifest["documents"] = sum(r["documents"] for r in rows)
    for split in SPLITS:
        mine = [s for s in shards if _of(s, split)]
        keys = ("rows", "tokens", "bytes", "chars")
        manifest[split] = {k: sum(s[k] for s in mine) for k in keys} | {"shards": mine}
    manifest["fingerprint"] = fingerprint(manifest)
    files.write(folder / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
    return manifest


def fingerprint(manifest: dict[str, Any]) -> str:
    """Names the shards of a manifest by their bytes."""
    digests = [s["sha256"] for split in SPLITS for s in manifest[split]["shards"]]
    return hashlib.sha256((json.dumps(digests) + manifest["key"]).encode()).hexdigest()


def _of(shard: dict[str, Any], split: str) -> bool:
    return bool(shard["rows"]) and shard["name"].startswith(split + "/")


def claim(folder: Path, key: str) -> None:
    """Make the folder that of this input; raises ConfigError when it is another's."""
    mark = folder / "key"
    if mark.exists() and mark.read_text() != key:
        raise ConfigError(f"{folder} holds tokens of other input or settings: choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(mark, key.encode())
    except OSError as error:
        raise TrainError(f"{folder}: cannot write: {error.strerror or error}") from error
