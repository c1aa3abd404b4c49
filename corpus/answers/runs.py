"""What training runs did with documents, asked of `trainer`, which alone knows its order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpus.errors import UsageError, counted

SHOWN = 5  # steps that are named


def of_documents(run: Path, ids: Iterable[str]) -> dict[str, Any]:
    """Token rows and steps of documents in a run (trainer.analysis.lineage.of_documents).

    UsageError when the folder is no run, or its tokens are not those it was trained on.
    """
    facts: dict[str, Any] = _asked(run, ["--ids", "-"], "\n".join(ids))
    return facts


UNSEEN: dict[str, Any] = {"tokenised": False, "held_out": False, "steps": [], "checkpoints": []}


def seen(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """id → {tokenised, held_out, steps, checkpoints} of the documents of `of_documents`.

    held_out: all its token rows are of a split that no step trains on. checkpoints: those the run
    still has, of a step that came after the first that trained on it, or of that step.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in facts["documents"]:
        rows.setdefault(row["id"], []).append(row)
    found = {}
    for name, own in rows.items():
        steps = sorted({step for row in own for step in row["steps"]})
        found[name] = {
            "tokenised": True,
            "held_out": all(row["split"] != "train" for row in own),
            "steps": steps,
            "checkpoints": [step for step in facts["checkpoints"] if steps and step >= steps[0]],
        }
    return found


def of_step(run: Path, step: int) -> list[dict[str, Any]]:
    """The documents that a step trained on (trainer.analysis.trace.of_step)."""
    rows: list[dict[str, Any]] = _asked(run, ["--step", str(step)])
    return rows


def exported(run: Path, model: Path) -> dict[str, Any]:
    """Which checkpoint of a run an exported model is (trainer.analysis.lineage.exported)."""
    facts: dict[str, Any] = _asked(run, ["--model", str(model)])[0]
    return facts


def _asked(run: Path, options: list[str], given: str = "") -> Any:
    command = [sys.executable, "-m", "trainer", "trace", str(run), *options, "--json"]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["trainer cannot be run"]
        raise UsageError(f"{run}: {words[-1].removeprefix('error: ')}")
    return json.loads(done.stdout)


def lines(facts: dict[str, Any], name: str, model: dict[str, Any] | None = None) -> list[str]:
    """What a terminal is told of a document (id) in a run, and in a model exported from it."""
    own = [row for row in facts["documents"] if row["id"] == name]
    if not own:
        return [f"run {facts['run']}: not among its tokens"]
    said = []
    for row in own:
        place = f"token row {row['shard']}:{row['row']} ({counted(row['n_tokens'], 'token')})"
        if row["split"] != "train":
            said.append(f"run {facts['run']}: {place}, held out: no step trained on it")
            continue
        steps = row["steps"]
        if not steps:
            seen = f"no step up to {facts['reached']:,} of {facts['steps']:,} trained on it"
        else:
            more = f" and {len(steps) - SHOWN:,} more" if len(steps) > SHOWN else ""
            named = ", ".join(f"{step:,}" for step in steps[:SHOWN])
            after = [step for step in facts["checkpoints"] if step >= steps[0]]
            held = f"checkpoints {', '.join(f'{s:,}' for s in after)}" if after else "no checkpoint"
            seen = f"trained on in {'step' if len(steps) == 1 else 'steps'} {named}{more}; {held}"
        said.append(f"run {facts['run']}: {place}, {seen}")
        if model is not None:
            said.append(_in_model(model, steps))
    return said


def model_line(model: dict[str, Any]) -> str:
    """Which checkpoint a model is."""
    agrees = "the rolling hash of all batches is the run's"
    if not model["agrees"]:
        agrees = "but the run has another rolling hash there: it is not of this run"
    which = f"checkpoint of step {model['step']:,} of {model['run']}"
    return f"model {model['model']}: {which}; {agrees}"


def model_text(model: dict[str, Any]) -> str:
    """The same for a terminal."""
    return model_line(model) + "\n"


def _in_model(model: dict[str, Any], steps: list[int]) -> str:
    if not model["agrees"]:
        return model_line(model)
    count = sum(step <= model["step"] for step in steps)
    return (
        f"model {model['model']}: checkpoint of step {model['step']:,}; "
        f"{counted(count, 'step')} up to it trained on this document"
    )
