"""Blocks: what the parts of a text are, as spans over it.

`text` is Markdown in the dialect of docs/text.md, and `blocks` says what stands where: a span of
code points with its signs (`## `, `- `, fences), a kind, a level and a language. Spans follow each
other and cover all but the line feeds between them. A document whose `format` is "plain" has no
signs in its text; its spans, if any, say the same of the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.settings import BLOCK_KINDS as KINDS
from filters.kernels.kernel import columns, kernel

kind = columns(KINDS)
UNREAD = "〈数式〉"  # stands for a formula that could not be read
PROSE = frozenset(("paragraph", "item", "quote", "definition", "caption"))

# Columns of spans (int32): code points of the text, kind, level, place in `languages` plus 1.
START, END, KIND, LEVEL, LANGUAGE, WIDTH = range(6)

BLOCKS_TYPE = pa.list_(
    pa.struct(
        [
            pa.field("start", pa.int32()),
            pa.field("end", pa.int32()),
            pa.field("kind", pa.string()),
            pa.field("level", pa.int8()),
            pa.field("language", pa.string()),
        ]
    )
)
NO_SPANS = np.zeros((0, WIDTH), np.int32)


class Blocks(NamedTuple):
    """The blocks of one text: spans int32 [n, WIDTH], and the names that LANGUAGE counts."""

    spans: np.ndarray = NO_SPANS
    languages: tuple[str, ...] = ()


NONE = Blocks()


def to_arrow(blocks: Sequence[Blocks]) -> pa.ListArray:
    """The blocks of some texts as an array of BLOCKS_TYPE."""
    spans = np.concatenate([NO_SPANS, *(b.spans for b in blocks)])
    names: dict[str, int] = {"": 0}
    at = 0
    for own in blocks:
        n = len(own.spans)
        if own.languages:
            places = np.array([0, *(names.setdefault(x, len(names)) for x in own.languages)])
            spans[at : at + n, LANGUAGE] = places[own.spans[:, LANGUAGE]]
        at += n
    return as_column(spans, np.cumsum([0, *(len(b.spans) for b in blocks)]), list(names)[1:])


def as_column(spans: np.ndarray, offsets: np.ndarray, languages: Sequence[str]) -> pa.ListArray:
    """An array of BLOCKS_TYPE from what `from_arrow` gives."""
    fields = [
        pa.array(spans[:, START]),
        pa.array(spans[:, END]),
        pa.array(KINDS).take(pa.array(spans[:, KIND])),
        pa.array(spans[:, LEVEL].astype(np.int8)),
        pa.array(["", *languages]).take(pa.array(spans[:, LANGUAGE])),
    ]
    structs = pa.StructArray.from_arrays(fields, fields=list(BLOCKS_TYPE.value_type))
    starts = pa.array(offsets.astype(np.int32))
    return pa.ListArray.from_arrays(starts, structs, type=BLOCKS_TYPE)


def from_arrow(column: pa.ListArray | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(spans int32 [n, WIDTH], offsets int64 [rows + 1], languages) of a column of BLOCKS_TYPE.

    Row i has spans[offsets[i]:offsets[i + 1]]; null rows have none. A kind that is not in KINDS
    counts as a paragraph.
    """
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], BLOCKS_TYPE)
    sizes = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = column.flatten()
    spans = np.zeros((len(flat), WIDTH), np.int32)
    if not len(flat):
        return spans, offsets, []
    spans[:, START] = flat.field("start").to_numpy()
    spans[:, END] = flat.field("end").to_numpy()
    spans[:, KIND] = pc.fill_null(pc.index_in(flat.field("kind"), pa.array(KINDS)), 0).to_numpy()
    spans[:, LEVEL] = flat.field("level").to_numpy()
    languages = flat.field("language").dictionary_encode()
    names = languages.dictionary.to_pylist()
    empty = names.index("") if "" in names else -1
    spans[:, LANGUAGE] = np.where((codes := languages.indices.to_numpy()) == empty, 0, codes + 1)
    return spans, offsets, names


def rows_of(column: pa.ListArray | pa.ChunkedArray) -> list[Blocks]:
    """The blocks of every row of a column of BLOCKS_TYPE."""
    spans, offsets, names = from_arrow(column)
    return [
        Blocks(spans[a:b], tuple(names)) if b > a else NONE
        for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]


@kernel
def to_bytes(data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Spans with START and END in bytes of the UTF-8 text `data` instead of code points."""
    out = spans.copy()
    point = at = 0
    for k in range(len(spans)):
        for column in range(START, END + 1):
            while point < spans[k, column] and at < len(data):
                lead = data[at]
                at += 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
                point += 1
            out[k, column] = min(at, len(data))
    return out


@kernel
def to_points(data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Spans with START and END in code points of the UTF-8 text `data` instead of bytes."""
    out = spans.copy()
    point = at = 0
    for k in range(len(spans)):
        for column in range(START, END + 1):
            while at < spans[k, column]:
                point += (data[at] & 0xC0) != 0x80
                at += 1
            out[k, column] = point
    return out
