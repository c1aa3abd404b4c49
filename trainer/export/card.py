"""The README.md of an exported model: what it was trained on, from the run's own records."""

from __future__ import annotations

import json
from pathlib import Path

from trainer.config.settings import Config
from trainer.folder.run import metrics
from trainer.plan import flops

TRACE = """
`trainer trace RUN --step N` names the documents, URLs and archive offsets behind any step.
"""


def text(run: Path, config: Config, step: int) -> str:
    """The card of the checkpoint of `step`, with the YAML header the hub reads."""
    data = json.loads((run / "data-card.json").read_text(encoding="utf-8"))
    path = run / "ckpt" / f"step-{step:08d}" / "train.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    shape, train = config.model, data.get("train", {})
    size = flops.parameters(shape)["total"]
    tokens = state.get("tokens", state["row"] * config.data.seq_len)
    base = f"\n| goes on from | {Path(config.checkpoint.load).resolve().name} |"
    if "imported" in data:
        trained, base, trace = "none by Inaho", f"\n| imported from | {data['imported']} |", ""
    elif "shards" in train:
        trained, trace = f"{train['rows']:,} documents, {train['tokens']:,} tokens", TRACE
    else:  # `trainer sft` packs conversations
        trained = f"conversations in {train['rows']:,} rows, {train['tokens']:,} tokens of answers"
        base, trace = base.replace("goes on", "fine-tuned"), ""
    base = base if config.checkpoint.load else ""
    return f"""---
language: ja
library_name: transformers
pipeline_tag: text-generation
---
# {run.name}

A {shape.family} model of {size:,} parameters ({shape.num_hidden_layers} layers,
width {shape.hidden_size}, vocabulary {shape.vocab_size:,}), trained by Inaho's `trainer`.

| | |
|---|---|
| checkpoint | step {step:,}, {state["row"]:,} rows, {tokens:,} tokens |{base}
| last held-out evaluation | {_held_out(run, step)} |
| training text | {trained} |
| fingerprint of the tokens | `{data["fingerprint"]}` |
| fingerprint of their input | `{data["input"]}` |
| rolling hash of all batches | `{state["chain"]}` |
| seed | {state["seed"]} |
{trace}"""


def _held_out(run: Path, step: int) -> str:
    """The newest evaluation up to `step`: the one at its own step is later than the checkpoint."""
    evaluations = [r for r in metrics(run) if "held_out" in r and r["step"] <= step]
    if not evaluations:
        return "none"
    rates = evaluations[-1]["held_out"]
    return (
        f"{rates['bpb']:.4f} bits per byte, {rates['bpc']:.4f} per character "
        f"(step {evaluations[-1]['step']:,})"
    )
