"""What machines do to a build: kills, full disks, lost permissions, two processes at once.

Whatever happens, the next run ends with the same bytes as if nothing had, and at any moment what is
published is one whole corpus.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from build_folders import tree

from corpus.answers.integrity import verify
from corpus.folder import commit
from corpus.folder.layout import Layout

INPUTS = ["tests/data/documents.csv", "tests/data/documents.parquet"]
BUILD = ["build", *INPUTS, "--profile", "none", "-j", 1, "-q", "--out"]


def published(folder: Path) -> dict[str, str]:
    """The shards as they are; they must be those that the manifest names, or there are none."""
    return {name: digest for name, digest in tree(folder).items() if name.startswith("corpus/")}


def an_id(folder: Path) -> str:
    return min(pq.read_table(folder / "corpus", columns=["id"])["id"].to_pylist())


def verbs(folder: Path, gone: str) -> dict[str, list[object]]:
    """The verbs that write, on a built folder."""
    return {
        "build": [*BUILD, folder],
        "dedup": ["dedup", folder, "--set", "dedup.ngram=7", "-j", 1, "-q"],
        "select": ["select", folder, "--profile", "swallow-v1", "-j", 1, "-q"],
        "publish": ["publish", folder, "--set", "publish.drop_blocks=code", "-j", 1, "-q"],
        "remove": ["remove", folder, "--id", gone, "-j", 1, "-q"],
        "repair": ["verify", folder, "--repair", "-j", 1, "-q"],
    }


NAMES = ("build", "dedup", "select", "publish", "remove", "repair")


@pytest.fixture(scope="module")
def ends(run_corpus, small_built: Path, tmp_path_factory: pytest.TempPathFactory):
    """Verb → (the folder it starts from, what it ends with, the shards it may show)."""
    made = {}

    def of(verb: str) -> tuple[Path, dict[str, str], list[dict[str, str]]]:
        if verb not in made:
            root = tmp_path_factory.mktemp(verb)
            start = Path(shutil.copytree(small_built, root / "start"))
            if verb == "build":
                shutil.rmtree(start)
                start.mkdir()
            if verb == "repair":
                path = start / "documents" / "0000001.parquet"
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 1
                path.write_bytes(data)
            end = Path(shutil.copytree(start, root / "end"))
            run_corpus(*verbs(end, an_id(small_built))[verb])
            made[verb] = (start, tree(end), [published(start), published(end)])
        return made[verb]

    return of


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the program does about errors is done for it."""


@pytest.mark.parametrize("verb", NAMES)
def test_a_verb_that_ends_at_any_file_goes_on_to_the_same_bytes(
    verb: str, ends, run_corpus, small_built: Path, tmp_path: Path
) -> None:
    """The process ends when its n-th file would get its name, for a few n of each verb."""
    start, wanted, shown = ends(verb)
    total = sum(wanted.get(name) != digest for name, digest in tree(start).items()) + len(
        wanted.keys() - tree(start).keys()
    )
    gone, moments = an_id(small_built), random.Random(verb)
    for moment in sorted(moments.sample(range(1, max(4, total)), 2)):
        out = Path(shutil.copytree(start, tmp_path / f"{moment}"))
        named, replace = [0], os.replace

        def cut(source, target, moment=moment, named=named, replace=replace) -> None:
            named[0] += 1
            if named[0] == moment:
                raise Killed
            replace(source, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commit.os, "replace", cut)
            with contextlib.suppress(Killed):
                run_corpus(*verbs(out, gone)[verb], check=False)
        assert published(out) in shown, f"{verb}: half a corpus at file {moment}"
        run_corpus(*verbs(out, gone)[verb])
        assert tree(out) == wanted, f"{verb} at file {moment}"
        assert verify(Layout(out))["whole"]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(50))
def test_a_verb_killed_at_a_random_moment_goes_on_to_the_same_bytes(
    number: int, ends, run_corpus, repo: Path, small_built: Path, tmp_path: Path
) -> None:
    moments = random.Random(number)
    verb = NAMES[number % len(NAMES)]
    start, wanted, shown = ends(verb)
    gone = an_id(small_built)
    out = Path(shutil.copytree(start, tmp_path / "out"))
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "corpus", *map(str, verbs(out, gone)[verb])], cwd=repo,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(moments.uniform(0.5, 6.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert published(out) in shown, f"{verb}: half a corpus"
    run_corpus(*verbs(out, gone)[verb])
    assert tree(out) == wanted


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_fails_in_the_middle_is_one_line_and_loses_nothing(
    code: int, ends, run_corpus, small_built: Path, tmp_path: Path
) -> None:
    """The n-th fsync fails: a full disk, a permission that was lost, a broken disk."""
    words = {errno.ENOSPC: "disk full", errno.EACCES: "Permission denied", errno.EIO: "error"}
    for verb, moment in (("select", 3), ("remove", 6)):
        start, wanted, shown = ends(verb)
        out = Path(shutil.copytree(start, tmp_path / verb))
        calls, fsync = [0], os.fsync

        def fails(descriptor, calls=calls, fsync=fsync, moment=moment) -> None:
            calls[0] += 1
            if calls[0] >= moment:
                raise OSError(code, os.strerror(code))
            fsync(descriptor)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commit.os, "fsync", fails)
            result = run_corpus(*verbs(out, an_id(small_built))[verb], check=False)
        assert result.returncode == 1 and words[code] in result.stderr, result.stderr
        assert "Traceback" not in result.stderr
        assert not list(out.rglob(".*.tmp*")) and published(out) in shown
        run_corpus(*verbs(out, an_id(small_built))[verb])
        assert tree(out) == wanted


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: EACCES is made above")
def test_a_folder_that_may_not_be_written_to_is_one_line(
    run_corpus, small_built: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(small_built, tmp_path / "out"))
    (out / "state" / "select").chmod(0o500)
    try:
        args = verbs(out, "")["select"]
        result = run_corpus(*args, check=False)
        assert result.returncode == 1 and result.stderr.count("\n") == 1
    finally:
        (out / "state" / "select").chmod(0o700)


def test_of_two_processes_on_one_folder_one_is_refused_and_harms_nothing(
    run_corpus, repo: Path, small_built: Path, tmp_path: Path
) -> None:
    from corpus.folder.folder import open_folder

    out = Path(shutil.copytree(small_built, tmp_path / "out"))
    before, gone = tree(out), an_id(out)
    with open_folder(out).lock():
        for verb in ("select", "remove", "dedup", "publish"):
            result = run_corpus(*verbs(out, gone)[verb], check=False)
            assert result.returncode == 2 and "another build" in result.stderr, verb
            assert result.stderr.count("\n") == 1
        # Who only reads is not kept waiting, and sees what was there.
        assert json.loads(run_corpus("stats", out, "--json").stdout)["publish"]["out"]
        assert json.loads(run_corpus("verify", out, "--json").stdout)["whole"]
    assert tree(out) == before


def test_a_process_that_dies_gives_the_folder_back(repo: Path, small_built: Path, tmp_path: Path):
    out = Path(shutil.copytree(small_built, tmp_path / "out"))
    code = (
        "import sys, time\nfrom corpus.folder.folder import open_folder\n"
        "with open_folder(sys.argv[1]).lock():\n print('held', flush=True)\n time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(out)], cwd=repo, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    from corpus.folder.folder import open_folder

    with open_folder(out).lock():
        assert time.monotonic()
