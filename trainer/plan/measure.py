"""How large a corpus is, by source, for `trainer plan --corpus`; advice.py says what for.

Only columns of numbers are read (n_chars, weight, source; n_tokens of token shards), so a large
corpus takes seconds. Tokens of text are estimated from characters, or by a tokenizer on a sample.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trainer.config.settings import ConfigError
from trainer.tokens import parquet
from trainer.tokens.prepare import load_manifest
from trainer.tokens.tokenizer import Tokenizer

CHARS_PER_TOKEN = 1.6  # Japanese, our unigram of 16,000 entries ("ours16k", column "all")
CHARS_FROM = "row ours16k, column all, of the tokenizers in docs/benchmarks.md: Japanese text"
MARKS = 2  # begin and end mark of a document
SAMPLE_CHARS, SAMPLE_GROUPS = 2_000_000, 16
ENOUGH_CHARS = 20_000  # of one source in the sample, for a rate of its own


@dataclass
class Source:
    """Sums over one source: an epoch has sum(weight · tokens), different are sum(min(weight, 1) ·
    tokens), since a document of weight 2 stands twice in an epoch."""

    documents: int = 0
    characters: int = 0
    tokens: float = 0.0
    epoch: float = 0.0
    different: float = 0.0


def measure(path: str | Path, chars_per_token: float = 0.0, tokenizer: str = "") -> dict[str, Any]:
    """The size of a corpus, in total and by source.

    path: token shards of `trainer prepare` (training split; tokens are counted), or a build folder
    of `corpus build`, a folder, file or glob of Parquet text. Raises ConfigError.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    if "vocab_size" in manifest or (folder / "key").is_file():
        if chars_per_token or tokenizer:
            raise ConfigError(
                f"{path} holds token shards, whose tokens are counted: leave out "
                "--chars-per-token and --tokenizer"
            )
        manifest = load_manifest(folder)
        files = [folder / s["name"] for s in manifest["train"]["shards"]]
        how, rates, notes = "counted in the training split", None, []
        vocabulary = int(manifest["vocab_size"])
    else:
        files = parquet.input_files(path)
        how, rates, vocabulary = _rates(files, chars_per_token, tokenizer)
        notes = _check_build(folder, manifest, files)
    sources: dict[str, Source] = {}
    slow = False
    for file in files:
        slow |= _add(file, sources, rates)
    if slow:
        notes.append("no column n_chars: characters were counted in the text itself")
    total = sum(s.epoch for s in sources.values())
    if not total:
        raise ConfigError(f"{path}: no text in it")
    rows: list[dict[str, Any]] = [
        {
            "source": name or "(none)",
            "documents": s.documents,
            "characters": s.characters,
            "tokens": round(s.tokens),
            "epoch_tokens": round(s.epoch),
            "different_tokens": round(s.different),
            "share": s.epoch / total,
        }
        for name, s in sorted(sources.items(), key=lambda item: (-item[1].epoch, item[0]))
    ]
    keys = ("documents", "characters", "tokens", "epoch_tokens", "different_tokens")
    sums = {k: sum(r[k] for r in rows) for k in keys}
    if sums["epoch_tokens"] != sums["tokens"]:
        notes.append("documents have weights: an epoch has the sum of weight · tokens")
    return {"path": str(path), **sums, "tokens_are": how, "vocab_size": vocabulary} | {
        "sources": rows,
        "notes": notes,
    }


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.json"
    if not file.is_file():
        return {}
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{file}: not valid JSON: {error}") from error
    return manifest if isinstance(manifest, dict) else {}


def _check_build(folder: Path, manifest: dict[str, Any], files: list[Path]) -> list[str]:
    """What speaks against the shards being the whole of a `corpus build`."""
    if not (folder / "corpus").is_dir():
        return []
    known = {Path(n).name for n in manifest.get("files", {}) if n.startswith("corpus/train-")}
    if not known:
        return ["no manifest.json: the build may not be finished"]
    odd = sorted(known ^ {f.name for f in files})
    return [f"{odd[0]} is not in both manifest.json and corpus/: build again"] if odd else []


