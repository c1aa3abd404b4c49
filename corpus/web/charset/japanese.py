"""The Japanese charsets as browsers read them: Shift_JIS as CP932, eucJP-ms, ISO-2022-JP.

Importing this module registers the error handler `inaho-eucjp-ms`, with which Python's euc_jp reads
what Microsoft and IBM added (①㈱髙).
"""

from __future__ import annotations

import codecs
import re


def decode_shift_jis(body: bytes) -> str:
    """Text of a Shift_JIS page, which browsers read as CP932; bad spots become U+FFFD.

    So do the single bytes A0 and FD to FF, for which Python's cp932 has characters.
    """
    text = body.decode("cp932", "replace")
    for mark in "\xa0\uf8f0\uf8f1\uf8f2\uf8f3":  # a search for one character is ten times faster
        if mark in text:
            text = text.replace(mark, "\ufffd")
    return text


# Where JIS X 0208 tables differ, browsers follow Microsoft's (as CP932 does).
_WINDOWS = tuple(zip("\u301c\u2016\u2212\u00a2\u00a3\u00ac\u2014", "～∥－￠￡￢―", strict=True))


def as_windows(text: str) -> str:
    """JIS X 0208 by Microsoft's table: 〜 becomes ～."""
    for theirs, ours in _WINDOWS:
        if theirs in text:
            text = text.replace(theirs, ours)
    return text


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
    try:
        return bytes((lead, trail)).decode("cp932")
    except UnicodeDecodeError:
        return ""


codecs.register_error("inaho-eucjp-ms", _euc_error)


def decode_eucjp(body: bytes) -> str:
    """EUC-JP with the characters of NEC and IBM (eucJP-ms). Each of those and each bad byte costs a
    microsecond: a large body is asked first, on its head, whether it is mostly damage."""
    errors = "inaho-eucjp-ms"
    if len(body) > SAMPLED:
        bad = body[:SAMPLED].decode("euc_jp", "replace").count("\ufffd")
        bad += body[-SAMPLED:].decode("euc_jp", "replace").count("\ufffd")
        errors = "replace" if bad > MAX_DAMAGE * SAMPLED else errors
    return as_windows(body.decode("euc_jp", errors))


SAMPLED, MAX_DAMAGE = 1 << 19, 0.1  # bytes; replaced characters a byte
MAX_ESCAPES = 100_000  # more than any page has; each costs five microseconds
# What Python's codec reads otherwise than pages mean it: a line end, markup or SO in a double-byte
# run, JIS X 0201 kana, other sets.
_UNUSUAL = re.compile(
    rb"\x1b\$[@B][^\x1b]*(?:[\x00-\x1a\x1c-\x20]|</|<[bB][rR])|\x0e|\x1b\(I|\x1b\$\("
)
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\$\([@BDOPQ]|\([BJIH]|&@\x1b\$B)")


def decode_iso2022jp(body: bytes) -> str:
    """ISO-2022-JP with JIS X 0201 kana, JIS X 0212 and NEC characters (CP50221)."""
    if not _UNUSUAL.search(body):
        try:
            return as_windows(body.replace(b"\x1b(J", b"\x1b(B").decode("iso2022_jp"))
        except UnicodeDecodeError:  # NEC characters, damage
            pass
    if body.count(b"\x1b") > MAX_ESCAPES:
        return as_windows(body.decode("iso2022_jp", "replace"))
    parts: list[str] = []
    mode, position = b"(B", 0
    for match in [*_ESCAPE.finditer(body), None]:
        stop = match.start() if match else len(body)
        parts.append(_decode_segment(body[position:stop], mode))
        if match:
            mode, position = match.group(1), match.end()
    return "".join(parts)


# Markup that stands inside a double-byte run: the escape before it was forgotten. Read as JIS X
# 0208 these would be 鹿 or 酌 before a rare kanji; after a line end any tag will do.
_TAG = re.compile(rb"</[A-Za-z]{1,10}[1-6]?>|<[bB][rR] ?/?>|(?<=[\r\n])<[A-Za-z/!]")
_SHIFTED = re.compile(rb"\x0e([^\x0e\x0f]*)\x0f?")  # JIS X 0201 kana by SO and SI


def _decode_segment(data: bytes, mode: bytes) -> str:
    if mode == b"(I":
        return _half_width(data)
    if mode[:1] not in (b"$", b"&"):
        if b"\x0e" in data:
            parts = _SHIFTED.split(data)
            return "".join(
                _half_width(part) if i % 2 else part.decode("cp932", "replace")
                for i, part in enumerate(parts)
            )
        return data.decode("cp932", "replace")  # stray high bytes are usually half-width kana
    tag = _TAG.search(data)
    if tag:
        rest = data[tag.start() :].decode("cp932", "replace")
        return _decode_double(data[: tag.start()], mode) + rest
    return _decode_double(data, mode)


def _half_width(data: bytes) -> str:
    return bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in data).decode("cp932", "replace")


def _decode_double(data: bytes, mode: bytes) -> str:
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
        parts.append(as_windows(high.decode("euc_jp", "inaho-eucjp-ms")) + odd)
    return "".join(parts)
