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
BLOCK, AHEAD = 128, 8  # bytes counted together, at most 255; bytes seen behind them
ESCAPE, DOLLAR, AMPERSAND, NUMBER_SIGN = b"\x1b$&#"
UTF16 = 16  # zero bytes among the first 512: as text they would be control characters


@inlined
def _is_kana(a: int, b: int, c: int) -> bool:
    """Three bytes of UTF-8, U+3040 to U+30FA: without ・ and ー, which Chinese names have too."""
    return (a == 0xE3) & ((b == 0x81) | (b == 0x82) | ((b == 0x83) & (c < 0xBB)))


@inlined
def _is_garbled(a: int, b: int, c: int, d: int, e: int, f: int) -> bool:
    """Do these bytes of UTF-8 begin with a kana that was UTF-8 read with a wrong table?"""
    # 縺 繧 繝: what CP932 makes of E3 and the byte behind it.
    cp932 = (a == 0xE7) & (
        ((b == 0xB8) & (c == 0xBA)) | ((b == 0xB9) & ((c == 0xA7) | (c == 0x9D)))
    )
    # ã, and 81 to 83 as Windows-1252 shows them.
    second = (
        ((c == 0xC2) & (d >= 0x81) & (d <= 0x83))
        | ((c == 0xC6) & (d == 0x92))
        | ((c == 0xE2) & (d == 0x80) & (e == 0x9A))
    )
    western = (a == 0xC3) & (b == 0xA3) & second
    # Ã£Â, Ã£â, Ã£Æ: the same, twice over.
    known = (f == 0x82) | (f == 0xA2) | (f == 0x86)
    twice = (a == 0xC3) & (b == 0x83) & (c == 0xC2) & (d == 0xA3) & (e == 0xC3) & known
    return cp932 | western | twice


@kernel
def _count_block(data: np.ndarray, out: np.ndarray) -> tuple[int, int]:
    """Add the first BLOCK of uint8[BLOCK + AHEAD] to the counts of UTF-8 in `out` (int64, `column`)
    as if it were well-formed. Returns (bytes that say it is not, marks of _count).

    Lead bytes call for as many continuation bytes as there are: `utf8_bad` sums the difference.
    """
    # One sum a loop, in a byte: so the compiler makes SIMD of it, ten times as fast as branches.
    byte = np.uint8
    escapes = entities = leads = long_leads = longest = tails = wrong = byte(0)
    kana = cp932 = western = twice = byte(0)  # what may begin one, straight or garbled
    for i in range(BLOCK):
        escapes = byte(escapes + byte((data[i] == ESCAPE) & (data[i + 1] == DOLLAR)))
    for i in range(BLOCK):
        entities = byte(entities + byte((data[i] == AMPERSAND) & (data[i + 1] == NUMBER_SIGN)))
    for i in range(BLOCK):
        leads = byte(leads + byte(data[i] >= 0xC0))
    for i in range(BLOCK):
        long_leads = byte(long_leads + byte(data[i] >= 0xE0))
    for i in range(BLOCK):
        longest = byte(longest + byte(data[i] >= 0xF0))
    for i in range(BLOCK):
        tails = byte(tails + byte((data[i] & 0xC0) == 0x80))
    for i in range(BLOCK):
        cut2 = (data[i] >= 0xC0) & ((data[i + 1] & 0xC0) != 0x80)
        cut3 = (data[i] >= 0xE0) & ((data[i + 2] & 0xC0) != 0x80)
        cut4 = (data[i] >= 0xF0) & ((data[i + 3] & 0xC0) != 0x80)
        never = (data[i] == 0xC0) | (data[i] == 0xC1) | (data[i] > 0xF4)
        wrong = byte(wrong + byte(cut2 | cut3 | cut4 | never))
    for i in range(BLOCK):
        kana = byte(kana + byte((data[i] == 0xE3) & (data[i + 1] >= 0x81) & (data[i + 1] <= 0x83)))
    for i in range(BLOCK):
        cp932 = byte(
            cp932 + byte((data[i] == 0xE7) & (data[i + 1] >= 0xB8) & (data[i + 1] <= 0xB9))
        )
    for i in range(BLOCK):
        western = byte(western + byte((data[i] == 0xC3) & (data[i + 1] == 0xA3)))
    for i in range(BLOCK):
        twice = byte(twice + byte((data[i] == 0xC3) & (data[i + 1] == 0x83)))
    out[column.high] += leads + tails
    out[column.utf8] += leads
    out[column.utf8_bad] += np.int64(leads) + long_leads + longest - tails
    if kana or cp932 or western or twice:
        _count_rare(data, out)
    return int(wrong), ESCAPES * int(escapes > 0) + ENTITIES * int(entities > 0)


