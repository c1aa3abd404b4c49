"""Records of a crawl in S3: moto's server speaks the protocol, a proxy before it fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ccindex_sample import (
    EVERYTHING,
    WARC,
    fetched,
    local_items,
    settings,
    truth,
    write_parquet,
)
from s3_server import Proxy, s3_server

from corpus.build import Build
from corpus.engine.local import LocalEngine
from corpus.errors import RunError
from corpus.folder.folder import Folder
from corpus.settings import Settings
from corpus.sources import warc
from corpus.sources.item import Unit
from corpus.sources.remote import ranges

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")

BASE = "s3://crawl/data"


@pytest.fixture(scope="module")
def server() -> Iterator[Proxy]:
    import fsspec

    with pytest.MonkeyPatch.context() as environment, s3_server() as proxy:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", proxy.url),
        ):  # fmt: skip
            environment.setenv(name, value)
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("crawl")
        yield proxy


@pytest.fixture
def crawl(server: Proxy, data: Path) -> Proxy:
    """The sample archive as an object, and a proxy without memory or fault."""
    import fsspec

    server.fault, server.always = "", False
    fsspec.filesystem("s3").pipe(f"crawl/data/{WARC}", (data / WARC).read_bytes())
    server.seen.clear()
    server.log.clear()
    return server


def wanted(*sets: str) -> Settings:
    return settings(*EVERYTHING, f"ccindex.base={BASE}", "fetch.gap_kib=0", *sets)


def test_a_build_from_an_index_and_records_in_s3_is_that_of_a_local_build(
    crawl: Proxy, harvested: Path, data: Path, tmp_path: Path
) -> None:
    import fsspec

    index = write_parquet(tmp_path / "index.parquet", truth(data))
    fsspec.filesystem("s3").pipe("crawl/index/part-0.parquet", index.read_bytes())
    crawl.fault = "503"
    whole = settings(*EVERYTHING, f"ccindex.base={BASE}")
    Build(Folder(tmp_path / "out"), whole, ("s3://crawl/index/",), LocalEngine(1, quiet=True)).run(
        "harvest"
    )
    ours = pq.read_table(tmp_path / "out" / "documents")
    local = pq.read_table(harvested / "documents")
    same = [n for n in ours.column_names if n not in ("id", "source_file")]
    assert ours.select(same).equals(local.select(same)) and ours.num_rows > 450
    assert set(ours["source_file"].to_pylist()) == {f"{BASE}/{WARC}"}
    assert {status for *_, status in crawl.log} >= {206, 503}


def test_an_archive_in_s3_is_read_by_units_as_a_local_one(
    crawl: Proxy, data: Path, tmp_path: Path
) -> None:
    name = f"{BASE}/{WARC}"
    size = (data / WARC).stat().st_size
    cuts = [0, size // 3, size // 2, size]
    units = [Unit(n, "warc", (name,), *span) for n, span in enumerate(pairwise(cuts))]
    ours = [item for unit in units for item in warc.read(unit, Settings())]
    local = list(warc.read(Unit(0, "warc", (str(data / WARC),)), Settings()))
    for item in local:
        item.file = name
    assert ours == local


@pytest.mark.parametrize("fault", ["", "503", "500", "cut", "short", "stall"])
def test_a_fault_of_s3_is_survived_without_a_trace_in_the_items(
    fault: str, crawl: Proxy, data: Path, tmp_path: Path
) -> None:
    some = truth(data)[3:700:60]
    index = write_parquet(tmp_path / "i.parquet", some)
    crawl.fault = fault
    items = fetched(index, tmp_path, wanted("fetch.timeout_s=0.5", "fetch.connections=8"))
    assert items == local_items(data, {row["offset"] for row in some}, wanted(), BASE)
    faults = [name for name, *_ in crawl.log if name]
    assert len(faults) == (len(some) if fault else 0)
    assert len(crawl.log) == len(some) + len(faults)  # one way of trying again, ours


def test_how_often_s3_is_asked_is_ours_to_say(crawl: Proxy, data: Path, tmp_path: Path) -> None:
    index = write_parquet(tmp_path / "i.parquet", truth(data)[:1])
    crawl.fault, crawl.always = "503", True
    (item,) = fetched(index, tmp_path, wanted("fetch.attempts=3", "fetch.max_failed=1"))
    assert item.problem == "fetch_failed" and "reduce your request rate" in item.detail
    assert item.detail.endswith("3 attempts") and len(crawl.log) == 3
    with pytest.raises(RunError, match="records could not be fetched"):
        fetched(index, tmp_path, wanted("fetch.attempts=2"))


def test_objects_and_ranges_that_are_not_there_are_asked_for_once(
    crawl: Proxy, data: Path, tmp_path: Path
) -> None:
    size = (data / WARC).stat().st_size
    places = [(f"{BASE}/gone", 0, 9), (f"{BASE}/{WARC}", size - 5, size + 9),
              (f"{BASE}/{WARC}", size + 5, size + 9), ("s3://no-bucket/x", 3, 9)]  # fmt: skip
    gone, end, beyond, no_bucket = [
        next(ranges.fetch_all([place], settings().fetch)) for place in places
    ]
    assert isinstance(gone, ranges.Failure) and gone.final and "attempts" not in gone.reason
    assert isinstance(no_bucket, ranges.Failure) and no_bucket.final
    assert end == (data / WARC).read_bytes()[-5:] and beyond == b""
    assert len(crawl.log) == 4


def test_a_store_that_ignores_ranges_gives_no_wrong_bytes(crawl: Proxy, data: Path) -> None:
    crawl.fault, crawl.always = "whole", True
    (answer,) = ranges.fetch_all([(f"{BASE}/{WARC}", 1000, 2000)], settings().fetch)
    assert answer == ranges.Failure("the store ignores ranges", True)


def test_a_record_cut_by_the_end_of_the_object_is_salvaged(
    crawl: Proxy, data: Path, tmp_path: Path
) -> None:
    import fsspec

    last = truth(data)[-1]
    cut = (data / WARC).read_bytes()[: last["offset"] + last["length"] * 2 // 3]
    (tmp_path / WARC).write_bytes(cut)
    fsspec.filesystem("s3").pipe(f"crawl/data/{WARC}", cut)
    items = fetched(write_parquet(tmp_path / "i.parquet", [last]), tmp_path, wanted())
    assert items == local_items(tmp_path, {last["offset"]}, wanted(), BASE)
    assert items[0].truncated == "record" and items[0].html


def test_no_credentials_are_said_in_one_line(
    crawl: Proxy, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    (answer,) = ranges.fetch_all([(f"{BASE}/{WARC}", 0, 9)], settings().fetch)
    s3fs.S3FileSystem.clear_instance_cache()
    assert isinstance(answer, ranges.Failure) and answer.final
    assert "credentials" in answer.reason
