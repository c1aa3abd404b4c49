"""The Japanese gate: does a page's raw body hold Japanese text? Asked before any parsing.

93 % and more of a crawl is not Japanese, and parsing is the dear part. One pass over the bytes
counts evidence for UTF-8; where bytes contradict UTF-8, a second reads Shift_JIS and EUC-JP side by
side; ISO-2022-JP escapes and numeric entities for kana (`&#x3042;`, `&#12354;`) are looked for only
where their marks occur. Kana decide, because kanji alone may be Chinese; shares decide, because GB
2312 and KS X 1001 carry kana rows too and Chinese pages use の.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from filters.kernels.kernel import columns, inlined, kernel

MIN_KANA = 8  # fewer kana than this are a name or a menu entry, no text
# Shares of kana among all characters of that reading, below which the page is another language's.
# Japanese prose has 0.45 to 0.75; a Chinese page with の or a product name stays under 0.02.
MIN_SHARE_UTF8 = 0.03
MIN_SHARE_LEGACY = 0.08
MANY_KANA = 120  # so many kana are a Japanese passage, whatever surrounds it
CLEAN_UTF8 = 0.02  # no more bad bytes than this share of the characters: plainly UTF-8
MIXED_KANA, MIXED_BAD = 0.3, 0.5
# A Japanese sentence in a large page of another language: kana in a row (Chinese uses の alone).
PASSAGE_KANA = 20
PASSAGE_PAIRS = 12
MAX_BAD = 0.12  # share of undecodable lead bytes a legacy reading may have
_ENTITY = re.compile(
    rb"&#(?:[xX]0*30[4-9a-fA-F][0-9a-fA-F](?![0-9a-fA-F])|0*12(?:3[5-9]|4\d|5[0-4])\d(?!\d))"
)
_CJK_ENTITY = re.compile(rb"&#(?:[xX][4-9A-Da-d][0-9a-fA-F]{3}(?![0-9a-fA-F])|[2-5]\d{4}(?!\d))")
_HIGH_BITS = np.uint64(0x8080808080808080)
_ISO2022 = re.compile(rb"\x1b\$[@B(]")


class Evidence(NamedTuple):
    """Counts of one body, all in characters except `high` (bytes ≥ 0x80)."""

    high: int
    utf8: int  # well-formed multi-byte UTF-8 sequences
    utf8_kana: int
    utf8_bad: int  # bytes that no well-formed sequence covers
    sjis: int  # double-byte characters read as Shift_JIS
    sjis_kana: int
    sjis_half: int  # single-byte half-width katakana
    sjis_bad: int
    euc: int
    euc_kana: int
    euc_bad: int
    iso2022: int  # escapes to a Japanese double-byte set
    entities: int  # numeric entities for kana
    cjk_entities: int  # numeric entities for kanji, hanzi, hangul
    nuls: int  # zero bytes among the first 512: UTF-16; 512 where its mark says so
    mojibake: int = 0  # kana that stand there as UTF-8 read with a wrong table
    utf8_pairs: int = 0  # kana behind kana, in each reading
    sjis_pairs: int = 0
    euc_pairs: int = 0


column = columns(Evidence._fields)  # of the counts that the kernels fill
# Bytes that only some pages have: which search is worth its time.
ESCAPES, ENTITIES = 1, 2
ESCAPE, DOLLAR, AMPERSAND, NUMBER_SIGN = b"\x1b$&#"
UTF16 = 16  # zero bytes among the first 512: as text they would be control characters


@kernel
def _marks(data: np.ndarray) -> int:
    """ESCAPES when `ESC $` occurs in the bytes, ENTITIES when `&#` does, their sum for both.

    Two searches by `in` cost five times this loop, which the compiler makes SIMD.
    """
    escape = np.uint8(0)
    entity = np.uint8(0)
    for i in range(data.size - 1):
        escape |= np.uint8((data[i] == ESCAPE) & (data[i + 1] == DOLLAR))
        entity |= np.uint8((data[i] == AMPERSAND) & (data[i + 1] == NUMBER_SIGN))
    return ESCAPES * int(escape) + ENTITIES * int(entity)


@inlined
def _western_kana(data: np.ndarray, i: int) -> bool:
    """Is the second byte of a kana, 81 to 83, at `i` as Windows-1252 shows it, in UTF-8?"""
    if i + 1 >= data.size:
        return False
    if data[i] == 0xC2:
        return 0x81 <= data[i + 1] <= 0x83
    if data[i] == 0xC6:
        return data[i + 1] == 0x92
    return data[i] == 0xE2 and data[i + 1] == 0x80 and i + 2 < data.size and data[i + 2] == 0x9A


@kernel
def _count_utf8(data: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    """Fill high, utf8, utf8_kana, utf8_bad, mojibake and utf8_pairs of `out` (int64, `column`).

    data: uint8[n]; words: the same buffer as uint64, for skipping ASCII eight bytes at a time.
    Mojibake are kana that stand there as ã and what followed E3, or as 縺 繧 繝.
    """
    n = data.size
    high = utf8 = kana = bad = garbled = pairs = 0
    behind_kana = -1
    i = 0
    while i < n:
        b = data[i]
        if b < 0x80:
            i += 1
            if (i & 7) == 0:
                w = i >> 3
                while (
                    w + 3 < words.size
                    and ((words[w] | words[w + 1] | words[w + 2] | words[w + 3]) & _HIGH_BITS) == 0
                ):
                    w += 4
                while w < words.size and (words[w] & _HIGH_BITS) == 0:
                    w += 1
                i = w << 3
            continue
        size = 0
        if 0xE0 <= b <= 0xEF:
            if i + 2 < n and (data[i + 1] & 0xC0) == 0x80 and (data[i + 2] & 0xC0) == 0x80:
                size = 3
                if b == 0xE7:  # 縺 繧 繝: kana lead bytes read as CP932
                    c = data[i + 2]
                    if data[i + 1] == 0xB8:
                        garbled += 1 if c == 0xBA else 0
                    elif data[i + 1] == 0xB9:
                        garbled += 1 if c == 0xA7 or c == 0x9D else 0
                # U+3040 to U+30FA: without ・ and ー, which stand in Chinese names too
                if b == 0xE3 and 0x81 <= data[i + 1] <= 0x83:
                    if not (data[i + 1] == 0x83 and data[i + 2] >= 0xBB):
                        kana += 1
                        pairs += 1 if i == behind_kana else 0
                        behind_kana = i + 3
        elif 0xC2 <= b <= 0xDF:
            if i + 1 < n and (data[i + 1] & 0xC0) == 0x80:
                size = 2
                if b == 0xC3 and data[i + 1] == 0xA3:
                    garbled += 1 if _western_kana(data, i + 2) else 0
                elif b == 0xC3 and data[i + 1] == 0x83:  # Ã£Â, Ã£â, Ã£Æ: the same, twice over
                    if i + 5 < n and data[i + 2] == 0xC2 and data[i + 3] == 0xA3:
                        c = data[i + 5]
                        known = c == 0x82 or c == 0xA2 or c == 0x86
                        garbled += 1 if data[i + 4] == 0xC3 and known else 0
        elif 0xF0 <= b <= 0xF4:
            if i + 3 < n and (data[i + 1] & 0xC0) == 0x80 and (data[i + 2] & 0xC0) == 0x80:
                size = 4 if (data[i + 3] & 0xC0) == 0x80 else 0
        if size:
            utf8 += 1
            high += size
            i += size
        else:
            bad += 1
            high += 1
            i += 1
    out[column.high] = high
    out[column.utf8] = utf8
    out[column.utf8_kana] = kana
    out[column.utf8_bad] = bad
    out[column.mojibake] = garbled
    out[column.utf8_pairs] = pairs


@kernel
def _count_legacy(data: np.ndarray, words: np.ndarray, out: np.ndarray) -> None:
    """Fill the counts of the Shift_JIS and the EUC-JP reading, side by side; `_count_utf8`'s
    arguments."""
    n = data.size
    sjis = sjis_kana = sjis_half = sjis_bad = sjis_pairs = 0
    euc = euc_kana = euc_bad = euc_pairs = 0
    behind_sjis_kana = behind_euc_kana = -1
    next_sjis = next_euc = 0  # first byte not yet covered in each reading
    i = 0
    while i < n:
        b = data[i]
        if b < 0x80:
            i += 1
            if (i & 7) == 0:
                w = i >> 3
                while w < words.size and (words[w] & _HIGH_BITS) == 0:
                    w += 1
                i = w << 3
            continue
        b1 = data[i + 1] if i + 1 < n else np.uint8(0)
        if i >= next_sjis:
            next_sjis = i + 1
            if 0xA1 <= b <= 0xDF:
                sjis_half += 1
            elif (0x81 <= b <= 0x9F or 0xE0 <= b <= 0xFC) and 0x40 <= b1 <= 0xFC and b1 != 0x7F:
                sjis += 1
                if (b == 0x82 and 0x9F <= b1 <= 0xF1) or (b == 0x83 and b1 <= 0x96):
                    sjis_kana += 1
                    sjis_pairs += 1 if i == behind_sjis_kana else 0
                    behind_sjis_kana = i + 2
                next_sjis = i + 2
            else:
                sjis_bad += 1
        if i >= next_euc:
            next_euc = i + 2
            if 0xA1 <= b <= 0xFE and 0xA1 <= b1 <= 0xFE:
                euc += 1
                if (b == 0xA4 and b1 <= 0xF3) or (b == 0xA5 and b1 <= 0xF6):
                    euc_kana += 1
                    euc_pairs += 1 if i == behind_euc_kana else 0
                    behind_euc_kana = i + 2
            elif b == 0x8E and 0xA1 <= b1 <= 0xDF:
                euc += 1
            elif b == 0x8F and 0xA1 <= b1 <= 0xFE and i + 2 < n and data[i + 2] >= 0xA1:
                euc += 1
                next_euc = i + 3
            else:
                euc_bad += 1
                next_euc = i + 1
        i += 1
    out[column.sjis] = sjis
    out[column.sjis_kana] = sjis_kana
    out[column.sjis_half] = sjis_half
    out[column.sjis_bad] = sjis_bad
    out[column.sjis_pairs] = sjis_pairs
    out[column.euc] = euc
    out[column.euc_kana] = euc_kana
    out[column.euc_bad] = euc_bad
    out[column.euc_pairs] = euc_pairs


def evidence(body: bytes) -> Evidence:
    """Count the evidence in `body`, a page's bytes as they came; never raises."""
    counts = np.zeros(len(Evidence._fields), np.int64)
    data = np.frombuffer(body, np.uint8)
    words = np.frombuffer(body, np.uint64, len(body) >> 3)
    # UTF-8 always; the older charsets only where bytes contradict it.
    _count_utf8(data, words, counts)
    if counts[column.utf8_bad] > CLEAN_UTF8 * counts[column.utf8]:
        _count_legacy(data, words, counts)
    # Escapes and entities are looked for only where their marks occur.
    marks = _marks(data)
    if marks & ESCAPES:
        counts[column.iso2022] = len(_ISO2022.findall(body))
    if marks & ENTITIES:
        counts[column.entities] = len(_ENTITY.findall(body))
        if counts[column.entities]:
            counts[column.cjk_entities] = len(_CJK_ENTITY.findall(body))
    marked = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    counts[column.nuls] = 512 if marked else body.count(b"\0", 0, 512)
    return Evidence(*counts.tolist())


