"""The documents of token shards: lengths, sources and weights in arrays, tokens on demand.

The arrays of a run lie in its folder, written by its main process: every process of a node maps the
same 6 bytes a document (10 with weights) and has none of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.config.settings import ConfigError, TrainError
from trainer.tokens.prepare import load_manifest

Ints = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]  # lengths uint32, source uint16, weights float32


class Documents:
    """The documents of one split of prepared folders. With `index` the arrays that `write_index`
    put there are mapped; without it, or for other shards, they are made in memory."""

    def __init__(
        self, folders: str | Path | Sequence[str], split: str = "train", index: Path | None = None
    ) -> None:
        self.folders = [str(folders)] if isinstance(folders, (str, Path)) else list(folders)
        self.manifests = {f: load_manifest(f) for f in self.folders}
        self.manifest = _together(self.manifests)
        shards = {f: m[split]["shards"] for f, m in self.manifests.items()}
        self.files = [Path(f) / s["name"] for f, mine in shards.items() for s in mine]
        rows = [s["rows"] for mine in shards.values() for s in mine]
        self.shard_start = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        arrays = _mapped(index, self.manifest["fingerprint"], split)
        if arrays is None:
            arrays = _filled(self.files, rows, lambda name, kind: np.empty(sum(rows), kind))
        self.names, columns = arrays
        self.lengths, self.source = columns["lengths"], columns["source"]
        self.weights = columns.get("weights")  # None: each is 1
        self._groups: dict[int, Ints] = {}
        ends = self.shard_start[np.cumsum([0, *map(len, shards.values())])].tolist()
        self.ranges = dict(zip(self.folders, pairwise(ends), strict=True))  # first, end of each

    def __len__(self) -> int:
        return len(self.lengths)

    def tokens(self, documents: Ints) -> list[NDArray[np.integer]]:
        """Token arrays of `documents` (any order); each row group is read once."""
        order = np.argsort(documents, kind="stable")
        result: list[NDArray[np.integer]] = [np.zeros(0, np.int64)] * len(documents)
        loaded: tuple[int, int] | None = None
        for position in order:
            shard, row = self.place(int(documents[position]))
            starts = self._row_groups(shard)
            group = int(np.searchsorted(starts, row, side="right")) - 1
            if loaded != (shard, group):
                flat, offsets = _read_tokens(self.files[shard], group)
                loaded = (shard, group)
            inner = row - int(starts[group])
            result[position] = flat[offsets[inner] : offsets[inner + 1]]
        return result

    def place(self, document: int) -> tuple[int, int]:
        """(shard, row) of a document."""
        shard = int(np.searchsorted(self.shard_start, document, side="right")) - 1
        return shard, document - int(self.shard_start[shard])

    def _row_groups(self, shard: int) -> Ints:
        if shard not in self._groups:
            self._groups[shard] = _row_group_starts(self.files[shard])
        return self._groups[shard]


def write_index(folders: Sequence[str], index: Path) -> None:
    """Put the arrays of the training split into the folder `index`, unless they are there."""
    documents = [load_manifest(f) for f in folders]
    manifest = _together(dict(zip(folders, documents, strict=True)))
    if _mapped(index, manifest["fingerprint"], "train") is not None:
        return
    shards = [(Path(f) / s["name"], s["rows"]) for f, m in zip(folders, documents, strict=True)
              for s in m["train"]["shards"]]  # fmt: skip
    partial = index.with_name(index.name + ".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count = sum(rows for _, rows in shards)

    def make(name: str, kind: type[Any]) -> NDArray[Any]:
        return np.lib.format.open_memmap(partial / f"{name}.npy", "w+", kind, (count,))

    names, arrays = _filled([f for f, _ in shards], [r for _, r in shards], make)
    for name in ("lengths", "source", "weights"):
        if name in arrays:
            arrays[name].flush()  # type: ignore[attr-defined]
        else:
            (partial / f"{name}.npy").unlink()
    said = {"fingerprint": manifest["fingerprint"], "split": "train", "names": names}
    (partial / "index.json").write_text(json.dumps(said), encoding="utf-8")
    shutil.rmtree(index, ignore_errors=True)
    partial.rename(index)


def _mapped(index: Path | None, fingerprint: str, split: str) -> tuple[list[str], Arrays] | None:
    """(names of sources, arrays) of an index, if it is that of these shards."""
    if index is None or not (index / "index.json").is_file():
        return None
    said = json.loads((index / "index.json").read_text(encoding="utf-8"))
    if (said["fingerprint"], said["split"]) != (fingerprint, split):
        return None
    return said["names"], {f.stem: np.load(f, mmap_mode="r") for f in index.glob("*.npy")}


def _filled(
    files: list[Path], rows: list[int], make: Callable[[str, type[Any]], NDArray[Any]]
) -> tuple[list[str], Arrays]:
    """(names of sources, arrays) of shards, read one after another into arrays of `make`."""
    kinds = {"lengths": np.uint32, "source": np.uint16, "weights": np.float32}
    arrays: Arrays = {name: make(name, kind) for name, kind in kinds.items()} if files else {}
    numbers: dict[str, int] = {}  # by first appearance
    at, weighted = 0, False
    for file, count in zip(files, rows, strict=True):
        table = _read(file, ["n_tokens", "source", "weight"])
        if table.num_rows != count:
            raise TrainError(f"{file}: cannot read token shard; run `trainer prepare` again")
        here = slice(at, at + count)
        arrays["lengths"][here] = table["n_tokens"].to_numpy()
        arrays["weights"][here] = table["weight"].to_numpy()
        weighted = weighted or bool((arrays["weights"][here] != 1).any())
        labels = table["source"].cast(pa.string()).fill_null("").combine_chunks()
        encoded = labels.dictionary_encode()
        own = [numbers.setdefault(str(n), len(numbers)) for n in encoded.dictionary.to_pylist()]
        if len(numbers) > np.iinfo(np.uint16).max:
            raise ConfigError(f"{file}: more than 65,535 sources")
        arrays["source"][here] = np.array(own)[encoded.indices.to_numpy()]
        at += count
    names = sorted(numbers)  # a source's number does not depend on which comes first
    places = {name: place for place, name in enumerate(names)}
    rank = np.array([places[name] for name in numbers], dtype=np.uint16)
    for low in range(0, at, 1 << 24):
        part = arrays["source"][low : low + (1 << 24)]
        part[:] = rank[part]
    if not files:
        arrays = {name: np.zeros(0, kind) for name, kind in kinds.items()}
    if not weighted:
        arrays.pop("weights")
    return names, arrays


def _together(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One manifest for several folders: sums, and those of each under `folders`."""
    first, *others = manifests.values()
    if not others:
        return first
    for folder, other in manifests.items():
        if other["tokenizer"] != first["tokenizer"]:
            raise ConfigError(f"{folder} has tokens of another tokenizer: prepare it with the same")
    keys = ("rows", "tokens", "bytes", "chars", "shards")
    result: dict[str, Any] = {k: first[k] for k in ("format", "tokenizer", "vocab_size")}
    for key in ("fingerprint", "input"):
        text = "".join(m[key] for m in manifests.values())
        result[key] = hashlib.sha256(text.encode()).hexdigest()
    for split in ("train", "held"):
        parts = [m[split] for m in manifests.values()]
        result[split] = {k: sum((p[k] for p in parts), type(parts[0][k])()) for k in keys}
    return result | {"folders": manifests}


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """What a damaged shard raises, in one line: pages have checksums, the footer has none."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, AttributeError) as error:
        raise TrainError(f"{file}: cannot read token shard; run `trainer prepare` again") from error


def _read(file: Path, columns: list[str]) -> pa.Table:
    with _reading(file):
        table = pq.read_table(file, columns=columns, page_checksum_verification=True)
        table.validate(full=True)
        return table


def _row_group_starts(file: Path) -> Ints:
    with _reading(file):
        metadata = pq.read_metadata(file)
        rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return np.concatenate([[0], np.cumsum(rows)])[:-1].astype(np.int64)


def _read_tokens(file: Path, group: int) -> tuple[NDArray[np.integer], Ints]:
    with _reading(file):
        with pq.ParquetFile(file, page_checksum_verification=True) as handle:
            column = handle.read_row_group(group, columns=["tokens"]).column(0).combine_chunks()
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        return array.values.to_numpy(), array.offsets.to_numpy().astype(np.int64)
