"""`trainer remove`: documents taken out of token shards, as a takedown of the corpus asks.

Of Megatron's files beside the shards the pairs of their sources are written anew, too.
Shards that hold one are written anew without its rows; then the units' notes and the manifest say
what the shards hold now. Killed at any moment, it goes on when it is run again. The fingerprint of
the shards changes: a run that was trained on them before keeps its model, but its steps cannot be
replayed any more, because what they read is gone. The manifest keeps the fingerprints from before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trainer import files
from trainer.export import megatron
from trainer.tokens.prepare import SPLITS, fingerprint, load_manifest, write_shard

BEFORE = "before_removal"  # key of the manifest: fingerprints that the shards had


def remove(folder: str | Path, ids: list[str]) -> dict[str, Any]:
    """Take the documents of these ids out; returns {tokens, documents, removed, shards}.

    removed: how many of them were there; shards: how many files they stood in. Raises
    ConfigError when the shards are not finished.
    """
    root = Path(folder)
    manifest = load_manifest(root)
    wanted = pa.array(sorted(set(ids)), pa.large_string())
    removed = touched_shards = 0
    touched: set[tuple[str, str]] = set()
    facts: dict[str, dict[str, Any]] = {}
    # Every shard is looked at: one that was written before a kill is in no note yet.
    for split in SPLITS:
        for shard in manifest[split]["shards"]:
            path = root / shard["name"]
            if not path.exists():
                facts[shard["name"]] = _nothing(shard["name"])
                continue
            named = pq.read_table(path, columns=["id", "source"])
            gone = pc.is_in(named["id"], wanted)
            if number := pc.sum(gone).as_py() or 0:
                removed += number
                touched_shards += 1
                sources = named["source"].cast(pa.string()).fill_null("").filter(gone)
                touched |= {(split, str(s)) for s in sources.unique().to_pylist()}
                facts[shard["name"]] = write_shard(
                    path, shard["name"], pq.read_table(path).filter(pc.invert(gone))
                )
            elif files.sha256(path) != shard["sha256"]:
                facts[shard["name"]] = write_shard(path, shard["name"], pq.read_table(path))
    if facts:
        _note(root, manifest, facts)
    if megatron.outdated(root):
        megatron.write(root, touched or None)  # None: killed before, between shards and these
    left = sum(manifest[split]["rows"] for split in SPLITS)
    return {"tokens": str(folder), "documents": left, "removed": removed} | {
        "shards": touched_shards
    }


def _nothing(name: str) -> dict[str, Any]:
    return {"name": name, "rows": 0, "tokens": 0, "bytes": 0, "chars": 0, "sha256": ""}


def _note(root: Path, manifest: dict[str, Any], facts: dict[str, dict[str, Any]]) -> None:
    """Say in the units' notes, then in the manifest, what the shards hold now."""
    for path in sorted((root / "units").glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        shards = [facts.get(shard["name"], shard) for shard in row["shards"]]
        if shards != row["shards"]:
            files.write(path, json.dumps({**row, "shards": shards}).encode())
    before = [*manifest.get(BEFORE, []), manifest["fingerprint"]]
    for split in SPLITS:
        shards = [facts.get(shard["name"], shard) for shard in manifest[split]["shards"]]
        shards = [shard for shard in shards if shard["rows"]]
        sums = {k: sum(s[k] for s in shards) for k in ("rows", "tokens", "bytes", "chars")}
        manifest[split] = sums | {"shards": shards}
    manifest["fingerprint"] = fingerprint(manifest)
    manifest[BEFORE] = before
    files.write(root / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