def is_candidate(counts: Evidence) -> bool:
    """May the page hold Japanese text? Errs towards yes: language identification comes later."""
    if counts.iso2022 or counts.nuls >= UTF16 or counts.mojibake >= MIN_KANA:
        return True
    if counts.entities >= MIN_KANA and counts.entities >= MIN_SHARE_UTF8 * counts.cjk_entities:
        return True
    # UTF-8: many kana, a passage of them, or a share that only Japanese has.
    if counts.utf8_kana >= MANY_KANA and counts.utf8_bad < counts.utf8:
        return True
    if _is_passage(counts.utf8_kana, counts.utf8_pairs):
        return True
    if counts.utf8_kana >= MIN_KANA and counts.utf8_bad < counts.utf8:
        return counts.utf8_kana >= MIN_SHARE_UTF8 * counts.utf8
    # The older charsets, each by its own reading.
    if sjis_plausible(counts) or euc_plausible(counts):
        return True
    sjis_passage = _is_passage(counts.sjis_kana, counts.sjis_pairs)
    euc_passage = _is_passage(counts.euc_kana, counts.euc_pairs)
    return (sjis_passage and counts.sjis_bad <= MAX_BAD * counts.sjis) or (
        euc_passage and counts.euc_bad <= MAX_BAD * counts.euc
    )


