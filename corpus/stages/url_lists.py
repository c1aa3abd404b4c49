"""URL lists of `[urls]`: hosts and pages that are kept out of what a profile keeps."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.errors import UsageError
from corpus.folder.layout import Layout
from corpus.settings import UrlSettings
from filters.urls import rules
from filters.urls.rules import SWALLOW_CATEGORIES, Rules, Source, UrlListError


def blocked(
    urls: pa.ChunkedArray, rows: np.ndarray, settings: UrlSettings, layout: Layout
) -> dict[int, str]:
    """Row → the entry that blocks it, of those `rows` (int64[k]) that a list keeps out."""
    lists = _rules(settings, layout.url_cache)
    if lists is None or not len(rows):
        return {}
    asked = urls.take(pa.array(rows)).combine_chunks()
    hit = lists.classify(asked).is_valid().to_numpy(zero_copy_only=False)
    entries = {}
    for row in rows[hit].tolist():
        match = lists.category(urls[row].as_py())
        entries[row] = f"{match.category}: {match.entry} ({match.source})" if match else ""
    return entries


@functools.lru_cache(maxsize=2)
def _rules(settings: UrlSettings, cache: Path) -> Rules | None:
    """The lists, loaded once a process; UsageError names a bad one."""
    if not settings.block:
        return None
    try:
        return rules.load(_sources(settings), cache)
    except UrlListError as error:
        raise UsageError(str(error)) from error


def check(settings: UrlSettings) -> None:
    """UsageError for a missing list or an unknown category, before hours of harvest."""
    try:
        rules.check(_sources(settings))
    except UrlListError as error:
        raise UsageError(str(error)) from error


def state(settings: UrlSettings) -> list[list[object]]:
    """Name, size and time of the files of the lists: an edited list decides anew."""
    return files_state((*settings.block, *settings.allow))


def files_state(names: tuple[str, ...]) -> list[list[object]]:
    """Name, size and time of the files, and of those below the folders, that are named."""
    files = [f for name in names for f in (Path(name), *sorted(Path(name).rglob("*")))]
    return [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]


def _sources(settings: UrlSettings) -> list[Source]:
    """The lists of the settings; their categories choose among those of UT1 forms only."""
    categories = settings.categories or None
    if settings.categories == ("swallow",):
        categories = tuple(SWALLOW_CATEGORIES)
    return [
        Source(path, categories if rules.has_categories(path) else None)
        for path in map(Path, settings.block)
    ] + [Source(Path(path), None, allow=True) for path in settings.allow]
