"""From a page's bytes to text: declared charsets are verified, never trusted.

Order: byte order mark, HTTP header, <meta>/XML declaration, bytes. A declared charset that bytes
contradict loses. Every Shift_JIS label means CP932, every EUC-JP label eucJP-ms, as browsers read
them (WHATWG Encoding Standard); ISO-2022-JP is read by its escapes, with JIS X 0212 and NEC
characters. Undecodable spots become U+FFFD and are counted; a last character cut by the crawler is
dropped and counted.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from corpus.web import mojibake
from corpus.web.gate import MIN_KANA, Evidence

HEAD_BYTES = 8192  # browsers look at 1,024; real pages put the declaration later
_META = re.compile(
    rb"""<meta[^>]{0,400}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.()+-]{2,40})"""
    rb"""|<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.()+-]{2,40})["']""",
    re.IGNORECASE,
)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]{2,40})", re.IGNORECASE)

UTF8, CP932, EUCJP, ISO2022JP = "utf-8", "shift_jis", "euc-jp", "iso-2022-jp"

# Labels of the Japanese charsets: WHATWG's, and what the NWC 2010 crawl found misspelt.
LABELS: dict[str, str] = {
    **dict.fromkeys(("utf-8", "utf8", "utf_8", "utf-8n", "unicode-1-1-utf-8", "x-utf-8"), UTF8),
    **dict.fromkeys(
        (
            "shift_jis", "shift-jis", "shiftjis", "sjis", "s-jis", "x-sjis", "x-s-jis", "ms_kanji",
            "csshiftjis", "windows-31j", "windows31j", "cswindows31j", "cp932", "ms932", "ms-932",
            "windows-932", "windows932", "cp943", "cp943c", "ibm-943", "x-ms-cp932",
            "shift_jis-2004",
            "shift_jisx0213", "shift_jis2004", "shuft_jis", "shfit_jis", "sift_jis", "shiht_jis",
            "shift_jls", "shift_jp", "shift_js", "shit_jis", "shift__jis", "shift=jis", "shift",
            "x-mac-japanese",
        ),
        CP932,
    ),
    **dict.fromkeys(
        (
            "euc-jp", "euc_jp", "eucjp", "x-euc-jp", "x-eucjp", "cseucpkdfmtjapanese", "euc",
            "ujis",
            "x-euc", "eucjp-ms", "euc-jp-ms", "eucjp-win", "eucjpms", "cp51932", "euc-jis-2004",
            "extended_unix_code_packed_format_for_japanese",
        ),
        EUCJP,
    ),
    **dict.fromkeys(
        (
            "iso-2022-jp", "iso2022jp", "iso_2022_jp", "iso-2022-jp-1", "iso-2022-jp-2", "jis",
            "x-jis",
            "iso-2022-jp-3", "iso-2022-jp-ms", "csiso2022jp", "cp50220", "cp50221", "iso-2022jp",
        ),
        ISO2022JP,
    ),
}  # fmt: skip


@dataclass(slots=True)
class Decoded:
    """Text of a page and how it came about."""

    text: str
    charset: str  # WHATWG name
    how: str  # bom, header, meta, bytes, mojibake
    repairs: int  # undecodable spots: replaced by U+FFFD, or dropped at the very end


def decode(body: bytes, content_type: str, e: Evidence) -> Decoded:
    """Decode a page's body; `content_type` is the HTTP header, `e` the gate's evidence."""
    marked = _by_mark(body, e)
    if marked is not None:
        return marked
    header = _header_label(content_type)
    meta = _meta_label(body[:HEAD_BYTES])
    charset = _verified(e, header, meta)
    how = "header" if charset == header else "meta" if charset == meta else "bytes"
    text, repairs = decode_as(body, charset)
    if charset == UTF8 and e.mojibake >= MIN_KANA:
        text, undone = mojibake.undo(text)
        if undone:
            how, repairs = "mojibake", repairs + undone
    return Decoded(text, charset, how, repairs)


