"""Rows of any format under any names: the column map, Arrow, folders of datasets, packed files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import zstandard

from corpus import config
from corpus.errors import UnreadableError, UsageError
from corpus.settings import InputSettings, Settings
from corpus.sources import arrow
from corpus.sources.item import Unit
from corpus.sources.kinds import SOURCES, items_of, kind_of
from corpus.sources.plan import units

MAPPED = Settings(
    input=InputSettings(
        columns={"text": "body", "title": "head", "date": "day", "author": "by", "licence": "terms",
                 "source": "from"},
        metadata_columns=("page", "tags", "absent"),
    )
)  # fmt: skip
ROW = {
    "body": "きょうは雨が降っている。", "head": "天気", "day": date(2026, 5, 11), "by": "花子",
    "terms": "CC-BY-4.0", "from": "新聞", "page": 3, "tags": ["雨", "空"], "url": "https://a.example/1",
}  # fmt: skip


def written(folder: Path) -> dict[str, Path]:
    """The row in every format."""
    table = pa.Table.from_pylist([ROW])
    plain = json.dumps(ROW | {"day": "2026-05-11"}, ensure_ascii=False).encode() + b"\n"
    paths = {name: folder / f"rows.{name}" for name in ("parquet", "arrow", "feather", "jsonl")}
    pq.write_table(table, paths["parquet"])
    feather.write_feather(table, str(paths["feather"]), compression="zstd")
    with ipc.new_stream(str(paths["arrow"]), table.schema) as out:  # as save_to_disk writes it
        out.write_table(table)
    paths["jsonl"].write_bytes(plain)
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
               "zst": zstandard.ZstdCompressor().compress}  # fmt: skip
    csv = "body,head,day,by,terms,from,page,tags,url\n" + ",".join(
        f'"{v}"' for v in (ROW | {"tags": "雨"}).values()
    )
    for ending, pack in packers.items():
        paths[f"jsonl.{ending}"] = folder / f"rows.jsonl.{ending}"
        paths[f"jsonl.{ending}"].write_bytes(pack(plain))
        paths[f"csv.{ending}"] = folder / f"rows.csv.{ending}"
        paths[f"csv.{ending}"].write_bytes(pack(csv.encode()))
    return paths


def test_every_format_gives_the_columns_that_are_named(tmp_path: Path) -> None:
    for name, path in written(tmp_path).items():
        (unit,) = units([str(path)], MAPPED)
        (item,) = items_of(unit, MAPPED)
        found = (item.text, item.title, item.date, item.author, item.licence, item.source, item.url)
        assert found == (
            ROW["body"], "天気", "2026-05-11", "花子", "CC-BY-4.0", "新聞", "https://a.example/1",
        ), name  # fmt: skip
        assert item.metadata["page"] == "3"
        assert set(item.metadata) == {"page", "tags"}


def test_settings_name_columns_one_by_one() -> None:
    settings = config.load(None, ["input.columns.text=body", "input.columns.author=by"])
    assert settings.input.columns == {"text": "body", "author": "by"}
    assert settings.input.column("url") == "url"
    assert settings.input.column("licence") == ""
    with pytest.raises(UsageError, match="'quality' is no column that rows can give"):
        config.load(None, ["input.columns.quality=q"])
    with pytest.raises(UsageError, match=r"input\.text_column is now input\.columns\.text"):
        config.load(None, ["input.text_column=body"])


def test_arrow_files_are_cut_at_their_batches(tmp_path: Path) -> None:
    table = pa.table({"text": [f"第{k}の文です。" for k in range(100)]})
    path = tmp_path / "rows.arrow"
    with ipc.new_file(str(path), table.schema) as out:
        out.write_table(table, max_chunksize=7)
    size = path.stat().st_size
    ranges = arrow.cut(str(path), size, size // 4)
    assert len(ranges) > 2
    texts, offsets = [], []
    for start, end in ranges:
        for item in arrow.read(Unit(0, "arrow", (str(path),), start, end), Settings()):
            texts.append(item.text)
            offsets.append(item.offset)
    assert texts == table["text"].to_pylist()
    assert offsets == list(range(100))


def test_a_dataset_s_folder_is_its_rows_and_not_its_card(run_corpus, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, out = tmp_path / "data", tmp_path / "out"
    (folder / "train").mkdir(parents=True)
    table = pa.table(
        {"text": [f"{k}番目の文章では、山の向こうの町の話をしています。" for k in range(9)]}
    )
    with ipc.new_stream(
        str(folder / "train" / "data-00000-of-00001.arrow"), table.schema
    ) as writer:
        writer.write_table(table)
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}', "utf-8")
    (folder / "train" / "state.json").write_text("{}", "utf-8")
    (folder / "README.md").write_text("---\ndataset_info:\n  x: 1\n---\n# 説明\n", "utf-8")
    (folder / "notes.md").write_text("これは普通の覚え書きで、町の話ではありません。", "utf-8")
    build = ("build", folder, "--out", out, "--profile", "none", "--dedup", "none", "-q", "-j", 1)
    run_corpus(*build)
    rows = pq.read_table(out / "corpus").to_pylist()
    assert len(rows) == 10
    ledger = pq.read_table(out / "ledger").to_pylist()
    gone = {Path(row["source_file"]).name: row["detail"] for row in ledger}
    assert gone == {
        "README.md": "the card of a dataset", "dataset_dict.json": "ending .json",
        "state.json": "ending .json",
    }  # fmt: skip


def test_damaged_arrow_is_a_problem_or_rows(tmp_path: Path) -> None:
    table = pa.table({"text": [f"第{k}の文です。" for k in range(50)], "url": ["a"] * 50})
    path = tmp_path / "rows.arrow"
    assert kind_of(str(path)) == "arrow"
    for opened in (ipc.new_file, ipc.new_stream):
        sink = io.BytesIO()
        with opened(sink, table.schema) as out:
            out.write_table(table, max_chunksize=9)
        data = sink.getvalue()
        for seed in range(60):
            rng = random.Random(seed)
            bad = bytearray(data)
            for _ in range(rng.choice((1, 5, 40))):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            if seed % 3 == 0:
                del bad[rng.randrange(len(bad)) :]
            path.write_bytes(bad)
            try:
                for item in SOURCES["arrow"].read(Unit(0, "arrow", (str(path),)), Settings()):
                    assert item.text is not None or item.problem or item.skip
            except UnreadableError:
                pass
