"""From the command line's inputs to the units of work: the same list on every run."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.config import MIB, Settings
from corpus.errors import RunError, UsageError
from corpus.folder.commit import input_size, is_remote, open_input
from corpus.sources import ccindex, files, web
from corpus.sources.archives import record_index
from corpus.sources.item import Item, Unit

# A new source is one module and one line here: kind, reader, endings of its files.
READERS: dict[str, tuple[Callable[[Unit, Settings], Iterator[Item]], tuple[str, ...]]] = {
    "warc": (web.read, (".warc", ".warc.gz", ".warc.zst", ".wet", ".wet.gz", ".arc", ".arc.gz")),
    "jsonl": (
        files.read_jsonl,
        (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".json.gz", ".json.zst"),
    ),
    "parquet": (files.read_parquet, (".parquet", ".pq")),
    "csv": (files.read_csv, (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")),
    "html": (files.read_html, (".html", ".htm", ".xhtml", ".shtml")),
    "text": (files.read_text, (".txt", ".text", ".md")),
    "ccindex": (ccindex.read, ()),  # never by its ending: it fetches, so it must be asked for
}
SPLITTABLE = (".warc", ".warc.gz", ".warc.zst", ".wet", ".wet.gz", ".jsonl", ".ndjson")
FILES_PER_UNIT = 512  # of html and text folders


def kind_of(path: str) -> str:
    """The source kind a file name's ending stands for, "" when none."""
    name = path.lower()
    for kind, (_, endings) in READERS.items():
        if name.endswith(endings):
            return kind
    return ""


def expand(inputs: list[str], kind: str) -> list[tuple[str, str]]:
    """(file, kind) of every input, in a fixed order. UsageError names what is missing."""
    if kind != "auto" and kind not in READERS:
        raise UsageError(f"unknown source kind {kind!r}: choose auto, {', '.join(READERS)}")
    if not inputs:
        raise UsageError("no input: name at least one file, folder, glob or @list.txt")
    found: list[tuple[str, str]] = []
    for name in inputs:
        for path, from_folder in _paths(name):
            its_kind = kind_of(path) if kind == "auto" else kind
            if its_kind:
                found.append((path, its_kind))
            elif not from_folder:
                raise UsageError(
                    f"{path}: the ending tells no format; "
                    f"say it with --source ({', '.join(READERS)})"
                )
    if not found:
        raise UsageError(
            f"no readable files in {', '.join(inputs)}: known endings are "
            f"{', '.join(e for _, ends in READERS.values() for e in ends)}"
        )
    doubled = len(found) - len({path for path, _ in found})
    if doubled:
        raise UsageError(f"{doubled} input files are named twice: name each file once")
    return found


def _paths(name: str) -> Iterator[tuple[str, bool]]:
    if name.startswith("@"):
        try:
            with open(name[1:], encoding="utf-8") as listing:
                lines = [line.strip() for line in listing]
        except OSError as error:
            raise UsageError(f"cannot read the list {name[1:]}: {error.strerror}") from error
        for line in lines:
            if line and not line.startswith("#"):
                yield from _paths(line)
    elif is_remote(name):
        yield from ((path, False) for path in _remote_paths(name))
    elif os.path.isdir(name):
        yield from ((path, True) for path in _walk(name))
    elif os.path.exists(name):
        yield name, False
    elif glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"no file matches {name}")
        for match in matches:
            if os.path.isdir(match):
                yield from ((path, True) for path in _walk(match))
            else:
                yield match, False
    else:
        raise UsageError(f"no such file or folder: {name}")


def _walk(folder: str) -> Iterator[str]:
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield f"{base.rstrip('/')}/{name}"


def _remote_paths(name: str) -> list[str]:
    try:
        fs, path = fsspec.core.url_to_fs(name)
        if glob.has_magic(name):
            matches = [fs.unstrip_protocol(p) for p in sorted(fs.glob(path))]
            if not matches:
                raise UsageError(f"no file matches {name}")
            return matches
        if fs.isdir(path):
            return [fs.unstrip_protocol(p) for p in sorted(fs.find(path))]
        return [name]
    except ImportError as error:
        raise UsageError(f"{name}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot list {name}: {error}") from error


def units(inputs: list[str], settings: Settings, state: Path | None = None) -> list[Unit]:
    """Cut the inputs into units. The cuts depend on sizes and settings only, never on workers.

    `state`: the build's DIR/state, where a source may keep what its units refer to (ccindex does).
    """
    if settings.input.kind == "ccindex":
        indexes = [path for path, _ in expand(inputs, "ccindex")]
        return ccindex.plan(indexes, settings, state)
    planned: list[Unit] = []
    bundle: list[str] = []

    def close_bundle(kind: str) -> None:
        if bundle:
            planned.append(Unit(len(planned), kind, tuple(bundle)))
            bundle.clear()

    bundle_kind = ""
    for path, kind in expand(inputs, settings.input.kind):
        if kind in ("html", "text"):
            if kind != bundle_kind or len(bundle) == FILES_PER_UNIT:
                close_bundle(bundle_kind)
            bundle_kind = kind
            bundle.append(path)
            continue
        close_bundle(bundle_kind)
        for start, end in _ranges(path, kind, settings.input.unit_mib * MIB):
            planned.append(Unit(len(planned), kind, (path,), start, end))
    close_bundle(bundle_kind)
    return planned


def _ranges(path: str, kind: str, size: int) -> list[tuple[int, int]]:
    try:
        if kind == "parquet":
            return _row_group_ranges(path, size)
        total = input_size(path)
    except (OSError, pa.ArrowInvalid) as error:
        if kind == "parquet":
            raise RunError(
                f"{path} is not readable Parquet: {' '.join(str(error).split())[:160]}"
            ) from error
        raise UsageError(f"cannot read {path}: {error}") from error
    if not path.lower().endswith(SPLITTABLE) or total <= size + size // 2:
        return [(0, -1)]
    count = max(1, round(total / size))
    cuts = [total * i // count for i in range(count + 1)]
    if kind == "warc":
        cuts = record_index.cuts(path, cuts)
    return list(zip(cuts, cuts[1:], strict=False))


def _row_group_ranges(path: str, size: int) -> list[tuple[int, int]]:
    with open_input(path) as stream:
        metadata = pq.ParquetFile(stream).metadata
        sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    ranges, start, held = [], 0, 0
    for group, bytes_ in enumerate(sizes):
        held += bytes_
        if held >= size:
            ranges.append((start, group + 1))
            start, held = group + 1, 0
    if start < len(sizes) or not ranges:
        ranges.append((start, len(sizes)))
    return ranges
