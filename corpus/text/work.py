"""A text that tells by its own words what it is: what its reader finds in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from corpus.text.blocks import Blocks


@dataclass
class Work:
    """Markdown with its blocks, and what stands around the text; "" where nothing is said."""

    text: str
    blocks: Blocks
    title: str
    author: str = ""
    date: str = ""  # ISO 8601
    licence: str = ""
    orthography: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
