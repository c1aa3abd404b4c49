"""A build folder in S3: the same bytes as on disk, whatever the store and the machine do."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from s3_server import Proxy, s3_server

from corpus import lease, mirror, storage
from corpus.errors import RunError, UsageError
from corpus.objects import Store

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")

REPO = Path(__file__).resolve().parent.parent.parent
INPUTS = ["tests/data/documents.csv", "tests/data/documents.parquet"]  # two units
OPTIONS = ["--profile", "none", "--set", "publish.shard_mib=1"]


@pytest.fixture(scope="module")
def server() -> Iterator[Proxy]:
    import fsspec

    with pytest.MonkeyPatch.context() as environment, s3_server() as proxy:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", proxy.url),
            ("AWS_EC2_METADATA_DISABLED", "true"), ("INAHO_STORE_BACKOFF_S", "0.02"),
        ):  # fmt: skip
            environment.setenv(name, value)
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("out")
        yield proxy


@pytest.fixture
def s3(server: Proxy) -> Iterator[Proxy]:
    """The server without fault or memory; every test has a prefix of its own."""
    server.reset()
    yield server
    server.reset()


@pytest.fixture
def out(s3: Proxy, request: pytest.FixtureRequest) -> str:
    """The prefix of a test, without objects."""
    return "out/" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the same build on disk."""
    out = tmp_path_factory.mktemp("local") / "out"
    corpus("build", *INPUTS, "--out", out, *OPTIONS, "-j", 1, "-q")
    return on_disk(out)


def files() -> Any:
    import fsspec

    return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)


def remote(prefix: str) -> dict[str, bytes]:
    store = files()
    return {name.removeprefix(f"{prefix}/"): store.cat_file(name) for name in store.find(prefix)}


def on_disk(root: Path) -> dict[str, bytes]:
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {k: path.read_bytes() for k, path in found.items() if "/." not in f"/{k}"}


def start(*args: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "corpus", *map(str, args)], cwd=REPO, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip


def corpus(*args: object, status: int = 0, **environment: str) -> tuple[str, str]:
    process = start(*args, **environment)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == status, f"{args}: {process.returncode} {errors}"
    return said, errors


def build(out: str, work: Path, *more: object, status: int = 0, **env: str) -> str:
    args = ["--out", f"s3://{out}", "--work", work, *OPTIONS, "-q", *(more or ("-j", 1))]
    return corpus("build", *INPUTS, *args, status=status, **env)[1]


# the result ---------------------------------------------------------------------------------------


