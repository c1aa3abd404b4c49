"""`corpus merge` with parts and result in S3: the same bytes as on disk, and no part is changed."""

from __future__ import annotations

import json
from pathlib import Path

from s3_builds import INPUTS, OPTIONS, corpus, on_disk, remote
from s3_server import Proxy


def test_a_merge_in_s3_has_the_bytes_of_one_on_disk(
    s3: Proxy, s3_out: str, tmp_path: Path, run_corpus
) -> None:
    for name, file in zip(("a", "b"), INPUTS, strict=True):
        run_corpus("build", file, "--out", tmp_path / name, *OPTIONS, "-q", "-j", 1)
    one, both = f"s3://{s3_out}/a", f"s3://{s3_out}/both"
    environment = {"INAHO_WORK": str(tmp_path / "work")}
    corpus("build", INPUTS[0], "--out", one, *OPTIONS, "-q", "-j", 1, **environment)
    part = remote(f"{s3_out}/a")
    run_corpus("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "both", "-q", "-j", 1)
    args = ("merge", one, tmp_path / "b", "--out", both, "--json", "-q", "-j", 1)
    said, _ = corpus(*args, **environment)
    assert [row["documents"] for row in json.loads(said)["parts"]] == [20, 50]
    there, here = remote(f"{s3_out}/both"), on_disk(tmp_path / "both")
    published = {name for name in here if name.startswith("corpus/")}
    assert published and all(there[name] == here[name] for name in published)
    # All but the names of the parts, the times of receipts and what hangs on them is the same.
    kinds = ("documents/", "duplicates/", "ledger/", "corpus/")
    assert {n: b for n, b in there.items() if n.startswith(kinds)} == {
        n: b for n, b in here.items() if n.startswith(kinds)
    }
    assert remote(f"{s3_out}/a") == part
    # Another machine opens it, and finds every byte.
    said, _ = corpus("verify", both, "--json", INAHO_WORK=str(tmp_path / "other"))
    assert json.loads(said)["whole"]
    corpus(*args, **environment)
    assert remote(f"{s3_out}/both") == there