def _is_passage(kana: int, pairs: int) -> bool:
    return kana >= PASSAGE_KANA and pairs >= PASSAGE_PAIRS


def sjis_plausible(counts: Evidence) -> bool:
    """Kana dominate the Shift_JIS reading and few bytes contradict it."""
    total = counts.sjis + counts.sjis_half
    other = max(counts.utf8_kana, counts.euc_kana)
    return (
        counts.sjis_kana + min(counts.sjis_half, counts.sjis) >= MIN_KANA
        and counts.sjis_kana >= MIN_SHARE_LEGACY * total
        and (
            counts.sjis_bad <= MAX_BAD * total
            or _is_mixed(counts.sjis_kana, total, counts.sjis_bad, other)
        )
    )


def euc_plausible(counts: Evidence) -> bool:
    """Kana dominate the EUC-JP reading and few bytes contradict it."""
    other = max(counts.utf8_kana, counts.sjis_kana)
    return (
        counts.euc_kana >= MIN_KANA
        and counts.euc_kana >= MIN_SHARE_LEGACY * counts.euc
        and (
            counts.euc_bad <= MAX_BAD * counts.euc
            or _is_mixed(counts.euc_kana, counts.euc, counts.euc_bad, other)
        )
    )


def _is_mixed(kana: int, total: int, bad: int, other: int) -> bool:
    """So many kana are Japanese even where much contradicts the reading: a part of the page is in
    another charset and has `other` kana there, or it is Japanese in GBK, whose kana stand where
    EUC-JP has them. (Big5 has its commonest characters there too, but contradicts EUC-JP more.)"""
    allowed = total if other >= MIN_KANA else MIXED_BAD * total
    return kana >= MIXED_KANA * total and bad <= allowed
