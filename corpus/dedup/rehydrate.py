"""How often a kept document is to be seen, by the size of its cluster.

What many hosts copied is often, up to a point, what many found worth copying; FineWeb-2 trained
better models after repeating documents by the size of their clusters ("re-hydration").
"""

from __future__ import annotations

import numpy as np

from corpus.errors import UsageError

# Least cluster size → repetitions. `fineweb2`: README of huggingface/fineweb-2 ("promising", not
# tuned; a thousand copies or more are taken for boilerplate). `none`: everything once.
PRESETS: dict[str, dict[int, int]] = {
    "none": {1: 1},
    "fineweb2": {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1},
}


def parse_table(text: str) -> dict[int, int]:
    """A preset by its name, or a table written `1:1,2:2,100:8`; UsageError for anything else.

    Keys are least cluster sizes, the first being 1; values repetitions, 0 or more.
    """
    if text in PRESETS:
        return PRESETS[text]
    try:
        pairs = [part.split(":") for part in text.split(",")]
        table = {int(size): int(times) for size, times in pairs}
    except ValueError as error:
        raise UsageError(
            f"rehydration {text!r}: name one of {', '.join(PRESETS)} or write 1:1,2:2,100:8"
        ) from error
    if min(table) != 1 or min(table.values()) < 0:
        raise UsageError(f"rehydration {text!r}: sizes begin at 1, repetitions are not negative")
    return table


def repetitions(cluster_sizes: np.ndarray, table: dict[int, int]) -> np.ndarray:
    """Repetitions (int32[n]) of kept documents of these cluster sizes (int[n], at least 1)."""
    limits = np.array(sorted(table))
    times = np.array([table[size] for size in sorted(table)], np.int32)
    return times[np.searchsorted(limits, cluster_sizes, side="right") - 1]
