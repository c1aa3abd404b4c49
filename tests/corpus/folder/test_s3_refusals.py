"""Builds in S3 that must not go on: no bucket, no access, another writer; and the lease."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from s3_builds import INPUTS, OPTIONS, build, corpus, files, on_disk, remote, start
from s3_server import Proxy

from corpus.errors import RunError, UsageError
from corpus.folder import lease, mirror
from corpus.folder.folder import open_folder
from corpus.folder.objects import Store

pytest.importorskip("moto.server", reason="NO MOTO (pip install 'moto[server]'): S3 was not tested")
pytest.importorskip("s3fs", reason="NO S3FS (pip install inaho[s3]): S3 was not tested")


# refusals -----------------------------------------------------------------------------------------


def test_a_missing_bucket_is_said_before_any_work(s3: Proxy, s3_out: str, tmp_path: Path) -> None:
    errors = build("no-such-bucket/a", tmp_path / "work", status=2)
    assert errors == "error: cannot list s3://no-such-bucket/a: no such bucket or object\n"
    assert on_disk(tmp_path / "work") == {}


def test_a_bucket_that_may_not_be_written_to_is_said_before_any_work(
    s3: Proxy, s3_out: str, tmp_path: Path
) -> None:
    s3.fault, s3.every, s3.only = "403", True, "PUT"
    errors = build(s3_out, tmp_path / "work", status=2)
    assert errors.startswith(f"error: cannot write s3://{s3_out}/.lock: access denied")
    assert errors.count("\n") == 1 and on_disk(tmp_path / "work") == {}


def test_a_dead_endpoint_is_one_line(s3: Proxy, s3_out: str, tmp_path: Path) -> None:
    dead = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "INAHO_STORE_ATTEMPTS": "3"}
    errors = build(s3_out, tmp_path / "work", status=1, **dead)
    assert errors.startswith(f"error: cannot list s3://{s3_out}: no connection, 3 attempts")
    assert errors.count("\n") == 1


def test_a_store_that_fails_for_good_ends_the_build_in_one_line_and_it_goes_on_later(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    def watch(number: int, method: str, path: str) -> None:
        if method == "PUT" and "/state/harvest/0000001" in path:
            s3.fault, s3.every, s3.always = "503", True, True

    s3.watch = watch
    errors = build(s3_out, tmp_path / "work", status=1, INAHO_STORE_ATTEMPTS="3")
    # one request was under way when the store began to fail
    assert errors.splitlines()[-1].startswith("error: ") and errors.count("\n") == 1
    assert "reduce your request rate" in errors and "3 attempts" in errors
    s3.reset()
    build(s3_out, tmp_path / "work")
    assert remote(s3_out) == local_build


def test_a_second_build_is_refused_while_the_first_one_lives(
    s3: Proxy, s3_out: str, local_build: dict[str, bytes], tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def watch(number: int, method: str, path: str) -> None:
        if method == "PUT" and "/documents/" in path and not reached.is_set():
            reached.set()
            go_on.wait(60)

    s3.watch = watch
    first = start("build", *INPUTS, "--out", f"s3://{s3_out}", "--work", tmp_path / "one", *OPTIONS,
                  "-j", 1, "-q")  # fmt: skip
    try:
        assert reached.wait(60)
        for work in ("two", "one"):
            errors = build(s3_out, tmp_path / work, status=2)
            assert errors.startswith(f"error: another build is writing to s3://{s3_out}")
    finally:
        go_on.set()
    assert first.communicate(timeout=120)[1] == "" and first.returncode == 0
    assert remote(s3_out) == local_build


def test_a_folder_of_something_else_is_not_used_to_work_in(
    s3: Proxy, s3_out: str, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no mirror"):
        mirror.attach(f"s3://{s3_out}", str(tmp_path))
    root = mirror.attach(f"s3://{s3_out}", str(tmp_path / "work")).root
    with pytest.raises(UsageError, match=f"mirrors s3://{s3_out}"):
        mirror.attach(f"s3://{s3_out}-other", str(root))
    args = ["--out", tmp_path / "local", "--work", tmp_path / "work"]
    errors = corpus("build", *INPUTS, *args, status=2)[1]
    assert errors.startswith("error: --work is for builds in an object store")


# the lease ----------------------------------------------------------------------------------------


def elsewhere(beat: int) -> bytes:
    about = {"owner": "x", "host": "far", "machine": "other", "process": 1, "beat": beat}
    return json.dumps(about).encode()


def test_the_lease_of_a_dead_machine_is_taken_over_and_given_back(s3: Proxy, s3_out: str) -> None:
    store = Store(f"s3://{s3_out}")
    store.write(lease.KEY, elsewhere(0))
    with lease.held(store, pytest.fail, seconds=0.5):
        assert json.loads(store.read(lease.KEY) or b"{}")["process"] == os.getpid()
    assert store.read(lease.KEY) is None


def test_the_lease_of_a_living_machine_is_respected(s3: Proxy, s3_out: str) -> None:
    store, stop = Store(f"s3://{s3_out}"), threading.Event()
    store.write(lease.KEY, elsewhere(0))

    def live() -> None:
        other, beat = Store(f"s3://{s3_out}"), 0
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
    s3: Proxy, s3_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease.held.__wrapped__, "__defaults__", (0.4,))
    folder = open_folder(f"s3://{s3_out}", str(tmp_path / "work"))
    root = folder.path
    with pytest.raises(RunError, match=f"took s3://{s3_out} over"), folder.lock():
        folder.commit_bytes(root / "a", b"1")
        for beat in range(200):  # the holder may just be renewing it
            if (root / mirror.HOME / mirror.LOST).exists():
                break
            files().pipe_file(f"{s3_out}/.lock", elsewhere(beat))
            threading.Event().wait(0.05)
        folder.commit_bytes(root / "b", b"2")
    assert set(remote(s3_out)) == {"a", ".lock"}


def test_of_two_conditional_writes_one_wins(s3: Proxy, s3_out: str) -> None:
    one, two = Store(f"s3://{s3_out}"), Store(f"s3://{s3_out}")
    assert one.create("x", b"1") and not two.create("x", b"2") and one.create("x", b"1")
    assert two.read("x") == b"1"
    s3.fault, s3.every = "deaf", True  # done, but the answer was lost: it is still ours
    assert one.create("y", b"1")
