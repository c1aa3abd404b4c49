"""`corpus index`: sort what no part of the index holds yet, and forget what is no more.

    files ─▶ pieces that no part holds ─▶ packed into parts ─▶ each sorted by a worker ─▶ receipt

A part has at most PART units, so that a worker needs about 0.6 GiB whatever the size of the corpus,
and its numbers three bytes. Files that did not change are not sorted again, but where parts became
many and small: then the small ones are packed anew, so that a query has few to search.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from corpus.engine.units import Engine
from corpus.folder.commit import picked_rows, sealed
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.index import suffixes
from corpus.index.parts import (
    ABOUT,
    BATCH,
    FORMAT,
    ROWS,
    SIDES,
    Piece,
    current,
    key_of,
    missing_pieces,
    sources,
    whole_parts,
)

PART = suffixes.NARROW - (1 << 16)  # code points of a part, with room for pairs
SMALL = PART // 2  # units of a part that may be packed anew
SMALL_PARTS = 8  # so many stay as they are


@dataclass(frozen=True)
class Sorting:
    """A unit of work: the pieces that become a part."""

    side: str
    pieces: tuple[Piece, ...]
    files: tuple[Path, ...]  # one a piece

    def __str__(self) -> str:
        return f"{self.files[0].name} and {len(self.files) - 1} more"


def update(folder: Folder, side: str, engine: Engine) -> dict[str, Any]:
    """Bring the index of a side (SHARDS or DOCUMENTS) up to date; under the folder's lock.

    Returns {side, parts, sorted, kept, forgotten, documents, characters, bytes, text_bytes}.
    """
    layout = folder.layout
    known = sources(layout, side)
    there = whole_parts(layout, side)
    parts = current(there, known)
    rows = {digest: pq.read_metadata(path).num_rows for digest, path in known.items()}
    missing = missing_pieces(parts, rows)
    small = [part for part in parts if part.units < SMALL]
    if missing and len(small) >= SMALL_PARTS:
        parts = [part for part in parts if part not in small]
        missing = missing_pieces(parts, rows)
    # What is no more goes first: of a removed text nothing stays while others are sorted.
    keep = {file for part in parts for file in part.files}
    gone = [path for path in layout.index_folder(side).glob("*") if path not in keep]
    folder.remove(sorted(gone, key=lambda path: path.suffix != ".json"))
    work = [
        Sorting(side, tuple(pieces), tuple(known[piece.sha256] for piece in pieces))
        for pieces in packed(missing, known)
    ]
    for _ in engine.map(functools.partial(sort_unit, folder=folder), work, "index"):
        pass
    return facts(layout, side) | {
        "sorted": len(work),
        "kept": len(parts),
        "forgotten": len(there) - len(parts),
    }


def facts(layout: Layout, side: str) -> dict[str, Any]:
    """{side, parts, documents, characters, bytes, text_bytes (UTF-8)} of an index."""
    parts = whole_parts(layout, side)
    outputs = [entry for part in parts for entry in part.facts["outputs"].values()]
    return {
        "side": side,
        "parts": len(parts),
        **{
            name: sum(part.facts[name] for part in parts)
            for name in ("documents", "characters", "text_bytes")
        },
        "bytes": sum(entry["bytes"] for entry in outputs),
    }


def packed(missing: list[Piece], known: dict[str, Path]) -> Iterator[list[Piece]]:
    """The pieces in groups of at most PART characters, long ones cut between documents."""
    group: list[Piece] = []
    room = PART
    for piece in missing:
        lengths = _lengths(known[piece.sha256])[piece.first : piece.end]
        total = int(lengths.sum())
        if total > room and group:
            yield group
            group, room = [], PART
        # A file longer than a part has parts of its own, which no other file can change.
        cuts = _cuts(lengths)
        for first, end in cuts:
            own = Piece(piece.sha256, piece.first + first, piece.first + end, piece.rows)
            if len(cuts) > 1:
                yield [own]
            else:
                group.append(own)
                room -= total
    if group:
        yield group


def _lengths(path: Path) -> np.ndarray:
    """Units that each text of a file takes, about: int64[n]."""
    return pq.read_table(path, columns=["n_chars"])["n_chars"].to_numpy().astype(np.int64) + 1


def _cuts(lengths: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) of runs of at most PART characters; a longer text is a run of its own."""
    ends = np.cumsum(lengths)
    cuts, first = [], 0
    while first < len(lengths):
        before = int(ends[first - 1]) if first else 0
        end = max(first + 1, int(np.searchsorted(ends, before + PART, side="right")))
        cuts.append((first, end))
        first = end
    return cuts or [(0, 0)]


