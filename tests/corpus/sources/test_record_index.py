"""An index beside an archive moves the cuts to record starts; one that lies changes no record."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from corpus.build import Build
from corpus.config import load
from corpus.engine.local import LocalEngine
from corpus.folder.folder import Folder
from corpus.sources.archives import record_index, warc
from corpus.sources.archives.window import Window
from corpus.sources.plan import units

SETTINGS = load(None, ["input.unit_mib=1"])
NAMES = ["X.warc.gz.cdxj", "X.warc.gz.cdx", "X.cdxj", "X.cdx", "X.warc.gz.cdx.gz", "X.cdxj.gz"]


def starts(path: Path) -> list[int]:
    with Window(str(path)) as window:
        found = warc.read(window, 0, window.size, 1 << 20)
        return [r.offset for r in found if isinstance(r, warc.Record)]


def write_index(path: Path, offsets: list[int], name: str) -> None:
    """CDXJ as pywb writes it, CDX as wget does (no lengths, letters of its own), packed or not."""
    if ".cdxj" in path.name:
        lines = [
            "jp,example)/ 20240102030405 "
            + json.dumps({"url": "http://example.jp/", "offset": str(o), "filename": name})
            for o in offsets
        ]
    else:
        lines = [" CDX a b a m s k r M V g u"]
        lines += [
            f"http://example.jp/ 20240102030405 http://example.jp/ text/html 200 X - - {o} {name} "
            f"<urn:uuid:{o}>" for o in offsets
        ]  # fmt: skip
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)


@pytest.fixture
def archive(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(data / "sample.warc.gz", tmp_path / "X.warc.gz"))


def edges(archive: Path) -> list[int]:
    return [unit.start for unit in units([str(archive)], SETTINGS)][1:]


@pytest.mark.parametrize("name", NAMES)
def test_cuts_stand_where_the_index_says_records_start(name: str, archive: Path) -> None:
    even = edges(archive)
    places = starts(archive)
    write_index(archive.with_name(name), places, archive.name)
    found = edges(archive)
    assert found == [min(p for p in places if p >= cut) for cut in even] != even
    assert len(found) == 2


def test_plain_and_zstd_archives_have_indexes_too(data: Path, tmp_path: Path) -> None:
    for name in ("plain.warc", "sample.warc.zst"):
        path = Path(shutil.copy(data / name, tmp_path / name))
        even = [0, *range(10_000, path.stat().st_size, 10_000), path.stat().st_size]
        write_index(tmp_path / f"{name}.cdxj", starts(path), name)
        moved = record_index.cuts(str(path), even)
        assert set(moved[1:-1]) & set(starts(path)) and len(moved) == len(even)
        assert moved == sorted(moved)


def read_in_units(archive: Path) -> list[int]:
    found = []
    with Window(str(archive)) as window:
        for unit in units([str(archive)], SETTINGS):
            end = window.size if unit.end < 0 else unit.end
            found += [r.offset for r in warc.read(window, unit.start, end, 1 << 16)]
    return found


@hypothesis(max_examples=25)
@given(shift=st.integers(-3, 3), every=st.integers(1, 90), noise=st.lists(st.integers(-9, 1 << 40)))
def test_an_index_that_lies_loses_and_repeats_no_record(
    tmp_path_factory: pytest.TempPathFactory, data: Path, shift: int, every: int, noise: list[int]
) -> None:
    archive = tmp_path_factory.mktemp("lies") / "X.warc.gz"
    archive.symlink_to(data / "sample.warc.gz")
    places = starts(archive)
    lies = [place + shift for place in places[::every]] + noise
    write_index(archive.with_name("X.cdxj"), lies, archive.name)
    assert read_in_units(archive) == places
    assert not shift or set(edges(archive)) <= {*places, *even_edges(archive)}


def even_edges(archive: Path) -> list[int]:
    size = archive.stat().st_size
    return [size * n // 3 for n in (1, 2)]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b\x08\0cut", b"\xff" * 99_999, b" CDX V g\n5 X.warc.gz\n", b"{}\n[]}\n{}}",
     b"a 2024 " + b'{"offset":' * 9999 + b"}\n"],
)  # fmt: skip
def test_an_index_that_is_none_is_passed_over(content: bytes, archive: Path) -> None:
    even = edges(archive)
    archive.with_name("X.cdxj").write_bytes(content)
    assert edges(archive) == even


def test_an_index_of_other_archives_is_passed_over(archive: Path) -> None:
    even = edges(archive)
    write_index(archive.with_name("X.cdxj"), starts(archive), "other.warc.gz")
    assert edges(archive) == even


def test_documents_have_the_same_bytes_with_and_without_an_index(
    archive: Path, tmp_path: Path
) -> None:
    for name in ("without", "with"):
        if name == "with":
            write_index(archive.with_name("X.warc.gz.cdxj"), starts(archive), archive.name)
        engine = LocalEngine(1, quiet=True)
        Build(Folder(tmp_path / name), SETTINGS, (str(archive),), engine).run("harvest")
    for kind in ("documents", "ledger"):
        parts = [sorted((tmp_path / name / kind).iterdir()) for name in ("without", "with")]
        assert [p.read_bytes() for p in parts[0]] == [p.read_bytes() for p in parts[1]]
    assert len(parts[0]) == 3
    plans = [(tmp_path / n / "state/plan.json").read_bytes() for n in ("without", "with")]
    assert plans[0] != plans[1]  # the index was used
    assert pq.read_table(tmp_path / "with/documents").num_rows > 450
