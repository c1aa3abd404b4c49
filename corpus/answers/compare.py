"""`corpus compare` and `corpus sweep`: what other profiles and thresholds would keep.

Both read the stored signals of a build, file by file, so nothing is harvested again; texts are read
for signals that are not stored, and for the few documents shown at the borders. The documents
compared are those before dedup and selection, but for those that were taken out.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.folder import removals
from corpus.folder.commit import picked_rows
from corpus.folder.layout import Layout, index_of
from corpus.folder.signals import check_words, signals_of
from filters import compare as tables
from filters.additive import SHIPPED
from filters.profile import Decisions, Profile, ProfileError, Rule, load
from filters.signals import EXTRA_SIGNALS, MODEL, SIGNALS, signal_of

START = 80  # characters of a document shown at a border
SPARE = 4  # times as many candidates as samples: copies of one text are shown once


def profiles_of(texts: list[str], lists: str = "") -> list[Profile]:
    """The profiles of names and paths, under names that differ; UsageError for an unusable one."""
    profiles: dict[str, Profile] = {}
    for text in dict.fromkeys(filter(None, (text.strip() for text in texts))):
        try:
            profile = load(text)
        except ProfileError as error:
            raise UsageError(str(error)) from error
        check_words(profile, lists)
        name = text if profile.name in profiles else profile.name  # web and my/web.toml
        profiles[name] = dataclasses.replace(profile, name=name)
    if not profiles:
        raise UsageError("no profile to compare: name some, as in --profiles web,technical")
    return list(profiles.values())


def compare(
    layout: Layout, profiles: list[Profile], lists: str = "", samples: int = 3
) -> dict[str, Any]:
    """Who keeps what, what rules take, and the documents at the borders.

    Returns {documents, characters, kept: profile → {documents, characters}, sources: rows, matrix:
    rows, rules: profile → rows, borders: rows}; see filters/compare.py for the columns.
    """
    keeps: dict[str, list[np.ndarray]] = {profile.name: [] for profile in profiles}
    rules: dict[str, list[dict[str, Any]]] = {}
    borders: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    lengths, sources = [], []
    # A file at a time: signals as columns, each profile's decisions, and the rows near a bound.
    for index in documents_of(layout):
        names = ["n_chars", *(rule.signal for profile in profiles for rule in profile.rules)]
        there = removals.left(layout, index)
        columns = signals_of(layout, index, names, lists, there)
        lengths.append(columns["n_chars"].to_numpy().astype(np.int64))
        sources.append(_column(layout, index, "source", there))
        for profile in profiles:
            decisions = profile.decide(_rows(columns), columns)
            keeps[profile.name].append(decisions.keep)
            _add(rules, profile, decisions, lengths[-1])
            for row in _borders(profile, decisions, columns, index, samples):
                row["row"] = row["row"] if there is None else int(there[row["row"]])
                key = (row["profile"], row["rule"], row["bound"], row["side"])
                borders[key] = _nearest(borders.get(key, []), row, samples)
    # Then over all documents; texts are read for the rows that are shown.
    kept = {name: np.concatenate(parts) for name, parts in keeps.items()}
    n_chars = np.concatenate(lengths)
    return {
        "documents": len(n_chars),
        "characters": int(n_chars.sum()),
        "kept": {
            name: {"documents": int(keep.sum()), "characters": int(n_chars[keep].sum())}
            for name, keep in kept.items()
        },
        "sources": _by_source(pa.chunked_array([c for s in sources for c in s.chunks]), kept),
        "matrix": tables.keep_matrix(kept, n_chars).to_pylist(),
        "rules": rules,
        "borders": _with_texts(layout, [row for rows in borders.values() for row in rows], samples),
    }


BY = ("source", "host")
LARGEST = 8  # groups of a sweep: as many as a plot has colours


def sweep(
    layout: Layout, signal: str, low: float, high: float, steps: int, by: str = "", lists: str = ""
) -> list[dict[str, Any]]:
    """Documents and characters on both sides of a threshold that moves from `low` to `high`.

    by: "" for all documents together, or one of BY: rows of each source or host, named in `source`
    or `host`; the LARGEST of them, the rest together as `N others`.
    """
    if signal_of(signal) is None:
        known = [*SIGNALS, *EXTRA_SIGNALS, *(MODEL + name for name in SHIPPED)]
        near = difflib.get_close_matches(signal, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "`corpus profiles NAME` names some"
        raise UsageError(f"unknown signal {signal!r}: {hint}")
    if by and by not in BY:
        raise UsageError(f"--by {by}: choose {' or '.join(BY)}")
    check_words(Profile("sweep", (Rule(signal, signal),)), lists)
    # (values, lengths) of each group, file by file; then a table over the whole group.
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for index in documents_of(layout):
        there = removals.left(layout, index)
        columns = signals_of(layout, index, ["n_chars", signal], lists, there)
        values = columns[signal].cast(pa.float64()).to_numpy(zero_copy_only=False)
        lengths = columns["n_chars"].to_numpy().astype(np.int64)
        for name, rows in _groups(layout, index, len(values), by, there):
            parts.setdefault(name, []).append((values[rows], lengths[rows]))
    out = []
    for name, pairs in _largest(parts).items():
        values, lengths = (np.concatenate(column) for column in zip(*pairs, strict=True))
        try:
            rows = tables.sweep(values, lengths, low, high, steps).to_pylist()
        except ProfileError as error:
            raise UsageError(str(error)) from error
        group = {by: name} if by else {}
        whole = {"documents": len(values), "characters": int(lengths.sum())}
        out += [group | row | whole for row in rows]
    return out


def documents_of(layout: Layout) -> list[int]:
    """The indices of the documents files that hold any; UsageError when there are none."""
    files = layout.documents_files()
    indices = [index_of(path) for path in files if pq.read_metadata(path).num_rows]
    if not indices:
        raise UsageError(f"{layout} holds no documents: run `corpus harvest` first")
    return indices


def _rows(columns: dict[str, pa.Array]) -> pa.StructArray:
    return pa.StructArray.from_arrays([columns["n_chars"]], ["n_chars"])


def _largest(parts: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The groups by name; of more than LARGEST those with most documents, then the others."""
    if len(parts) <= LARGEST:
        return dict(sorted(parts.items()))
    names = sorted(parts, key=lambda name: (-sum(len(p[0]) for p in parts[name]), name))
    rest = [pair for name in names[LARGEST:] for pair in parts[name]]
    return {name: parts[name] for name in names[:LARGEST]} | {
        f"{len(names) - LARGEST:,} others": rest
    }


