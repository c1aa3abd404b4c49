"""From a page's bytes to text: declared charsets are verified, never trusted.

Order: byte order mark, HTTP header, <meta>/XML declaration, bytes. A declared charset that bytes
contradict loses. Every Shift_JIS label means CP932, every EUC-JP label eucJP-ms, as browsers read
them (WHATWG Encoding Standard); ISO-2022-JP is read by its escapes, with JIS X 0212 and NEC
characters. Undecodable spots become U+FFFD and are counted; a last character cut by the crawler is
dropped and counted. Where a page mixes charsets (an included footer, a quoted mail), the pieces
between tags are read each in its own, and each such piece counts as a repair.
"""

from __future__ import annotations

import codecs
import itertools
import re
from dataclasses import dataclass

from corpus.web.charset import mojibake
from corpus.web.charset.gate import MIN_KANA, UTF16, Evidence, evidence
from corpus.web.charset.japanese import decode_eucjp, decode_iso2022jp, decode_shift_jis
from corpus.web.charset.labels import CP932, EUCJP, ISO2022JP, PYTHON, UTF8, whatwg_name

HEAD_BYTES = 8192  # browsers look at 1,024; real pages put the declaration later
_META = re.compile(
    rb"""<meta[^>]{1,400}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([^\s"'>;,/][^"'>;,/]{1,39})"""
    rb"""|<\?xml[^>]{1,200}?encoding\s{0,9}=\s{0,9}["']\s{0,9}([^"'>\s]{2,40})""",
    re.IGNORECASE,
)
_HEADER = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([^\s\"';,]{2,60})", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_UTF16 = ("utf-16le", "utf-16be")
DAMAGED = 8  # pairs of kana in UTF-8 for one in another reading: no page in two charsets


@dataclass(slots=True)
class Decoded:
    """Text of a page and how it came about."""

    text: str
    charset: str  # WHATWG name
    how: str  # bom, header, meta, bytes, mojibake
    repairs: int  # undecodable spots: replaced by U+FFFD, or dropped at the very end


def decode(body: bytes, content_type: str, counts: Evidence) -> Decoded:
    """Decode a page's body; `content_type` is the HTTP header, `counts` the gate's evidence.

    Never raises: what no charset explains becomes U+FFFD.
    """
    # A byte order mark, or the zero bytes of UTF-16, decide before anything that is declared.
    marked = _by_mark(body, counts)
    if marked is not None:
        return marked
    body = body.removeprefix(codecs.BOM_UTF8)  # a mark that the bytes contradict
    # What is declared, as far as the bytes bear it out.
    header = _header_label(content_type)
    meta = _meta_label(body[:HEAD_BYTES])
    charset = _verified(counts, header, meta)
    if charset == EUCJP and not _GB.isdisjoint((header, meta)) and _is_gb(body):
        charset = header if header in _GB else meta
    how = "header" if charset == header else "meta" if charset == meta else "bytes"
    # Pages in several charsets: pieces read each in its own, escapes of ISO-2022-JP among others.
    text, repairs = decode_as(body, charset)
    if repairs >= MANY_REPAIRS and charset in _MIXABLE:
        text, repairs = _decode_pieces(body, charset) or (text, repairs)
    if 0 < counts.iso2022 < MAX_PIECES and charset in _MIXABLE:
        text, runs = _JIS_RUN.subn(lambda run: decode_iso2022jp(run.group().encode()), text)
        repairs += runs
    # Kana that somebody read with a wrong table before, where that can be undone for certain.
    if charset == UTF8 and counts.mojibake >= MIN_KANA:
        text, undone = mojibake.undo(text)
        if undone:
            how, repairs = "mojibake", repairs + undone
    return Decoded(text, charset, how, repairs)


def _by_mark(body: bytes, counts: Evidence) -> Decoded | None:
    """The page as its byte order mark says, or as UTF-16 by its zero bytes; None without either."""
    if body.startswith(codecs.BOM_UTF8) and counts.utf8_bad <= counts.utf8 // 2:
        text, repairs = decode_as(body[3:], UTF8)
        return Decoded(text, UTF8, "bom", repairs)
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be")):
        if body.startswith(mark) and not _is_utf8_behind(body, counts):
            return _utf16(body[2:], name, "bom")
    if counts.nuls >= UTF16 and b"\0" in body:
        name = "utf-16be" if body[0:512:2].count(0) > body[1:512:2].count(0) else "utf-16le"
        return _utf16(body, name, "bytes")
    return None


def _is_utf8_behind(body: bytes, counts: Evidence) -> bool:
    """Is this well-formed UTF-8 behind a wrong mark? UTF-16 has zero bytes: its line ends, tags."""
    return counts.utf8_kana >= MIN_KANA and counts.utf8_bad <= 2 and b"\0" not in body


def _utf16(body: bytes, name: str, how: str) -> Decoded:
    """UTF-16, its line feeds made CR LF by somebody who took it for text: every second line would
    be read between its characters. The byte put in is taken out again, each time a repair."""
    wrong, right = (b"\r\n\0", b"\n\0") if name == "utf-16le" else (b"\0\r\n", b"\0\n")
    inserted = body.count(wrong)
    text, repairs = decode_as(body.replace(wrong, right) if inserted else body, name)
    return Decoded(text, name, how, repairs + inserted)


def _header_label(content_type: str) -> str:
    """The first known label of a Content-Type header (proxies join several)."""
    names = (whatwg_name(match[1]) for match in _HEADER.finditer(content_type[:1000]))
    return next(filter(None, names), "")


def _meta_label(head: bytes) -> str:
    """The first known label of the <meta> and XML declarations outside comments."""
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    for match in _META.finditer(head):
        name = whatwg_name((match[1] or match[2]).decode("latin-1"))
        if name:
            # A <meta> that could be read as ASCII cannot be in UTF-16 (WHATWG: take UTF-8).
            return UTF8 if name in _UTF16 else name
    return ""


def _verified(counts: Evidence, header: str, meta: str) -> str:
    """The charset the bytes support; declarations only decide where the bytes leave it open."""
    # No zero bytes came: it is not in UTF-16 either.
    declared = [label for label in (header, meta) if label and label not in _UTF16]
    if counts.iso2022 and counts.high <= 4 * counts.iso2022:
        return ISO2022JP
    if counts.high == 0:
        return next((label for label in declared if label != ISO2022JP), UTF8)
    if counts.utf8_bad == 0 or counts.utf8_bad * 50 <= counts.utf8:
        return UTF8
    # Kana behind kana: no other charset has them by chance, so a page that is damaged everywhere
    # (each seventeenth byte lost, every field cut) is still known.
    if counts.utf8_pairs >= DAMAGED * max(counts.sjis_pairs, counts.euc_pairs, 1):
        return UTF8
    # Kana decide between the three; a declared one wins unless another has twice its weight.
    weight = {  # kana that speak for a reading, less what speaks against it
        UTF8: counts.utf8_kana - 2 * counts.utf8_bad,
        CP932: counts.sjis_kana + min(counts.sjis_half, counts.sjis) // 4 - 2 * counts.sjis_bad,
        EUCJP: counts.euc_kana - 2 * counts.euc_bad,
    }
    best = max(weight, key=lambda name: weight[name])
    for label in declared:
        if label in weight and (label == best or 2 * weight[label] > weight[best] > 0):
            return label
    if weight[best] > 0:
        return best
    bad = {UTF8: counts.utf8_bad, CP932: counts.sjis_bad, EUCJP: counts.euc_bad}
    for label in declared:  # no kana: a declared charset stands unless its bytes are mostly bad
        if label in bad and bad[label] * 4 > counts.high:
            continue
        return label
    return min(bad, key=lambda name: bad[name])


def decode_as(body: bytes, charset: str) -> tuple[str, int]:
    """(text, repairs) of `body` read as `charset` (WHATWG or Python name).

    A last character that the crawler cut is dropped; it counts as a repair like every U+FFFD.
    """
    return _counted(_decoded(body, charset), body, charset)


def _counted(text: str, body: bytes, charset: str) -> tuple[str, int]:
    """(text without a cut last character, its U+FFFD that the page did not bring along)."""
    repairs = text.count("\ufffd")
    if repairs and charset == UTF8:
        repairs -= body.count(b"\xef\xbf\xbd")  # replaced by somebody before us
    return (text[:-1] if text.endswith("\ufffd") else text), repairs


def _decoded(body: bytes, charset: str) -> str:
    if charset == UTF8:
        return body.decode("utf-8", "replace")
    if charset == CP932:
        return decode_shift_jis(body)
    if charset == EUCJP:
        return decode_eucjp(body)
    if charset == ISO2022JP:
        return decode_iso2022jp(body)
    return body.decode(PYTHON.get(charset, charset), "replace")


# pages in several charsets ------------------------------------------------------------------------

MANY_REPAIRS = 4  # fewer are damage; a sentence of UTF-8 read as CP932 has about seven
MAX_PIECES = 20_000  # of a page; with more it is noise, and reading each would take seconds
_MIXABLE = (UTF8, CP932, EUCJP)
# No second byte of these charsets is < > or a line feed.
_PIECE = re.compile(rb"(?<![^<>\n])[^<>\n\x80-\xff]*[\x80-\xff][^<>\n]*")
_JIS_RUN = re.compile("\x1b\\$[@B][\t -~\r\n]*?(?:\x1b\\([BJ]|(?=[^\t -~\r\n])|\\Z)")


def _decode_pieces(body: bytes, charset: str) -> tuple[str, int] | None:
    """(text, repairs) with every piece between tags and line ends in its own charset; None where
    no piece asks for another one than the page's, or there are too many."""
    pieces = list(itertools.islice(_PIECE.finditer(body), MAX_PIECES))
    if len(pieces) == MAX_PIECES:
        return None
    said = [_reading(piece.group()) for piece in pieces]
    # A piece that could be in several is in the charset of the piece before it, if it can be.
    near = next((name for name, _ in said if name), charset)
    parts: list[str] = []
    done = foreign = 0
    before = charset
    for piece, (name, possible) in zip(pieces, said, strict=True):
        near = name or near
        own = name or (near if near in possible else charset)
        if own != before and own != charset:
            foreign += 1
        before = own
        if own == charset:
            continue
        parts.append(_decoded(body[done : piece.start()], charset))
        parts.append(_decoded(piece.group(), own))
        done = piece.end()
    if not foreign:
        return None
    parts.append(_decoded(body[done:], charset))
    text, repairs = _counted("".join(parts), body, charset)
    return text, repairs + foreign


def _reading(piece: bytes) -> tuple[str, list[str]]:
    """(the charset that a piece of a page must be in, "" where that is open; those it can be in)"""
    counts = evidence(piece)
    kana = {UTF8: counts.utf8_kana, CP932: counts.sjis_kana, EUCJP: counts.euc_kana}
    if not counts.utf8_bad:
        # No other charset makes two such sequences by chance.
        certain = counts.high == 3 * counts.utf8 and (counts.utf8 > 1 or counts.utf8_kana)
        return (UTF8 if certain else ""), list(_MIXABLE)
    bad = {UTF8: counts.utf8_bad, CP932: counts.sjis_bad, EUCJP: counts.euc_bad}
    possible = [name for name in _MIXABLE if not bad[name]]
    best = max(possible, key=lambda name: kana[name], default="")
    if not best or not kana[best] or sum(kana[name] == kana[best] for name in possible) > 1:
        return "", possible
    return best, possible


# Japanese pages on Chinese servers: GB 2312 has kana where EUC-JP has them, but other kanji.
_GB = frozenset(("gbk", "gb18030"))
MAX_LEVEL_2 = 0.2  # of the kanji: Aozora texts have 0 to 14 % in EUC-JP, in GB read so 27 to 38 %


def _is_gb(body: bytes) -> bool:
    """Whether a page declared as GB is: read as EUC-JP its kanji would be too rare ones."""
    kanji = [c for c in body[: 1 << 18].decode("euc_jp", "ignore") if "\u4e00" <= c <= "\u9fff"]
    rare = sum(c.encode("euc_jp") >= b"\xd0" for c in kanji)  # JIS X 0208 level 2, rows 48 to 84
    return len(kanji) >= 30 and rare > MAX_LEVEL_2 * len(kanji)
