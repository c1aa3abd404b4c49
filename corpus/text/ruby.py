"""Readings of words (ruby, furigana) under the policy of `harvest.ruby`."""

from __future__ import annotations


def with_ruby(base: str, reading: str, policy: str) -> str:
    """A word with its reading under `harvest.ruby`."""
    if not reading or policy == "drop":
        return base
    return f"{base}（{reading}）" if policy == "inline" else f"｜{base}《{reading}》"
