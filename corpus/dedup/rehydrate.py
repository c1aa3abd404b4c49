"""How often a kept document is to be seen, by the size of its cluster.

What many hosts copied is often, up to a point, what many found worth copying; FineWeb-2 trained
better models after repeating documents by the size of their clusters ("re-hydration"). The tables
and their presets stand in corpus.dedup.settings; publish writes the column `weight`.
"""

from __future__ import annotations

import numpy as np


def repetitions(cluster_sizes: np.ndarray, table: dict[int, int]) -> np.ndarray:
    """Repetitions (int32[n]) of kept documents of these cluster sizes (int[n], at least 1)."""
    limits = np.array(sorted(table))
    times = np.array([table[size] for size in sorted(table)], np.int32)
    return times[np.searchsorted(limits, cluster_sizes, side="right") - 1]