def _add(file: Path, sources: dict[str, Source], rates: dict[str, float] | None) -> bool:
    """Add a file's sums; returns whether its text had to be read.

    rates: characters for a token by source ("" for all others); None where tokens are counted.
    """
    try:
        names = pq.read_schema(file).names
        with pq.ParquetFile(file, read_dictionary=["source"][: "source" in names]) as opened:
            size = "n_chars" if "n_chars" in names else "text"
            wanted = [n for n in ("source", size, "weight") if n in names]
            wanted += [] if rates is not None else ["n_tokens"]
            for batch in opened.iter_batches(1 << 17, columns=wanted):
                _add_batch(batch, size, sources, rates)
    except (pa.ArrowException, OSError, KeyError) as error:
        line = " ".join(str(error).split())[:300]
        raise ConfigError(f"{file}: not readable Parquet text or tokens: {line}") from error
    return size == "text"


def _add_batch(
    batch: pa.RecordBatch, size: str, sources: dict[str, Source], rates: dict[str, float] | None
) -> None:
    n = batch.num_rows
    column = batch.column(size)
    column = pc.utf8_length(column) if size == "text" else column
    chars = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.float64)
    weight = np.ones(n)
    if "weight" in batch.schema.names:
        filled = pc.fill_null(batch.column("weight"), 1.0)
        weight = filled.to_numpy(zero_copy_only=False).astype(np.float64)
    labels, index = [""], np.zeros(n, dtype=np.int64)
    if "source" in batch.schema.names:
        codes = batch.column("source")
        codes = codes if pa.types.is_dictionary(codes.type) else codes.dictionary_encode()
        labels = [*(str(v) for v in codes.dictionary.to_pylist()), ""]
        index = pc.fill_null(codes.indices, len(labels) - 1).to_numpy().astype(np.int64)
    if rates is None:
        tokens = batch.column("n_tokens").to_numpy().astype(np.float64)
    else:
        each = np.array([rates.get(label, rates[""]) for label in labels])
        tokens = np.where(chars > 0, chars / each[index] + MARKS, 0.0)
    sums = {
        "documents": chars > 0,
        "characters": chars,
        "tokens": tokens,
        "epoch": weight * tokens,
        "different": np.minimum(weight, 1) * tokens,
    }
    for key, values in sums.items():
        totals = np.bincount(index, values, len(labels))
        for label, value in zip(labels, totals.tolist(), strict=True):
            if value:
                source = sources.setdefault(label, Source())
                whole = key in ("documents", "characters")
                setattr(source, key, getattr(source, key) + (int(value) if whole else value))


def _rates(
    files: list[Path], chars_per_token: float, tokenizer: str
) -> tuple[str, dict[str, float], int]:
    """(how tokens are known, characters for a token by source, vocabulary or 0)."""
    if chars_per_token < 0 or (chars_per_token and tokenizer):
        raise ConfigError("give --chars-per-token above 0 or --tokenizer, not both")
    if not tokenizer:
        rate = chars_per_token or CHARS_PER_TOKEN
        origin = "as given" if chars_per_token else CHARS_FROM
        return f"estimate: {rate:g} characters a token, {origin}", {"": rate}, 0
    encoder = Tokenizer.load(tokenizer)
    texts = _sample(files)
    sums = {s: (sum(map(len, t)), sum(map(len, encoder.encode_batch(t)))) for s, t in texts.items()}
    chars, tokens = (sum(v[i] for v in sums.values()) for i in (0, 1))
    if not tokens:
        raise ConfigError("no text to try the tokenizer on")
    rates = {s: c / t for s, (c, t) in sums.items() if c >= ENOUGH_CHARS}
    rates[""] = chars / tokens
    how = f"estimate: {tokenizer} makes {chars / tokens:.3f} characters a token on a sample of"
    return f"{how} {chars:,} characters, by source", rates, encoder.vocab_size


def _sample(files: list[Path]) -> dict[str, list[str]]:
    """Texts by source: about SAMPLE_CHARS characters from row groups spread over the files."""
    units = [(u.file, g) for u in parquet.units(files) for g in u.row_groups]
    picked = sorted({i * len(units) // SAMPLE_GROUPS for i in range(SAMPLE_GROUPS)})
    texts: dict[str, list[str]] = {}
    for file, group in (units[i] for i in picked):
        opened = pq.ParquetFile(file)
        names = [n for n in ("text", "source") if n in opened.schema_arrow.names]
        table = opened.read_row_group(group, columns=names)
        chars = pc.sum(pc.utf8_length(table.column("text"))).as_py() or 0
        step = max(1, round(chars * len(picked) / SAMPLE_CHARS))
        for row in table.take(np.arange(0, table.num_rows, step)).to_pylist():
            texts.setdefault(str(row.get("source") or ""), []).append(row["text"] or "")
    return texts
