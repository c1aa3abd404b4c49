"""What the default keeps of public texts that a corpus wants, at every length.

Novels, statutes, sittings, encyclopedia articles and manuals of the shared data, each cut at line
ends to LENGTHS, and strung together with others of its genre where it is shorter. Models are
trained without the half of the texts that they are asked about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.training import distant, train_filter
from benchmarks.training.train_filter import Examples
from filters import additive
from filters.profile import Profile, load
from filters.signals import MODEL, measure

LENGTHS = (300, 1_000, 3_000, 10_000, 30_000, 100_000)
DEFAULT = "web"
MOST = 12  # cuts of a genre, a length and a half


def cuts(texts: list[str], length: int) -> Iterator[str]:
    """Each text cut to `length` at a line end; a shorter one goes on with those after it."""
    for place in range(0, len(texts), max(1, len(texts) // MOST)):
        joined, size = [], 0
        for text in texts[place:] + texts[:place]:
            joined.append(text)
            size += len(text) + 1
            if size >= length:
                break
        whole = "\n".join(joined)
        if len(whole) < length:
            return
        end = whole.rfind("\n", length // 2, length)
        yield whole[: end if end > 0 else length]


def print_table(e: Examples, shared: Path) -> None:
    """Share kept by genre and length; a cell has the number of texts."""
    texts = distant.texts(shared)
    begin = len(e.good) - len(texts)
    profile = load(DEFAULT)
    genres = sorted({each.genre for each in texts if each.good})
    kept: dict[tuple[str, int], list[bool]] = {}
    for half in (0, 1):
        # Every second text is held out of table and curves, then cut and judged.
        held = [i for i, each in enumerate(texts) if each.good and i % 2 == half]
        weight = e.weight.copy()
        weight[[begin + i for i in held]] = 0
        model, table = train_filter.train(dataclasses.replace(e, weight=weight))
        for genre in genres:
            own = [texts[i].text for i in held if texts[i].genre == genre]
            for length in LENGTHS:
                some = list(cuts(own, length))
                if some:
                    keep = _keep(pa.array(some, pa.large_string()), model, table, profile)
                    kept.setdefault((genre, length), []).extend(keep)
    print("\n| genre | " + " | ".join(f"{length:,}" for length in LENGTHS) + " |")
    print("|---|" + "--:|" * len(LENGTHS))
    for genre in genres:
        cells = []
        for length in LENGTHS:
            found = kept.get((genre, length), [])
            cells.append(f"{np.mean(found):.1%} of {len(found)}" if found else "–")
        print(f"| {genre} | {' | '.join(cells)} |")


def _keep(
    texts: pa.Array, model: train_filter.Sum, table: train_filter.Table, profile: Profile
) -> list[bool]:
    """Decisions of the profile with another model in place of its own."""
    shipped = additive.Additive(
        "held out", model.intercept, model.curves, table.codes * table.step, table.bias
    )
    quality = measure(texts)
    columns = {name: np.asarray(quality.field(name), np.float64) for name in shipped.signals}
    columns |= train_filter.passages(texts, shipped)
    given = {MODEL + name: pa.array(shipped.probability(columns)) for name in profile.models()}
    return list(profile.decide(quality, given).keep)
