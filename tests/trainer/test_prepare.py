"""Token shards: the same bytes whatever the workers, resumable, with lineage and exact counts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer import parquet
from trainer.config import ConfigError
from trainer.prepare import prepare
from trainer.tokenizer import Tokenizer


def digests(folder: Path) -> dict[str, str]:
    files = [p for p in sorted(folder.rglob("*.parquet"))] + [folder / "manifest.json"]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def rows(folder: Path, split: str) -> list[dict[str, object]]:
    return [r for p in sorted((folder / split).glob("*")) for r in pq.read_table(p).to_pylist()]


def test_any_number_of_workers_gives_the_same_bytes(
    corpus: Path, tokenizer_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(corpus, tokenizer_dir, tmp_path / "one", 0.15, workers=1)
    prepare(corpus, tokenizer_dir, tmp_path / "two", 0.15, workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    corpus: Path, tokenizer_dir: Path, tmp_path: Path, tokens: Path
) -> None:
    out = tmp_path / "out"
    prepare(corpus, tokenizer_dir, out, 0.15)
    kept = out / "train" / "tokens-00000.parquet"
    stamp = kept.stat().st_mtime_ns
    # As after a kill: the second unit half-written, no row says it is done, no manifest.
    (out / "units" / "00001.json").unlink()
    (out / "train" / "tokens-00001.parquet").unlink()
    (out / "train" / "tokens-00001.tmp").write_bytes(b"half")
    (out / "manifest.json").unlink()
    prepare(corpus, tokenizer_dir, out, 0.15)
    assert digests(out) == digests(tokens)
    assert kept.stat().st_mtime_ns == stamp


def test_a_document_decodes_to_its_text_and_keeps_its_lineage(corpus: Path, tokens: Path) -> None:
    source = [r for f in parquet.input_files(corpus) for r in pq.read_table(f).to_pylist()]
    tokenizer = Tokenizer.load(tokens / "tokenizer")
    made = {r["id"]: r for split in ("train", "held") for r in rows(tokens, split)}
    assert set(made) == {r["id"] for r in source if r["text"]}
    for row in source:
        got = made[row["id"]]
        ids = got["tokens"]
        assert tokenizer.decode(ids) == row["text"]
        assert (ids[0], ids[-1]) == (tokenizer.bos, tokenizer.eos)
        assert got["n_tokens"] == len(ids)
        assert (got["n_bytes"], got["n_chars"]) == (len(row["text"].encode()), len(row["text"]))
        for name in ("url", "source", "source_file", "source_offset", "source_length"):
            assert got[name] == row[name]


def test_held_out_documents_are_chosen_by_id_alone(
    corpus: Path, tokenizer_dir: Path, tokens: Path, tmp_path: Path
) -> None:
    """A corpus that grew or was sorted anew keeps its held-out documents."""
    whole = pa.concat_tables([pq.read_table(f) for f in parquet.input_files(corpus)])
    (tmp_path / "in").mkdir()
    pq.write_table(whole.take(list(range(49, 4, -1))), tmp_path / "in" / "x.parquet")
    prepare(tmp_path / "in", tokenizer_dir, tmp_path / "out", 0.15)
    before = {r["id"] for r in rows(tokens, "held")}
    after = {r["id"] for r in rows(tmp_path / "out", "held")}
    assert before & {f"doc-{i:03d}" for i in range(5, 50)} == after
    assert before


def test_parquet_with_only_text_works(tokenizer_dir: Path, tmp_path: Path) -> None:
    texts = ["一つ目の文書。", None, "", "二つ目。"]
    pq.write_table(pa.table({"text": pa.array(texts)}), tmp_path / "a.parquet")
    manifest = prepare(str(tmp_path / "*.parquet"), tokenizer_dir, tmp_path / "out", 0)
    assert manifest["documents"] == 4
    assert manifest["train"]["rows"] == 2
    assert [r["id"] for r in rows(tmp_path / "out", "train")] == ["a.parquet:0", "a.parquet:3"]


@pytest.mark.parametrize("kind", ["missing", "no text", "broken"])
def test_bad_input_is_one_line_that_names_the_file(
    tokenizer_dir: Path, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "bad.parquet"
    if kind == "no text":
        pq.write_table(pa.table({"body": ["x"]}), file)
    elif kind == "broken":
        file.write_bytes(b"PAR1 not really")
    with pytest.raises(ConfigError, match=r"bad\.parquet") as error:
        prepare(file, tokenizer_dir, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_folder_of_another_input_is_refused(
    corpus: Path, tokenizer_dir: Path, tokens: Path
) -> None:
    with pytest.raises(ConfigError, match="other input or settings"):
        prepare(corpus, tokenizer_dir, tokens, held_out=0.3)


def test_the_manifest_has_the_hash_of_every_shard(tokens: Path) -> None:
    manifest = json.loads((tokens / "manifest.json").read_text())
    for split in ("train", "held"):
        for shard in manifest[split]["shards"]:
            content = (tokens / shard["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == shard["sha256"]
