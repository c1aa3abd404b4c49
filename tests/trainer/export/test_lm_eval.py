"""An exported folder in lm-evaluation-harness: its loader gives our log-probabilities."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainer_helpers import texts, with_

from trainer.config.settings import Config
from trainer.export.huggingface import export
from trainer.folder.load import load_model
from trainer.run.train import train
from trainer.tasks.ask import continuation, log_probabilities


def test_the_harness_reads_an_export_and_agrees(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="pip install lm-eval==0.4.13")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    train(with_(config, train={"steps": 4}, eval={"every": 0, "rows": 2}))
    export(config.out, tmp_path / "hf")
    model, _, tokenizer, _ = load_model(config.out)
    # A newline is a piece of its own: ours and the harness's cut fall together there.
    cuts = [t.partition("\n\n") for t in texts()]
    asked = [(a[:60], "\n" + c[:20]) for a, _, c in cuts if len(c) > 20][:5]
    assert len(asked) == 5
    harness = HFLM(str(tmp_path / "hf"), device="cpu", dtype="float32", batch_size=2)
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(asked)]
    theirs = [score for score, _ in harness.loglikelihood(requests, disable_tqdm=True)]
    for (before, after), score in zip(asked, theirs, strict=True):
        part = continuation(before, after, tokenizer, config.model.max_position_embeddings)
        assert log_probabilities(model, [part], tokenizer)[0] == pytest.approx(score, abs=2e-3)
