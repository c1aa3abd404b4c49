"""Mojibake that can be undone for certain: UTF-8 that somebody read as Windows-1252 or CP932.

The page is well-formed UTF-8, but its Japanese was decoded with the wrong table and encoded again:
「こ」 stands there as ã\\x81“ or 縺・. The lead bytes E3 81, E3 82, E3 83 of kana become telling
pairs, so a page is recognised from its bytes. A run is undone only when its bytes, put back by the
wrong table, are well-formed UTF-8 with kana or kanji; what was lost on the way stays as it is.
"""

from __future__ import annotations

import re

_WESTERN_CHARS = {
    bytes([b]).decode("cp1252", "ignore") or chr(b): bytes([b]) for b in range(0x80, 0x100)
}
_WESTERN_CHARS |= {chr(b): bytes([b]) for b in range(0x80, 0xA0)}
_WESTERN_RUN = re.compile("[" + "".join(re.escape(c) for c in _WESTERN_CHARS) + "]{3,}")
_CP932_RUN = re.compile("[^\x00-\x7f]{2,}")
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def undo(text: str) -> tuple[str, int]:
    """(text with certain mojibake undone, number of runs undone)."""
    fixed = 0

    def western(run: re.Match[str]) -> str:
        nonlocal fixed
        plain = _as_utf8(b"".join(_WESTERN_CHARS[c] for c in run.group()))
        fixed += plain is not None
        return run.group() if plain is None else plain

    def japanese(run: re.Match[str]) -> str:
        nonlocal fixed
        try:
            plain = _as_utf8(run.group().encode("cp932"))
        except UnicodeEncodeError:
            plain = None
        fixed += plain is not None
        return run.group() if plain is None else plain

    if "ã" in text:
        text = _WESTERN_RUN.sub(western, text)
    if any(mark in text for mark in "縺繧繝"):
        text = _CP932_RUN.sub(japanese, text)
    return text, fixed


def _as_utf8(data: bytes) -> str | None:
    try:
        plain = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return plain if _JAPANESE.search(plain) else None
