"""Plain texts that are recognised wherever they come from: a folder, a zip, a record of an archive.

aozora    a file of Aozora Bunko
patents   a gazette of patents with 【】 marks
minutes   minutes of a council
"""

from __future__ import annotations

from corpus.text import aozora, council, gazette
from corpus.text.work import Work


def recognised(text: str, steps: tuple[str, ...], ruby: str) -> tuple[str, Work] | None:
    """(source, what is in it) of a text that is one of these; None for any other."""
    if aozora.is_work(text):
        return "aozora", aozora.read(text, steps, ruby)
    if gazette.is_gazette(text):
        return "patents", gazette.read(text, steps)
    if council.is_council(text):
        return "minutes", council.read(text, steps)
    return None
