"""MANIFEST.json of a checkpoint: size and SHA-256 of every file; without it there is none."""

from __future__ import annotations

import json
from pathlib import Path

from trainer import files


def seal(folder: Path, digests: dict[str, str] | None = None) -> None:
    """Write MANIFEST.json, which makes the checkpoint whole; `digests`: of files already synced."""
    manifest, digests = {}, digests or {}
    for file in sorted(p for p in folder.iterdir() if p.name != "MANIFEST.json"):
        if file.name not in digests:
            files.fsync(file)
        digest = digests.get(file.name) or files.sha256(file)
        manifest[file.name] = {"size": file.stat().st_size, "sha256": digest}
    files.write(folder / "MANIFEST.json", json.dumps(manifest, indent=1).encode())
    files.fsync(folder)


def _manifest(folder: Path) -> list[tuple[str, int, str]]:
    """(name, size, SHA-256) of every file; empty when it is not readable."""
    try:
        manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
        return [(str(n), int(e["size"]), str(e["sha256"])) for n, e in manifest.items()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return []


def check(folder: Path) -> str:
    """Why the files of a checkpoint are not those of its manifest; empty if they are."""
    wanted = _manifest(folder)
    if not wanted:
        return "no readable MANIFEST.json"
    for name, size, _ in wanted:
        file = folder / name
        if Path(name).name != name or file.is_symlink() or not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes, {size} expected"
    names = {name for name, _, _ in wanted}
    weights = ".metadata" in names or any(n.endswith(".safetensors") for n in names)
    return "" if weights and "train.json" in names else "incomplete manifest"


def verify(folder: Path, rank: int = 0, size: int = 1) -> str:
    """Which file of this process's share does not match its SHA-256; empty if none."""
    for name, _, digest in _manifest(folder)[rank::size]:
        if files.sha256(folder / name) != digest:
            return f"{name} does not match its SHA-256"
    return ""
