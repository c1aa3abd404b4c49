"""What a run did with documents: their token rows, the steps that read them, the checkpoints after.

For `corpus trace --run`, which knows where the documents come from. Like `trainer.analysis.trace`
it makes everything again from the run's settings and its token shards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainer.analysis.trace import steps_of, whole_run, with_ids
from trainer.config.settings import ConfigError
from trainer.data.steps import total_steps
from trainer.folder.run import metrics
from trainer.tokens.documents import Documents
from trainer.tokens.prepare import SPLITS

STEP = re.compile(r"step-(\d{8})")
# Lines of the card (trainer/export/card.py) that say which checkpoint a model is.
CARD = {
    "step": re.compile(r"^\| checkpoint \| step ([\d,]+),", re.M),
    "chain": re.compile(r"^\| rolling hash of all batches \| `([^`]*)` \|", re.M),
    "fingerprint": re.compile(r"^\| fingerprint of the tokens \| `([^`]*)` \|", re.M),
}


def checkpoints(run: Path) -> dict[int, str]:
    """Step → rolling hash of all batches, of the checkpoints that a run still has."""
    found = {}
    for path in sorted((run / "ckpt").glob("step-*/train.json")):
        if name := STEP.fullmatch(path.parent.name):
            state = json.loads(path.read_text(encoding="utf-8"))
            found[int(name[1])] = str(state.get("chain", ""))
    return found


def of_documents(folder: str | Path, ids: Iterable[str]) -> dict[str, Any]:
    """What a run did with documents, by their ids in the corpus.

    Returns {run, tokens, fingerprint, steps: of the whole run, reached: the last one so far,
    checkpoints: their steps, documents: [{id, shard, row, n_tokens, split, steps}]}. The steps are
    those up to `reached`; a document of the held-out split has none, and one that was not among
    the tokens is not listed. Raises ConfigError when the token shards changed.
    """
    config, loader, end, left_out = whole_run(folder)
    run = Path(folder)
    reached = max((row["step"] for row in metrics(run)), default=0)
    wanted, rows = set(ids), []
    for split in SPLITS:
        documents = loader.documents
        if split != "train":
            documents = Documents(documents.folders, split)
        for name, number, file, row in with_ids(documents, wanted):
            steps: list[dict[str, Any]] = []
            if split == "train":
                steps = steps_of(loader, number, end, left_out)
            rows.append(
                {
                    "id": name,
                    "shard": f"{split}/{file.name}",
                    "row": row,
                    "n_tokens": int(documents.lengths[number]),
                    "split": split,
                    "steps": sorted({s["step"] for s in steps if s["step"] <= reached}),
                }
            )
    return {
        "run": str(folder),
        "tokens": ", ".join(loader.documents.folders),
        "fingerprint": loader.documents.manifest["fingerprint"],
        "steps": total_steps(config),
        "reached": reached,
        "checkpoints": sorted(checkpoints(run)),
        "documents": rows,
    }


def exported(folder: str | Path, model: Path) -> dict[str, Any]:
    """Which checkpoint of a run an exported model is, by the card beside its weights.

    Returns {model, step, chain, fingerprint, run, agrees}: `agrees` says whether the run's
    metrics, or that checkpoint, have the rolling hash that the card states. Raises ConfigError for
    a folder without such a card.
    """
    card = model / "README.md" if model.is_dir() else model
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{model} has no card that can be read: {error}") from error
    found = {name: pattern.search(text) for name, pattern in CARD.items()}
    said = {name: match[1] for name, match in found.items() if match}
    if len(said) < len(CARD):
        raise ConfigError(f"{card} names no checkpoint: it was not written by `trainer export`")
    step, run = int(said["step"].replace(",", "")), Path(folder)
    known = {r["step"]: r["chain"] for r in metrics(run) if "chain" in r} | checkpoints(run)
    return {
        "model": str(model),
        "step": step,
        "chain": said["chain"],
        "fingerprint": said["fingerprint"],
        "run": str(folder),
        "agrees": known.get(step) == said["chain"],
    }
