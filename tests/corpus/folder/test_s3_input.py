"""Input in S3: the same corpus as from the same files on disk, and what cannot be read is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from s3_builds import REPO, corpus, files
from s3_server import Proxy

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")


def test_input_in_s3_gives_the_corpus_of_the_files_on_disk(
    s3: Proxy, s3_out: str, tmp_path: Path
) -> None:
    """Among them an archive of more than two blocks, and a page: what it is is told by content."""
    here, store = tmp_path / "in", files()
    here.mkdir()
    names = ("documents.csv", "documents.parquet", "plain.warc", "html/0-utf-8.html")
    for name in names:
        shutil.copy(REPO / "tests" / "data" / name, here)
        store.put_file(str(REPO / "tests" / "data" / name), f"{s3_out}/{Path(name).name}")
    for name, data in (("note.xls", b"\xd0\xcf"), ("gone.parquet", b""), (".hidden.txt", b"x")):
        (here / name).write_bytes(data)
        store.pipe_file(f"{s3_out}/{name}", data)
    options = ("--profile", "none", "-j", 1)
    said = corpus("build", here, "--out", tmp_path / "a", *options)[1]
    also = corpus("build", f"s3://{s3_out}", "--out", tmp_path / "b", *options)[1]
    assert "1 of 5 files could not be read" in said and "1 of 5 files could not be read" in also
    assert "1 file of unknown kinds passed over: ending .xls 1" in also
    a, b = (pq.read_table(tmp_path / out / "corpus") for out in "ab")
    assert a.num_rows > 50 and a.drop_columns(["source_file"]).equals(
        b.drop_columns(["source_file"])
    )
    assert b["source_file"][0].as_py().startswith(f"s3://{s3_out}/")
