"""The records wanted from the indexes of a crawl, by DuckDB: filtered, sorted, each place once.

Common Crawl's columnar index is read where it lies, only the columns that are needed; CDX files are
turned into Parquet first. The result is one Parquet file in the build folder, sorted by (file,
offset), so that records near each other in a file are near each other in a unit.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import RunError, UsageError, one_line
from corpus.folder.commit import ROWS_PER_GROUP, commit_parquet
from corpus.folder.folder import Folder
from corpus.folder.sql import quoted
from corpus.settings import CcindexSettings
from corpus.sources.archives import cdx
from corpus.sources.inputs import is_remote, open_input

COLUMNS = ("url", "warc_filename", "warc_record_offset", "warc_record_length")
SCHEMA = pa.schema(
    [
        ("url", pa.string()),
        ("warc_filename", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
    ]
)
MEMORY = "2GB"  # of DuckDB; what does not fit spills beside the selection
THREADS = 4


def write(indexes: list[str], wanted: CcindexSettings, folder: Folder) -> int:
    """Write the selection of a build and beside it what was counted; return the rows.

    Raises UsageError for an index without the columns the filters need, RunError for a damaged one.
    """
    selection = folder.layout.selection
    shutil.rmtree(selection.parent, ignore_errors=True)
    spill = selection.parent / "spill"
    spill.mkdir(parents=True)
    counts = {"index_files": len(indexes), "index_lines_unreadable": 0, "repeated": 0}
    options: dict[str, Any] = {
        "threads": THREADS,
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
    }
    import duckdb  # here: a worker that reads no index has 40 MB more without it

    # Sorted by DuckDB, which spills beside the selection, then thinned out and cut as a stream.
    try:
        with duckdb.connect(config=options) as database:
            database.execute("SET TimeZone = 'UTC'")
            tables = _tables(database, indexes, wanted, spill, counts)
            rows = database.sql(_query(tables, wanted)).to_arrow_reader(ROWS_PER_GROUP)
            batches = _evenly(_without_repeats(rows, counts), ROWS_PER_GROUP)
            _, counts["records"] = folder.commit_parquet(selection, SCHEMA, batches)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise RunError(f"the index cannot be queried: {one_line(error, 200)}") from error
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    folder.commit_json(selection.with_suffix(".json"), counts)
    return counts["records"]


def _tables(
    database: Any, indexes: list[str], wanted: CcindexSettings, spill: Path, counts: dict[str, int]
) -> list[str]:
    """SQL table expressions over the index files; CDX files become Parquet in `spill` first."""
    # Told apart by their first bytes: names of index files follow no rule.
    parquet: list[str] = []
    others: list[str] = []
    for path in indexes:
        name = path.rsplit("/", 1)[-1]
        if name.startswith("_"):  # _SUCCESS, _metadata: by-products of Spark
            continue
        (parquet if _is_parquet(path) else others).append(path)
    tables = [_parquet(database, path, number) for number, path in enumerate(parquet)]
    for path in parquet:
        _check_columns(path, wanted)
    # CDX lines become Parquet with the columns of Common Crawl, so that one query serves both.
    for number, path in enumerate(others):
        reader = cdx.Reader(path, wanted.languages)
        file = spill / f"{number:05d}.parquet"
        commit_parquet(file, cdx.SCHEMA, iter(reader))
        if wanted.languages and reader.lines and not reader.tells_languages:
            raise UsageError(
                f"{path} tells no languages: take all with --set ccindex.languages= "
                "and let harvest find the Japanese pages"
            )
        counts["index_lines_unreadable"] += reader.unreadable
        tables.append(_parquet(database, str(file), -1))
    if not tables:
        raise UsageError(f"no index files in {', '.join(indexes)[:200]}")
    return tables


def _parquet(database: Any, path: str, number: int) -> str:
    """A table expression: DuckDB reads local files itself, others through Arrow and fsspec."""
    if not is_remote(path):
        return f"read_parquet({quoted(path.removeprefix('file://'))}, hive_partitioning=false)"
    fs, key = fsspec.core.url_to_fs(path)
    from pyarrow import dataset  # here: it brings pandas where that is installed

    database.register(f"index{number}", dataset.dataset(key, filesystem=fs, format="parquet"))
    return f"index{number}"


def _is_parquet(path: str) -> bool:
    try:
        with open_input(path) as file:
            return file.read(4) == b"PAR1"
    except ImportError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def _check_columns(path: str, wanted: CcindexSettings) -> None:
    """UsageError when an index lacks a column that is read or filtered by."""
    filters = {
        "content_languages": ("languages", wanted.languages),
        "url_host_name": ("hosts", wanted.hosts),
        "fetch_time": ("since= --set ccindex.until", (wanted.since, wanted.until)),
        "fetch_status": ("status", wanted.status),
        "content_mime_detected": ("mimes", wanted.mimes),
    }
    with open_input(path) as file:
        there = pq.read_schema(file).names
    for name in COLUMNS:
        if name not in there:
            raise UsageError(f"{path} is no index of records: it has no column {name}")
    for name, (key, values) in filters.items():
        if name not in there and any(values):
            raise UsageError(
                f"{path} has no column {name}: do without that filter, --set ccindex.{key}="
            )


def _query(tables: list[str], wanted: CcindexSettings) -> str:
    """The selection, sorted so that neighbours in a file are neighbours in the plan."""
    filters = _filters(wanted)
    where = f"WHERE {' AND '.join(filters)}" if filters else ""
    parts = [
        f"SELECT CAST(url AS VARCHAR) AS url, CAST(warc_filename AS VARCHAR) AS file, "
        f"CAST(warc_record_offset AS BIGINT) AS start, "
        f"CAST(warc_record_length AS BIGINT) AS size FROM {table} {where}"
        for table in tables
    ]
    return (
        " UNION ALL ".join(parts)
        + " ORDER BY file NULLS FIRST, start NULLS FIRST, size NULLS FIRST, url NULLS FIRST"
    )


def _filters(wanted: CcindexSettings) -> list[str]:
    """A condition for each setting that selects; all must hold."""
    conditions = []
    if wanted.languages:
        codes = [code for code in wanted.languages if code != cdx.UNKNOWN]
        tests = [f"list_has_any(string_split(content_languages, ','), {quoted(codes)})"]
        if cdx.UNKNOWN in wanted.languages:
            tests.append("content_languages IS NULL OR content_languages = ''")
        conditions.append(f"({' OR '.join(tests)})")
    if wanted.hosts:
        tests = []
        for host in map(_ascii_host, wanted.hosts):
            tests += [
                f"url_host_name = {quoted(host)}",
                f"suffix(url_host_name, {quoted('.' + host)})",
            ]
        conditions.append(f"({' OR '.join(tests)})")
    if wanted.since:
        conditions.append(f"TRY_CAST(fetch_time AS TIMESTAMP) >= TIMESTAMP {quoted(wanted.since)}")
    if wanted.until:
        conditions.append(f"TRY_CAST(fetch_time AS TIMESTAMP) < TIMESTAMP {quoted(wanted.until)}")
    if wanted.status:
        codes = [str(int(code)) for code in wanted.status]
        conditions.append(f"TRY_CAST(fetch_status AS INTEGER) IN ({', '.join(codes)})")
    if wanted.mimes:
        # What was never detected may be a page: harvest looks at its bytes.
        mimes = ", ".join(map(quoted, wanted.mimes))
        conditions.append(f"(content_mime_detected IN ({mimes}) OR content_mime_detected IS NULL)")
    return conditions


def _ascii_host(host: str) -> str:
    """A host as the index writes it: lower case, IDN in ASCII."""
    host = host.lower().strip().removeprefix("*.").strip(".")
    try:
        return host.encode("idna").decode()
    except UnicodeError as error:
        raise UsageError(f"ccindex.hosts: {host!r} is no host name") from error


def _without_repeats(
    rows: pa.RecordBatchReader, counts: dict[str, int]
) -> Iterator[pa.RecordBatch]:
    """The sorted rows, each place once: two indexes may name the same record."""
    # A row is a repetition if its place is that of the row before it, also across two batches.
    last: tuple[Any, Any] = (None, None)
    for batch in rows:
        file, start = batch.column(1), batch.column(2)
        before = [
            pa.concat_arrays([pa.array([value], column.type), column[:-1]])
            for value, column in zip(last, (file, start), strict=True)
        ]
        same = pc.and_(pc.equal(file, before[0]), pc.equal(start, before[1])).fill_null(False)
        counts["repeated"] += pc.sum(same).as_py() or 0
        last = (file[-1].as_py(), start[-1].as_py())
        kept = batch.filter(pc.invert(same))
        columns = [
            column.cast(field.type) for column, field in zip(kept.columns, SCHEMA, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _evenly(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `rows`: row groups do not depend on how DuckDB cut its answer."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) < rows:
            continue
        whole = pa.concat_batches(held)
        full = whole.num_rows - whole.num_rows % rows
        yield from (whole.slice(at, rows) for at in range(0, full, rows))
        held = [whole.slice(full)]
    if held and sum(part.num_rows for part in held):
        yield pa.concat_batches(held)
