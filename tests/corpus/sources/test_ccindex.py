"""Selecting records from an index: Parquet, CDXJ, CDX; filters; hostile rows; local files."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ccindex_sample import (
    EVERYTHING,
    WARC,
    cdx,
    cdxj,
    columns,
    fetched,
    local_items,
    planned,
    settings,
    truth,
    write_parquet,
)
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import RunError, UsageError
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.sources import ccindex
from corpus.sources.archives.cdx import Reader


def rows_of(state: Path) -> list[dict]:
    return pq.read_table(Layout(state).selection).to_pylist()


def test_japanese_records_are_selected_sorted_and_read_like_a_local_warc(
    data: Path, tmp_path: Path
) -> None:
    rows = truth(data)
    japanese = {r["offset"] for r in rows if r["true_lang"] == "ja" and r["status"] == 200}
    index = write_parquet(tmp_path / "index.parquet", rows)
    wanted = settings(f"ccindex.base={data}")
    items = fetched(index, tmp_path, wanted)
    assert [item.offset for item in items] == sorted(japanese)
    assert items == local_items(data, japanese, wanted, str(data))
    assert all(item.length for item in items)


@pytest.mark.parametrize("form", ["parquet", "cdxj", "cdxj.gz", "cdx", "folder"])
def test_every_form_of_index_selects_the_same_records(
    form: str, data: Path, tmp_path: Path
) -> None:
    rows = truth(data)
    write_parquet(tmp_path / "expected.parquet", rows)
    planned(tmp_path / "expected.parquet", tmp_path / "a", settings(*EVERYTHING))
    index = tmp_path / "index"
    if form == "parquet":
        write_parquet(index, rows)  # known by its bytes, not by its name
    elif form == "cdxj":
        index.write_bytes(b"!meta {}\n" + cdxj(rows))
    elif form == "cdxj.gz":  # many members, as Common Crawl packs them
        half = len(rows) // 2
        index.write_bytes(gzip.compress(cdxj(rows[:half])) + gzip.compress(cdxj(rows[half:])))
    elif form == "cdx":
        index.write_bytes(cdx(rows))
    else:
        index = tmp_path / "expected.parquet"
    planned(index, tmp_path / "b", settings(*EVERYTHING))
    assert len(rows_of(tmp_path / "b")) == len(rows) == 733
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b")


def test_the_language_filter_takes_cdxj_lines_that_name_the_language(
    data: Path, tmp_path: Path
) -> None:
    rows = truth(data)
    (tmp_path / "i.cdxj").write_bytes(cdxj(rows))
    planned(tmp_path / "i.cdxj", tmp_path, settings())
    offsets = {row["offset"] for row in rows_of(tmp_path)}
    assert offsets == {r["offset"] for r in rows if r["true_lang"] == "ja" and r["status"] == 200}


def test_pages_without_a_noted_language_come_with_unknown(data: Path, tmp_path: Path) -> None:
    rows = truth(data)
    expected = {r["offset"] for r in rows if r["true_lang"] in ("ja", None)}
    for name, write in (("i.parquet", write_parquet), ("i.cdxj", None)):
        path = tmp_path / name
        if write:
            write(path, rows)
        else:
            path.write_bytes(cdxj(rows))
        planned(path, tmp_path, settings("ccindex.languages=jpn,unknown", "ccindex.status="))
        assert {row["offset"] for row in rows_of(tmp_path)} == expected, name


@pytest.mark.parametrize(
    ("sets", "keeps"),
    [
        (["ccindex.hosts=libreoffice.org"], lambda r: "libreoffice.org" in r["url"].split("/")[2]),
        (["ccindex.hosts=office.org"], lambda r: False),  # below the host, not ending like it
        (["ccindex.status=404,301"], lambda r: r["status"] in (404, 301)),
        (["ccindex.languages=kor,rus"], lambda r: r["true_lang"] in ("ko", "ru")),
        (["ccindex.since=2024-03-01", "ccindex.until=2024-05-01"], lambda r: r["n"] % 12 in (2, 3)),
        (["ccindex.since=2024-12-01T00:00:01"], lambda r: False),
        (["ccindex.mimes=application/pdf"], lambda r: False),
    ],
)
def test_filters(sets: list[str], keeps: Callable, data: Path, tmp_path: Path) -> None:
    rows = [row | {"n": n} for n, row in enumerate(truth(data))]
    index = write_parquet(tmp_path / "index.parquet", rows)
    if not any(map(keeps, rows)):
        with pytest.raises(UsageError, match="matches no record"):
            planned(index, tmp_path, settings(*EVERYTHING, *sets))
        return
    planned(index, tmp_path, settings(*EVERYTHING, *sets))
    assert [r["offset"] for r in rows_of(tmp_path)] == [r["offset"] for r in rows if keeps(r)]


def test_a_page_in_several_languages_is_found_by_any_of_them(data: Path, tmp_path: Path) -> None:
    rows = truth(data)[:3]
    index = write_parquet(tmp_path / "i.parquet", rows, content_languages=["eng,jpn", "jpnx", None])
    planned(index, tmp_path, settings("ccindex.status="))
    assert [row["offset"] for row in rows_of(tmp_path)] == [rows[0]["offset"]]


def test_units_are_cut_by_number_and_cover_the_selection(data: Path, tmp_path: Path) -> None:
    index = write_parquet(tmp_path / "i.parquet", truth(data))
    units = planned(index, tmp_path, settings(*EVERYTHING, "ccindex.unit_records=100"))
    assert [u.end - u.start for u in units] == [100] * 7 + [33]
    assert [u.index for u in units] == list(range(8))
    whole = settings(*EVERYTHING, f"ccindex.base={data}")
    parts = [item for unit in units for item in ccindex.read(unit, whole)]
    assert parts == fetched(index, tmp_path, whole)


def test_the_same_record_in_two_indexes_is_fetched_once(data: Path, tmp_path: Path) -> None:
    rows = truth(data)
    one, two = write_parquet(tmp_path / "1.parquet", rows), tmp_path / "2.cdxj"
    two.write_bytes(cdxj(rows[:50]))
    ccindex.plan([str(one), str(two)], settings(*EVERYTHING), Folder(tmp_path))
    about = json.loads(Layout(tmp_path).selection.with_suffix(".json").read_text())
    assert about == {
        "index_files": 2, "index_lines_unreadable": 0, "records": 733, "repeated": 50
    }  # fmt: skip
    assert not (tmp_path / "ccindex/spill").exists()


def test_the_selection_has_the_same_bytes_for_any_order_of_the_index(
    data: Path, tmp_path: Path
) -> None:
    rows = truth(data) * 12  # more than two row groups
    starts = [row["offset"] + n * 7_000_000 for n, row in enumerate(rows)]
    table = pa.table(columns(rows) | {"warc_record_offset": starts})
    made = []
    for name, order in (("a", range(len(rows))), ("b", sorted(range(len(rows)), key=hash))):
        pq.write_table(table.take(list(order)[:: 1 if name == "a" else -1]), tmp_path / name)
        planned(tmp_path / name, tmp_path / f"state-{name}", settings(*EVERYTHING))
        made.append(Layout(tmp_path / f"state-{name}").selection.read_bytes())
    assert made[0] == made[1]
    assert len(rows_of(tmp_path / "state-a")) == len(rows)


def test_hostile_rows_cost_one_item_each(data: Path, tmp_path: Path) -> None:
    good = truth(data)[7]
    size = (data / WARC).stat().st_size
    bad: list[tuple[str | None, int | None, int | None, str, str]] = [
        ("../secret.warc.gz", 0, 10, "fetch_failed", "outside"),
        ("/etc/passwd", 0, 10, "fetch_failed", "outside"),
        ("http://elsewhere.example/x.gz", 0, 10, "fetch_failed", "outside"),
        (None, 0, 10, "fetch_failed", "gives no place"),
        (WARC, None, 10, "fetch_failed", "gives no place"),
        (WARC, -5, 10, "fetch_failed", "gives no place"),
        (WARC, 5, 0, "fetch_failed", "gives no place"),
        (WARC, 6, 1 << 40, "fetch_failed", "limit"),
        ("missing.warc.gz", 0, 10, "fetch_failed", "No such file"),
        (WARC, size + 10, 10, "fetch_failed", "ends before"),
        (WARC, 1, 50, "unreadable", ""),
    ]
    rows = [good] * (len(bad) + 1)
    index = write_parquet(
        tmp_path / "i.parquet", rows,
        warc_filename=[b[0] for b in bad] + [WARC],
        warc_record_offset=[b[1] for b in bad] + [good["offset"]],
        warc_record_length=[b[2] for b in bad] + [good["length"]],
    )  # fmt: skip
    wanted = settings(*EVERYTHING, f"ccindex.base={data}")
    items = {
        (i.file.removeprefix(f"{data}/"), i.offset): i for i in fetched(index, tmp_path, wanted)
    }
    assert len(items) == len(bad) + 1
    for name, start, _, problem, words in bad:
        item = items[(name or "", -1 if start is None else start)]
        assert item.problem == problem and words in item.detail, (name, start, item)
    assert [items[(WARC, good["offset"])]] == local_items(data, {good["offset"]}, wanted, str(data))


def test_a_record_cut_by_the_end_of_the_file_is_salvaged_as_from_a_local_file(
    data: Path, tmp_path: Path
) -> None:
    last = truth(data)[-1]
    cut = (data / WARC).read_bytes()[: last["offset"] + last["length"] * 2 // 3]
    (tmp_path / WARC).write_bytes(cut)
    wanted = settings(*EVERYTHING, f"ccindex.base={tmp_path}")
    items = fetched(write_parquet(tmp_path / "i.parquet", [last]), tmp_path, wanted)
    assert items == local_items(tmp_path, {last["offset"]}, wanted, str(tmp_path))
    assert items[0].truncated == "record" and items[0].html


def test_index_and_records_may_lie_in_any_fsspec_store(data: Path, tmp_path: Path) -> None:
    rows = truth(data)[:40]
    store = fsspec.filesystem("memory")
    store.pipe("/cc/i.parquet", write_parquet(tmp_path / "i.parquet", rows).read_bytes())
    store.pipe(f"/cc/{WARC}", (data / WARC).read_bytes())
    wanted = settings(*EVERYTHING, "ccindex.base=memory://cc")
    items = fetched("memory://cc/i.parquet", tmp_path, wanted)
    assert items == local_items(data, {r["offset"] for r in rows}, wanted, "memory://cc")


def test_plain_and_zstd_records_are_read_too(data: Path, tmp_path: Path) -> None:
    from corpus.sources.archives import warc
    from corpus.sources.archives.window import Window

    for name in ("plain.warc", "sample.warc.zst"):
        with Window(str(data / name)) as window:
            records = [(r.offset, r.length) for r in warc.read(window, 0, window.size, 1 << 20)]
        row = truth(data)[0]
        index = write_parquet(
            tmp_path / "i.parquet", [row] * len(records), warc_filename=[name] * len(records),
            warc_record_offset=[r[0] for r in records], warc_record_length=[r[1] for r in records],
        )  # fmt: skip
        items = fetched(index, tmp_path, settings(*EVERYTHING, f"ccindex.base={data}"))
        assert [(i.offset, i.length) for i in items] == records
        assert not [i for i in items if i.problem] and sum(bool(i.html) for i in items) >= 12


@pytest.mark.parametrize("drop", ["warc_record_length", "content_languages", "fetch_status"])
def test_a_missing_column_is_named(drop: str, data: Path, tmp_path: Path) -> None:
    table = pa.table(columns(truth(data)[:3])).drop_columns([drop])
    pq.write_table(table, tmp_path / "i.parquet")
    with pytest.raises(UsageError, match=drop):
        planned(tmp_path / "i.parquet", tmp_path, settings())


def test_an_index_that_tells_no_languages_asks_for_the_filter_to_go(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "i.cdx").write_bytes(cdx(truth(data)))
    with pytest.raises(UsageError, match=r"--set ccindex\.languages= "):
        planned(tmp_path / "i.cdx", tmp_path, settings())


def test_files_that_are_no_index_are_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("これは索引ではない\n" * 5)
    (tmp_path / "short.cdx").write_text(" CDX N b a m s k r V g\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(cdxj(truth(data)))[:5000])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    for name, error in (("text", UsageError), ("short.cdx", UsageError), ("cut.gz", RunError),
                        ("bad.parquet", RunError)):  # fmt: skip
        with pytest.raises(error) as caught:
            planned(tmp_path / name, tmp_path / "s", settings(*EVERYTHING))
        assert "\n" not in str(caught.value), name


def test_wrong_settings_are_refused() -> None:
    for wrong in ("ccindex.since=yesterday", "ccindex.status=ok", "fetch.attempts=0"):
        with pytest.raises(UsageError):
            settings(wrong)


def test_the_command_refuses_a_filter_that_matches_nothing_politely(
    run_corpus: Callable[..., subprocess.CompletedProcess[str]], data: Path, tmp_path: Path
) -> None:
    index = write_parquet(tmp_path / "i.parquet", truth(data)[:5])
    args = ["harvest", index, "--source", "ccindex", "--set", "ccindex.hosts=nowhere.example"]
    result = run_corpus(*args, "--out", tmp_path / "out", "--workers", 1, check=False)
    assert result.returncode == 2 and "matches no record" in result.stderr, result.stderr


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([
    b'a 20240101000000 {"url": 1, "filename": [], "offset": "x", "length": {}}',
    b'a 20240101000000 {"url": "http://[", "filename": "f", "offset": 1, "length": 2}',
    b'a 20240101000000 {"url": "u", "filename": "f", "offset": 1e400, "length": 2}',
    b'a 20240101000000 {"url": "\\ud800", "filename": "f", "offset": "1", "length": "2"}',
    b'a 2024 {"url": "u", "filename": "f", "offset": "1", "length": "2"}',
    b'a 20240101000000 ' + b'{"a":' * 5000 + b"}",
    b"\x00" * 70000, b"a b c d e f g h i j k", b" CDX a b", b"CDX ", b" CDX N b a m s k r M S V g",
])), max_size=6))  # fmt: skip
def test_any_lines_are_read_or_counted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("cdx") / "any.cdx"
    path.write_bytes(b"\n".join([*lines, cdxj([ROW]).strip()]))
    reader = Reader(str(path))
    try:
        rows = sum(batch.num_rows for batch in reader)
    except (UsageError, RunError):
        return
    assert rows + reader.unreadable == reader.lines and rows >= 1


ROW = {"url": "https://a.example/", "status": 200, "length": 1, "offset": 1, "true_lang": "ja"}
