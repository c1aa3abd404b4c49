"""Which copy of a cluster stays: a declared order over columns, ties broken by id.

Every key puts the better document first:

    source     by the list `sources` (unlisted ones last)
    rights     open licence before unknown before reserved
    canonical  names its own address, before none, before another of its host, before another host's
    version    higher in its path (`/3.12/` before `/3.8/`; none or `/latest/` before both)
    date       newer as the page states it (unknown last)
    captured   newer by the day
    quality    higher signal `dedup.quality`
    length     longer
    order      earlier in the input
    id         smaller

The default: source, canonical, version, date, captured, quality, length, id. So the copy on its
canonical host stays, of several the newest, then the best where a score exists, then the longest.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.settings import DedupSettings

# Standing of a document: what an index of earlier crawls says, which no policy overrules.
KEPT_BEFORE, NEW, DROPPED_BEFORE = 0, 1, 2

RIGHTS_OPEN, RIGHTS_UNKNOWN, RIGHTS_RESERVED = 0, 1, 2

PRESETS: dict[str, tuple[str, ...]] = {
    "first": ("order", "id"),
    "longest": ("length", "id"),
    "newest": ("date", "captured", "id"),
}

# key → (column of the signatures file, direction)
COLUMNS: dict[str, tuple[str, str]] = {
    "source": ("source_rank", "ascending"),
    "rights": ("rights", "ascending"),
    "canonical": ("canonical", "ascending"),
    "version": ("version", "descending"),
    "quality": ("quality", "descending"),
    "length": ("n_chars", "descending"),
    "date": ("date", "descending"),
    "captured": ("captured_day", "descending"),
    "order": ("document", "ascending"),
    "id": ("id", "ascending"),
}


def keep_order(settings: DedupSettings) -> tuple[str, ...]:
    """The keys of the policy; `id` and the input order are always the last ones."""
    keys = PRESETS.get(settings.keep, settings.keep_order)
    return tuple(dict.fromkeys((*keys, "id", "order")))


def rank_copies(members: pa.Table, settings: DedupSettings) -> np.ndarray:
    """Order of the rows of `members`: by cluster, and the best copy of each cluster first.

    members: columns `label` (int64, the cluster), `document` (int64, position in the input), and
    those of COLUMNS that the policy names; `source` in place of `source_rank`; and `standing`:
    KEPT_BEFORE, NEW or DROPPED_BEFORE, which goes before the policy. Returns int64[n], row numbers.
    Nulls come last in their cluster.
    """
    keys = keep_order(settings)
    if "source" in keys:
        ranks = pc.index_in(members["source"], pa.array(settings.sources, pa.string()))
        ranks = pc.fill_null(ranks, len(settings.sources))
        members = members.append_column("source_rank", ranks)
    if "captured" in keys:
        days = pc.utf8_slice_codeunits(members["captured"], 0, 10)
        members = members.append_column("captured_day", days)
    order = [("label", "ascending"), ("standing", "ascending")]
    order += [COLUMNS[key] for key in keys]
    return pc.sort_indices(members, sort_keys=order).to_numpy()


def policy_text(settings: DedupSettings) -> str:
    """The policy in words, for the card and the ledger."""
    words = {
        "source": "source priority",
        "rights": "open rights",
        "canonical": "canonical address",
        "version": "newer version in the address",
        "quality": f"higher {settings.quality}" if settings.quality else "",
        "length": "longer",
        "date": "newer date",
        "captured": "newer day of capture",
        "order": "earlier in the input",
        "id": "smaller id",
    }
    return ", then ".join(words[key] for key in keep_order(settings) if words[key])


def repetitions(cluster_sizes: np.ndarray, table: dict[int, int]) -> np.ndarray:
    """How often a kept document is to be seen, by the size of its cluster: int32[n].

    cluster_sizes: int[n], at least 1. What many hosts copied is often, up to a point, what many
    found worth copying; FineWeb-2 trained better models after repeating documents by the size of
    their clusters ("re-hydration"). The tables stand in corpus.settings; publish writes the column
    `weight`.
    """
    limits = np.array(sorted(table))
    times = np.array([table[size] for size in sorted(table)], np.int32)
    return times[np.searchsorted(limits, cluster_sizes, side="right") - 1]
