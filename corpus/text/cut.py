"""Cutting and replacing parts of a text, with its blocks kept true.

Steps after extraction find what goes in the plain view: lines (a site's, a footer's) or spans
(passages, personal data). `lines_of` and `views.plain_with_places` say where that stands in the
text. What is left stays Markdown: signs leave with the last of what they mark, the header of a
table with its last row, and a new beginning of a line or block is escaped where it would be read
as a sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from corpus.text import views
from corpus.text.blocks import (
    END,
    KIND,
    LEVEL,
    START,
    WIDTH,
    Blocks,
    from_arrow,
    kind,
    to_bytes,
    to_points,
)
from corpus.text.escape import escaped, line_sign
from corpus.text.views import PROSE_KINDS, is_delimiter_row, is_fence, put_block
from filters.buffers import text_buffers
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

SOLID = (kind.code, kind.table, kind.formula)  # never a site's own lines, nor a footer's
LINE_START, LINE_END, LINE_BLOCK, LINE_SIGN, LINE_WIDTH = range(5)
MAX_LEVEL = 6
_SIGN = re.compile(r"#{1,6} |[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+|> ?")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_QUOTE = re.compile(r"[ \t]*(?:> ?)?")
_OPENS = "*_]<&\\"  # may become a sign by what follows
# Whether the signs before and behind a passage go with it: a backslash before, a backtick on both.
_EDGES = ((True, False), (False, False), (True, True), (False, True))


@kernel
def _lines(data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """int32 [n, LINE_WIDTH], positions in bytes: see `lines_of`."""
    room = len(spans) + 1
    for c in data:
        room += c == ch.LINE_FEED
    out = np.zeros((room, LINE_WIDTH), np.int32)
    n = 0
    for k in range(len(spans)):
        start, end, block = spans[k, START], spans[k, END], spans[k, KIND]
        whole = block == kind.formula or block == kind.heading
        first = n
        i = start
        while i <= end:
            stop = i
            while stop < end and data[stop] != ch.LINE_FEED:
                stop += 1
            header = block == kind.table and n == first + 1 and is_delimiter_row(data, i, stop)
            if header or (whole and n > first):
                out[n - 1, LINE_END] = stop
            else:
                fence = block == kind.code and (i == start or stop == end)
                out[n, LINE_START], out[n, LINE_END], out[n, LINE_BLOCK] = i, stop, k
                out[n, LINE_SIGN] = block == kind.rule or (fence and is_fence(data, i, stop) > 0)
                n += 1
            i = stop + 1
    return out[:n]


def lines_of(text: str, blocks: Blocks) -> np.ndarray:
    """Where the lines of a text stand: int32 [n, LINE_WIDTH], start, end (code points), block, and
    1 for a line that is nothing but a sign (a fence, a rule).

    The rule below a table's header belongs to the header; a formula and a heading are one line. A
    text without blocks has the lines it has, all of block 0.
    """
    if not len(blocks.spans):
        lengths = np.array([len(line) for line in text.split("\n")], np.int32)
        out = np.zeros((len(lengths), LINE_WIDTH), np.int32)
        out[:, LINE_END] = np.cumsum(lengths + 1) - 1
        out[:, LINE_START] = out[:, LINE_END] - lengths
        return out
    data = np.frombuffer(text.encode(), np.uint8)
    return to_points(data, _lines(data, to_bytes(data, blocks.spans)))


@kernel
def _prose_lines(
    data: np.ndarray, offsets: np.ndarray, spans: np.ndarray, rows: np.ndarray,
    signed: np.ndarray, prose: np.ndarray, out: np.ndarray, ends: np.ndarray,
) -> None:  # fmt: skip
    """Fill `out` and its offsets `ends` (int64 [n + 1]): see `prose_lines`."""
    o = 0
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]]
        own = to_bytes(text, spans[rows[row] : rows[row + 1]])
        if len(own) == 0:
            out[o : o + len(text)] = text
            o += len(text)
        lines = _lines(text, own)
        where = np.empty(len(text) + 1, np.int32)
        n = 0
        for k in range(len(own)):
            first = n
            while n < len(lines) and lines[n, LINE_BLOCK] == k:
                n += 1
            if k > 0:
                out[o] = ch.LINE_FEED
                o += 1
            start, end, block = own[k, START], own[k, END], own[k, KIND]
            if not prose[block]:
                out[o : o + n - first - 1] = ch.LINE_FEED
                o += n - first - 1
            elif signed[row]:
                o += put_block(text, start, end, block, out[o:], where, 0)
            else:
                out[o : o + end - start] = text[start:end]
                o += end - start
        ends[row + 1] = o


def prose_lines(documents: pa.RecordBatch | pa.Table) -> pa.Array:
    """The texts of documents as the lines of `lines_of`, plain: empty ones for what is no prose.

    So the paragraphs of a text are counted in the order in which they are cut. A text without
    blocks stands as it is.
    """
    texts, blocks, formats = views.columns_of(documents)
    if not len(blocks.flatten()):
        return texts
    data, offsets = text_buffers(texts)
    spans, rows, _ = from_arrow(blocks)
    out = np.empty(int(offsets[-1] - offsets[0]) + len(spans) + 1, np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    _prose_lines(data, offsets, spans, rows, views.is_signed(formats), PROSE_KINDS, out, ends)
    return views.strings(out, ends, texts.type)


def sign(line: str) -> str:
    """The sign of a heading, an item or a quote at the start of a line, with its indent."""
    found = _SIGN.match(line)
    return found.group() if found else ""


def bare(line: str) -> str:
    """A line of prose without the sign of a heading, an item or a quote at its start."""
    return line[len(sign(line)) :]


def with_headings(blocks: Blocks, lines: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """The lines that go (bool [n]) where these shall, headings and rules being decided anew.

    A heading goes with the last of what stands under it, up to the next heading of its level or a
    higher one, and rules there go along; one that has nothing under it goes if `gone` says so.
    """
    spans, n = blocks.spans, len(blocks.spans)
    headings = np.flatnonzero(spans[:, KIND] == kind.heading)
    if not len(headings) or not gone.any():
        return gone
    own = lines[:, LINE_BLOCK]
    went = np.bincount(own[gone], minlength=n) > 0
    stays = np.bincount(own[~gone & (lines[:, LINE_SIGN] == 0)], minlength=n) > 0
    leaves = np.zeros(n, np.bool_)  # with its heading
    ends = np.full(MAX_LEVEL + 1, n)  # where a section of each level ends
    # From the last one on, so that a section's own headings are decided before it.
    for k in headings[::-1].tolist():
        level = int(np.clip(spans[k, LEVEL], 1, MAX_LEVEL))
        under = slice(k + 1, int(ends[level]))
        ends[level:] = k
        leaves[k] = not stays[under].any() and (went[k] or went[under].any())
        stays[k], went[k] = not leaves[k], leaves[k]
        if leaves[k]:
            leaves[under] = True
    kinds = spans[own, KIND]
    ruled = (kinds == kind.rule) & leaves[own]
    return np.where(kinds == kind.heading, leaves[own], gone | ruled)


def without_paragraphs(
    text: str, blocks: Blocks, gone: np.ndarray, signed: bool = True
) -> tuple[str, Blocks]:
    """The text without lines of prose, and without headings that have nothing under them then.

    gone: bool [n], of the lines of `lines_of`; signed: whether the text is Markdown.
    """
    if not len(blocks.spans):
        lines = zip(text.split("\n"), gone.tolist(), strict=True)
        return "\n".join([line for line, out in lines if not out]), blocks
    places = lines_of(text, blocks)
    return without_lines(text, blocks, places, with_headings(blocks, places, gone), signed)


def without_lines(
    text: str, blocks: Blocks, lines: np.ndarray, gone: np.ndarray, signed: bool = True
) -> tuple[str, Blocks]:
    """The text without some of its lines. lines: of `lines_of`; gone: bool [n].

    signed: whether the text is Markdown. Fences stay while a line of the code does, and so does the
    header of a table; a block of which nothing but signs and blanks is left goes as a whole, and so
    does a rule that parts nothing any more.
    """
    if not len(blocks.spans):
        left = lines[~gone]
        return "\n".join(text[a:z] for a, z in left[:, :LINE_BLOCK].tolist()), blocks
    return _without(text, blocks, lines, gone, {}, signed)


def without_spans(
    text: str, blocks: Blocks, spans: Sequence[tuple[int, int]], signed: bool = True
) -> tuple[str, Blocks]:
    """The text without passages of its plain view.

    spans: (start, end) in code points of the plain view, in order and not overlapping; signed:
    whether the text is Markdown. Of prose the characters go; code, tables and formulas lose whole
    lines only, headings go with what stands under them. A line of which no letter or digit is left
    goes with its signs; the line feeds between other lines stay.
    """
    if not len(blocks.spans):
        for start, end in reversed(spans):
            text = text[:start] + text[end:]
        return text, blocks
    view, where = _where(text, blocks, signed)
    hidden = np.zeros(len(view) + 2, np.bool_)  # a place more at both ends
    for start, end in spans:
        hidden[start + 1 : end + 1] = True
    before = np.concatenate([[0], np.cumsum(hidden[1:-1])])
    # Line by line: which go as a whole, and what goes of the other lines of prose.
    lines = lines_of(text, blocks)
    texts = lines[:, LINE_SIGN] == 0
    gone = np.zeros(len(lines), np.bool_)
    parts: dict[int, np.ndarray] = {}
    for block in np.flatnonzero(before[where[:, 1]] > before[where[:, 0]]).tolist():
        at, end = where[block].tolist()
        own = texts & (lines[:, LINE_BLOCK] == block)
        one = int(np.count_nonzero(own)) == 1
        gone[own] = _covered(view[at:end], hidden[at : end + 2], one)
        if PROSE_KINDS[blocks.spans[block, KIND]]:
            parts[block] = hidden[at + 1 : end + 1]
    return _without(text, blocks, lines, with_headings(blocks, lines, gone), parts, signed)


def _where(text: str, blocks: Blocks, signed: bool) -> tuple[str, np.ndarray]:
    """(plain view, int64 [n, 2]: where each block begins and ends in it)."""
    bounds = blocks.spans[:, START : END + 1].astype(np.int64)
    if not signed:
        return text, bounds
    view, places = views.plain_with_places(text, blocks)
    where = np.searchsorted(places[:-1], bounds)
    # The line feed before a block stands at its start; the first has none.
    where[:, 0] += (where[:, 0] > 0) & (where[:, 1] > where[:, 0])
    return view, where


def _covered(part: str, hidden: np.ndarray, one: bool) -> list[bool]:
    """Which lines of a block go, by what is hidden of its plain text.

    hidden: bool [len(part) + 2], with the characters before and behind; one: all is one line. A
    line without letters, such as `}`, goes between line feeds that go, or with all the others.
    """
    goes, stay = [], False
    at = 0
    for line in [part] if one else part.split("\n"):
        inside = hidden[at : at + len(line) + 2]
        letters = [bool(out) for c, out in zip(line, inside[1:-1], strict=True) if c.isalnum()]
        goes.append(all(letters) if letters else bool(inside[0] and inside[-1]))
        stay |= not all(letters)
        at += len(line) + 1
    return goes if stay or not any(goes) else [True] * len(goes)


def _without(
    text: str, blocks: Blocks, lines: np.ndarray, gone: np.ndarray,
    parts: Mapping[int, np.ndarray], signed: bool,
) -> tuple[str, Blocks]:  # fmt: skip
    """The text without lines, and without parts of blocks of prose.

    parts: block → bool [characters of its plain view], those that go.
    """
    # Fences go with the last line of the code, the header of a table with its last row.
    own, n = lines[:, LINE_BLOCK], len(blocks.spans)
    kinds, signs = blocks.spans[own, KIND], lines[:, LINE_SIGN] == 1
    header = (kinds == kind.table) & (np.diff(own, prepend=-1) != 0)
    gone = gone & (~signs | (kinds == kind.rule))
    gone &= ~(header & (np.bincount(own[~gone & ~header], minlength=n) > 0)[own])
    changed = np.unique(np.concatenate([own[gone], np.array(list(parts), np.int64)])).tolist()
    if not changed:
        return text, blocks
    # Only blocks that lose something are written anew.
    first = np.searchsorted(own, np.arange(n + 1))
    bodies: list[str | None] = [text[a:z] for a, z in blocks.spans[:, : END + 1].tolist()]
    for k in changed:
        of_block = slice(first[k], first[k + 1])
        bodies[k] = _body(
            text, blocks.spans[k], lines[of_block], gone[of_block], parts.get(k), signed
        )
    rules = blocks.spans[:, KIND] == kind.rule
    stays = np.array([body is not None for body in bodies])
    between = _with_rules(stays & ~rules, stays & rules)
    return rebuilt(
        text, blocks, [b if stay else None for b, stay in zip(bodies, between, strict=True)]
    )


def _with_rules(left: np.ndarray, rules: np.ndarray) -> np.ndarray:
    """`left`, and of the rules (bool [n] both) one between two blocks that are left."""
    kept = np.flatnonzero(left | rules)
    inner = kept[np.maximum.accumulate(left[kept]) & np.maximum.accumulate(left[kept][::-1])[::-1]]
    alone = rules[inner] & ~np.append(False, rules[inner][:-1])
    left = left.copy()
    left[inner[alone]] = True
    return left


def _body(
    text: str, span: np.ndarray, lines: np.ndarray, gone: np.ndarray, hidden: np.ndarray | None,
    signed: bool,
) -> str | None:  # fmt: skip
    """A block without some of its lines (bool [n]) and, of prose, without characters of its plain
    text (bool); None where nothing but signs is left."""
    signs = lines[:, LINE_SIGN] == 1
    if (gone | signs).all():
        return None
    if PROSE_KINDS[span[KIND]]:
        return _prose(text[span[START] : span[END]], span, gone, hidden, signed)
    body = "\n".join(text[a:z] for a, z in lines[~gone, :LINE_BLOCK].tolist())
    if span[KIND] == kind.code and not signs[0]:
        body = body.strip("\n")  # indented code: blank lines stand inside only
    return body if (_plain(body, span) if signed else body).strip() else None


def _alone(body: str, span: np.ndarray) -> Blocks:
    """A text as one block of the kind of `span`."""
    return Blocks(np.array([[0, len(body), span[KIND], span[LEVEL], 0]], np.int32))


def _plain(body: str, span: np.ndarray) -> str:
    return views.plain_text(body, _alone(body, span))


def _prose(
    body: str, span: np.ndarray, gone: np.ndarray, hidden: np.ndarray | None, signed: bool
) -> str | None:
    """A block of prose without lines (bool [n]) and without characters of its plain text (bool).

    None where nothing is left. The result is read again: where code or formulas inside were cut so
    that their signs say something else, the block is written anew from its plain text.
    """
    plain = _plain(body, span) if signed else body
    if hidden is None:
        hidden = np.zeros(len(plain), np.bool_)
    wanted = [line for line in _left(plain, hidden, gone) if line]
    if not wanted or not signed:
        return "\n".join(wanted) or None
    found = _ITEM.match(body) if span[KIND] == kind.item else None
    mark = found.group() if found else ""
    # As escaping would write it: then it is written so again, and nothing can be lost.
    if _marked([escaped(line) for line in plain.split("\n")], span, mark) != body:
        for edges in _EDGES if hidden.any() else _EDGES[:1]:
            pieces = [line for line in _raw_left(body, span, hidden, gone, edges) if line.strip()]
            again = _marked(pieces, span, mark)
            if _plain(again, span) == "\n".join(wanted):
                return again
    return _marked([escaped(line) for line in wanted], span, mark)


def _left(plain: str, hidden: np.ndarray, gone: np.ndarray) -> Iterator[str]:
    """What is left of the lines of a plain text, without blanks at their starts."""
    at = 0
    for line, out in zip(plain.split("\n"), gone, strict=True):
        own = hidden[at : at + len(line)]
        at += len(line) + 1
        if not out:
            kept = (
                "".join(c for c, h in zip(line, own, strict=True) if not h) if own.any() else line
            )
            yield kept.lstrip(" \t")


def _marked(lines: list[str], span: np.ndarray, mark: str) -> str:
    """Lines of Markdown as a block: with the mark of an item, the signs of a quote."""
    block = span[KIND]
    safe = []
    for line in lines:
        data = np.frombuffer(line.encode(), np.uint8)
        k = line_sign(data, 0, len(data))  # ASCII before it: bytes are code points
        safe.append(line if k < 0 else line[:k] + "\\" + line[k:])
    if block == kind.quote:
        return "\n".join(f"> {line}" for line in safe)
    return mark + ("\n" + " " * len(mark)).join(safe)


def _raw_left(
    body: str, span: np.ndarray, hidden: np.ndarray, gone: np.ndarray, edges: tuple[bool, bool]
) -> Iterator[str]:
    """What is left of the lines of a block, without its signs and with those inside.

    edges: whether signs just before and just behind what is hidden go too.
    """
    plain, places = views.plain_with_places(body, _alone(body, span))
    begin = at = 0
    for raw, line, out in zip(body.split("\n"), plain.split("\n"), gone, strict=True):
        found = _ITEM.match(raw) if span[KIND] == kind.item and not begin else None
        found = found or (_QUOTE.match(raw) if span[KIND] == kind.quote else None)
        start = found.end() if found else len(raw) - len(raw.lstrip(" \t"))
        if not out:
            # Each run of hidden characters, from the places of its ends in the line.
            own = np.concatenate([[False], hidden[at : at + len(line)], [False]])
            runs = np.flatnonzero(np.diff(own)).reshape(-1, 2).tolist()
            where = (places[at : at + len(line) + 1] - begin).tolist()
            kept, last = "", start
            for low, high in runs:
                low_end = (where[low - 1] + 1 if low else start) if edges[0] else where[low]
                kept += raw[last:low_end]
                if kept and kept[-1] in _OPENS and kept[-2:-1] != "\\":
                    kept = kept[:-1] + "\\" + kept[-1]
                last = where[high] if edges[1] else where[high - 1] + 1
            yield (kept + raw[last:]).lstrip(" \t")
        begin += len(raw) + 1
        at += len(line) + 1


def only_blocks(text: str, blocks: Blocks, keep: np.ndarray) -> tuple[str, Blocks]:
    """The text of some of its blocks (bool [n]), parted as they were."""
    if keep.all():
        return text, blocks
    bodies = [
        text[span[START] : span[END]] if stays else None
        for span, stays in zip(blocks.spans, keep, strict=True)
    ]
    return rebuilt(text, blocks, bodies)


def rebuilt(text: str, blocks: Blocks, bodies: Sequence[str | None]) -> tuple[str, Blocks]:
    """The text with other bodies for its blocks, None for one that goes; parted as they were.

    Blocks that come together are parted by the widest gap between them: items of a list stay one.
    """
    spans = blocks.spans
    parts: list[str] = []
    kept, at = [], 0
    between = ""
    for k, body in enumerate(bodies):
        gap = text[spans[k - 1, END] : spans[k, START]] if k else ""
        between = max(between, gap, key=len)
        if body is None:
            continue
        if parts:
            parts.append(between)
            at += len(between)
        between = ""
        parts.append(body)
        kept.append([at, at + len(body), *spans[k, KIND:].tolist()])
        at += len(body)
    return "".join(parts), Blocks(np.array(kept, np.int32).reshape(-1, WIDTH), blocks.languages)


def replaced(
    text: str, blocks: Blocks, edits: Sequence[tuple[int, int, str]]
) -> tuple[str, Blocks]:
    """The text with parts of it replaced, and its blocks moved along; empty ones go.

    edits: (start, end, new text) in code points, in order and not overlapping. One that runs over
    several blocks puts its text into the first and cuts the others behind their signs.
    """
    parts, at = [], 0
    starts, ends, moved = [0], [0], [0]
    for start, end, new in _by_block(text, blocks, edits):
        parts += [text[at:start], new]
        at = end
        starts.append(start)
        ends.append(end)
        moved.append(moved[-1] + len(new) - (end - start))
    parts.append(text[at:])
    new_text = "".join(parts)
    # A boundary inside what was replaced moves to the near end of the new text.
    spans = blocks.spans.copy()
    first, last, shift = np.array(starts), np.array(ends), np.array(moved)
    for column in (START, END):
        places = spans[:, column]
        right, left = np.searchsorted(first, places, "right"), np.searchsorted(first, places)
        k = np.maximum((right if column == START else left) - 1, 0)
        inside = (k > 0) & (places < last[k])
        to = first[k] + shift[k - 1] if column == START else last[k] + shift[k]
        spans[:, column] = np.where(inside, to, places + shift[k])
    bodies = [new_text[a:z] or None for a, z in spans[:, : END + 1].tolist()]
    if None not in bodies:
        return new_text, Blocks(spans, blocks.languages)
    return rebuilt(new_text, Blocks(spans, blocks.languages), bodies)


def _by_block(
    text: str, blocks: Blocks, edits: Sequence[tuple[int, int, str]]
) -> Iterator[tuple[int, int, str]]:
    """The edits, each within a block."""
    spans = blocks.spans
    for start, end, new in edits:
        k = int(np.searchsorted(spans[:, END], start, "right"))
        if k == len(spans) or end <= spans[k, END]:
            yield start, end, new
            continue
        yield max(start, int(spans[k, START])), int(spans[k, END]), new
        for a, z, block in spans[k + 1 :, : KIND + 1].tolist():
            if a >= end:
                break
            signed = block in (kind.heading, kind.item, kind.quote) and end < z
            if end > (begin := a + len(sign(text[a:z])) if signed else a):
                yield begin, min(end, z), ""
