"""`trainer ablate A B …`: the same small model on several corpora, at equal tokens and seeds.

Each corpus is a folder of token shards made with one tokenizer. Every run has the same settings,
the same number of steps and is scored on the same held-out text (by default the first corpus's;
documents are held out by their id, so one that is held out there is trained on nowhere). A row
gives bits per byte with a 95 % confidence interval over seeds (Student's t), and the difference
to the first corpus paired by seed: a filter helps when that interval lies below zero.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from trainer import files
from trainer.config.settings import Config, ConfigError
from trainer.data.loader import Loader
from trainer.run import evaluate
from trainer.run.processes import place
from trainer.run.train import Feed, train
from trainer.tokens.documents import Documents
from trainer.tokens.prepare import load_manifest

# 97.5 % points of Student's t for 1, 2, … degrees of freedom
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def ablate(
    corpora: list[str], config: Config, out: str | Path, seeds: int = 3, held: str = ""
) -> list[dict[str, Any]]:
    """Train corpora × seeds (runs that are done are not repeated); rows for each corpus.

    Writes OUT/ablation.json. Raises ConfigError when the
    corpora have different tokenizers or there is no held-out text.
    """
    held = held or corpora[0]
    manifests = [load_manifest(c) for c in corpora]
    if len({m["tokenizer"] for m in [*manifests, load_manifest(held)]}) > 1:
        raise ConfigError("the corpora were tokenised differently: prepare them with one tokenizer")
    there = _digests(held, "held")
    for corpus in corpora:
        leaked = len(there & _digests(corpus, "train"))
        if leaked:
            raise ConfigError(
                f"{leaked} held-out documents of {held} are trained on in {corpus}: "
                "prepare both with the same --held-out, from text with an id column"
            )
    if seeds < 1 or len(set(corpora)) < len(corpora):
        raise ConfigError("give each corpus once, and --seeds of at least 1")
    scores: dict[str, list[float]] = {}
    for number, corpus in enumerate(corpora):
        for seed in range(1, seeds + 1):
            run = Path(out) / f"{number}-{Path(corpus).name}" / f"seed-{seed}"
            score = _run(config, corpus, held, run, seed)
            scores.setdefault(corpus, []).append(score)
    rows = [_row(c, m, scores, corpora[0]) for c, m in zip(corpora, manifests, strict=True)]
    text = json.dumps({"rows": rows, "scores": scores}, indent=1, ensure_ascii=False)
    _write(Path(out) / "ablation.json", text + "\n")
    return rows


def _digests(folder: str, split: str) -> set[bytes]:
    """Hashes of the tokens of each document of a split."""
    documents = Documents(folder, split)
    numbers = np.arange(len(documents), dtype=np.int64)
    parts = (documents.tokens(numbers[i : i + 10_000]) for i in range(0, len(numbers), 10_000))
    return {
        hashlib.blake2b(t.astype("<u4").tobytes(), digest_size=16).digest()
        for part in parts
        for t in part
    }


def interval(values: list[float]) -> float:
    """Half width of the 95 % confidence interval of the mean; infinite for one value."""
    n = len(values)
    if n < 2:
        return math.inf
    return T[min(n - 1, len(T)) - 1] * statistics.stdev(values) / math.sqrt(n)


def _run(config: Config, corpus: str, held: str, run: Path, seed: int) -> float:
    config = replace(
        config,
        out=str(run),
        data=replace(config.data, tokens=corpus, weights={}),
        train=replace(config.train, seed=seed),
        eval=replace(config.eval, every=0),
    )
    done, begun = run / "score.json", run / "ablation.json"
    what = _identity(config, corpus, held)
    if begun.exists() and json.loads(begun.read_text(encoding="utf-8")) != what:
        raise ConfigError(f"{run} was begun with other settings or data: choose another --out")
    if done.exists():
        return float(json.loads(done.read_text(encoding="utf-8"))["bpb"])
    common = replace(config, data=replace(config.data, tokens=held))
    held_loader = evaluate.held_out_loader(common)
    if held_loader is None:
        raise ConfigError(f"{held} has no held-out documents: prepare it with --held-out above 0")
    loader = Loader(config)
    _write(begun, json.dumps(what))
    result = train(config, Feed(loader, held_loader, Path(corpus) / "tokenizer"))
    if not result["done"]:
        raise ConfigError("stopped by a signal: start the same command again to go on")
    _write(done, json.dumps(result["last"]))
    return float(result["last"]["bpb"])


def _write(path: Path, text: str) -> None:
    if place("RANK") == 0:  # several processes would take the temporary file from each other
        files.write(path, text.encode())


def _identity(config: Config, corpus: str, held: str) -> dict[str, Any]:
    """What a score depends on: not where the run stands, what it prints or how it is shared out."""
    settings = {k: v for k, v in asdict(config).items() if k not in ("out", "log", "parallel")}
    settings["data"].pop("tokens")  # the fingerprint says what is there
    settings["checkpoint"] = {k: settings["checkpoint"][k] for k in ("load", "load_step")}
    data = {"corpus": load_manifest(corpus)["fingerprint"]}
    return {"config": settings, **data, "held": load_manifest(held)["fingerprint"]}


def _row(
    corpus: str, manifest: dict[str, Any], scores: dict[str, list[float]], first: str
) -> dict[str, Any]:
    mine, base = scores[corpus], scores[first]
    difference = [a - b for a, b in zip(mine, base, strict=True)]
    apart = abs(statistics.fmean(difference)) > interval(difference)
    return {
        "corpus": corpus,
        "training tokens there": manifest["train"]["tokens"],
        "bits/byte": round(statistics.fmean(mine), 4),
        "± 95 %": round(interval(mine), 4),
        "difference": round(statistics.fmean(difference), 4),
        "± 95 % of it": round(interval(difference), 4) if corpus != first else 0.0,
        "differs": "-" if corpus == first else ("yes" if apart else "not shown"),
    }
