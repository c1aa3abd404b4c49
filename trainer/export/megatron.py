"""Token files of Megatron-LM, out of our shards and into them (MMIDIDX version 1).

    OUT/megatron/SPLIT-SOURCE.bin   the tokens of all documents, one after another
    OUT/megatron/SPLIT-SOURCE.idx   magic, version, dtype, lengths, byte offsets, first sequences
    OUT/megatron/SPLIT-blend.txt    "tokens prefix …" of every source: the value of --data-path
    OUT/megatron/made-from          the fingerprint of the shards they were made from

A document is a sequence of its own, in the order of the shards, which name its origin row by row:
document i of a source is its i-th row of OUT/SPLIT/tokens-*.parquet. Ids are uint16 below 65,500
entries, else int32, as Megatron chooses. Documents end with the end mark; they begin with the
begin mark where that is another. Read back, both marks are put where they are missing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trainer import files
from trainer.config.settings import ConfigError
from trainer.tokens.parquet import LINEAGE, Unit, in_sample
from trainer.tokens.prepare import (
    FORMAT,
    SPLITS,
    Job,
    claim,
    load_manifest,
    write_manifest,
    write_splits,
)  # fmt: skip
from trainer.tokens.tokenizer import Tokenizer, copy

MAGIC = b"MMIDIDX\x00\x00"
CODES: dict[int, np.dtype[Any]] = {
    4: np.dtype("<i4"),
    5: np.dtype("<i8"),
    8: np.dtype("<u2"),
    3: np.dtype("<i2"),
}
UNIT_DOCUMENTS = 20_000
MADE_FROM = "made-from"
UINT16_BELOW = 65500  # megatron.core.datasets.indexed_dataset.DType.optimal_dtype


def write(folder: str | Path, touched: set[tuple[str, str]] | None = None) -> dict[str, int]:
    """Write the files of a prepared folder; {name of the pair: tokens}.

    touched: (split, source) of the pairs that have changed; the others stay as they are.
    """
    root = Path(folder)
    manifest = load_manifest(root)
    tokenizer = Tokenizer.load(root / "tokenizer")
    kind = np.dtype("<u2" if manifest["vocab_size"] < UINT16_BELOW else "<i4")
    out = root / "megatron"
    out.mkdir(exist_ok=True)
    skip = int(tokenizer.bos == tokenizer.eos)  # a begin mark that is the end mark
    written: dict[str, int] = {}
    for split in SPLITS:
        lengths: dict[str, list[np.ndarray]] = {}
        names: dict[str, str] = {}
        with ExitStack() as stack:
            bins: dict[str, BinaryIO] = {}
            for shard in manifest[split]["shards"]:
                for source, tokens, sizes in _by_source(root / shard["name"], skip):
                    if source not in names:
                        names[source] = _name(split, source, set(names.values()))
                        if touched is None or (split, source) in touched:
                            path = out / f"{names[source]}.bin.tmp"
                            bins[source] = stack.enter_context(path.open("wb"))
                    if source in bins:
                        bins[source].write(tokens.astype(kind).tobytes())
                    lengths.setdefault(source, []).append(sizes)
        for source, handle in sorted(bins.items()):
            path = Path(handle.name).with_suffix("")
            files.fsync(Path(handle.name))
            Path(handle.name).replace(path)
            files.write(path.with_suffix(".idx"), index(np.concatenate(lengths[source]), kind))
        total = {names[s]: int(sum(part.sum() for part in lengths[s])) for s in sorted(names)}
        for path in out.glob(f"{split}-*.*"):  # all documents of a source are gone
            if path.suffix in (".bin", ".idx") and path.stem not in total:
                path.unlink()
        blend = " ".join(f"{tokens} {out / name}" for name, tokens in total.items())
        files.write(out / f"{split}-blend.txt", (blend + "\n").encode())
        written |= total
    files.write(out / MADE_FROM, manifest["fingerprint"].encode())
    return written


def outdated(folder: str | Path) -> bool:
    """Whether files were written and the shards have changed since."""
    made = Path(folder) / "megatron" / MADE_FROM
    return made.is_file() and made.read_text() != load_manifest(folder)["fingerprint"]


def index(lengths: np.ndarray, kind: np.dtype[Any]) -> bytes:
    """The .idx file of documents of these lengths."""
    code = next(c for c, k in CODES.items() if k == kind)
    pointers = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))[:-1]]) * kind.itemsize
    head = np.array([len(lengths), len(lengths) + 1], "<u8").tobytes()
    head = MAGIC + np.array([1], "<u8").tobytes() + bytes([code]) + head
    parts = (
        lengths.astype("<i4"),
        pointers.astype("<i8"),
        np.arange(len(lengths) + 1, dtype="<i8"),
    )
    return head + b"".join(p.tobytes() for p in parts)


def read(prefix: str | Path) -> Iterator[np.ndarray]:
    """The tokens of each document of a pair. Raises ConfigError where its files do not agree."""
    path = Path(f"{prefix}.idx")
    try:
        raw, data = path.read_bytes(), np.memmap(f"{prefix}.bin", np.uint8, "r")
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise ConfigError(f"{path}, .bin: cannot read: {error}") from error
    if raw[:9] != MAGIC or len(raw) < 34 or raw[17] not in CODES:
        raise ConfigError(f"{path}: not an index of Megatron (MMIDIDX)")
    kind = CODES[raw[17]]
    sequences, documents = (int(n) for n in np.frombuffer(raw, "<u8", 2, 18))
    if len(raw) != 34 + 12 * sequences + 8 * documents:
        raise ConfigError(f"{path}: {sequences} sequences do not fit a file of {len(raw)} bytes")
    lengths = np.frombuffer(raw, "<i4", sequences, 34).astype(np.int64)
    pointers = np.frombuffer(raw, "<i8", sequences, 34 + 4 * sequences)
    firsts = np.frombuffer(raw, "<i8", documents, 34 + 12 * sequences)
    ends = pointers + lengths * kind.itemsize
    sound = (lengths >= 0).all() and (pointers >= 0).all() and (ends <= len(data)).all()
    if not sound or (np.diff(firsts) < 0).any() or firsts.max(initial=0) > sequences:
        raise ConfigError(f"{path}: points outside {path.stem}.bin")
    for first, last in zip(firsts, firsts[1:], strict=False):
        parts = [data[pointers[s] : ends[s]].view(kind) for s in range(first, last)]
        yield np.concatenate(parts) if parts else data[:0].view(kind)


def prepare(
    prefixes: list[str], tokenizer_dir: str | Path, out: str | Path, held_out: float = 0.02
) -> dict[str, Any]:
    """Token shards like `prepare`'s from pairs of files, each a source; returns the manifest."""
    tokenizer, folder = Tokenizer.load(tokenizer_dir), Path(out)
    paths = [Path(p.removesuffix(".idx")) for p in prefixes]
    for path in paths:
        next(read(path), None)  # refuses what is no pair, before anything is written
    settings = {
        "format": FORMAT,
        "input": "".join(files.sha256(Path(f"{path}.bin")) for path in paths),
        "tokenizer": tokenizer.hash,
        "held_out": held_out,
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    claim(folder, key)
    copy(tokenizer_dir, folder / "tokenizer")
    rows: list[dict[str, Any]] = []
    for path in paths:
        first = 0
        documents = read(path)
        while part := list(islice(documents, UNIT_DOCUMENTS)):
            unit = Unit(f"{path}.bin", (), first)
            job = Job(len(rows), unit, str(folder), str(tokenizer_dir), held_out, key)
            table = _table(part, path, first, tokenizer)
            held = in_sample(table.column("id").to_pylist(), held_out, "held-out")
            shards = write_splits(job, [table], [held])
            rows.append({"documents": len(part), "shards": shards})
            first += len(part)
    return write_manifest(folder, key, settings, tokenizer, rows)


def _table(part: list[np.ndarray], path: Path, first: int, tokenizer: Tokenizer) -> pa.Table:
    """Rows of shards from documents of a pair, the first of which has the number `first`."""
    sizes, rows = tokenizer.sizes(), []
    for tokens in part:
        if len(tokens) and int(tokens.max()) >= tokenizer.vocab_size:
            raise ConfigError(f"{path}.bin has id {int(tokens.max())}: of another tokenizer")
        begins = int(len(tokens) > 0 and tokens[0] == tokenizer.bos)
        ends = int(len(tokens) > 1 and tokens[-1] == tokenizer.eos)
        marks = [tokenizer.bos][begins:], [tokenizer.eos][ends:]
        rows.append(np.concatenate([marks[0], tokens, marks[1]]).astype(np.uint32))
    n = len(rows)
    number = np.arange(first, first + n)
    kind = pa.uint16() if tokenizer.vocab_size <= 1 << 16 else pa.uint32()
    columns = {name: pa.nulls(n, LINEAGE.field(name).type) for name in LINEAGE.names}
    columns |= {
        "id": pa.array([f"{path.name}:{i}" for i in number], pa.large_string()),
        "source": pa.array([path.name] * n, pa.large_string()),
        "source_file": pa.array([f"{path.name}.bin"] * n, pa.large_string()),
        "weight": pa.array(np.ones(n, np.float32)),
    }
    counts = {f"n_{k}": pa.array([int(getattr(sizes, k)[r].sum()) for r in rows], pa.int64())
              for k in ("bytes", "chars")}  # fmt: skip
    tokens = pa.array(rows, pa.large_list(kind))
    lengths = {"n_tokens": pa.array([len(r) for r in rows], pa.int64())}
    return pa.table({"tokens": tokens, **columns, **lengths, **counts})


def _by_source(shard: Path, skip: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(source, tokens, lengths) of the runs of a source in each row group, in the order of rows."""
    with pq.ParquetFile(shard, page_checksum_verification=True) as file:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group, columns=["tokens", "source"])
            sources = table.column("source").cast(pa.string()).fill_null("").to_numpy()
            array = table.column("tokens").combine_chunks()
            offsets, flat = array.offsets.to_numpy(), array.values.to_numpy()
            cuts = [0, *(np.flatnonzero(sources[1:] != sources[:-1]) + 1).tolist(), len(sources)]
            for start, stop in zip(cuts, cuts[1:], strict=False):
                part = offsets[start : stop + 1]
                tokens = flat[part[0] : part[-1]]
                if skip:
                    tokens = np.delete(tokens, part[:-1] - part[0])
                yield str(sources[start]), tokens, np.diff(part) - skip


def _name(split: str, source: str, taken: set[str]) -> str:
    """A file name for a source; several that read alike are numbered."""
    plain = re.sub(r"[^\w.-]+", "_", source) or "text"
    name, n = f"{split}-{plain}", 1
    while name in taken:
        name, n = f"{split}-{plain}-{n}", n + 1
    return name
