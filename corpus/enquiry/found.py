"""What the items of a request mean in a build."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Hit:
    """A document or record that an item means: how, and for a part of a text how much of it."""

    how: str  # address, host, title, passage, number, text, part or near
    share: float = 1.0


@dataclass
class Found:
    """Item number → id → how it was found; of documents, where they stand; what the inputs gave."""

    hits: dict[int, dict[str, Hit]] = field(default_factory=lambda: defaultdict(dict))
    places: dict[str, tuple[Path, int]] = field(default_factory=dict)  # id → file, row in it
    inputs: Counter[tuple[str, str]] = field(default_factory=Counter)  # file, day → documents
    texts_by: str = ""  # INDEX or SCAN; "" where no text was looked for

    def add(self, item: int, name: str, how: str, share: float = 1.0) -> None:
        before = self.hits[item].get(name)
        if before is None or before.share < share:
            self.hits[item][name] = Hit(how, share)
