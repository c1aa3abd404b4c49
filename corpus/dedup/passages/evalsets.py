"""Evaluation sets as text items: any JSON, JSON lines, CSV or Parquet, whatever its fields.

A record is an object, list or row; its items are its strings that are at least half as long as its
longest: question and context, both sentences of a pair, but not the choices beside a question.
Each is named by file and place: `valid-v1.3.json#data[3].paragraphs[0].context`. A term of art on a
page (クロスサイトスクリプティング) is no leak, so strings below MIN_CHARS after normalisation are
left out, and below MIN_CHARS_OF_NAMES those without hiragana. Equal strings are one item.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.signatures.normal import normalise
from corpus.errors import UsageError

MIN_CHARS = 14
MIN_CHARS_OF_NAMES = 30
SKIPPED = ("answer", "answers", "id", "title", "url")  # what a page may name without a leak
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def read_items(paths: list[Path]) -> tuple[list[str], list[str], list[str]]:
    """(names, texts, normalised texts) of the items of files and folders, in the order of names.

    Raises UsageError for a path that does not exist or a file that cannot be read.
    """
    names: list[str] = []
    texts: list[str] = []
    for file, label in files(paths):
        for place, text in _strings(file):
            names.append(f"{label}#{place}")
            texts.append(text)
    # Compared as the documents will be; equal and short ones go (see the head of this file).
    folded = normalise(pa.array(texts, pa.large_string())).to_pylist()
    seen: dict[str, int] = {}
    for i, text in enumerate(folded):
        is_name = not any("ぁ" <= char <= "ゖ" for char in text)
        if len(text) >= (MIN_CHARS_OF_NAMES if is_name else MIN_CHARS):
            seen.setdefault(text, i)
    kept = list(seen.values())
    return [names[i] for i in kept], [texts[i] for i in kept], [folded[i] for i in kept]


def files(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """(file, its name below the path given) of evaluation sets; UsageError when there is none."""
    count = 0
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such evaluation set: {path}")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.name.removesuffix(".gz").endswith(SUFFIXES) and file.is_file():
                count += 1
                yield file, str(file.relative_to(path)) if path.is_dir() else file.name
    if not count:
        raise UsageError(f"no {', '.join(SUFFIXES)} under {', '.join(map(str, paths))}")


def _strings(file: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of every string of a file."""
    name = file.name.removesuffix(".gz")
    try:
        if name.endswith(".parquet"):
            for i, row in enumerate(pq.read_table(file).to_pylist()):
                yield from _leaves(row, f"{i}")
            return
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = raw.decode("utf-8-sig")
        if name.endswith((".csv", ".tsv")):
            csv.field_size_limit(1 << 30)
            cells = csv.reader(io.StringIO(text), delimiter="\t" if name.endswith(".tsv") else ",")
            for i, row in enumerate(cells):
                yield from _leaves(row, f"{i}")
        elif name.endswith(".jsonl"):
            yield from _json_lines(text)
        else:
            try:
                yield from _leaves(json.loads(text), "")
            except json.JSONDecodeError:  # JGLUE's .json files are JSON lines
                yield from _json_lines(text)
    except (OSError, ValueError, csv.Error, pa.ArrowInvalid, RecursionError) as error:
        raise UsageError(f"cannot read the evaluation set {file}: {error}") from error


def _json_lines(text: str) -> Iterator[tuple[str, str]]:
    for i, line in enumerate(text.split("\n")):
        if line.strip():
            yield from _leaves(json.loads(line), f"{i}")


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """(place, text) of the items of a record and of the records within."""
    if isinstance(value, dict):
        fields = [
            (f"{place}.{k}" if place else str(k), v) for k, v in value.items() if k not in SKIPPED
        ]
    elif isinstance(value, list | tuple):
        fields = [(f"{place}[{i}]", v) for i, v in enumerate(value)]
    else:
        fields = [(place, value)]
    longest = max((len(v) for _, v in fields if isinstance(v, str)), default=0)
    for name, part in fields:
        if isinstance(part, str):
            if 2 * len(part) >= longest:
                yield name, part
        elif isinstance(part, dict | list | tuple):
            yield from _leaves(part, name)
