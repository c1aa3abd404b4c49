"""Short pure-Python references of the kernels, written from the documentation alone."""

from __future__ import annotations

import re
import struct
import unicodedata
from typing import Any

import numpy as np

from filters.kernels.kernel import kernel

IGNORED = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"


def stays(char: str) -> bool:
    selectors = "\u180b" <= char <= "\u180f" or "\ufe00" <= char <= "\ufe0f"
    if char in IGNORED or selectors or "\U000e0100" <= char <= "\U000e01ef":
        return False
    return unicodedata.category(char)[0] in "LMN" or unicodedata.category(char) in ("Cn", "Co")


def normalise(text: str, mask: bool = False) -> str:
    out: list[str] = []
    for char in text:
        if unicodedata.category(char) in ("Cn", "Co"):
            folded = char
        else:
            folded = unicodedata.normalize("NFKC", char).casefold()
            folded = unicodedata.normalize("NFKC", folded)
        for c in folded:
            if not stays(c):
                continue
            pair = unicodedata.normalize("NFC", out[-1] + c) if out else ""
            hangul = "\u1100" <= c <= "\u11ff"  # syllable blocks are not composed
            if len(pair) == 1 and not hangul:
                out[-1] = pair
            else:
                out.append(c)
    if mask:
        masked: list[str] = []
        for c in out:
            digit = c in "0123456789"
            if not (digit and masked and masked[-1] == "0"):
                masked.append("0" if digit else c)
        return "".join(masked)
    return "".join(out)


NUMERALS = "[0-9〇一二三四五六七八九十百千万億兆]"
ERA = f"(?:令和|平成|昭和|大正|明治)(?={NUMERALS}|元年)"
WEEKDAY = "[月火水木金土日](?=曜)"
NUMBER = f"{NUMERALS}+|元(?=年)"


def mask_numbers(text: str, digits: bool, dates: bool, prices: bool) -> str:
    """corpus.dedup.signatures.masks on a folded text."""

    def masked(match: re.Match[str]) -> str:
        found, after = match[0], text[match.end() :]
        if re.fullmatch(NUMBER.partition("|")[0], found) is None and found != "元":
            return ""  # an era or a weekday
        if dates and after[:1] and after[0] in "年月日時分秒":
            return "0"
        priced = after.startswith(("円", "ドル", "ユーロ", "元", "ウォン"))
        if prices and priced and found != "元":
            return "0"
        return re.sub("[0-9]+", "0", found) if digits else found

    pattern = f"{ERA}|{WEEKDAY}|{NUMBER}" if dates else NUMBER
    return re.sub(pattern, masked, text)


def murmur32(data: bytes) -> int:
    """MurmurHash3_x86_32, seed 0, for whole 4-byte blocks."""
    h = 0
    for (k,) in struct.iter_unpack("<I", data):
        k = k * 0xCC9E2D51 & 0xFFFFFFFF
        k = (k << 15 | k >> 17) & 0xFFFFFFFF
        h ^= k * 0x1B873593 & 0xFFFFFFFF
        h = (h << 13 | h >> 19) & 0xFFFFFFFF
        h = (h * 5 + 0xE6546B64) & 0xFFFFFFFF
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def murmur128(data: bytes) -> tuple[int, int]:
    """MurmurHash3_x64_128, seed 0, any length; a tail may be padded with zeros."""
    mask = (1 << 64) - 1

    def rotate(x: int, by: int) -> int:
        return (x << by | x >> (64 - by)) & mask

    def finish(k: int) -> int:
        k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & mask
        k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & mask
        return k ^ k >> 33

    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= rotate(k1 * c1 & mask, 31) * c2 & mask
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52DCE729 & mask
        h2 ^= rotate(k2 * c2 & mask, 33) * c1 & mask
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495AB5 & mask
    k1, k2 = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    h2 ^= rotate(k2 * c2 & mask, 33) * c1 & mask
    h1 ^= rotate(k1 * c1 & mask, 31) * c2 & mask
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = h1 + h2 & mask
    h2 = h2 + h1 & mask
    h1, h2 = finish(h1), finish(h2)
    h1 = h1 + h2 & mask
    return h1, h2 + h1 & mask


def shingles(text: str, n: int, mask: bool = False) -> list[bytes]:
    """Shingles of a text as bytes: what datasketch is given."""
    folded = normalise(text, mask)
    n = min(n, len(folded))
    if not folded:
        return []
    return [folded[i : i + n].encode("utf-32-le") for i in range(len(folded) - n + 1)]


def jaccard(a: str, b: str, n: int) -> float:
    left, right = set(shingles(a, n)), set(shingles(b, n))
    return len(left & right) / len(left | right) if left and right else 0.0


def components(n: int, edges: list[tuple[int, int]]) -> list[int]:
    """Smallest index of each node's component, by repeated relabelling."""
    label = list(range(n))
    changed = True
    while changed:
        changed = False
        for i, j in edges:
            low = min(label[i], label[j])
            if label[i] != low or label[j] != low:
                label[i] = label[j] = low
                changed = True
    return label


@kernel
def _count_pairs(
    order: np.ndarray, owners: np.ndarray, hashes: np.ndarray, starts: np.ndarray, least: Any
) -> Any:
    """All pairs of Jaccard >= least, by an inverted index of the hashes."""
    n = len(starts) - 1
    first = np.empty(len(hashes), np.int64)  # where the postings of this hash begin
    begin = 0
    for k in range(len(order)):
        if k and hashes[order[k]] != hashes[order[k - 1]]:
            begin = k
        first[order[k]] = begin
    counts = np.zeros(n, np.int64)
    touched = np.empty(n, np.int64)
    left: Any = [np.int64(0)]
    right: Any = [np.int64(0)]
    value = [0.0]
    for i in range(n):
        seen = 0
        for at in range(starts[i], starts[i + 1]):
            k = first[at]
            while owners[order[k]] < i:  # postings are in ascending order of documents
                j = owners[order[k]]
                if counts[j] == 0:
                    touched[seen] = j
                    seen += 1
                counts[j] += 1
                k += 1
        for s in range(seen):
            j = touched[s]
            both = counts[j]
            counts[j] = 0
            union = starts[i + 1] - starts[i] + starts[j + 1] - starts[j] - both
            if both >= least * union:
                left.append(j)
                right.append(i)
                value.append(both / union)
    return np.array(left[1:]), np.array(right[1:]), np.array(value[1:])


def all_pairs(
    hashes: np.ndarray, starts: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair (left < right, int64[m] each) whose exact Jaccard (float64[m]) is >= least.

    Brute force by an inverted index, for samples of some thousand documents.
    """
    owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.argsort(hashes, kind="stable")
    return _count_pairs(order, owners, hashes, starts, least)