def _by_mark(body: bytes, e: Evidence) -> Decoded | None:
    if body.startswith(codecs.BOM_UTF8):
        text, repairs = decode_as(body[3:], UTF8)
        return Decoded(text, UTF8, "bom", repairs)
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be")):
        if body.startswith(mark):
            text, repairs = decode_as(body[2:], name)
            return Decoded(text, name, "bom", repairs)
    if e.nuls >= 16:
        name = "utf-16be" if body[0:512:2].count(0) > body[1:512:2].count(0) else "utf-16le"
        text, repairs = decode_as(body, name)
        return Decoded(text, name, "bytes", repairs)
    return None


def _header_label(content_type: str) -> str:
    match = _HEADER.search(content_type)
    return normal_label(match.group(1)) if match else ""


def _meta_label(head: bytes) -> str:
    match = _META.search(head)
    if match is None:
        return ""
    label = normal_label((match.group(1) or match.group(2)).decode("ascii"))
    # A <meta> that could be read as ASCII cannot be in UTF-16 (WHATWG: take it as UTF-8).
    return UTF8 if label.startswith("utf-16") else label


def normal_label(label: str) -> str:
    """WHATWG name of a charset label, "" when it is none."""
    label = label.strip().strip("'\"").lower()
    if label in LABELS:
        return LABELS[label]
    try:
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""


def _verified(e: Evidence, header: str, meta: str) -> str:
    """The charset the bytes support; declarations only decide where the bytes leave it open."""
    declared = [label for label in (header, meta) if label]
    if e.iso2022 and e.high <= 4 * e.iso2022:
        return ISO2022JP
    if e.high == 0:
        return next((label for label in declared if label != ISO2022JP), UTF8)
    if e.utf8_bad == 0 or e.utf8_bad * 50 <= e.utf8:
        return UTF8
    weight = {  # kana that speak for a reading, less what speaks against it
        UTF8: e.utf8_kana - 2 * e.utf8_bad,
        CP932: e.sjis_kana + min(e.sjis_half, e.sjis) // 4 - 2 * e.sjis_bad,
        EUCJP: e.euc_kana - 2 * e.euc_bad,
    }
    best = max(weight, key=lambda name: weight[name])
    for label in declared:
        if label in weight and (label == best or 2 * weight[label] > weight[best] > 0):
            return label
    if weight[best] > 0:
        return best
    bad = {UTF8: e.utf8_bad, CP932: e.sjis_bad, EUCJP: e.euc_bad}
    for label in declared:  # no kana: a declared charset stands unless its bytes are mostly bad
        if label in bad and bad[label] * 4 > e.high:
            continue
        return label
    return min(bad, key=lambda name: bad[name])


def decode_as(body: bytes, charset: str) -> tuple[str, int]:
    """(text, repairs) of `body` read as `charset` (WHATWG or Python name).

    A last character that the crawler cut is dropped; it counts as a repair like every U+FFFD.
    """
    known = 0
    if charset == UTF8:
        known = body.count(b"\xef\xbf\xbd")  # replaced by somebody before us
        text = body.decode("utf-8", "replace")
    elif charset == CP932:
        text = _strict_cp932(body.decode("cp932", "replace"))
    elif charset == EUCJP:
        text = _as_windows(body.decode("euc_jp", "inaho-eucjp-ms"))
    elif charset == ISO2022JP:
        text = _decode_iso2022jp(body)
    else:
        text = body.decode(charset, "replace")
    repairs = text.count("\ufffd") - known
    return (text[:-1] if text.endswith("\ufffd") else text), repairs


# Single bytes that are no characters in Shift_JIS, but get one from Python's table.
_NO_CP932 = str.maketrans("\xa0\uf8f0\uf8f1\uf8f2\uf8f3", "\ufffd" * 5)


def _strict_cp932(text: str) -> str:
    return text.translate(_NO_CP932) if re.search("[\xa0\uf8f0-\uf8f3]", text) else text