def sort_unit(unit: Sorting, folder: Folder) -> None:
    """Make a part: its texts, their suffixes in order, what each is of, and the receipt."""
    layout = folder.layout
    path = layout.index_part(unit.side, key_of(unit.pieces))
    texts = _Texts()
    for number, (piece, file) in enumerate(zip(unit.pieces, unit.files, strict=True)):
        texts.add(number, piece, file)
    text = texts.units()
    positions = suffixes.sorted_positions(text)
    outputs: dict[Path, Callable[[IO[bytes]], None]] = {
        layout.index_text(path): functools.partial(_write, data=text),
        layout.index_positions(path): functools.partial(_write, data=positions),
        layout.index_rows(path): texts.write_rows,
    }
    written = {
        file.relative_to(folder.path).as_posix(): {
            "sha256": folder.commit(file, write),
            "bytes": file.stat().st_size,
        }
        for file, write in outputs.items()
    }
    receipt = {
        "format": FORMAT,
        "outputs": written,
        "pieces": [asdict(piece) for piece in unit.pieces],
        "units": len(text),
        "width": suffixes.width_of(len(text)),
        "documents": len(texts.starts),
        "characters": texts.characters,
        "text_bytes": texts.bytes,
    }
    folder.commit_json(path, sealed(receipt))


def _write(file: IO[bytes], data: np.ndarray) -> None:
    file.write(data.data)


class _Texts:
    """The texts of a part on their way, and what they are of."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.starts: list[int] = []
        self.rows: list[pa.Table] = []
        self.at = self.characters = self.bytes = 0

    def add(self, number: int, piece: Piece, file: Path) -> None:
        """The rows of a piece that have a text."""
        parting = np.array(suffixes.PARTING, np.uint16).tobytes()
        wanted = np.arange(piece.first, piece.end)
        with pq.ParquetFile(file) as opened:
            for table, low, high in picked_rows(opened, wanted, [*ABOUT, "text"]):
                texts = table["text"].to_pylist()
                held = np.array([bool(text) for text in texts], np.bool_)
                for text in filter(None, texts):
                    data = text.encode("utf-16-le", "replace")
                    self.pieces += (data, parting)
                    self.starts.append(self.at)
                    self.at += len(data) // 2 + 1
                    self.characters += len(text)
                    self.bytes += len(text.encode("utf-8", "replace"))
                own = table.filter(pa.array(held))
                rows = pa.array(wanted[low:high][held], pa.int32())
                columns = {"piece": pa.repeat(pa.scalar(number, pa.int32()), len(own)), "row": rows}
                columns |= {name: own[name] for name in ABOUT}
                self.rows.append(pa.table(columns))

    def units(self) -> np.ndarray:
        """The texts with a parting behind each: uint16[n]; they are not kept."""
        data = np.frombuffer(b"".join(self.pieces), np.uint16)
        self.pieces = []
        return data

    def write_rows(self, file: IO[bytes]) -> None:
        table = ROWS.empty_table()
        if self.rows:
            table = pa.concat_tables(self.rows)
            table = table.add_column(0, ROWS.field("start"), pa.array(self.starts, pa.int64()))
        options = ipc.IpcWriteOptions(compression="zstd")
        with ipc.new_file(file, ROWS, options=options) as writer:
            writer.write_table(table.cast(ROWS).combine_chunks(), max_chunksize=BATCH)


def forget(folder: Folder, ids: Iterable[str]) -> int:
    """Remove the parts that hold any of these documents; how many there were.

    Parts of files that are no more are among them, and files whose receipt is not whole.
    """
    layout, gone, count = folder.layout, set(ids), 0
    for side in SIDES:
        whole = whole_parts(layout, side)
        doomed = [part for part in whole if not gone.isdisjoint(part.ids())]
        keep = {file for part in whole if part not in doomed for file in part.files}
        files = [path for path in layout.index_folder(side).glob("*") if path not in keep]
        folder.remove(sorted(files, key=lambda path: path.suffix != ".json"))
        count += len(doomed)
    return count


def indexed_sides(layout: Layout) -> list[str]:
    """The sides that have an index, whole or not."""
    return [side for side in SIDES if layout.index_folder(side).is_dir()]
