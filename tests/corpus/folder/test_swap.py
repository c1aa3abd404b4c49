"""Publishing is one step: readers see the old corpus or the new one, never parts of both."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from build_folders import tree

from corpus.folder import swap
from corpus.folder.layout import Layout

OUTWARD = ("corpus/", "README", "croissant", "report", "funnel", "manifest")


def outward(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in tree(folder).items() if name.startswith(OUTWARD)}


@pytest.fixture
def build(small_built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_built, tmp_path / "corpus"))


def test_another_selection_leaves_what_is_published_until_the_next_is_whole(
    run_corpus, build: Path
) -> None:
    before, rows = outward(build), pq.read_table(build / "corpus").num_rows
    assert "corpus/train-00000-of-00001.parquet" in before
    run_corpus("select", build, "--profile", "swallow-v1", "-j", 1, "-q")
    assert outward(build) == before
    assert run_corpus("card", build).stdout == (build / "README.md").read_text()
    run_corpus("publish", build, "-j", 1, "-q")
    after = outward(build)
    assert all(after[name] != before[name] for name in before)
    assert 0 < pq.read_table(build / "corpus").num_rows < rows
    assert not list((build / "state" / "publish").rglob("next/*"))


def test_a_publication_that_fails_changes_nothing(
    run_corpus, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpus.answers import croissant

    before = outward(build)
    run_corpus("select", build, "--profile", "swallow-v1", "-j", 1, "-q")

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(croissant, "metadata", broken)
    assert run_corpus("publish", build, "-j", 1, "-q", check=False).returncode == 1
    monkeypatch.undo()
    assert outward(build) == before
    run_corpus("publish", build, "-j", 1, "-q")
    assert outward(build) != before


# the swap itself, on small files ------------------------------------------------------------------


def publication(root: Path, shards: dict[str, str], card: str) -> dict[str, str]:
    """The files of a publication with a receipt a shard; path → content."""
    files = {f"corpus/{name}": text for name, text in shards.items()}
    for number, (name, text) in enumerate(shards.items()):
        outputs = {f"corpus/{name}": {"sha256": hashlib.sha256(text.encode()).hexdigest()}}
        receipt = json.dumps({"outputs": outputs, "counts": {"card": card}})
        files[f"state/publish/{number:07d}.json"] = receipt
    files["README.md"] = card
    digests = {
        name: {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in files.items()
        if not name.startswith("state")
    }
    files["manifest.json"] = json.dumps({"files": digests})
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return files


def content(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


OLD = {"train-0-of-2.parquet": "a", "train-1-of-2.parquet": "b"}
NEW = [
    {"train-0-of-2.parquet": "a", "train-1-of-2.parquet": "c"},  # one stays
    {"train-0-of-3.parquet": "a", "train-1-of-3.parquet": "b", "train-2-of-3.parquet": "c"},
    {"train-0-of-1.parquet": "d"},
]


@pytest.mark.parametrize("new", NEW)
@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_swap_that_is_killed_at_any_call_is_finished_by_the_next(
    tmp_path: Path, new: dict[str, str], can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(swap.ctypes, "CDLL", lambda *_, **__: object())
    for moment in range(1, 40):
        root = tmp_path / str(moment)
        layout = Layout(root)
        publication(root, OLD, "old")
        wanted = publication(layout.staged.root, new, "new")
        calls = [0]

        class Killed(BaseException):
            pass

        with pytest.MonkeyPatch.context() as patch:
            for name in ("replace", "rename", "link", "unlink"):
                real = getattr(os, name)

                def counted(*args, real=real, calls=calls, moment=moment, **kw):
                    calls[0] += 1
                    if calls[0] == moment:
                        raise Killed
                    return real(*args, **kw)

                patch.setattr(os, name, counted)
            try:
                swap.finish(layout)
            except Killed:
                killed = True
            else:
                killed = False
        shards = {n: t for n, t in content(root).items() if n.startswith("corpus/")}
        allowed = [{f"corpus/{n}": t for n, t in each.items()} for each in (OLD, new)]
        if can_exchange:
            assert shards in allowed, f"half of two corpora at call {moment}"
        swap.finish(layout)
        assert content(root) == wanted, f"call {moment}"
        if not killed:
            assert moment > 3
            return
    raise AssertionError("the swap has no end")


def test_a_reader_that_lists_and_opens_sees_one_corpus(tmp_path: Path) -> None:
    """Names listed while corpora come and go are of one of them, never of both.

    A reader that opened the folder itself before a swap may find it being emptied after it.
    """
    layout = Layout(tmp_path / "build")
    old = {f"train-{i}-of-9.parquet": "old" for i in range(9)}
    new = {f"train-{i}-of-7.parquet": "new" for i in range(7)}
    publication(layout.root, old, "old")
    seen: set[frozenset[str]] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            folder = os.open(layout.shards_folder, os.O_RDONLY)
            seen.add(frozenset(os.listdir(folder)))
            os.close(folder)

    reader = threading.Thread(target=read)
    reader.start()
    held = (layout.shards_folder / "train-0-of-9.parquet").open()
    for turn in range(20):
        publication(layout.staged.root, [new, old][turn % 2], str(turn))
        swap.finish(layout)
    stop.set()
    reader.join()
    assert all(names <= old.keys() or names <= new.keys() for names in seen)
    assert frozenset(old) in seen or frozenset(new) in seen
    assert held.read() == "old"  # an open file stays what it was
    held.close()
