"""What a name means in a build: an id, a URL however spelled, a file of the input, a title."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.layout import Layout
from corpus.folder.lookup import rows_where
from corpus.folder.removals import hashed_url

SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")
TITLED = 5  # documents of a title that are named
COMPARED = 2_000  # URLs of a host that are compared letter by letter
# name, files, columns → rows
Find = Callable[[str, Iterable[Path], list[str] | None], list[dict[str, Any]]]


def find(name: str, files: Iterable[Path], columns: list[str] | None) -> list[dict[str, Any]]:
    """Rows of Parquet files whose url or id is `name`."""
    return rows_where(files, columns, ["url", "id"], partial(named, name))


def named(name: str, table: pa.Table) -> Any:
    """Whether id or url of each row is `name`; what was taken out has a hash for its url."""
    urls = pa.array([name, hashed_url(name)])
    return pc.or_(pc.is_in(table["url"], urls), pc.equal(table["id"], name))


def nearest(layout: Layout, name: str) -> list[str]:
    """The URLs of the build that are most like `name`: up to three, of its host if it is there."""
    columns = (
        pq.read_table(path, columns=["url"])["url"]
        for path in (*layout.documents_files(), *layout.ledgers())
    )
    urls = sorted({url for column in columns for url in pc.unique(column).to_pylist() if url})
    by_key = dict(zip(_keys(pa.array(urls, pa.string())).to_pylist(), urls, strict=True))
    wanted = url_key(name)
    hosts = {key.partition("/")[0] for key in by_key}
    near = difflib.get_close_matches(wanted.partition("/")[0], hosts, 1)
    keys = [key for key in by_key if key.partition("/")[0] in near]
    keys.sort(key=lambda key: -sum(map(str.__eq__, key, wanted)))
    return [by_key[key] for key in difflib.get_close_matches(wanted, keys[:COMPARED], 3)]


def alike(name: str, files: Iterable[Path], columns: list[str] | None) -> list[dict[str, Any]]:
    """Rows of Parquet files whose url is `name` but for its spelling."""
    key = url_key(name)
    return rows_where(files, columns, ["url"], lambda table: pc.equal(_keys(table["url"]), key))


def of_file(layout: Layout, name: str) -> list[str]:
    """The ids of the records of an input file that left a row, by their place in it.

    name: of the file, its path or the end of one; also of a file inside a zip archive.
    """
    file = name.removeprefix("file://").removeprefix("file:")

    def wanted(table: pa.Table) -> Any:
        paths = table["source_file"]
        whole = pc.or_(pc.equal(paths, file), pc.ends_with(paths, f"/{file}"))
        return pc.or_(whole, pc.starts_with(paths, f"zip://{file}::"))

    files = (*layout.documents_files(), *layout.ledgers())
    rows = rows_where(files, ["id", "source_file", "source_offset"], ["source_file"], wanted)
    rows.sort(key=lambda row: (row["source_file"], row["source_offset"]))
    return list(dict.fromkeys(row["id"] for row in rows))


def titled(layout: Layout, title: str) -> list[dict[str, Any]]:
    """{id, url} of the first TITLED documents that have exactly this title."""
    files = layout.documents_files()
    rows = rows_where(files, ["id", "url"], ["title"], lambda t: pc.equal(t["title"], title))
    return rows[:TITLED]


def _keys(urls: Any) -> Any:
    """URLs in lower case without scheme, fragment and last slashes."""
    keys = pc.replace_substring_regex(pc.utf8_lower(urls), SCHEME.pattern, "")
    return pc.utf8_rtrim(pc.replace_substring_regex(keys, "#.*$", ""), characters="/")


def url_key(url: str) -> str:
    """`_keys` of one URL."""
    return SCHEME.sub("", url.lower()).partition("#")[0].rstrip("/")
