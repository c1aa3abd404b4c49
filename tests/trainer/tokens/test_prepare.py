"""Token shards: the same bytes whatever the workers, resumable, with lineage and exact counts."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainer_helpers import texts, with_

from trainer.config.settings import Config, ConfigError, TrainError
from trainer.data.loader import Loader
from trainer.tokens import parquet
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import Tokenizer
from trainer.tokens.tokenizer_train import save, train


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


def test_a_flipped_bit_in_a_shard_is_refused_or_changes_nothing_that_is_read(
    config: Config, tokens: Path, tmp_path: Path
) -> None:
    """Of 60 single bits, most of them in pages, none gives other tokens, lengths or sources."""
    copy = tmp_path / "copy"
    shutil.copytree(tokens, copy)
    shard = sorted((copy / "train").glob("*"))[0]
    content = shard.read_bytes()

    def read() -> list[object]:
        loader = Loader(with_(config, data={"tokens": str(copy)}))
        d = loader.documents
        everything = [t.tolist() for t in d.tokens(np.arange(len(d)))]
        batches = [loader.batch(s).digest for s in range(3)]
        sources = [d.names[i] for i in d.source]
        return [everything, d.lengths.tolist(), sources, d.weights, batches]

    expected, refused, rng = read(), 0, random.Random(1)
    for _ in range(60):
        at = rng.randrange(len(content))
        damaged = bytearray(content)
        damaged[at] ^= 1 << rng.randrange(8)
        shard.write_bytes(damaged)
        try:
            assert read() == expected, f"bit of byte {at}"
        except TrainError as error:
            assert str(shard) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 40  # most bits lie in pages that are read


def test_rows_of_a_unit_stand_by_source_and_otherwise_in_input_order(
    tokenizer_dir: Path, tmp_path: Path
) -> None:
    n = 300
    sources = [["web", "法令", None, "web", "a"][i * 7 % 5] for i in range(n)]
    table = pa.table(
        {
            "text": [f"文書{i}" for i in range(n)],
            "id": [f"d{i:04d}" for i in range(n)],
            "source": pa.array(sources, pa.string()),
        }
    )
    for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string())):
        (tmp_path / str(kind)).mkdir()
        cast = table.set_column(2, "source", table.column("source").cast(kind))
        pq.write_table(cast, tmp_path / str(kind) / "x.parquet", row_group_size=40)
        prepare(tmp_path / str(kind), tokenizer_dir, tmp_path / f"{kind}-out", 0.2)
        for split in ("train", "held"):
            found = rows(tmp_path / f"{kind}-out", split)
            order = [(r["source"] or "", r["id"]) for r in found]
            assert order == sorted(order) and len(order) > 20
        ids = [
            r["id"] for split in ("train", "held") for r in rows(tmp_path / f"{kind}-out", split)
        ]
        assert sorted(ids) == table.column("id").to_pylist()  # type: ignore[type-var]


def test_a_text_redacted_in_place_at_equal_size_never_keeps_its_old_tokens(
    tokenizer_dir: Path, tmp_path: Path
) -> None:
    text = [f"本文{i:04d}" * 20 for i in range(500)]
    file = tmp_path / "in" / "a.parquet"
    file.parent.mkdir()

    def write(column: list[str]) -> int:
        pq.write_table(
            pa.table({"text": column}),
            file,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
        )
        return file.stat().st_size

    size = write(text)
    stamp = file.stat()
    first = prepare(file.parent, tokenizer_dir, tmp_path / "out", 0.0)
    redacted = [t if i != 250 else "＊" * len(t) for i, t in enumerate(text)]
    redacted[250] = "X" * len(text[250].encode())
    assert write(redacted) == size
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(ConfigError, match="tokens of other input or settings"):
        prepare(file.parent, tokenizer_dir, tmp_path / "out", 0.0)
    second = prepare(file.parent, tokenizer_dir, tmp_path / "new", 0.0)
    assert first["input"] != second["input"] and first["fingerprint"] != second["fingerprint"]
    write(text)
    assert prepare(file.parent, tokenizer_dir, tmp_path / "out", 0.0) == first


@pytest.mark.parametrize("there", ["cut short", "another", "empty folder"])
def test_the_tokenizer_beside_the_shards_is_the_one_that_made_them(
    corpus: Path, tokenizer_dir: Path, tokens: Path, tmp_path: Path, there: str
) -> None:
    model = tmp_path / "out" / "tokenizer" / "tokenizer.model"
    model.parent.mkdir(parents=True)
    right = (tokenizer_dir / "tokenizer.model").read_bytes()
    if there == "cut short":  # killed while it was copied
        model.write_bytes(right[: len(right) // 2])
    elif there == "another":
        save(train(texts(), 1400, "bpe"), model.parent, {})
    prepare(corpus, tokenizer_dir, tmp_path / "out", 0.15)
    assert model.read_bytes() == right
    assert (tmp_path / "out" / "tokenizer" / "tokenizer.json").read_bytes() == (
        tokenizer_dir / "tokenizer.json"
    ).read_bytes()
    assert digests(tmp_path / "out") == digests(tokens)


def test_batches_are_bounded_in_bytes_and_their_size_changes_no_shard(
    tokenizer_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = [("長い文書。" * 70_000)[: 340_000 + i] for i in range(40)]  # 1 MB each
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": big}), file, row_group_size=20, use_dictionary=False)
    units = parquet.units([file])
    sizes = [b.nbytes for u in units for b in parquet.read(u)]
    assert max(sizes) < 2 * parquet.BATCH_BYTES and sum(sizes) > 40e6
    assert sum(b.num_rows for u in units for b in parquet.read(u)) == 40
    small = tmp_path / "small.parquet"
    pq.write_table(pa.table({"text": [t[:3000] for t in big]}), small, use_dictionary=False)
    prepare(small, tokenizer_dir, tmp_path / "large batches", 0.1)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 20_000)
    assert max(b.num_rows for u in parquet.units([small]) for b in parquet.read(u)) < 5
    prepare(small, tokenizer_dir, tmp_path / "small batches", 0.1)
    assert digests(tmp_path / "large batches") == digests(tmp_path / "small batches")
