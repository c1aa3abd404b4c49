"""`trainer remove`: documents leave token shards, and the manifest says what is left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from trainer_helpers import run_trainer, with_

from trainer import files
from trainer.analysis import trace
from trainer.analysis.remove import BEFORE, remove
from trainer.config.settings import Config
from trainer.export import megatron
from trainer.run.train import train
from trainer.tokens.documents import Documents
from trainer.tokens.prepare import SPLITS, load_manifest, prepare


def ids(folder: Path) -> list[str]:
    parts = [pq.read_table(p, columns=["id"]) for p in sorted(folder.glob("*/tokens-*.parquet"))]
    return [name for part in parts for name in part["id"].to_pylist()]


def whole(folder: Path) -> None:
    """The manifest names every shard with the bytes, rows and tokens that it has."""
    manifest = load_manifest(folder)
    for split in SPLITS:
        tables = []
        for shard in manifest[split]["shards"]:
            assert files.sha256(folder / shard["name"]) == shard["sha256"]
            tables.append(pq.read_table(folder / shard["name"]))
        assert sum(map(len, tables)) == manifest[split]["rows"]
        tokens = sum(len(row) for table in tables for row in table["tokens"].to_pylist())
        assert tokens == manifest[split]["tokens"]


def test_documents_leave_shards_and_notes(tokens: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(tokens, tmp_path / "tokens"))
    before, fingerprint = ids(out), load_manifest(out)["fingerprint"]
    gone = [before[0], before[-1], "not there"]
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "remove", out, "--ids", "-", "--json"],
        input="\n".join(gone), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["removed"] == 2
    assert ids(out) == before[1:-1]
    whole(out)
    manifest = load_manifest(out)
    assert manifest["fingerprint"] != fingerprint and manifest[BEFORE] == [fingerprint]
    assert len(Documents(out).lengths) == manifest["train"]["rows"]
    after = (out / "manifest.json").read_bytes()
    assert remove(out, gone)["removed"] == 0 and (out / "manifest.json").read_bytes() == after


def test_a_removal_that_is_killed_between_shard_and_manifest_goes_on(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(tokens, tmp_path / "tokens"))
    gone = ids(out)[:3]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(out, gone)
    monkeypatch.undo()
    remove(out, gone)
    whole(out)
    assert not set(gone) & set(ids(out))


def test_only_shards_and_pairs_that_hold_a_document_are_written_and_its_steps_are_named(
    config: Config, tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = Path(shutil.copytree(tokens, tmp_path / "tokens"))
    megatron.write(out)
    run = with_(config, data={"tokens": str(out)}, train={"steps": 4})
    train(with_(run, eval={"every": 0, "rows": 2}))
    others, first = ids(out), trace.of_step(run.out, 2)[0]
    gone = first["id"]
    seen = sorted({r["step"] for r in trace.of_document(run.out, gone, "id")})
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.rglob("*.*") if p.is_file()}
    (tmp_path / "ids").write_text(gone)
    command = ["remove", out, "--ids", tmp_path / "ids", "--run", run.out]
    assert run_trainer(monkeypatch, *command, "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["seen"] == {run.out: {gone: seen}} and seen and said["shards"] == 1
    changed = {
        p.relative_to(out).as_posix()
        for p, (when, _) in before.items()
        if p.stat().st_mtime_ns != when and p.parent.name in ("train", "held", "megatron")
        and p.suffix != ".txt"
    }  # fmt: skip
    pair = f"megatron/train-{first['source']}"
    (shard,) = [c for c in changed if c.startswith("train/")]
    assert changed == {shard, f"{pair}.bin", f"{pair}.idx"}
    assert ids(out) == [name for name in others if name != gone]
    # Killed between the shards and Megatron's files: the next call finds them outdated.
    (out / "megatron" / "made-from").write_text("of before")
    files.write(out / f"{pair}.bin", b"")
    remove(out, [gone])
    fresh = Path(shutil.copytree(out, tmp_path / "fresh"))
    shutil.rmtree(fresh / "megatron")
    megatron.write(fresh)
    for path in sorted((fresh / "megatron").glob("*.[bi][id][nx]")):
        assert path.read_bytes() == (out / "megatron" / path.name).read_bytes()


def test_a_takedown_of_the_corpus_reaches_the_shards_made_from_it(
    run_corpus, small_built: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(small_built, tmp_path / "corpus"))
    out = tmp_path / "tokens"
    prepare(build, tokenizer_dir, out, held_out=0.2)
    before = ids(out)
    run_corpus("remove", build, "--id", before[3], "-j", 1, "-q")
    found = run_corpus("remove", build, "--tokens", out, "--verify", "--json", "-j", 1)
    said = json.loads(found.stdout)
    facts = {"tokens": str(out), "documents": len(before) - 1, "removed": 1, "shards": 1}
    assert said["tokens"] == [facts]
    assert said["verified"]["absent"]
    assert ids(out) == [name for name in before if name != before[3]]
    whole(out)
