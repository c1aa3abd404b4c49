"""Signals: everything that is measured of a text, as one struct of typed columns a document.

    measure(texts) -> StructArray of QUALITY_TYPE

A slice of about a megabyte is decoded to code points once; each theme's kernel then fills its
columns. Signals of one theme form a *group*; a group that is not asked for is null. The group
`words` needs a morphological analyser and is measured only when asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from .kernels import ngrams, scripts, sentences
from .kernels.classes import CLASS_TABLE
from .kernels.decode import decode
from .kernels.marks import MARK_TABLE
from .kernels.spec import Bytes, Floats, Offsets, Points, Signal, count, share

SLICE_BYTES = 1 << 20  # decoded, a slice is at most 4 MiB: it stays in the cache between kernels
MAX_COUNT = np.iinfo(np.int32).max


def _scripts(points: Points, starts: Offsets, out: Floats) -> None:
    scripts.measure_scripts(points, starts, CLASS_TABLE, out)


def _sentences(points: Points, starts: Offsets, out: Floats) -> None:
    sentences.measure_sentences(points, starts, MARK_TABLE, out)


def _ngrams(points: Points, starts: Offsets, out: Floats) -> None:
    ngrams.measure_ngrams(points, starts, out)


GROUPS: dict[str, tuple[tuple[Signal, ...], Callable[[Points, Offsets, Floats], None]]] = {
    "scripts": (scripts.SIGNALS, _scripts),
    "sentences": (sentences.SIGNALS, _sentences),
    "ngrams": (ngrams.SIGNALS, _ngrams),
}
SIGNALS: dict[str, Signal] = {s.name: s for group, _ in GROUPS.values() for s in group}
GROUP_OF: dict[str, str] = {s.name: name for name, (group, _) in GROUPS.items() for s in group}

# Signals of a document that are columns of their own: a profile may name them, `decide` takes them
# as `extra`.
EXTRA_SIGNALS: dict[str, Signal] = {
    s.name: s
    for s in (
        share("language_score", "probability", "fastText lid.176: probability of the language"),
        count("cluster_size", "documents", "documents of the near-duplicate cluster"),
    )
}


def _field(signal: Signal) -> pa.Field:
    kind = pa.int32() if signal.kind == "count" else pa.float32()
    facts = {"unit": signal.unit, "description": signal.description, "source": signal.source}
    return pa.field(signal.name, kind, metadata=facts)


QUALITY_TYPE: pa.StructType = pa.struct([_field(s) for s in SIGNALS.values()])


def measure(texts: pa.Array, groups: frozenset[str] | None = None) -> pa.StructArray:
    """All signals of every document.

    texts: `string` or `large_string`, sliced or not; a null counts as an empty text.
    groups: names out of `GROUPS`; None measures every group that is not lazy.
    Returns a struct array of `QUALITY_TYPE`, as long as `texts`; signals of other groups are null.
    Raises ValueError for an unknown group, TypeError for an array that holds no strings.
    """
    wanted = frozenset(GROUPS) if groups is None else groups
    if unknown := sorted(wanted - frozenset(GROUPS)):
        raise ValueError(f"unknown signal group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    rows = len(texts)
    matrices = {g: np.empty((rows, len(GROUPS[g][0]))) for g in GROUPS if g in wanted}
    row = 0
    for points, starts in code_points(texts):
        n = len(starts) - 1
        for name, matrix in matrices.items():
            GROUPS[name][1](points, starts, matrix[row : row + n])
        row += n
    return pa.StructArray.from_arrays(
        [_column(matrices, s, rows) for s in SIGNALS.values()], fields=list(QUALITY_TYPE)
    )


def _column(matrices: dict[str, Floats], signal: Signal, rows: int) -> pa.Array:
    group = GROUP_OF[signal.name]
    kind = QUALITY_TYPE.field(signal.name).type
    if group not in matrices:
        return pa.nulls(rows, kind)
    values = matrices[group][:, GROUPS[group][0].index(signal)]
    if signal.kind == "count":
        values = np.minimum(values, MAX_COUNT)
    return pa.array(values.astype(kind.to_pandas_dtype()))


def code_points(texts: pa.Array) -> Iterator[tuple[Points, Offsets]]:
    """`texts` decoded in slices of n documents: points uint32[:], starts int64[n + 1]."""
    data, offsets = utf8_buffers(texts)
    begin = 0
    while begin < len(texts):
        limit = offsets[begin] + SLICE_BYTES
        end = max(begin + 1, int(np.searchsorted(offsets, limit, side="right")) - 1)
        end = min(end, len(texts))
        part = offsets[begin : end + 1]
        points = np.empty(int(part[-1] - part[0]), np.uint32)
        starts = np.empty(len(part), np.int64)
        decode(data, part, points, starts)
        yield points[: starts[-1]], starts
        begin = end


def utf8_buffers(texts: pa.Array) -> tuple[Bytes, Offsets]:
    """(data uint8[:], offsets int64[n + 1]) of a string array; a null becomes an empty document.

    Nothing is copied but the offsets, and a document never reaches beyond the data buffer.
    """
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise TypeError(f"texts must be an Arrow string array, not {texts.type}")
    if texts.null_count:
        texts = texts.fill_null("")
    width = np.dtype(np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    _, offset_buffer, data_buffer = texts.buffers()
    if offset_buffer is None or len(texts) == 0:
        return np.empty(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    offsets = np.frombuffer(offset_buffer, width, len(texts) + 1, texts.offset * width.itemsize)
    data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return data, offsets.astype(np.int64)
