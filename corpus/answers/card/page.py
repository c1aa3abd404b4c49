"""The data card: what is in a corpus, in measured facts only, in English or in Japanese.

README.md and README.ja.md say the same of the same facts (`corpus.answers.facts`). The first is the
one that Hugging Face reads: by its front matter `datasets.load_dataset(DIR)` opens the corpus.
"""

from __future__ import annotations

from typing import Any

from corpus.answers.card.contents import blocks, lists, scripts, years
from corpus.answers.card.front_matter import front_matter
from corpus.answers.card.handling import damage, duplicates, harm, personal, rights
from corpus.answers.card.origin import funnel, head, profiles, size, sources
from corpus.answers.card.parts import Card
from corpus.answers.card.use import citation, columns, inputs, removal
from corpus.words.language import ENGLISH

# What it is, how it came about, what it is made of, what holds of it, how to use it.
SECTIONS = (
    head, size, funnel, sources, profiles, lists, years, scripts, blocks, rights, duplicates,
    personal, harm, damage, inputs, columns, citation, removal,
)  # fmt: skip


def markdown(facts: dict[str, Any], language: str) -> str:
    """The card in a language; the English one has the front matter that Hugging Face reads."""
    card = Card(facts, language)
    front = front_matter(facts) if language == ENGLISH else []
    return "\n".join([*front, *(line for part in SECTIONS for line in part(card))]) + "\n"
