"""Which copy of a cluster stays: a declared order over columns, ties broken by id.

Every key puts the better document first:

    source     by the list `sources` (unlisted ones last)
    rights     open licence before unknown before reserved
    canonical  a copy names its host (it itself perhaps), before it names none, or another host
    version    of a host: higher in its path (`/3.12/` before `/3.8/`; none or `/latest/` before
               both), and that names no other address of its host
    date       newer as the page states it (unknown last)
    captured   newer by the day
    quality    higher signal `dedup.quality`
    length     longer
    address    has one
    licence    known, and nothing reserved
    reader     read as what it is (law, minutes, …), before a page or text of the web or a folder
    order      earlier in the input
    id         smaller

The default: source, canonical, version, date, captured, quality, length, address, licence, reader,
id. So the copy on its canonical host stays, of several the newest, then the best where a score
exists, then the longest, then the one of which more is known.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup import addresses
from corpus.settings import DedupSettings

# Standing of a document: what an index of earlier crawls says, which no policy overrules.
KEPT_BEFORE, NEW, DROPPED_BEFORE = 0, 1, 2

ROWS_PER_BLOCK = 1 << 16  # rows whose addresses are Python strings at a time, about 40 MB

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
    "canonical": ("standing_host", "ascending"),
    "version": ("outdated", "ascending"),
    "quality": ("quality", "descending"),
    "length": ("n_chars", "descending"),
    "address": ("nameless", "ascending"),
    "licence": ("unlicensed", "ascending"),
    "reader": ("plain_reader", "ascending"),
    "date": ("date", "descending"),
    "captured": ("captured_day", "descending"),
    "order": ("document", "ascending"),
    "id": ("id", "ascending"),
}
PLAIN = ("web", "files")  # sources of what only has the form of a page or a text


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
    if "canonical" in keys or "version" in keys:
        standing, outdated = _standings(members)
        members = members.append_column("standing_host", pa.array(standing))
        members = members.append_column("outdated", pa.array(outdated.astype(np.int8)))
    if "captured" in keys:
        days = pc.utf8_slice_codeunits(members["captured"], 0, 10)
        members = members.append_column("captured_day", days)
    if "address" in keys:
        nameless = pc.equal(pc.fill_null(members["url"], ""), "")
        members = members.append_column("nameless", nameless.cast(pa.int8()))
    if "licence" in keys:
        unlicensed = pc.not_equal(members["rights"], RIGHTS_OPEN)
        members = members.append_column("unlicensed", unlicensed.cast(pa.int8()))
    if "reader" in keys:
        plain = pc.is_in(members["source"], pa.array(PLAIN))
        members = members.append_column("plain_reader", plain.cast(pa.int8()))
    order = [("label", "ascending"), ("standing", "ascending")]
    order += [COLUMNS[key] for key in keys]
    return pc.sort_indices(members, sort_keys=order).to_numpy()


def _standings(members: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """addresses.standings of the rows, some clusters at a time."""
    label = members["label"].to_numpy()
    standing, outdated = np.full(len(label), addresses.SILENT, np.int8), np.zeros(len(label), bool)
    # Only clusters in which an address may tell copies apart.
    stated = pc.greater(pc.binary_length(members["canonical_url"]), 0)
    versioned = pc.match_substring_regex(members["url"], addresses.MAY_HAVE_VERSION)
    telling = pc.fill_null(pc.or_kleene(stated, versioned), False).to_numpy()
    rows = np.flatnonzero(np.isin(label, label[telling]))
    rows = rows[np.argsort(label[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(label[rows], prepend=-1) != 0)
    places = np.searchsorted(starts, np.arange(0, len(rows), ROWS_PER_BLOCK))
    blocks = starts[np.unique(places[places < len(starts)])]
    for part in np.split(rows, blocks[1:]):
        block = members.select(["url", "canonical_url"]).take(pa.array(part))
        columns = [block[name].to_pylist() for name in block.column_names]
        standing[part], outdated[part] = addresses.standings(label[part], *columns)
    return standing, outdated


def policy_text(settings: DedupSettings) -> str:
    """The policy in words, for the card and the ledger."""
    words = {
        "source": "source priority" if settings.sources else "",
        "rights": "open rights",
        "canonical": "canonical host",
        "version": "newer version of its host",
        "quality": f"higher {settings.quality}" if settings.quality else "",
        "length": "longer",
        "address": "has an address",
        "licence": "has a known licence",
        "reader": "read as its own kind",
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
