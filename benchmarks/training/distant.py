"""Texts that nobody labelled one by one, but whose kind is known: genre texts and page furniture.

Good: works of literature, statutes, sittings of the Diet, encyclopedia articles and manuals of the
shared data. Bad: what of real pages is not their main text, by gold sets of extraction. They train
beside the labelled pages (benchmarks/training/train_filter.py); no figure is reported on them.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.training import goldsets
from corpus.web.html.document import parse

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests/filters"))

from filter_texts import documents  # noqa: E402

GOOD = ("literature", "statute", "law", "technical", "encyclopedia", "minutes")
MOST = 80  # texts of a genre, spread evenly over it
SPEECH = 200  # characters: a shorter one is procedure
FAMILY_PAGES = 12  # of a documentation set whose pages look alike
LEAST_FURNITURE, MOST_FURNITURE = 40, 3000  # a longer rest is main text that gold sets leave out
SQUEEZE = re.compile(r"\s+")


class Text(NamedTuple):
    """A text, whether it is good, its genre, and the host whose labelled pages it is like."""

    good: bool
    genre: str
    host: str
    text: str


def texts(shared: Path) -> list[Text]:
    """All of them, in a fixed order. shared: the shared data."""
    return [*good(shared), *furniture(shared)]


def good(shared: Path) -> Iterator[Text]:
    """At most MOST texts of each genre."""
    by_genre: dict[str, list[str]] = {genre: [] for genre in GOOD}
    for genre, text in documents(shared):
        if genre in by_genre and len(text) >= SPEECH:
            by_genre[genre].append(text)
    by_genre["minutes"] = list(minutes(shared / "formats/minutes"))
    for genre, listed in by_genre.items():
        step = max(1, -(-len(listed) // MOST))
        host = "law.e-gov.go.jp" if genre in ("statute", "law") else ""
        for place, text in enumerate(listed[::step]):
            yield Text(True, genre, host or f"{genre}-{place}", text)


def minutes(folder: Path) -> Iterator[str]:
    """Whole sittings, and their longer speeches alone."""
    for path in sorted(folder.glob("*.xml")):
        speeches = [e.text.strip() for e in ET.parse(path).getroot().iter("speech") if e.text]
        yield "\n".join(speeches)
        yield from (speech for speech in speeches[::3] if len(speech) >= SPEECH)


def furniture(shared: Path) -> Iterator[Text]:
    """What of each gold page is not main text, a line a block; pages without gold text whole."""
    seen: Counter[str] = Counter()
    pages = (
        *goldsets.wide(shared / "gold-wide"),
        *(p for p in goldsets.dev_sample(shared / "warc") if p.language == "ja"),
    )
    for page in pages:
        seen[page.source + page.family] += 1
        if page.source != "wide" and seen[page.source + page.family] > FAMILY_PAGES:
            continue
        gold = SQUEEZE.sub("", page.gold)
        lines = [text for text in parse(page.html).block_texts() if text.strip()]
        text = "\n".join(line for line in lines if SQUEEZE.sub("", line) not in gold)
        if LEAST_FURNITURE <= len(text) <= MOST_FURNITURE:
            yield Text(False, "furniture", page.family, text)
