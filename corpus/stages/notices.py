"""Notices of news: which versions of an item the harvest saw, and which items were withdrawn.

A unit of work sees some versions of an item and others see the rest. So each unit stores a notice a
story, and select decides by those of the whole harvest:

    an item that one notice cancels                 none of its versions stays
    an item whose newest version is withheld        none of its versions stays
    all others                                      the newest version stays, by number, then time

Only what is in the build is known: a notice that comes later needs a build that reads it, and a
copy under another name (another agency, a web page) is found by dedup alone.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.layout import Layout
from corpus.sources.item import Item
from corpus.sources.news import CANCELED, USABLE, moment

OLD, WITHDRAWN = "old_version", "withdrawn"  # rules of the ledger


class Standing(NamedTuple):
    """Of an item: its newest notice, and whether any of its notices cancels it."""

    version: int
    time: int
    state: str
    canceled: bool


def of_item(item: Item) -> dict[str, Any] | None:
    """The row of schema.NOTICE that an item of news leaves; None where it has no name."""
    if item.notice is None or not item.notice[0]:
        return None
    name, version, time, state = item.notice
    return {"item": _digest(name), "version": version, "time": _seconds(time), "state": state}


def refusals(layout: Layout, index: int, rows: np.ndarray) -> dict[int, tuple[str, str]]:
    """Row → (rule, reason), of those `rows` (int64[k]) of a documents file that may not stay."""
    standings = _standings(layout)
    if not standings or not len(rows):
        return {}
    table = pq.read_table(layout.documents(index), columns=["source", "metadata", "date"])
    refused = {}
    for row in rows[pc.equal(table["source"], "news").to_numpy()[rows]].tolist():
        facts = json.loads(table["metadata"][row].as_py() or "{}")
        standing = standings.get(_digest(facts.get("item", "")))
        own = int(facts.get("version", 0)), _seconds(table["date"][row].as_py())
        if standing and (why := _refusal(standing, own)):
            refused[row] = why
    return refused


def _refusal(standing: Standing, own: tuple[int, int]) -> tuple[str, str] | None:
    if standing.canceled:
        return WITHDRAWN, "its agency withdrew the item"
    if standing.state != USABLE:
        return WITHDRAWN, f"{standing.state} since version {standing.version}"
    if own < (standing.version, standing.time):
        return OLD, f"version {own[0]}; version {standing.version} is in the input"
    return None


@functools.lru_cache(maxsize=1)
def _standings(layout: Layout) -> dict[str, Standing]:
    """Items of which there is more to say than that they are usable in one version."""
    files = layout.notices_files()
    if not files:
        return {}
    table = pa.concat_tables(pq.read_table(path) for path in files)
    table = table.group_by(["item", "version", "time", "state"]).aggregate([])
    times = table.group_by("item").aggregate([([], "count_all")])
    one = times.filter(pc.equal(times["count_all"], 1))["item"]
    telling = pc.or_(pc.invert(pc.is_in(table["item"], one)), pc.not_equal(table["state"], USABLE))
    rows = table.filter(telling).sort_by([("version", "ascending"), ("time", "ascending")])
    found: dict[str, Standing] = {}
    for row in rows.to_pylist():
        canceled = row["state"] == CANCELED
        before = found.get(row["item"])
        found[row["item"]] = Standing(
            row["version"], row["time"], row["state"], canceled or bool(before and before.canceled)
        )
    return found


def _digest(name: str) -> str:
    """What a name is kept as: whoever is taken out of a build leaves no address here."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _seconds(time: str | None) -> int:
    """Seconds since 1970 of an ISO 8601 time; 0 for none."""
    made = moment(time)
    return int(made.timestamp()) if made else 0
