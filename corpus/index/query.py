"""Asking an index: how often a string stands in a build, where, and which spans of a text do.

    index = Index("out")                  of the published shards; documents=True: all harvested
    index.count("形態素")                  overlapping places too
    index.find("形態素", limit=5)          the first places, in the order of the corpus
    index.spans(text, min_chars=20)       maximal spans of a text that stand there verbatim

Exact: no folding of width, case or blanks, within one document. The parts are searched one after
the other, each by binary search: about 50 places of a part are read for a count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpus.errors import UsageError
from corpus.folder.layout import DOCUMENTS, SHARDS, Layout
from corpus.index import suffixes
from corpus.index.parts import Part, current, missing_pieces, sources, whole_parts

CONTEXT = 40  # characters before and behind a hit
SORTED = 200_000  # places of a part that are sorted by place; of more, the text is scanned
COUNTED = 100_000  # places of which the documents are counted


@dataclass(frozen=True)
class Hit:
    """A place: position and context in code points of the text, row of a file, record of the input.

    file: relative to the build folder. source_offset: bytes (rows: row number).
    """

    id: str
    url: str
    title: str
    date: str
    captured: str
    source: str
    position: int
    before: str
    match: str
    after: str
    file: str
    row: int
    source_file: str
    source_offset: int
    source_length: int


@dataclass(frozen=True)
class Span:
    """A span of a text (code points start to end) that stands `count` times in the corpus."""

    start: int
    end: int
    text: str
    count: int


class Index:
    """The index of a build folder. UsageError when there is none, or it is of other files."""

    def __init__(self, folder: Path | str | Layout, documents: bool = False) -> None:
        layout = folder if isinstance(folder, Layout) else Layout(Path(folder))
        side = DOCUMENTS if documents else SHARDS
        known = sources(layout, side)
        there = whole_parts(layout, side)
        command = f"`corpus index {layout}{' --documents' if documents else ''}`"
        if not there:
            raise UsageError(f"{layout} has no index of its {_NAMES[side]}: run {command}")
        parts = current(there, known)
        rows = {piece.sha256: piece.rows for part in parts for piece in part.pieces}
        if len(parts) < len(there) or missing_pieces(parts, {d: rows.get(d, 0) for d in known}):
            raise UsageError(
                f"the index of {layout} is of other {_NAMES[side]} than there are now: run "
                f"{command}, which sorts what is new"
            )
        self.layout, self.side = layout, side
        self.files = {d: path.relative_to(layout.root).as_posix() for d, path in known.items()}
        order = {digest: place for place, digest in enumerate(known)}
        self.parts = sorted(parts, key=lambda p: (order[p.pieces[0].sha256], p.pieces[0].first))

    @property
    def units(self) -> int:
        """UTF-16 units of all texts, with a parting behind each."""
        return sum(part.units for part in self.parts)

    def count(self, text: str) -> int:
        """How often a text of one character or more stands in the documents, overlapping or not.

        UsageError for an empty text.
        """
        return sum(end - first for _, first, end in self._bounds(text))

    def documents(self, text: str) -> int | None:
        """How many documents hold it; None where it stands more than COUNTED times."""
        found = self._bounds(text)
        if sum(end - first for _, first, end in found) > COUNTED:
            return None
        return sum(len(_documents_of(*bounds)) for bounds in found)

    def rows(self, text: str) -> dict[Path, np.ndarray]:
        """The file → rows (int64[n], ascending, each once) of the documents that hold a text."""
        held: dict[str, list[np.ndarray]] = {}
        for part, first, end in self._bounds(text):
            numbers = _documents_of(part, first, end)
            pieces, rows = (column[numbers] for column in part.places)
            for piece in np.unique(pieces).tolist():
                held.setdefault(part.pieces[piece].sha256, []).append(rows[pieces == piece])
        return {
            self.layout.root / self.files[digest]: np.unique(np.concatenate(rows))
            for digest, rows in held.items()
        }

    def text(self, path: Path, row: int) -> str:
        """The text of a row of a file; "" where it has none."""
        return self.texts(path, np.array([row]))[0]

    def texts(self, path: Path, rows: np.ndarray) -> list[str]:
        """The texts of rows (int64[n], ascending) of a file, "" of one that has none."""
        name = path.relative_to(self.layout.root).as_posix()
        found = [""] * len(rows)
        for part in self.parts:
            for number, piece in enumerate(part.pieces):
                if self.files[piece.sha256] != name:
                    continue
                low, high = np.searchsorted(rows, [piece.first, piece.end]).tolist()
                pieces, held = part.places if low < high else (rows, rows)
                first, end = np.searchsorted(pieces, [number, number + 1]).tolist()
                for k in range(low, high):
                    at = first + int(np.searchsorted(held[first:end], rows[k]))
                    if at < end and held[at] == rows[k]:
                        units = part.text[part.starts[at] : part.starts[at + 1] - 1]
                        found[k] = suffixes.text_of(units)
        return found

    def find(self, text: str, limit: int = 10, context: int = CONTEXT) -> list[Hit]:
        """The first `limit` places of a text, in the order of the files."""
        hits: list[Hit] = []
        for part, first, end in self._bounds(text):
            if limit <= len(hits):
                break
            units = suffixes.units_of(text)
            assert units is not None  # it has bounds
            places = _first_places(part, units, first, end, limit - len(hits))
            hits += [self._hit(part, int(at), len(units), context) for at in places]
        return hits

    def spans(self, text: str, min_chars: int = 20, limit: int = 0) -> list[Span]:
        """The spans of a text of `min_chars` code points or more that stand in the corpus as they
        are, each as long as it can be, the longest first; at most `limit` if that is not 0.

        A span that lies in a longer one is not listed. UsageError for min_chars below 1.
        """
        if min_chars < 1:
            raise UsageError("a span has one character or more")
        units = suffixes.units_of(text)
        if units is None or not self.parts:
            return []
        # A span so long holds a whole block of half that length: what has none is soon passed over.
        size = (min_chars + 1) // 2
        there = np.zeros(len(units) // size, np.bool_)
        for part in self.parts:
            suffixes.blocks(part.text, part.positions, part.width, units, size, there)
        found = maximal(self.longest, units, min_chars, there)
        found.sort(key=lambda span: (span[0] - span[1], span[0]))
        chosen = found[:limit] if limit else found
        return [Span(a, b, text[a:b], self.count(text[a:b])) for a, b in chosen]

    def _bounds(self, text: str) -> list[tuple[Part, int, int]]:
        """The parts that hold a text, and the range of its suffixes in each."""
        if not text:
            raise UsageError("nothing to look for: name a text of one character or more")
        units = suffixes.units_of(text)
        if units is None:  # no text holds half a pair
            return []
        ranges = []
        for part in self.parts:
            first, end = suffixes.bounds(part.text, part.positions, part.width, units)
            if end > first:
                ranges.append((part, int(first), int(end)))
        return ranges

    def longest(self, units: np.ndarray, first: int, end: int) -> int:
        """Units of the longest prefix of units[first:end] that stands in the corpus."""
        return max(
            int(suffixes.longest(part.text, part.positions, part.width, units, first, end))
            for part in self.parts
        )

    def _hit(self, part: Part, at: int, size: int, context: int) -> Hit:
        number = int(np.searchsorted(part.starts, at, side="right")) - 1
        start, end = int(part.starts[number]), int(part.starts[number + 1]) - 1
        row = part.row(number)
        # A character has two units at most.
        before = suffixes.text_of(part.text[max(start, at - 2 * context - 1) : at])
        after = suffixes.text_of(part.text[at + size : min(end, at + size + 2 * context)])
        piece = part.pieces[row.pop("piece")]
        row.pop("start")
        return Hit(
            **row,
            position=int(suffixes.characters(part.text[start:at])),
            before=before[-context:] if context else "",
            match=suffixes.text_of(part.text[at : at + size]),
            after=after[:context],
            file=self.files[piece.sha256],
        )


_NAMES = {SHARDS: "shards", DOCUMENTS: "documents"}


def _documents_of(part: Part, first: int, end: int) -> np.ndarray:
    """The documents (int64[n], numbers in the part) of the suffixes first to end."""
    places = np.empty(end - first, np.int64)
    suffixes.gather(part.positions, part.width, first, end, places)
    return np.unique(np.searchsorted(part.starts, places, side="right")) - 1


def _first_places(part: Part, units: np.ndarray, first: int, end: int, limit: int) -> np.ndarray:
    """The first places (int64[k], ascending) of a text whose suffixes are first to end.

    Few are sorted; of what is frequent the first ones are soon met by reading the text.
    """
    if end - first > SORTED:
        places = np.empty(limit, np.int64)
        return places[: suffixes.scan(part.text, units, places)]
    places = np.empty(end - first, np.int64)
    suffixes.gather(part.positions, part.width, first, end, places)
    if limit < len(places):
        places = np.partition(places, limit)[:limit]
    return np.sort(places)


def maximal(
    longest: Callable[[np.ndarray, int, int], int],
    units: np.ndarray,
    least: int,
    blocks: np.ndarray,
) -> list[tuple[int, int]]:
    """(first, end) in code points of the maximal spans of `least` code points or more, in order.

    longest(units, first, end): units of the longest prefix of units[first:end] that stands in the
    corpus. blocks (bool[n]): which of the text's blocks of (least + 1) // 2 units stand there.

    A span that ends at e is followed by one that holds the character at e: it begins at the first
    j for which units[j : e + 1] stand in the corpus. That is searched by halving, as all shorter
    ones stand there, too; so a long span costs no more than a short one.
    """
    # Where a character begins in units, and the end.
    at = np.flatnonzero((units & 0xFC00) != suffixes.SECOND_FIRST)
    at = np.append(at, len(units)).astype(np.int64)
    found: list[tuple[int, int]] = []
    n, size, last, first = len(at) - 1, (least + 1) // 2, 0, 0
    while first + least <= n:
        if not blocks[-(-int(at[first]) // size)]:
            first += 1
            continue
        # Half of a pair may be equal: a span ends behind a whole character.
        length = longest(units, int(at[first]), int(at[n]))
        end = int(np.searchsorted(at, at[first] + length, side="right")) - 1
        if end - first < least:
            first += 1
            continue
        if end > last:
            found.append((first, end))
            last = end
        if end == n:
            break
        low, high = first + 1, end + 1
        while low < high:
            middle = (low + high) // 2
            begin, behind = int(at[middle]), int(at[end + 1])
            if longest(units, begin, behind) >= behind - begin:
                high = middle
            else:
                low = middle + 1
        first = low
    return found
