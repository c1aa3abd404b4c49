"""A store that fails while a corpus is published: the old one stays, or the new one comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from s3_builds import build, corpus, on_disk, remote
from s3_server import Proxy

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")

OUTWARD = ("corpus/", "README", "croissant", "report", "funnel", "manifest")
SELECT = ["--profile", "swallow-v1", "-j", 1, "-q"]


def outward(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.startswith(OUTWARD)}


@pytest.mark.slow
def test_a_store_that_fails_while_publishing_loses_nothing(
    s3: Proxy, s3_out: str, tmp_path: Path
) -> None:
    url, work = f"s3://{s3_out}", tmp_path / "work"
    build(s3_out, work)
    old = outward(remote(s3_out))
    corpus("select", url, "--work", work, *SELECT)
    assert outward(remote(s3_out)) == old
    # It fails when the new shard, then when the staged card is uploaded: the old corpus stays.
    for name in ("next/corpus/train", "next/README.md"):

        def watch(number: int, method: str, path: str, name: str = name) -> None:
            if method == "PUT" and name in path:
                s3.fault, s3.every, s3.always = "503", True, True

        s3.watch = watch
        _, errors = corpus(
            "publish", url, "--work", work, "-j", 1, "-q", status=1, INAHO_STORE_ATTEMPTS="2"
        )
        assert errors.startswith("error: ") and errors.count("\n") == 1
        s3.reset()
        assert outward(remote(s3_out)) == old, name
    # It fails between the copies: the record is there, and any machine ends the publication.
    copies = [0]

    def between(number: int, method: str, path: str) -> None:
        copies[0] += method == "PUT" and "/next/" not in path and ".lock" not in path
        if copies[0] == 3 and method == "PUT" and ".lock" not in path:
            s3.fault, s3.every, s3.always = "503", True, True

    s3.watch = between
    corpus("publish", url, "--work", work, "-j", 1, "-q", status=1, INAHO_STORE_ATTEMPTS="2")
    s3.reset()
    assert "state/publish/next/manifest.json" in remote(s3_out)
    corpus("publish", url, "--work", tmp_path / "other", "-j", 1, "-q")
    whole = remote(s3_out)
    assert outward(whole).keys() == old.keys() and outward(whole) != old
    assert not [name for name in whole if "/next/" in name]
    assert on_disk(tmp_path / "other") == whole
    corpus("verify", url, INAHO_WORK=str(tmp_path / "verify"))
