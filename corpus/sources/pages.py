"""Markup that is text from end to end: a part of a book, the body of a report."""

from __future__ import annotations

import numpy as np

from corpus.settings import Settings
from corpus.text.blocks import Blocks
from corpus.web.html.document import Document
from corpus.web.main_text.write import write


def written(page: Document, settings: Settings) -> tuple[str, Blocks]:
    """All of a page as Markdown, and its blocks: nothing of it is taken for navigation."""
    keep = np.ones(len(page.blocks), np.bool_)
    text, blocks, *_ = write(page, keep, settings.normalize.steps)
    return text, blocks
