"""Ablation: equal tokens and seeds, intervals by the book, a real difference is found."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from trainer_helpers import with_

from trainer import files
from trainer.analysis.ablate import ablate, interval
from trainer.config.settings import Config, ConfigError
from trainer.data.loader import Batch
from trainer.run import evaluate
from trainer.run.train import Run
from trainer.tokens.prepare import prepare


def test_the_interval_is_students() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 * 1.0 / math.sqrt(3))
    assert interval([1.0]) == math.inf


def test_garbled_text_is_worse_and_the_table_says_so(
    config: Config, tokens: Path, corpus: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    table = pa.concat_tables([pq.read_table(f) for f in sorted((corpus / "corpus").glob("*"))])
    garbled = pa.array([t[::-1] for t in table.column("text").to_pylist()])
    at = table.schema.get_field_index("text")
    (tmp_path / "in").mkdir()
    pq.write_table(table.set_column(at, "text", garbled), tmp_path / "in" / "x.parquet")
    prepare(tmp_path / "in", tokenizer_dir, tmp_path / "reversed", 0.15)
    small = replace(config, train=replace(config.train, steps=25, lr=1e-2))
    corpora = [str(tokens), str(tmp_path / "reversed")]
    rows = ablate(corpora, small, tmp_path / "out", seeds=2)
    assert rows[0]["differs"] == "-"
    assert rows[1]["difference"] > 0
    stored = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [len(v) for v in stored["scores"].values()] == [2, 2]
    before = (tmp_path / "out" / "ablation.json").read_bytes()
    ablate(corpora, small, tmp_path / "out", seeds=2)  # nothing is trained again
    assert (tmp_path / "out" / "ablation.json").read_bytes() == before


def test_corpora_of_different_tokenizers_are_refused(
    config: Config, tokens: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    manifest = json.loads((tokens / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "tokenizer": "x"}))
    with pytest.raises(ConfigError, match="one tokenizer"):
        ablate([str(tokens), str(other)], config, tmp_path / "out")


@pytest.fixture
def quick(config: Config) -> Config:
    return with_(config, train={"steps": 4, "lr": 1e-2})


def test_a_finished_ablation_answers_only_for_its_own_settings_and_data(
    quick: Config, tokens: Path, corpus: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = ablate([str(tokens)], quick, out, seeds=1)
    for other in ({"steps": 5}, {"lr": 1e-4}, {"batch_rows": 3}):
        with pytest.raises(ConfigError, match=r"other settings or data: choose another --out"):
            ablate([str(tokens)], with_(quick, train=other), out, seeds=1)
    with pytest.raises(ConfigError, match="other settings or data"):
        ablate([str(tokens)], with_(quick, eval={"rows": 2}), out, seeds=1)
    # Other text in a folder of the same name.
    moved = tmp_path / "elsewhere" / tokens.name
    prepare(corpus, tokenizer_dir, moved, 0.2)
    with pytest.raises(ConfigError, match="other settings or data"):
        ablate([str(moved)], quick, out, seeds=1)
    # What is printed, how the work is shared out and where the folders lie change no score.
    same = with_(
        quick,
        log={"every": 2, "progress": True},
        parallel={"threads": 2, "dtype": "float32"},
        checkpoint={"every": 2, "keep_last": 1},
    )
    (moved.parent / "copy").mkdir()
    shutil.copytree(tokens, moved.parent / "copy" / tokens.name)
    out.rename(tmp_path / "renamed")
    again = ablate([str(moved.parent / "copy" / tokens.name)], same, tmp_path / "renamed", seeds=1)
    assert again[0]["bits/byte"] == first[0]["bits/byte"]


def test_an_ablation_killed_at_any_time_gives_the_score_of_one_that_was_not(
    quick: Config, tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in training, before the last evaluation, and before the score is written."""
    quick = with_(quick, checkpoint={"every": 2})
    whole = ablate([str(tokens)], quick, tmp_path / "whole", seeds=1)
    out, step = tmp_path / "out", Run.step
    done: list[int] = []

    def killed_in_training(self: Run, at: int, batch: Batch) -> torch.Tensor:
        if at == 3:
            raise KeyboardInterrupt
        return step(self, at, batch)

    def killed_at_the_end(*args: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    def not_written(path: Path, content: bytes) -> None:
        if path.name == "score.json":
            raise KeyboardInterrupt
        write(path, content)

    write = files.write
    kills: list[tuple[Any, str, Any]] = [
        (Run, "step", killed_in_training),
        (evaluate, "held_out", killed_at_the_end),
        (files, "write", not_written),
    ]
    for where, name, kill in kills:
        with monkeypatch.context() as patch:
            patch.setattr(where, name, kill)
            with pytest.raises(KeyboardInterrupt):
                ablate([str(tokens)], quick, out, seeds=1)
        done.append(len(list(out.rglob("score.json"))))
    assert done == [0, 0, 0]
    with pytest.raises(ConfigError, match="begun with other settings"):  # half of each: no score
        ablate([str(tokens)], with_(quick, train={"lr": 1e-4}), out, seeds=1)
    resumed = ablate([str(tokens)], quick, out, seeds=1)
    assert resumed[0]["bits/byte"] == whole[0]["bits/byte"]
    untrained = json.loads(next(out.rglob("metrics.jsonl")).read_text().splitlines()[0])
    assert resumed[0]["bits/byte"] < round(untrained["held_out"]["bpb"], 4)


@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without"])
def test_held_out_text_that_another_corpus_trains_on_is_refused(
    quick: Config, corpus: Path, tokens: Path, tokenizer_dir: Path, tmp_path: Path, ids: bool
) -> None:
    if ids:  # held out in one, not in the other
        prepare(corpus, tokenizer_dir, tmp_path / "b", 0.0)
        corpora = [str(tokens), str(tmp_path / "b")]
    else:  # ids made from row numbers, which a filter shifts
        table = pq.read_table(sorted((corpus / "corpus").glob("*"))[0], columns=["text"])
        corpora = []
        for name, part in (("a", table), ("b", table.slice(3))):
            (tmp_path / f"in-{name}").mkdir()
            pq.write_table(part, tmp_path / f"in-{name}" / "x.parquet")
            prepare(tmp_path / f"in-{name}", tokenizer_dir, tmp_path / name, 0.4)
            corpora.append(str(tmp_path / name))
    with pytest.raises(ConfigError, match=r"held-out documents of .* are trained on in") as caught:
        ablate(corpora, quick, tmp_path / "out", seeds=1)
    assert "\n" not in str(caught.value)
    assert corpora[1] in str(caught.value)
    assert not (tmp_path / "out").exists(), "nothing was trained"
