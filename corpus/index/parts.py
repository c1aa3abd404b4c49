"""The parts of an index: which rows of which files each holds, and how it is read.

    DIR/index/corpus/KEY.json        a receipt: the pieces, and the other files with size and hash
                     KEY.text, .positions    corpus.index.suffixes
                     KEY.rows        Arrow IPC in batches of BATCH rows: where each text begins,
                                     and what it is of (ROWS)

A part holds whole documents of one or more files, of a few at once or a long one in pieces. It
names them by the SHA-256 of the file, not by its name: a shard that only gets another number stays
indexed. What the names are now is looked up when an index is opened. KEY is a hash of the pieces.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from corpus.errors import RunError, UsageError
from corpus.folder.commit import is_sealed, sha256
from corpus.folder.layout import DOCUMENTS, SHARDS, Layout, damaged, index_of
from corpus.folder.schema import DOCUMENT

FORMAT = 1  # raise it when the files of a part look otherwise
BATCH = 1024  # rows that are read together for one of them
ABOUT = [
    *("id", "url", "title", "date", "captured", "source"),
    *("source_file", "source_offset", "source_length"),
]
ROWS = pa.schema(
    [
        pa.field("start", pa.int64()),  # first unit of the text
        pa.field("piece", pa.int32()),  # which of the pieces of the part
        pa.field("row", pa.int32()),  # in the file of that piece
        *(DOCUMENT.field(name).remove_metadata() for name in ABOUT),
    ]
)


@dataclass(frozen=True)
class Piece:
    """Rows of a file: `first` to `end` of all its `rows`."""

    sha256: str
    first: int
    end: int
    rows: int


def key_of(pieces: Iterable[Piece]) -> str:
    """What a part of these pieces is called."""
    text = json.dumps([FORMAT, *(list(asdict(piece).values()) for piece in pieces)])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def sources(layout: Layout, side: str) -> dict[str, Path]:
    """SHA-256 → file of what an index is of, in order. side: SHARDS or DOCUMENTS.

    From the manifest, or the receipts of harvest; a file that was touched after them is hashed.
    UsageError when nothing is published yet, RunError when a file is damaged.
    """
    recorded: list[tuple[Path, dict[str, Any], int]] = []
    if side == SHARDS:
        try:
            manifest = json.loads(layout.manifest.read_bytes())
            facts = {layout.root / name: entry for name, entry in manifest["files"].items()}
            written = layout.manifest.stat().st_mtime_ns
        except FileNotFoundError as error:
            raise UsageError(
                f"{layout} is not published yet: run `corpus publish {layout}`, or ask for what "
                "was harvested with --documents"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(damaged(layout, layout.manifest)) from error
        recorded = [(path, facts[path], written) for path in layout.shards() if path in facts]
    else:
        for receipt in layout.receipts("harvest"):
            path = layout.documents(index_of(receipt))
            outputs = (_json(receipt) or {}).get("outputs", {})
            name = path.relative_to(layout.root).as_posix()
            if name not in outputs:
                raise RunError(damaged(layout, receipt))
            recorded.append((path, outputs[name], receipt.stat().st_mtime_ns))
    return {_digest(layout, *entry): entry[0] for entry in recorded}


def _digest(layout: Layout, path: Path, facts: dict[str, Any], written: int) -> str:
    """The SHA-256 of a file as it is; RunError when it is not what was written."""
    try:
        there = path.stat()
    except OSError as error:
        raise RunError(damaged(layout, path)) from error
    digest: str = facts["sha256"]
    if "before" in facts or there.st_size != facts["bytes"] or there.st_mtime_ns > written:
        digest = sha256(path)
        if digest not in (facts["sha256"], facts.get("before", facts)["sha256"]):
            raise RunError(damaged(layout, path))
    return digest


class Part:
    """A part as it lies in the folder: facts at once, its files when they are needed."""

    def __init__(self, layout: Layout, path: Path, facts: dict[str, Any]) -> None:
        self.layout, self.path, self.facts = layout, path, facts
        self.pieces = [Piece(**piece) for piece in facts["pieces"]]
        self.width: int = facts["width"]
        self.units: int = facts["units"]

    @property
    def files(self) -> list[Path]:
        """Its files, the receipt first: without it, what is left is swept away."""
        layout, path = self.layout, self.path
        others = [layout.index_text(path), layout.index_positions(path), layout.index_rows(path)]
        return [path, *others]

    @functools.cached_property
    def text(self) -> np.ndarray:
        return self._mapped(self.layout.index_text(self.path), np.uint16)

    @functools.cached_property
    def positions(self) -> np.ndarray:
        return self._mapped(self.layout.index_positions(self.path), np.uint8)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """First unit of each text, and the end of the last with its parting: int64[rows + 1]."""
        with self._open(included_fields=[0]) as reader:
            return np.append(reader.read_all()["start"].to_numpy(), self.units)

    @functools.cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each text its piece and its row in the file of that piece: int64[rows] each."""
        fields = [ROWS.get_field_index(name) for name in ("piece", "row")]
        with self._open(included_fields=fields) as reader:
            table = reader.read_all()
        return tuple(table[name].to_numpy().astype(np.int64) for name in ("piece", "row"))

    def ids(self) -> set[str]:
        """The documents it holds."""
        with self._open(included_fields=[ROWS.get_field_index("id")]) as reader:
            return set(reader.read_all()["id"].to_pylist())

    @functools.lru_cache(maxsize=64)  # noqa: B019 (a part lives as long as the index)
    def rows(self, batch: int) -> pa.RecordBatch:
        """Rows batch * BATCH and on of ROWS."""
        with self._open() as reader:
            return reader.get_batch(batch)

    def row(self, number: int) -> dict[str, Any]:
        """What a text is of: a row of ROWS."""
        batch = self.rows(number // BATCH)
        row: dict[str, Any] = batch.slice(number % BATCH, 1).to_pylist()[0]
        return row

    def _open(self, **options: Any) -> ipc.RecordBatchFileReader:
        path = self.layout.index_rows(self.path)
        try:
            source = pa.memory_map(str(path))
            return ipc.open_file(source, options=ipc.IpcReadOptions(**options))
        except (OSError, pa.ArrowException) as error:
            raise RunError(damaged_part(self.layout, path)) from error

    def _mapped(self, path: Path, kind: Any) -> np.ndarray:
        try:
            size = path.stat().st_size
            # Kernels are compiled for arrays that are only read, an empty one too.
            return np.memmap(path, kind, "r").view(np.ndarray) if size else np.frombuffer(b"", kind)
        except (OSError, ValueError) as error:
            raise RunError(damaged_part(self.layout, path)) from error


def damaged_part(layout: Layout, path: Path) -> str:
    return f"{layout.shown(path)} is damaged: `corpus index {layout}` makes it anew"


def whole_parts(layout: Layout, side: str) -> list[Part]:
    """The parts of an index whose receipt is whole, and whose files have their size."""
    parts = []
    for path in layout.index_parts(side):
        facts = _json(path)
        if not is_sealed(facts) or facts["format"] != FORMAT:
            continue
        sizes = {layout.root / name: entry["bytes"] for name, entry in facts["outputs"].items()}
        if all(file.is_file() and file.stat().st_size == sizes[file] for file in sizes):
            parts.append(Part(layout, path, facts))
    return parts


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def missing_pieces(parts: list[Part], known: dict[str, int]) -> list[Piece]:
    """The rows of files (SHA-256 → rows) that no part holds, in the order of `known`."""
    held: dict[str, list[Piece]] = {}
    for part in parts:
        for piece in part.pieces:
            held.setdefault(piece.sha256, []).append(piece)
    missing = []
    for digest, rows in known.items():
        at = 0
        for piece in sorted(held.get(digest, []), key=lambda piece: piece.first):
            if piece.first > at:
                missing.append(Piece(digest, at, piece.first, rows))
            at = max(at, piece.end)
        if at < rows or digest not in held:
            missing.append(Piece(digest, at, rows, rows))
    return missing


def current(parts: list[Part], known: Iterable[str]) -> list[Part]:
    """The parts that hold only rows of these files (SHA-256), none of them twice."""
    there = set(known)
    taken: set[tuple[str, int]] = set()
    good = []
    for part in parts:
        begins = {(piece.sha256, piece.first) for piece in part.pieces}
        if {piece.sha256 for piece in part.pieces} <= there and not begins & taken:
            taken |= begins
            good.append(part)
    return good


SIDES = (SHARDS, DOCUMENTS)
