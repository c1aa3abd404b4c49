"""A build folder in S3: the same bytes as on disk, whatever the store and the machine do."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from s3_builds import INPUTS, OPTIONS, build, corpus, files, on_disk, remote, start
from s3_server import Proxy

from corpus.folder import mirror
from corpus.folder.folder import open_folder
from corpus.folder.objects import Store

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")


# the result ---------------------------------------------------------------------------------------


def test_the_objects_of_a_build_are_the_files_of_a_local_build_and_open_directly(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    build(s3_out, tmp_path / "work", "-j", 2)  # two workers, each in a process of its own
    assert remote(s3_out) == local_build == on_disk(tmp_path / "work")
    wanted = pq.read_table(tmp_path / "work" / "corpus")
    assert wanted.num_rows == 50
    store = files()
    assert pq.read_table(f"{s3_out}/corpus", filesystem=store).equals(wanted)
    assert pq.read_table(f"s3://{s3_out}/corpus/").equals(wanted)  # Arrow's own client
    lazy = ds.dataset(f"{s3_out}/corpus", filesystem=store).to_table(columns=["text"])
    assert lazy["text"].equals(wanted["text"])
    manifest = json.loads(store.cat_file(f"{s3_out}/manifest.json"))
    assert all(
        store.size(f"{s3_out}/{k}") == about["bytes"] for k, about in manifest["files"].items()
    )


@pytest.mark.parametrize(
    ("fault", "stride"),
    [
        ("503", 1),
        pytest.param("deaf", 1, marks=pytest.mark.slow),
        pytest.param("stall", 8, marks=pytest.mark.slow),
        pytest.param("500", 1, marks=pytest.mark.slow),
        pytest.param("lost", 1, marks=pytest.mark.slow),
    ],
)
def test_a_fault_of_the_store_leaves_no_trace(
    fault: str, stride: int, s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    s3.fault, s3.every, s3.stride, s3.stall_s = fault, True, stride, 3.0
    errors = build(s3_out, tmp_path / "work", INAHO_STORE_TIMEOUT_S="0.7")
    hit = [method for name, method, _ in s3.requests if name]
    assert len(hit) >= (2 * len(local_build) if stride == 1 else 3) and errors == ""
    s3.every = False
    assert remote(s3_out) == local_build
    s3.every = True
    s3.seen.clear()
    root = mirror.attach(f"s3://{s3_out}", str(tmp_path / "other")).root  # through faults too
    assert on_disk(root) == local_build


@pytest.mark.parametrize("fault", ["500", "503", "lost", "deaf", "stall"])
def test_every_call_of_the_store_survives_a_fault(
    fault: str, s3: Proxy, s3_out: str, tmp_path: Path
) -> None:
    data = os.urandom(200_000)
    (tmp_path / "up").write_bytes(data)
    store = Store(f"s3://{s3_out}", timeout=0.4, backoff=0.01)
    s3.fault, s3.every, s3.stall_s = fault, True, 1.0
    entry = store.put(tmp_path / "up", "a/b")
    assert entry.size == len(data) and store.list() == {"a/b": entry}
    store.get("a/b", tmp_path / "down", entry.size)
    assert (tmp_path / "down").read_bytes() == data
    assert store.create("c", b"1") and not store.create("c", b"2") and store.read("c") == b"1"
    store.delete("a/b")
    assert set(store.list()) == {"c"}
    failed = {method for name, method, _ in s3.requests if name}
    assert failed == {"PUT", "HEAD", "GET", "DELETE"}


# another machine ----------------------------------------------------------------------------------


def build_killed_at(s3: Proxy, s3_out: str, put: int, work: Path) -> None:
    """SIGKILL to every process of a build when its `put`th object is about to be written."""
    process = start("build", *INPUTS, "--out", f"s3://{s3_out}", "--work", work, *OPTIONS, "-j", 1)
    count = [0]

    def watch(number: int, method: str, path: str) -> None:
        count[0] += method == "PUT" and ".lock" not in path
        if count[0] == put:
            os.killpg(process.pid, signal.SIGKILL)

    s3.watch = watch
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    s3.reset()


@pytest.mark.parametrize(
    "put",
    [12, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 5, 7, 9, 15, 18, 22, 25, 27))],
)
def test_a_killed_build_goes_on_in_another_folder_to_the_same_bytes(
    put: int, s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    build_killed_at(s3, s3_out, put, tmp_path / "one")
    there = remote(s3_out)
    assert ".lock" in there and 0 < len(there) < len(local_build)
    for name, receipt in there.items():  # data before receipts
        if name.endswith(".json") and "outputs" in (about := json.loads(receipt)):
            assert about["outputs"].keys() <= there.keys()
    done = len([name for name in there if name.startswith("documents/")])
    build(s3_out, tmp_path / "two")
    again = [path for _, method, path in s3.requests if method == "PUT" and "/documents/" in path]
    assert len(again) <= 2 - done + 1  # at most the unit in flight is done again
    assert remote(s3_out) == local_build == on_disk(tmp_path / "two")


def test_a_folder_left_behind_yields_to_what_the_store_holds(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    folder = open_folder(f"s3://{s3_out}", str(tmp_path / "work"))
    root = folder.path
    with folder.lock():
        folder.commit_bytes(root / "documents" / "0", b"same")
        folder.commit_bytes(root / "state" / "1.json", b"{}")
    (root / "documents" / "0").write_bytes(b"half")  # same size
    (root / "ledger").mkdir()
    (root / "ledger" / "never-uploaded").write_bytes(b"x")
    files().pipe_file(f"{s3_out}/documents/1", b"of another machine")
    files().rm_file(f"{s3_out}/state/1.json")
    mirror.attach(f"s3://{s3_out}", str(tmp_path / "work"))
    assert on_disk(root) == {"documents/0": b"same", "documents/1": b"of another machine"}
    before = len(s3.requests)
    mirror.attach(f"s3://{s3_out}", str(tmp_path / "work"))
    assert [method for _, method, _ in s3.requests[before:]] == ["GET"]  # one listing


@pytest.mark.slow
def test_an_object_with_other_bytes_than_its_receipt_says_is_made_anew(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in local_build.items():
        files().pipe_file(f"{s3_out}/{name}", data)
    name = "ledger/harvest-0000001.parquet"
    files().pipe_file(f"{s3_out}/{name}", bytes(len(local_build[name])))
    build(s3_out, tmp_path / "work")
    assert remote(s3_out) == local_build


# verbs --------------------------------------------------------------------------------------------


def select_in_both_places(
    s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> dict[str, str]:
    """The build on disk and in the store, selected anew in each; the environment for the store."""
    for name, data in local_build.items():
        (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / name).write_bytes(data)
        files().pipe_file(f"{s3_out}/{name}", data)
    here = {"INAHO_WORK": str(tmp_path / "cache")}
    strict = ["--profile", "fineweb2-ja", "-q"]
    corpus("select", tmp_path / "disk", *strict)
    corpus("select", f"s3://{s3_out}", *strict, **here)
    return here


def test_verbs_take_the_address_of_a_build_folder(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    here = select_in_both_places(s3_out, local_build, tmp_path)
    assert remote(s3_out) == on_disk(tmp_path / "disk")
    shards = {name: data for name, data in remote(s3_out).items() if name.startswith("corpus/")}
    assert shards == {k: v for k, v in local_build.items() if k.startswith("corpus/")}  # still
    facts = corpus("stats", f"s3://{s3_out}", "--json", **here)[0]
    assert json.loads(facts)["select"]["out"] < json.loads(facts)["select"]["in"]


@pytest.mark.slow
def test_a_stage_goes_on_from_the_address(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    here = select_in_both_places(s3_out, local_build, tmp_path)
    _, errors = corpus("publish", f"s3://{s3_out}/", "-j", 1, **here)
    assert f"Corpus: s3://{s3_out}/corpus" in errors and str(tmp_path) not in errors
    corpus("publish", tmp_path / "disk", "-j", 1, "-q")
    assert remote(s3_out) == on_disk(tmp_path / "disk")