@kernel
def _count_rare(data: np.ndarray, out: np.ndarray) -> None:
    """Add the kana of a block, straight and garbled, as `_count_block` does; most have none."""
    byte = np.uint8
    kana = pairs = garbled = byte(0)
    for i in range(BLOCK):
        kana = byte(kana + byte(_is_kana(data[i], data[i + 1], data[i + 2])))
    for i in range(BLOCK):
        here = _is_kana(data[i], data[i + 1], data[i + 2])
        pairs = byte(pairs + byte(here & _is_kana(data[i + 3], data[i + 4], data[i + 5])))
    for i in range(BLOCK):
        here = _is_garbled(data[i], data[i + 1], data[i + 2], data[i + 3], data[i + 4], data[i + 5])
        garbled = byte(garbled + byte(here))
    out[column.utf8_kana] += kana
    out[column.utf8_pairs] += pairs
    out[column.mojibake] += garbled


@kernel
def _count_utf8(data: np.ndarray, size: int, out: np.ndarray) -> None:
    """Fill the counts of UTF-8 for bytes some of which are none; `_count_legacy`'s arguments."""
    words = data.view(np.uint64)  # for skipping ASCII eight bytes at a time
    high = utf8 = kana = bad = garbled = pairs = 0
    behind_kana = -1
    i = 0
    while i < size:
        a = data[i]
        if a < 0x80:
            i += 1
            if (i & 7) == 0:
                w = i >> 3
                while w < words.size and (words[w] & _HIGH_BITS) == 0:
                    w += 1
                i = w << 3
            continue
        b, c, d = data[i + 1], data[i + 2], data[i + 3]
        length = 0
        if (b & 0xC0) == 0x80:
            if 0xC2 <= a <= 0xDF:
                length = 2
            elif 0xE0 <= a <= 0xEF:
                length = 3 if (c & 0xC0) == 0x80 else 0
            elif 0xF0 <= a <= 0xF4:
                length = 4 if (c & 0xC0) == 0x80 and (d & 0xC0) == 0x80 else 0
        if length == 3 and _is_kana(a, b, c):
            kana += 1
            pairs += 1 if i == behind_kana else 0
            behind_kana = i + 3
        elif length:
            garbled += 1 if _is_garbled(a, b, c, d, data[i + 4], data[i + 5]) else 0
        utf8 += 1 if length else 0
        bad += 0 if length else 1
        i += max(1, length)
        high += max(1, length)
    out[column.high] = high
    out[column.utf8] = utf8
    out[column.utf8_kana] = kana
    out[column.utf8_bad] = bad
    out[column.mojibake] = garbled
    out[column.utf8_pairs] = pairs


@kernel
def _count_legacy(data: np.ndarray, size: int, out: np.ndarray) -> None:
    """Fill the counts of the Shift_JIS and the EUC-JP reading, side by side, in `out` (`column`).

    data: uint8, `size` bytes and zeros behind them up to a multiple of eight, at least AHEAD.
    """
    words = data.view(np.uint64)  # for skipping ASCII eight bytes at a time
    sjis = sjis_kana = sjis_half = sjis_bad = sjis_pairs = 0
    euc = euc_kana = euc_bad = euc_pairs = 0
    behind_sjis_kana = behind_euc_kana = -1
    next_sjis = next_euc = 0  # first byte not yet covered in each reading
    i = 0
    while i < size:
        b = data[i]
        if b < 0x80:
            i += 1
            if (i & 7) == 0:
                w = i >> 3
                while w < words.size and (words[w] & _HIGH_BITS) == 0:
                    w += 1
                i = w << 3
            continue
        b1 = data[i + 1]
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
            elif b == 0x8F and 0xA1 <= b1 <= 0xFE and data[i + 2] >= 0xA1:
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


@kernel
def _count(data: np.ndarray, size: int, out: np.ndarray) -> int:
    """Fill `out` (int64, zeros, `column`) for the first `size` of uint8[k × BLOCK + AHEAD], behind
    which it has zeros. Returns the marks in it: ESCAPES when `ESC $` occurs, ENTITIES when `&#`
    does, their sum for both."""
    wrong = marks = 0
    for base in range(0, size, BLOCK):
        wrong_here, marks_here = _count_block(data[base : base + BLOCK + AHEAD], out)
        wrong += wrong_here
        marks |= marks_here
    # The older charsets only where bytes contradict UTF-8.
    if wrong or out[column.utf8_bad]:
        _count_utf8(data, size, out)
        if out[column.utf8_bad] > CLEAN_UTF8 * out[column.utf8]:
            _count_legacy(data, size, out)
    return marks


def evidence(body: bytes) -> Evidence:
    """Count the evidence in `body`, a page's bytes as they came; never raises."""
    counts = np.zeros(len(Evidence._fields), np.int64)
    # With zeros behind the bytes no kernel need ask at each where they end.
    padded = body.ljust((len(body) + BLOCK - 1) // BLOCK * BLOCK + AHEAD, b"\0")
    marks = _count(np.frombuffer(padded, np.uint8), len(body), counts)
    # Escapes and entities are looked for only where their marks occur.
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