def test_the_objects_of_a_build_are_the_files_of_a_local_build_and_open_directly(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    build(out, tmp_path / "work", "-j", 2)  # two workers, each in a process of its own
    assert remote(out) == local == on_disk(tmp_path / "work")
    wanted = pq.read_table(tmp_path / "work" / "corpus")
    assert wanted.num_rows == 50
    store = files()
    assert pq.read_table(f"{out}/corpus", filesystem=store).equals(wanted)
    assert pq.read_table(f"s3://{out}/corpus/").equals(wanted)  # Arrow's own client
    lazy = ds.dataset(f"{out}/corpus", filesystem=store).to_table(columns=["text"])
    assert lazy["text"].equals(wanted["text"])
    manifest = json.loads(store.cat_file(f"{out}/manifest.json"))
    assert all(store.size(f"{out}/{k}") == about["bytes"] for k, about in manifest["files"].items())


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
    fault: str, stride: int, s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    s3.fault, s3.every, s3.stride, s3.stall_s = fault, True, stride, 3.0
    errors = build(out, tmp_path / "work", INAHO_STORE_TIMEOUT_S="0.7")
    hit = [method for name, method, _ in s3.requests if name]
    assert len(hit) >= (2 * len(local) if stride == 1 else 3) and errors == ""
    s3.every = False
    assert remote(out) == local
    s3.every = True
    s3.seen.clear()
    root = mirror.attach(f"s3://{out}", str(tmp_path / "other"))  # down again, through faults
    assert on_disk(root) == local


@pytest.mark.parametrize("fault", ["500", "503", "lost", "deaf", "stall"])
def test_every_call_of_the_store_survives_a_fault(
    fault: str, s3: Proxy, out: str, tmp_path: Path
) -> None:
    data = os.urandom(200_000)
    (tmp_path / "up").write_bytes(data)
    store = Store(f"s3://{out}", timeout=0.4, backoff=0.01)
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


def build_killed_at(s3: Proxy, out: str, put: int, work: Path) -> None:
    """SIGKILL to every process of a build when its `put`th object is about to be written."""
    process = start("build", *INPUTS, "--out", f"s3://{out}", "--work", work, *OPTIONS, "-j", 1)
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
    put: int, s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    build_killed_at(s3, out, put, tmp_path / "one")
    there = remote(out)
    assert ".lock" in there and 0 < len(there) < len(local)
    for name, receipt in there.items():  # data before receipts
        if name.endswith(".json") and "outputs" in (about := json.loads(receipt)):
            assert about["outputs"].keys() <= there.keys()
    done = len([name for name in there if name.startswith("documents/")])
    build(out, tmp_path / "two")
    again = [path for _, method, path in s3.requests if method == "PUT" and "/documents/" in path]
    assert len(again) <= 2 - done + 1  # at most the unit in flight is done again
    assert remote(out) == local == on_disk(tmp_path / "two")


def test_a_folder_left_behind_yields_to_what_the_store_holds(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    root = mirror.attach(f"s3://{out}", str(tmp_path / "work"))
    with storage.lock(root):
        storage.commit_bytes(root / "documents" / "0", b"same")
        storage.commit_bytes(root / "state" / "1.json", b"{}")
    (root / "documents" / "0").write_bytes(b"half")  # same size
    (root / "ledger").mkdir()
    (root / "ledger" / "never-uploaded").write_bytes(b"x")
    files().pipe_file(f"{out}/documents/1", b"of another machine")
    files().rm_file(f"{out}/state/1.json")
    mirror.attach(f"s3://{out}", str(tmp_path / "work"))
    assert on_disk(root) == {"documents/0": b"same", "documents/1": b"of another machine"}
    before = len(s3.requests)
    mirror.attach(f"s3://{out}", str(tmp_path / "work"))
    assert [method for _, method, _ in s3.requests[before:]] == ["GET"]  # one listing


@pytest.mark.slow
def test_an_object_with_other_bytes_than_its_receipt_says_is_made_anew(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in local.items():
        files().pipe_file(f"{out}/{name}", data)
    name = "ledger/harvest-0000001.parquet"
    files().pipe_file(f"{out}/{name}", bytes(len(local[name])))
    build(out, tmp_path / "work")
    assert remote(out) == local


# verbs --------------------------------------------------------------------------------------------


def test_verbs_take_the_address_of_a_build_folder(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in local.items():
        (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / name).write_bytes(data)
        files().pipe_file(f"{out}/{name}", data)
    here = {"INAHO_WORK": str(tmp_path / "cache")}
    strict = ["--profile", "fineweb2-ja", "-q"]
    corpus("select", tmp_path / "disk", *strict)
    corpus("select", f"s3://{out}", *strict, **here)
    assert remote(out) == on_disk(tmp_path / "disk")
    assert not [name for name in remote(out) if name.startswith("corpus/")]  # publish is open
    facts = corpus("stats", f"s3://{out}", "--json", **here)[0]
    assert json.loads(facts)["select"]["out"] < json.loads(facts)["select"]["in"]


@pytest.mark.slow
def test_a_stage_goes_on_from_the_address(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    for name, data in local.items():
        (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "disk" / name).write_bytes(data)
        files().pipe_file(f"{out}/{name}", data)
    here = {"INAHO_WORK": str(tmp_path / "cache")}
    strict = ["--profile", "fineweb2-ja", "-q"]
    corpus("select", tmp_path / "disk", *strict)
    corpus("select", f"s3://{out}", *strict, **here)
    _, errors = corpus("publish", f"s3://{out}/", "-j", 1, **here)
    assert f"Corpus: s3://{out}/corpus" in errors and str(tmp_path) not in errors
    corpus("publish", tmp_path / "disk", "-j", 1, "-q")
    assert remote(out) == on_disk(tmp_path / "disk")


# refusals -----------------------------------------------------------------------------------------


def test_a_missing_bucket_is_said_before_any_work(s3: Proxy, out: str, tmp_path: Path) -> None:
    errors = build("no-such-bucket/a", tmp_path / "work", status=2)
    assert errors == "error: cannot list s3://no-such-bucket/a: no such bucket or object\n"
    assert on_disk(tmp_path / "work") == {}


def test_a_bucket_that_may_not_be_written_to_is_said_before_any_work(
    s3: Proxy, out: str, tmp_path: Path
) -> None:
    s3.fault, s3.every, s3.only = "403", True, "PUT"
    errors = build(out, tmp_path / "work", status=2)
    assert errors.startswith(f"error: cannot write s3://{out}/.lock: access denied")
    assert errors.count("\n") == 1 and on_disk(tmp_path / "work") == {}


def test_a_dead_endpoint_is_one_line(s3: Proxy, out: str, tmp_path: Path) -> None:
    dead = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "INAHO_STORE_ATTEMPTS": "3"}
    errors = build(out, tmp_path / "work", status=1, **dead)
    assert errors.startswith(f"error: cannot list s3://{out}: no connection, 3 attempts")
    assert errors.count("\n") == 1


def test_a_store_that_fails_for_good_ends_the_build_in_one_line_and_it_goes_on_later(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    def watch(number: int, method: str, path: str) -> None:
        if method == "PUT" and "/state/harvest/0000001" in path:
            s3.fault, s3.every, s3.always = "503", True, True

    s3.watch = watch
    errors = build(out, tmp_path / "work", status=1, INAHO_STORE_ATTEMPTS="3")
    # one request was under way when the store began to fail
    assert errors.splitlines()[-1].startswith("error: ") and errors.count("\n") == 1
    assert "reduce your request rate" in errors and "3 attempts" in errors
    s3.reset()
    build(out, tmp_path / "work")
    assert remote(out) == local


def test_a_second_build_is_refused_while_the_first_one_lives(
    s3: Proxy, out: str, local: dict[str, bytes], tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def watch(number: int, method: str, path: str) -> None:
        if method == "PUT" and "/documents/" in path and not reached.is_set():
            reached.set()
            go_on.wait(60)

    s3.watch = watch
    first = start("build", *INPUTS, "--out", f"s3://{out}", "--work", tmp_path / "one", *OPTIONS,
                  "-j", 1, "-q")  # fmt: skip
    try:
        assert reached.wait(60)
        for work in ("two", "one"):
            errors = build(out, tmp_path / work, status=2)
            assert errors.startswith(f"error: another build is writing to s3://{out}")
    finally:
        go_on.set()
    assert first.communicate(timeout=120)[1] == "" and first.returncode == 0
    assert remote(out) == local


def test_a_folder_of_something_else_is_not_used_to_work_in(
    s3: Proxy, out: str, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no mirror"):
        mirror.attach(f"s3://{out}", str(tmp_path))
    root = mirror.attach(f"s3://{out}", str(tmp_path / "work"))
    with pytest.raises(UsageError, match=f"mirrors s3://{out}"):
        mirror.attach(f"s3://{out}-other", str(root))
    args = ["--out", tmp_path / "local", "--work", tmp_path / "work"]
    errors = corpus("build", *INPUTS, *args, status=2)[1]
    assert errors.startswith("error: --work is for builds in an object store")


# the lease ----------------------------------------------------------------------------------------


def elsewhere(beat: int) -> bytes:
    about = {"owner": "x", "host": "far", "machine": "other", "process": 1, "beat": beat}
    return json.dumps(about).encode()


def test_the_lease_of_a_dead_machine_is_taken_over_and_given_back(s3: Proxy, out: str) -> None:
    store = Store(f"s3://{out}")
    store.write(lease.KEY, elsewhere(0))
    with lease.held(store, pytest.fail, seconds=0.5):
        assert json.loads(store.read(lease.KEY) or b"{}")["process"] == os.getpid()
    assert store.read(lease.KEY) is None


def test_the_lease_of_a_living_machine_is_respected(s3: Proxy, out: str) -> None:
    store, stop = Store(f"s3://{out}"), threading.Event()
    store.write(lease.KEY, elsewhere(0))

    def live() -> None:
        other, beat = Store(f"s3://{out}"), 0
        while not stop.wait(0.2):
            beat += 1
            other.write(lease.KEY, elsewhere(beat))

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(UsageError, match="far, process 1"), lease.held(store, print, 3.0):
            pass
    finally:
        stop.set()
        thread.join()


def test_who_lost_the_lease_writes_nothing_more(
    s3: Proxy, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease.held.__wrapped__, "__defaults__", (0.4,))
    root = mirror.attach(f"s3://{out}", str(tmp_path / "work"))
    with pytest.raises(RunError, match=f"took s3://{out} over"), storage.lock(root):
        storage.commit_bytes(root / "a", b"1")
        for beat in range(200):  # the holder may just be renewing it
            if (root / mirror.HOME / mirror.LOST).exists():
                break
            files().pipe_file(f"{out}/.lock", elsewhere(beat))
            threading.Event().wait(0.05)
        storage.commit_bytes(root / "b", b"2")
    assert set(remote(out)) == {"a", ".lock"}


def test_of_two_conditional_writes_one_wins(s3: Proxy, out: str) -> None:
    one, two = Store(f"s3://{out}"), Store(f"s3://{out}")
    assert one.create("x", b"1") and not two.create("x", b"2") and one.create("x", b"1")
    assert two.read("x") == b"1"
    s3.fault, s3.every = "deaf", True  # done, but the answer was lost: it is still ours
    assert one.create("y", b"1")
