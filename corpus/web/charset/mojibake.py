"""Mojibake that can be undone for certain: UTF-8 that somebody read as Windows-1252 or CP932.

The page is well-formed UTF-8, but its Japanese was decoded with the wrong table and encoded again:
「こ」 stands there as ã\\x81“ or 縺・. The lead bytes E3 81, E3 82, E3 83 of kana become telling
pairs, so a page is recognised from its bytes. A run is undone when its bytes, put back by the wrong
table, are UTF-8 with kana or kanji. What the wrong table could not hold is lost and becomes U+FFFD,
in a run where KEPT times as many characters come back. Some pages went through it
twice.
"""

from __future__ import annotations

import re

ROUNDS = 2  # times a page may have been garbled
KEPT = 4  # kana and kanji that must come back for each that is lost
_WESTERN_CHARS = {
    bytes([b]).decode("cp1252", "ignore") or chr(b): bytes([b]) for b in range(0x80, 0x100)
}
_WESTERN_CHARS |= {chr(b): bytes([b]) for b in range(0x80, 0xA0)} | {"\ufffd": b"\xff"}
_WESTERN_RUN = re.compile("[" + "".join(re.escape(c) for c in _WESTERN_CHARS) + "]{3,}")
_CP932_RUN = re.compile(r"(?:[^\x00-\x7f]|(?<=[^\x00-\x7f])\?(?=[^\x00-\x7f])){2,}")
_LOST = re.compile("[\ufffd?・]")  # what stands for a character that CP932 does not have
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_FAR = re.compile("[\u2000-\uffef]")
_GAPS = re.compile("\ufffd+")


def undo(text: str) -> tuple[str, int]:
    """(text with certain mojibake undone, number of runs undone in all rounds)."""
    total = 0
    for _ in range(ROUNDS):
        text, fixed = _undo_once(text)
        if not fixed:
            break
        total += fixed
    return text, total


def _undo_once(text: str) -> tuple[str, int]:
    fixed = 0

    def western(run: re.Match[str]) -> str:
        nonlocal fixed
        data = b"".join(_WESTERN_CHARS[c] for c in run.group())
        # After E3 only 81 is a byte of kana that Windows-1252 does not have.
        plain = _as_utf8(data.replace(b"\xe3\xff", b"\xe3\x81"))
        fixed += plain is not None
        return run.group() if plain is None else plain

    def japanese(run: re.Match[str]) -> str:
        nonlocal fixed
        plain = _as_utf8(_cp932_bytes(run.group()))
        fixed += plain is not None
        return run.group() if plain is None else plain

    if "ã" in text or "Ã" in text:
        text = _WESTERN_RUN.sub(western, text)
    if any(mark in text for mark in "縺繧繝"):
        text = _CP932_RUN.sub(japanese, text)
    return text, fixed


def _cp932_bytes(run: str) -> bytes:
    """Bytes of a run by CP932; FF, which is in no UTF-8, where a character was lost."""
    parts = [part.encode("cp932", "ignore") for part in _LOST.split(run)]
    return b"\xff".join(parts)


def _as_utf8(data: bytes) -> str | None:
    """The text of these bytes, when it is none that Latin text could be, and little was lost."""
    plain = _GAPS.sub("\ufffd", data.decode("utf-8", "replace"))
    lost = plain.count("\ufffd")
    if not lost:
        return plain if _FAR.search(plain) or _is_garbled(plain) else None
    japanese = len(_JAPANESE.findall(plain))
    return plain if japanese >= 3 and japanese >= KEPT * lost else None


def _is_garbled(text: str) -> bool:
    """Whether a run is UTF-8 read as Windows-1252 once more."""
    try:
        again = b"".join(_WESTERN_CHARS[c] for c in text if c >= "\x80").decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return False
    return _FAR.search(again) is not None