# Where JIS X 0208 tables differ, browsers follow Microsoft's (as CP932 does).
_NOT_WINDOWS = re.compile("[\u301c\u2016\u2212\u00a2\u00a3\u00ac\u2014]+")
_WINDOWS = str.maketrans("\u301c\u2016\u2212\u00a2\u00a3\u00ac\u2014", "～∥－￠￡￢―")


def _as_windows(text: str) -> str:
    return _NOT_WINDOWS.sub(lambda run: run.group().translate(_WINDOWS), text)


# IBM extensions where eucJP-ms has them: 8F F3 F3 to 8F F4 FE (The Open Group Japan, 1996).
_IBM_IN_EUC = (
    "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤﨎咊坙﨏塚增寬峵嵓﨑德悅愠敎昻晥晴朗栁﨓﨔橫櫢淸淲瀨凞猪甁皂皞益礰礼神"
    "祥福竧靖精綠緖羽荢﨟薰蘒﨡蠇諸譿賴赶﨣﨤逸郞都鄕﨧﨨閒隆﨩霻靍靑飯飼館馞髙魲鶴黑"
)


def _euc_error(error: UnicodeError) -> tuple[str, int]:
    """Decode NEC and IBM extensions (rows 13, 89 to 92) that Python's euc_jp does not know."""
    assert isinstance(error, UnicodeDecodeError)
    at, data = error.start, error.object
    pair = data[at : at + 2]
    if len(pair) == 2 and 0xA1 <= pair[0] <= 0xFE and 0xA1 <= pair[1] <= 0xFE:
        return _euc_pair_as_cp932(pair[0], pair[1]) or "\ufffd", at + 2
    triple = data[at : at + 3]
    if triple[:1] == b"\x8f" and len(triple) == 3 and min(triple[1:]) >= 0xA1:
        cell = (triple[1] - 0xF3) * 94 + triple[2] - 0xF3
        known = triple[1] in (0xF3, 0xF4) and 0 <= cell < len(_IBM_IN_EUC)
        return _IBM_IN_EUC[cell] if known else "\ufffd", at + 3
    return "\ufffd", at + 1


def _euc_pair_as_cp932(first: int, second: int) -> str:
    row, cell = first - 0xA0, second - 0xA0
    lead = (row + 1) // 2 + (0x80 if row <= 62 else 0xC0)
    trail = cell + (0x9E if row % 2 == 0 else 0x3F if cell <= 63 else 0x40)
    return bytes((lead, trail)).decode("cp932", "ignore")


codecs.register_error("inaho-eucjp-ms", _euc_error)

_ESCAPE = re.compile(rb"\x1b(\$[@B]|\$\([@BDOPQ]|\([BJIH]|&@\x1b\$B)")


def _decode_iso2022jp(body: bytes) -> str:
    """ISO-2022-JP with JIS X 0201 kana, JIS X 0212 and NEC characters (CP50221)."""
    parts: list[str] = []
    mode, position = b"(B", 0
    for match in [*_ESCAPE.finditer(body), None]:
        stop = match.start() if match else len(body)
        parts.append(_decode_segment(body[position:stop], mode))
        if match:
            mode, position = match.group(1), match.end()
    return "".join(parts)


def _decode_segment(data: bytes, mode: bytes) -> str:
    if mode == b"(I":
        return bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in data).decode("cp932", "replace")
    if mode[:1] not in (b"$", b"&"):
        return data.decode("cp932", "replace")  # stray high bytes are usually half-width kana
    parts: list[str] = []
    # A line end leaves the double-byte set (the standard demands an escape; pages forget it).
    for run in re.split(rb"([\x00-\x20]+)", data):
        if not run or run[0] <= 0x20:
            parts.append(run.decode("ascii"))
            continue
        odd = "\ufffd" if len(run) % 2 else ""
        high = bytes(b | 0x80 for b in run[: len(run) // 2 * 2])
        if mode == b"$(D":
            high = b"".join(b"\x8f" + high[i : i + 2] for i in range(0, len(high), 2))
        parts.append(_as_windows(high.decode("euc_jp", "inaho-eucjp-ms")) + odd)
    return "".join(parts)
