"""Token files of Megatron-LM: read by another reader, the same for any workers, and read back."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from trainer_helpers import run_trainer

from trainer.config.settings import ConfigError
from trainer.export import megatron
from trainer.tokens import parquet


def documents(prefix: Path) -> list[list[int]]:
    """Another reader, from the description of the format in Megatron-LM's indexed_dataset.py."""
    raw = prefix.with_suffix(".idx").read_bytes()
    magic, version, code, sequences, count = struct.unpack("<9sQBQQ", raw[:34])
    assert (magic, version, count) == (b"MMIDIDX\x00\x00", 1, sequences + 1)
    kind, size = {4: ("i", 4), 8: ("H", 2)}[code]
    lengths = struct.unpack(f"<{sequences}i", raw[34 : 34 + 4 * sequences])
    at = 34 + 4 * sequences
    pointers = struct.unpack(f"<{sequences}q", raw[at : at + 8 * sequences])
    firsts = struct.unpack(f"<{count}q", raw[at + 8 * sequences :])
    assert list(firsts) == list(range(count))
    data = prefix.with_suffix(".bin").read_bytes()
    assert len(data) == size * sum(lengths)
    return [
        list(struct.unpack(f"<{n}{kind}", data[p : p + n * size]))
        for p, n in zip(pointers, lengths, strict=True)
    ]


def stored(folder: Path, split: str, source: str) -> list[list[int]]:
    rows = []
    for shard in sorted((folder / split).glob("*.parquet")):
        table = pq.read_table(shard, columns=["tokens", "source"]).to_pylist()
        rows += [r["tokens"] for r in table if r["source"] == source]
    return rows


def test_another_reader_finds_every_document_whatever_the_workers(
    corpus: Path, tokenizer_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "UNIT_BYTES", 1)  # a unit for each row group: seven
    written = {}
    for workers in (1, 2, 4):
        out = tmp_path / f"w{workers}"
        args = [corpus, "--tokenizer", tokenizer_dir, "--out", out, "--held-out", 0.15]
        args += ["--workers", workers, "--format", "megatron"]
        assert run_trainer(monkeypatch, "prepare", *args) == 0
        files = sorted((out / "megatron").glob("*-*.*"))
        written[workers] = {f.name: f.read_bytes() for f in files if f.suffix != ".txt"}
    assert (
        written[1] == written[2] == written[4] and len(written[1]) == 8
    )  # two splits, two sources
    for split in ("train", "held"):
        blend = (out / "megatron" / f"{split}-blend.txt").read_text().split()
        for tokens, prefix in zip(blend[::2], blend[1::2], strict=True):
            source = prefix.rpartition("-")[2]
            there = documents(Path(prefix))
            assert there == stored(out, split, source) and sum(map(len, there)) == int(tokens)

    # The way back: the same tokens of the same documents, each source a pair.
    pairs = ",".join(f"{out}/megatron/train-{s}.idx" for s in ("even", "odd"))
    again = tmp_path / "again"
    back = [pairs, "--tokenizer", tokenizer_dir, "--out", again, "--held-out", 0]
    assert run_trainer(monkeypatch, "prepare", *back) == 0
    for source in ("even", "odd"):
        assert stored(again, "train", f"train-{source}") == stored(out, "train", source)
    rows = pq.read_table(again / "train").to_pylist()
    first = pq.read_table(out / "train", filters=[("source", "=", "even")]).to_pylist()[0]
    (same,) = [r for r in rows if r["id"] == "train-even:0"]
    assert (same["n_bytes"], same["n_chars"]) == (first["n_bytes"], first["n_chars"])


def test_megatron_reads_the_files_with_its_own_class(tokens: Path, tmp_path: Path) -> None:
    """IndexedDataset of megatron-core, which maps .bin and reads .idx as training does."""
    dataset = pytest.importorskip(
        "megatron.core.datasets.indexed_dataset", reason="pip install megatron-core"
    )
    out = Path(shutil.copytree(tokens, tmp_path / "tokens"))
    for name, count in megatron.write(out).items():
        split, _, source = name.partition("-")
        theirs = dataset.IndexedDataset(str(out / "megatron" / name))
        expected = stored(out, split, source)
        assert [row.tolist() for row in theirs[0 : len(theirs)]] == expected
        assert int(theirs.sequence_lengths.sum()) == count
        assert theirs.document_indices.tolist() == list(range(len(expected) + 1))


@pytest.mark.parametrize("change", ["magic", "code", "count", "length", "pointer", "short"])
def test_an_index_that_lies_is_refused(tmp_path: Path, change: str) -> None:
    prefix = tmp_path / "x"
    raw = bytearray(megatron.index(np.array([3, 2]), np.dtype("<u2")))
    prefix.with_suffix(".bin").write_bytes(np.arange(5, dtype="<u2").tobytes())
    prefix.with_suffix(".idx").write_bytes(raw)
    assert [d.tolist() for d in megatron.read(prefix)] == [[0, 1, 2], [3, 4]]
    at = {"magic": 0, "code": 17, "count": 18, "length": 34, "pointer": 50}
    if change == "short":
        raw = raw[:-1]
    else:
        raw[at[change]] = 200
    prefix.with_suffix(".idx").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"x\.idx: "):
        list(megatron.read(prefix))
