"""Multiple choice by likelihood: JCommonsenseQA, JNLI and JMMLU files from a folder.

A question is a prompt and its possible continuations; the model's answer is the continuation with
the highest log-probability (`accuracy`), or the highest per UTF-8 byte (`accuracy_per_byte`, which
does not favour short answers). Chance and the standard error stand beside both: a small model that
is not clearly above chance has shown nothing. Data sets are never downloaded.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainer.config.settings import ConfigError
from trainer.data import parquet
from trainer.data.tokenizer import Tokenizer
from trainer.model.transformer import CausalLM

NLI = {"entailment": "含意", "neutral": "中立", "contradiction": "矛盾"}


@dataclass(frozen=True)
class Question:
    """`choices` continue `prompt`; `answer` is the index of the right one."""

    task: str
    prompt: str
    choices: tuple[str, ...]
    answer: int


def read(folder: str | Path) -> list[Question]:
    """Every question of the files below `folder` whose format is known, in path order."""
    root = Path(folder)
    questions: list[Question] = []
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if file.suffix in (".json", ".jsonl"):
            questions += _json_lines(file)
        elif file.suffix == ".csv":
            questions += _jmmlu(file)
    if not questions:
        raise ConfigError(f"no JCommonsenseQA, JNLI or JMMLU file in {folder}")
    return questions


def evaluate(
    model: CausalLM, tokenizer: Tokenizer, questions: list[Question], limit: int = 0
) -> dict[str, dict[str, Any]]:
    """Scores by task; `limit` takes the first so many questions of each."""
    result: dict[str, dict[str, Any]] = {}
    for task in dict.fromkeys(q.task for q in questions):
        mine = [q for q in questions if q.task == task]
        mine = mine[:limit] if limit else mine
        right = per_byte = 0
        for question in mine:
            score = scores(model, tokenizer, question)
            sizes = [len(c.encode()) for c in question.choices]
            rate = [s / n for s, n in zip(score, sizes, strict=True)]
            right += score.index(max(score)) == question.answer
            per_byte += rate.index(max(rate)) == question.answer
        n = len(mine)
        accuracy = right / n
        result[task] = {
            "questions": n,
            "accuracy": accuracy,
            "accuracy_per_byte": per_byte / n,
            "standard_error": math.sqrt(max(accuracy * (1 - accuracy), 1e-12) / n),
            "chance": sum(1 / len(q.choices) for q in mine) / n,
            # What answering always the same gives; far above chance in JNLI (55 % "neutral").
            "most_frequent": max(Counter(q.answer for q in mine).values()) / n,
        }
    return result


@torch.inference_mode()
def scores(model: CausalLM, tokenizer: Tokenizer, question: Question) -> list[float]:
    """Log-probability of each choice after the prompt, in nats.

    Prompt and choice are tokenised together, so a choice is scored as it would be written; the
    tokens from the first one on that differs from the prompt's own count. Too long a prompt is
    cut on the left.
    """
    room = model.config.max_position_embeddings
    rows, starts = [], []
    before = tokenizer.encode(question.prompt)
    for choice in question.choices:
        ids = tokenizer.encode(question.prompt + choice)
        shared = 0
        while shared < min(len(before), len(ids) - 1) and before[shared] == ids[shared]:
            shared += 1
        cut = max(0, len(ids) + 1 - room)
        rows.append([tokenizer.bos, *ids[cut:]])
        starts.append(max(1, shared + 1 - cut))
    length = max(map(len, rows))
    device = model.model.embed_tokens.weight.device
    tokens = torch.full((len(rows), length), tokenizer.pad, device=device)
    targets = torch.full((len(rows), length), -100, device=device)
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        tokens[i, : len(row)] = torch.tensor(row, device=device)
        targets[i, start - 1 : len(row) - 1] = tokens[i, start : len(row)]
    nll = model(tokens, targets)
    return [-float(x) for x in nll.sum(dim=1)]


@torch.inference_mode()
def text_rates(
    model: CausalLM, tokenizer: Tokenizer, source: str, max_documents: int = 0
) -> dict[str, Any]:
    """Bits per byte and character of any Parquet text, in total and for each source.

    Each document is read alone from its begin mark; a long one in windows that overlap by half,
    so a token has at least half a context before it, except at the start of its document.
    """
    window = model.config.max_position_embeddings
    sums: dict[str, list[float]] = {}
    count = 0
    for unit in parquet.units(parquet.input_files(source)):
        for batch in parquet.read(unit):
            texts, sources = batch.column("text").to_pylist(), batch.column("source").to_pylist()
            for text, name in zip(texts, sources, strict=True):
                if not text or (max_documents and count >= max_documents):
                    continue
                count += 1
                row = [tokenizer.bos, *tokenizer.encode(text), tokenizer.eos]
                nats = sum(_window_nats(model, row, window))
                total = sums.setdefault(name or "", [0.0, 0.0, 0.0])
                for i, value in enumerate((nats, len(text.encode()), len(text))):
                    total[i] += value
    if not sums:
        raise ConfigError(f"no text in {source}")
    rates = {n: _rates(*v) for n, v in sorted(sums.items())}
    whole = [sum(v[i] for v in sums.values()) for i in range(3)]
    return {"documents": count, **_rates(*whole), "sources": rates}


def _window_nats(model: CausalLM, row: list[int], window: int) -> Iterator[float]:
    device = model.model.embed_tokens.weight.device
    done = 1
    while done < len(row):
        start = max(0, done - window // 2) if done > 1 else 0
        part = torch.tensor([row[start : start + window + 1]], device=device)
        targets = part[:, 1:].clone()
        targets[:, : done - start - 1] = -100
        nll = model(part[:, :-1], targets)
        yield float(nll.sum())
        done = start + part.shape[1]


def _rates(nats: float, n_bytes: float, chars: float) -> dict[str, float]:
    bits = nats / math.log(2)
    return {"bpb": bits / n_bytes, "bpc": bits / chars, "bytes": n_bytes, "chars": chars}


def _json_lines(file: Path) -> Iterator[Question]:
    """Questions of a JSONL file; a file whose first line is no object is another format: none."""
    for number, line in enumerate(_text(file).split("\n"), 1):  # U+2028 is text, not a line's end
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == 1:
                return
            raise ConfigError(f"{file}: line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            return
        try:
            question = _question(row)
            if question:
                "".join((question.prompt, *question.choices)).encode()  # JSON can hold half of one
        except UnicodeEncodeError as error:
            raise ConfigError(f"{file}: line {number}: a lone surrogate is no text") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{file}: line {number}: not a question: {error!r}") from error
        if question:
            yield question


def _question(row: dict[str, Any]) -> Question | None:
    if "choice4" in row:
        choices = tuple(str(row[f"choice{i}"]) for i in range(5))
        answer = row["label"]
        if type(answer) is not int or not 0 <= answer < 5 or not all(choices):
            raise ValueError(f"label {answer!r} or an empty choice")
        return Question("JCommonsenseQA", f"質問：{row['question']}\n回答：", choices, answer)
    if "sentence1" in row and row.get("label") in NLI:
        pair = f"前提：{row['sentence1']}\n仮説：{row['sentence2']}\n関係："
        return Question("JNLI", pair, tuple(NLI.values()), list(NLI).index(row["label"]))
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot read: {error}") from error


def _jmmlu(file: Path) -> Iterator[Question]:
    csv.field_size_limit(1 << 30)
    # strict: a quote that is never closed would swallow the rest of the file
    rows = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        for row in rows:
            if len(row) == 6 and row[5].strip() in ("A", "B", "C", "D") and all(row[:5]):
                prompt = f"質問：{row[0]}\n回答："
                answer = "ABCD".index(row[5].strip())
                yield Question("JMMLU", prompt, tuple(row[1:5]), answer)
    except csv.Error as error:
        raise ConfigError(f"{file}: line {rows.line_num}: {error}") from error
