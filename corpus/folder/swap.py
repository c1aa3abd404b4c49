"""What is published changes at once: shards, card and manifest take the place of the old ones.

A publication is made whole in `layout.staged`, a small build folder of its own, beside the one that
readers see. Its manifest, written last, is the record that it is complete: from then on it will be
published, by this process or by the next one that writes here.

    DIR/corpus          ⇄ next/corpus       one system call (renameat2, RENAME_EXCHANGE)
    DIR/ledger, state   ←  next/…           ledger and receipts of publish
    DIR/README.md …     ←  next/README.md … renamed one by one, manifest.json last

Where a file system cannot exchange folders, two renames do it, and for their moment there is no
DIR/corpus. A reader that has a file open goes on reading the old one; who opens a name afterwards
gets the new shard, or none where the number of shards changed. In an object store the staged
objects are copied to their names, one after the other, the manifest last.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
from pathlib import Path
from typing import Any

from corpus.folder.commit import fsync_folder, sha256
from corpus.folder.layout import LEDGER, SHARDS, Layout
from corpus.folder.mirror import Mirror

STAGE = "publish"


def finish(layout: Layout, mirror: Mirror | None = None) -> bool:
    """Publish what is staged, if it is complete; whether it was. Only under the folder's lock."""
    staged = layout.staged
    try:
        manifest: dict[str, Any] = json.loads(staged.manifest.read_bytes())
    except FileNotFoundError:
        if not staged.receipts(STAGE):  # left by a run that was killed behind its swap
            discard(layout, mirror)
        return False
    files = {name: facts["sha256"] for name, facts in manifest["files"].items()}
    shards = {Path(name).name: digest for name, digest in files.items() if _is_shard(name)}
    names = (path.relative_to(staged.root) for path in sorted(staged.root.rglob("*")))
    moves = [
        (staged.root / name, layout.root / name)
        for name in names
        if (staged.root / name).is_file()
        and not name.parts[0].startswith(SHARDS)
        and staged.root / name != staged.manifest
    ]
    stale = _stale(layout, files, {target for _, target in moves})
    # In a store first: what has its name here has it there.
    if mirror is not None:
        new = [(path, layout.shard(path.name)) for path in staged.shards() if path.name in shards]
        mirror.copy([*new, *moves])
        mirror.remove([*stale, *(p for p in layout.shards() if p.name not in shards)])
        mirror.copy([(staged.manifest, layout.manifest)])
    _exchange_shards(layout, shards)
    for path in stale:
        path.unlink(missing_ok=True)
    for path, target in [*moves, (staged.manifest, layout.manifest)]:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    fsync_folder(layout.root)
    discard(layout, mirror)
    return True


def discard(layout: Layout, mirror: Mirror | None = None) -> None:
    """Remove whatever is staged."""
    root = layout.staged.root
    if root.is_dir():
        if mirror is not None:
            mirror.remove([path for path in root.rglob("*") if path.is_file()])
        shutil.rmtree(root)


def _is_shard(name: str) -> bool:
    return name.startswith(f"{SHARDS}/")


def _stale(layout: Layout, files: dict[str, str], coming: set[Path]) -> list[Path]:
    """Receipts and ledger files of publish that are of shards which are published no more."""
    stale = []
    for path in set(layout.receipts(STAGE)) - coming:
        outputs = json.loads(path.read_bytes())["outputs"]
        if any(files.get(name) != facts["sha256"] for name, facts in outputs.items()):
            stale.append(path)
    ledgers = set(layout.ledgers(STAGE)) - coming
    return [*stale, *(p for p in ledgers if f"{LEDGER}/{p.name}" not in files)]


def _exchange_shards(layout: Layout, shards: dict[str, str]) -> None:
    """Put the staged shards, and those that stay, in the place of the published ones."""
    ours, theirs = layout.staged.shards_folder, layout.shards_folder
    there = {path.name for path in layout.shards()}
    fresh = [path for path in layout.staged.shards() if path.name in shards]
    # Nothing to do where only the card is new, or after a kill behind the exchange, when what is
    # staged are the old shards.
    is_new = fresh and all(sha256(path) == shards[path.name] for path in fresh)
    if there == shards.keys() and not is_new:
        return
    ours.mkdir(parents=True, exist_ok=True)
    theirs.mkdir(parents=True, exist_ok=True)
    for path in layout.staged.shards():
        if path.name not in shards:
            path.unlink()
    for name in shards.keys() - {path.name for path in fresh}:
        link(layout.shard(name), ours / name)
    fsync_folder(ours)
    exchange(ours, theirs)
    fsync_folder(theirs.parent)


def link(path: Path, target: Path) -> None:
    """The file under a second name, or a copy where there are no hard links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


def exchange(one: Path, other: Path) -> None:
    """Swap two folders; at once, where kernel and file system can."""
    at_cwd, flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    with contextlib.suppress(AttributeError):  # no such call in this C library
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), flag) == 0:
            return
    aside = one.with_name(f"{one.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)
