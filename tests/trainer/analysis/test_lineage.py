"""Lineage of documents in a run: token rows, steps, checkpoints, exported models."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trainer.analysis import lineage, trace
from trainer.config.settings import Config, ConfigError
from trainer.export import card
from trainer.run.train import train


def test_documents_have_token_rows_steps_and_checkpoints(config: Config, tmp_path: Path) -> None:
    train(config)
    seen = {p["id"] for step in (1, 7) for p in trace.of_step(config.out, step)}
    held = pq.read_table(next(Path(config.data.tokens).glob("held/*.parquet")))["id"][0].as_py()
    facts = lineage.of_documents(config.out, [*seen, held, "no-such-id"])
    assert facts["checkpoints"] == [4, 8, 12] and facts["reached"] == facts["steps"] == 12
    assert {row["id"] for row in facts["documents"]} == seen | {held}
    for row in facts["documents"]:
        shard = pq.read_table(Path(config.data.tokens) / row["shard"])
        assert shard["id"][row["row"]].as_py() == row["id"]
        assert shard["n_tokens"][row["row"]].as_py() == row["n_tokens"]
        own = [] if row["id"] == held else trace.of_document(config.out, row["id"], "id")
        assert row["steps"] == sorted({r["step"] for r in own})
        assert (row["split"] == "held") == (row["id"] == held)
    # The card of a checkpoint names it; one of another run, or no card, does not.
    model = tmp_path / "model"
    model.mkdir()
    text = card.text(Path(config.out), config, 8)
    (model / "README.md").write_text(text, "utf-8")
    found = lineage.exported(config.out, model)
    assert found["step"] == 8 and found["agrees"]
    chain = found["chain"]
    (model / "README.md").write_text(text.replace(chain, chain[::-1]), "utf-8")
    assert not lineage.exported(config.out, model)["agrees"]
    (model / "README.md").write_text("# model", "utf-8")
    for place in (model, tmp_path / "nothing"):
        with pytest.raises(ConfigError):
            lineage.exported(config.out, place)