def _column(layout: Layout, index: int, name: str, rows: np.ndarray | None) -> pa.ChunkedArray:
    """A column of a documents file, of all rows or of `rows`."""
    column = pq.read_table(layout.documents(index), columns=[name])[name]
    return column if rows is None else column.take(pa.array(rows))


def _groups(
    layout: Layout, index: int, rows: int, by: str, there: np.ndarray | None
) -> Iterator[tuple[str, np.ndarray]]:
    if not by:
        yield "", np.arange(rows)
        return
    encoded = _column(layout, index, by, there).combine_chunks().dictionary_encode()
    codes, names = encoded.indices.fill_null(-1).to_numpy(), encoded.dictionary.to_pylist()
    order = np.argsort(codes, kind="stable")  # many hosts: all rows once, not once a host
    first = np.flatnonzero(np.diff(codes[order], prepend=-2))
    for code, own in zip(codes[order][first].tolist(), np.split(order, first[1:]), strict=True):
        yield names[code] if code >= 0 else "", own


def _add(
    rules: dict[str, list[dict[str, Any]]],
    profile: Profile,
    decisions: Decisions,
    n_chars: np.ndarray,
) -> None:
    """Add the rule table of one file to those before it."""
    rows = tables.rule_table(profile, decisions, n_chars).to_pylist()
    before = rules.setdefault(profile.name, [])
    if not before:
        before += rows
        return
    for total, row in zip(before, rows, strict=True):
        for key in ("alone", "first", "last", "last_chars"):
            total[key] += row[key]


def _by_source(sources: pa.ChunkedArray, kept: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """A row for each source: documents, and what each profile keeps of them."""
    encoded = sources.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    total = np.bincount(codes, minlength=len(encoded.dictionary)).tolist()
    counts = {name: np.bincount(codes[keep], minlength=len(total)) for name, keep in kept.items()}
    rows = [
        {"source": source, "documents": total[i]} | {n: int(c[i]) for n, c in counts.items()}
        for i, source in enumerate(encoded.dictionary.to_pylist())
    ]
    return sorted(rows, key=lambda row: str(row["source"]))


def _borders(
    profile: Profile, decisions: Decisions, columns: dict[str, pa.Array], index: int, samples: int
) -> Iterator[dict[str, Any]]:
    for i, rule in enumerate(profile.rules):
        values = columns[rule.signal].to_numpy(zero_copy_only=False)
        names = ("bound", "threshold", "side", "row", "value")
        for near in tables.at_bounds(profile, decisions, i, values, SPARE * samples):
            row = dict(zip(names, near, strict=True))
            place = {"profile": profile.name, "rule": rule.name, "signal": rule.signal}
            yield place | row | {"file": index}


def _nearest(rows: list[dict[str, Any]], row: dict[str, Any], samples: int) -> list[dict[str, Any]]:
    rows = sorted([*rows, row], key=lambda r: (abs(r["value"] - r["threshold"]), r["file"]))
    return rows[: SPARE * samples]


def _with_texts(layout: Layout, rows: list[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    """The rows with id, url and the start of the text; copies of a text are left out."""
    wanted: dict[int, set[int]] = {}
    for row in rows:
        wanted.setdefault(row["file"], set()).add(row["row"])
    texts = {file: _texts(layout.documents(file), numbers) for file, numbers in wanted.items()}
    seen: dict[tuple[str, ...], set[str]] = {}
    out = []
    for row in rows:
        file, number = row.pop("file"), row.pop("row")
        document = texts[file][number]
        shown = seen.setdefault(tuple(row[k] for k in ("profile", "rule", "bound", "side")), set())
        if document["start"] not in shown and len(shown) < samples:
            shown.add(document["start"])
            out.append(row | document)
    return out


def _texts(path: Path, rows: set[int]) -> dict[int, dict[str, str]]:
    """row → {id, url, start}; only the row groups that hold them are read."""
    documents = {}
    wanted = np.array(sorted(rows), np.int64)
    with pq.ParquetFile(path) as file:
        for table, low, high in picked_rows(file, wanted, ["id", "url", "text"]):
            for row, values in zip(wanted[low:high].tolist(), table.to_pylist(), strict=True):
                start = " ".join((values["text"] or "")[: 2 * START].split())[:START]
                documents[row] = {"id": values["id"], "url": values["url"], "start": start}
    return documents
