"""Fetching records by range from a real nginx and from a server that fails in every way we know."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ccindex_sample import (
    EVERYTHING,
    WARC,
    fetched,
    local_items,
    planned,
    settings,
    truth,
    write_parquet,
)
from ccindex_server import NGINX, Faulty, nginx
from hypothesis import given
from hypothesis import strategies as st

from corpus.build import Build
from corpus.engine.local import LocalEngine
from corpus.errors import RunError
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.sources import ccindex
from corpus.sources.remote import ranges

FAULTS = ["busy", "error", "cut", "short", "shifted", "bare", "stall", "all"]


@pytest.fixture(scope="module")
def rows(data: Path) -> list[dict]:
    return truth(data)


@pytest.fixture
def faulty(data: Path) -> Iterator[Faulty]:
    """A failing server over tests/data, in a thread of its own."""
    import threading

    server = Faulty(data)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def nginx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def web_server(data: Path, nginx_folder: Path) -> Iterator[str]:
    if NGINX is None:
        pytest.skip("NO NGINX (apt-get install nginx-light): fetching from it was not tested")
    with nginx(data, nginx_folder) as base:
        yield base


# nginx --------------------------------------------------------------------------------------------


def test_documents_fetched_from_nginx_are_those_of_a_local_build(
    run_corpus: Callable[..., subprocess.CompletedProcess[str]],
    harvested: Path, web_server: str, rows: list[dict], tmp_path: Path,
) -> None:  # fmt: skip
    index = write_parquet(tmp_path / "index.parquet", rows)
    sets = [arg for name in [*EVERYTHING, f"ccindex.base={web_server}"] for arg in ("--set", name)]
    args = ["harvest", index, "--source", "ccindex", *sets, "--workers", 1, "-q"]
    run_corpus(*args, "--out", tmp_path / "out")
    ours = pq.read_table(tmp_path / "out" / "documents")
    local = pq.read_table(harvested / "documents")
    assert ours.num_rows > 450
    assert ours.drop_columns(["id", "source_file"]).equals(
        local.drop_columns(["id", "source_file"])
    )
    assert set(ours["source_file"].to_pylist()) == {f"{web_server}/{WARC}"}
    assert len(set(ours["id"].to_pylist())) == ours.num_rows


@pytest.mark.parametrize("way", ["", "/moved", "/unranged", "/busy"])
def test_nginx_plain_redirecting_unranged_and_rate_limited(
    way: str, web_server: str, nginx_folder: Path, rows: list[dict], data: Path, tmp_path: Path
) -> None:
    some = rows[::12]
    base = f"{web_server}{way}"
    index = write_parquet(tmp_path / "i.parquet", some)
    wanted = settings(
        *EVERYTHING, f"ccindex.base={base}", "fetch.gap_kib=0", "fetch.attempts=30",
        "fetch.backoff_s=0.05",
    )  # fmt: skip
    items = fetched(index, tmp_path, wanted)
    assert items == local_items(data, {row["offset"] for row in some}, wanted, base)
    answers = re.findall(rf'"GET {way}/sample.* HTTP/1.1" (\d+)', nginx_log(nginx_folder))
    seen = {"": {"206"}, "/moved": {"302"}, "/unranged": {"200"}, "/busy": {"206", "503"}}
    assert set(answers) == seen[way]


def nginx_log(folder: Path) -> str:
    return (folder / "access.log").read_text()


# failing servers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_survived_without_a_trace_in_the_items(
    fault: str, faulty: Faulty, rows: list[dict], data: Path, tmp_path: Path
) -> None:
    some = rows[3:700:40]
    base = f"{faulty.base}/{fault}"
    wanted = settings(
        *EVERYTHING, f"ccindex.base={base}", "fetch.gap_kib=0", "fetch.timeout_s=0.4",
        "fetch.connections=8",
    )  # fmt: skip
    index = write_parquet(tmp_path / "i.parquet", some)
    items = fetched(index, tmp_path, wanted)
    assert items == local_items(data, {row["offset"] for row in some}, wanted, base)
    assert len(faulty.log) >= 2 * len(some)  # each range failed at least once


@pytest.mark.parametrize("fault", ["whole", "chunked"])
def test_a_server_that_ignores_range_is_read_up_to_the_record(
    fault: str, faulty: Faulty, rows: list[dict], data: Path, tmp_path: Path
) -> None:
    some = rows[3:700:100]
    base = f"{faulty.base}/{fault}"
    index = write_parquet(tmp_path / "i.parquet", some)
    wanted = settings(*EVERYTHING, f"ccindex.base={base}")
    items = fetched(index, tmp_path, wanted)
    assert items == local_items(data, {row["offset"] for row in some}, wanted, base)
    limited = settings(*EVERYTHING, f"ccindex.base={base}", "fetch.max_skip_mib=1")
    for item in fetched(index, tmp_path, limited):
        behind = item.offset > 1 << 20
        assert (item.problem == "fetch_failed") == behind
        assert not behind or "ignores Range" in item.detail
    assert {status for *_, status in faulty.log} == {200}


def test_retry_after_is_waited_for_by_all_requests(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    def fetch(fault: str) -> None:
        index = write_parquet(tmp_path / f"{fault}.parquet", rows[:1])
        wanted = settings(*EVERYTHING, f"ccindex.base={faulty.base}/{fault}")
        fetched(index, tmp_path / fault, wanted)

    faults = ("later", "date")
    with ThreadPoolExecutor(2) as both:
        list(both.map(fetch, faults))
    for fault in faults:
        (before, _, _, refused), (after, _, _, given) = [e for e in faulty.log if e[1] == fault]
        assert refused in (429, 503) and given == 206
        assert after - before > 0.9, fault  # it asked for 1 s, and a date 1 to 2 s away


def test_retry_after_that_is_nonsense_is_ignored() -> None:
    for text in ("", "soon", "-5", "1e9", "Wed, 99 Foo 2024", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ranges._retry_after(text) == 0.0
    assert ranges._retry_after("999999999999") == ranges.MAX_RETRY_AFTER


def test_a_record_that_is_gone_is_one_item_and_asked_for_once(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    some = rows[:9:4]  # not next to each other, so none are joined
    index = write_parquet(tmp_path / "i.parquet", some)
    wanted = settings(*EVERYTHING, f"ccindex.base={faulty.base}/gone", "fetch.gap_kib=0")
    items = fetched(index, tmp_path, wanted)
    assert [(i.offset, i.length, i.url, i.problem, i.detail) for i in items] == [
        (r["offset"], r["length"], r["url"], "fetch_failed", "HTTP status 404 Not Found")
        for r in some
    ]
    assert len(faulty.log) == 3


def test_a_wrong_base_is_said_instead_of_an_empty_corpus(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows)
    sets = [*EVERYTHING, f"ccindex.base={faulty.base}/gone"]
    with pytest.raises(RunError, match=r"none of 733 records .* is ccindex\.base right\?"):
        fetched(index, tmp_path, settings(*sets))
    assert len(fetched(index, tmp_path, settings(*sets, "fetch.max_failed=1"))) == 733


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("down", "HTTP status 503 Service Unavailable, 2 attempts"),
        ("multipart", "status 206 with Content-Range '', 2 attempts"),
        ("drip", "the answer came too slowly, 2 attempts"),
    ],
)
def test_losses_to_a_failing_server_are_items_only_when_accepted(
    fault: str, reason: str, faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows[:3])
    sets = [*EVERYTHING, f"ccindex.base={faulty.base}/{fault}", "fetch.attempts=2",
            "fetch.timeout_s=0.3"]  # fmt: skip
    items = fetched(index, tmp_path, settings(*sets, "fetch.max_failed=1"))
    assert [(i.problem, i.detail) for i in items] == [("fetch_failed", reason)] * 3
    with pytest.raises(RunError, match="records could not be fetched"):
        fetched(index, tmp_path, settings(*sets, "fetch.attempts=1"))


def test_a_server_that_is_not_there_is_said_in_one_line(rows: list[dict], tmp_path: Path) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows[:3])
    for base, words in (("http://127.0.0.1:9", "no connection"), ("http://[x", "no usable")):
        wanted = settings(*EVERYTHING, f"ccindex.base={base}", "fetch.attempts=2",
                          "fetch.max_failed=1")  # fmt: skip
        items = fetched(index, tmp_path, wanted)
        assert all(words in item.detail and "0x" not in item.detail for item in items)


def test_an_outage_ends_the_unit_before_every_record_was_tried(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows)
    faulty.broken_from = rows[300]["offset"]
    wanted = settings(*EVERYTHING, f"ccindex.base={faulty.base}/half", "fetch.gap_kib=0",
                      "fetch.attempts=1", "fetch.max_failed=0.9")  # fmt: skip
    with pytest.raises(RunError, match="run again later"):
        fetched(index, tmp_path, wanted)
    assert len(faulty.log) < 340


def test_a_build_cut_short_by_an_outage_goes_on_where_it_was(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    some = rows[:60]
    index = write_parquet(tmp_path / "i.parquet", some)
    faulty.broken_from = some[40]["offset"]
    sets = [*EVERYTHING, f"ccindex.base={faulty.base}/half", "ccindex.unit_records=20",
            "fetch.connections=1"]  # fmt: skip
    wanted = settings(*sets, "fetch.attempts=1")
    build = Build(Folder(tmp_path / "out"), wanted, (str(index),), LocalEngine(1, quiet=True))
    with pytest.raises(RunError, match="what is done is kept"):
        build.run("harvest")
    assert len(list((tmp_path / "out" / "documents").iterdir())) == 2
    faulty.log.clear()
    index.unlink()  # the selection is kept: the index is not needed again
    faulty.broken_from = 1 << 60
    patient = settings(*sets, "fetch.attempts=3")  # how it is fetched may change: no byte does
    Build(Folder(tmp_path / "out"), patient, (str(index),), LocalEngine(1, quiet=True)).run(
        "harvest"
    )
    assert {first for _, _, first, _ in faulty.log} == {some[40]["offset"]}
    whole = Build(Folder(tmp_path / "whole"), wanted, (str(index),), LocalEngine(1, quiet=True))
    write_parquet(index, some)
    whole.run("harvest")
    parts = [pq.read_table(tmp_path / name / "documents") for name in ("out", "whole")]
    assert parts[0].equals(parts[1]) and parts[0].num_rows > 20


# joining ------------------------------------------------------------------------------------------


def test_near_records_are_fetched_by_one_request(
    faulty: Faulty, rows: list[dict], tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows)
    fetched(index, tmp_path, settings(*EVERYTHING, f"ccindex.base={faulty.base}/none"))
    assert [status for *_, status in faulty.log] == [206]  # 3.2 MB: below the span of 8 MiB


PLACES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 1 << 25), st.integers(1, 1 << 24)), max_size=20
).map(lambda rows: sorted((f, start, start + size) for f, start, size in rows))


@given(PLACES, st.integers(0, 1 << 20))
def test_joined_requests_hold_all_places_in_order_within_their_bounds(
    places: list[ranges.Place], gap: int
) -> None:
    requests = list(ranges.join(places, gap))
    assert [place for request in requests for place in request] == places
    for request in requests:
        file, start, stop = ranges._span(request)
        assert {place[0] for place in request} == {file}
        assert len(request) == 1 or stop - start <= ranges.MAX_SPAN
        reached = start
        for _, first, behind in request:
            assert first <= reached + gap
            reached = max(reached, behind)


def test_explain_fetches_only_the_record_it_is_asked_about(
    faulty: Faulty, rows: list[dict], data: Path, tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", rows)
    wanted = settings(*EVERYTHING, f"ccindex.base={faulty.base}/none")
    planned(index, tmp_path, wanted)
    only = [r for r in rows if sum(o["url"] == r["url"] for o in rows) == 1][5]
    (unit,) = ccindex.find(Layout(tmp_path), only["url"])
    (item,) = ccindex.read(unit, wanted)
    base = f"{faulty.base}/none"
    assert [item] == local_items(data, {only["offset"]}, wanted, base)
    assert len(faulty.log) == 1
