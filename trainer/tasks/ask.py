"""Questions to a model: written answers and ranked ones, in batches, on any number of processes.

`generation` is llm-jp-eval's way: greedy, the answer up to the first empty line. `likelihood` ranks
the answers in words; a small model that cannot follow an instruction yet shows what it knows there:
`score` is the share of questions whose right answer has the highest log-probability, `per_byte` the
same per UTF-8 byte, which does not favour short answers. Chance and the score of the most frequent
answer stand beside: a model not clearly above them has shown nothing.

Every process makes as many passes as any other, with batches that count for nothing where it has
none, so a model may be sharded over them (`eval.tasks` asks the one that is being trained).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from trainer.config.settings import EvalConfig
from trainer.model.transformer import Cache, CausalLM
from trainer.tasks import scores
from trainer.tasks.prompts import TASKS, Item, generation, plain
from trainer.tasks.published import Suite, read
from trainer.tokens.tokenizer import Tokenizer

HOW = ("likelihood", "generation")
Row = list[int]


class Processes(Protocol):
    """What is asked of several processes; run.processes.World is that."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def gather(self, value: Any) -> list[Any]: ...


class Alone:
    """One process."""

    rank, size = 0, 1

    def gather(self, value: Any) -> list[Any]:
        return [value]


def ask(
    model: CausalLM,
    tokenizer: Tokenizer,
    suites: Sequence[Suite],
    how: Sequence[str] = HOW,
    shots: int | None = None,
    limit: int = 0,
    rows: int = 16,
    processes: Processes | None = None,
    answers: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """A row for each task and way; the same on every process.

    shots: examples before a question; None: as swallow-evaluation, and none where answers are
    ranked. limit: the first so many questions of each. rows: of a forward pass. answers: filled
    with every prompt, the right answer and what was said.
    """
    processes, result = processes or Alone(), []
    for suite in suites:
        task = TASKS[suite.task]
        questions = suite.questions[:limit] if limit else suite.questions
        for way in how:
            if way == "likelihood" and not questions[0].choices:
                continue
            usual = task.shots if way == "generation" else 0
            examples = suite.examples[: usual if shots is None else shots]
            run = _generated if way == "generation" else _ranked
            row = run(model, tokenizer, questions, examples, rows, processes, answers)
            notes = [n for n in suite.notes if way == "generation"]
            if way == "generation" and shots not in (None, task.shots):
                notes.append(f"swallow-evaluation gives {task.shots} examples")
            if limit and limit < len(suite.questions):
                notes.append("not all questions")
            head = {"task": task.name, "how": way, "shots": len(examples)}
            result.append({**head, "questions": len(questions), **row, "notes": notes})
    return result


def measure(
    config: EvalConfig, tokenizer: Tokenizer
) -> Callable[[CausalLM, Processes], dict[str, Any]]:
    """The tasks of eval.tasks as a measure of the training loop: one number for each of them."""
    suites = read(config.tasks)

    def score(model: CausalLM, world: Processes) -> dict[str, Any]:
        limit, rows = config.task_questions, config.micro_rows
        found = ask(model, tokenizer, suites, limit=limit, rows=rows, processes=world)
        return {f"{r['task']}, {r['how']}": round(r["score"], 4) for r in found}

    return score


def _generated(
    model: CausalLM,
    tokenizer: Tokenizer,
    questions: list[Item],
    examples: list[Item],
    rows: int,
    processes: Processes,
    answers: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    task = TASKS[questions[0].task]
    room = model.config.max_position_embeddings - task.length
    prompts, cut = [], 0
    for question in questions:
        ids = _start(tokenizer) + tokenizer.encode(generation(task, examples, question))
        cut += len(ids) > room
        prompts.append(ids[-room:])
    written = shared(
        prompts, rows, lambda part: greedy(model, part, task.length, tokenizer), processes
    )
    said = [scores.said(text) for text in written]
    right = [q.output for q in questions]
    if answers is not None:
        for question, text in zip(questions, said, strict=True):
            answers.append({"task": task.name, "input": question.input, "said": text}
                           | {"right": question.output})  # fmt: skip
    value, error = scores.score(task.metric, said, right)
    row = {"score": value, "metric": task.metric, "standard_error": error, "cut": cut}
    if task.metric == "Pearson":
        both = [scores.number(s) for s in said], [float(r) for r in right]
        row["spearman"] = scores.correlation(*map(scores.ranks, both))
    if task.metric == "exact match":
        row["most_frequent"] = max(Counter(right).values()) / len(right)
    return row


def _ranked(
    model: CausalLM,
    tokenizer: Tokenizer,
    questions: list[Item],
    examples: list[Item],
    rows: int,
    processes: Processes,
    answers: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    asked = [(plain(examples, q), choice) for q in questions for choice in q.choices]
    room = model.config.max_position_embeddings
    parts = [continuation(p, c, tokenizer, room) for p, c in asked]
    found = shared(parts, rows, lambda part: log_probabilities(model, part, tokenizer), processes)
    right = per_byte = at = 0
    for question in questions:
        score = found[at : at + len(question.choices)]
        at += len(question.choices)
        rate = [s / len(c.encode()) for s, c in zip(score, question.choices, strict=True)]
        right += score.index(max(score)) == question.answer
        per_byte += rate.index(max(rate)) == question.answer
    n = len(questions)
    value = right / n
    return {
        "score": value,
        "metric": "accuracy",
        "standard_error": math.sqrt(max(value * (1 - value), 1e-12) / n),
        "per_byte": per_byte / n,
        "chance": sum(1 / len(q.choices) for q in questions) / n,
        # What answering always the same gives; far above chance in JNLI (55 % "neutral").
        "most_frequent": max(Counter(q.answer for q in questions).values()) / n,
    }


def _start(tokenizer: Tokenizer) -> Row:
    """What stands before a text: nothing where a tokenizer has no begin mark (Qwen)."""
    return [tokenizer.bos] if tokenizer.ours or tokenizer.marks["bos_token"] else []


def continuation(prompt: str, choice: str, tokenizer: Tokenizer, room: int) -> tuple[Row, int]:
    """(ids of prompt and choice, where the choice begins); too long a prompt is cut on the left.

    Both are tokenised together, so a choice is scored as it would be written; the tokens from the
    first one on that differs from the prompt's own count.
    """
    before, ids = tokenizer.encode(prompt), tokenizer.encode(prompt + choice)
    shared_ = 0
    while shared_ < min(len(before), len(ids) - 1) and before[shared_] == ids[shared_]:
        shared_ += 1
    row = [tokenizer.bos, *ids]
    cut = max(0, len(row) - room)
    return [row[0], *row[1 + cut :]], max(1, shared_ + 1 - cut)


def shared(
    items: list[Any], rows: int, work: Callable[[list[Any]], list[Any]], processes: Processes
) -> list[Any]:
    """work(items) in batches of `rows`, longest first, shared by the processes; in order.

    Every process calls `work` equally often, on a batch of its own or on the shortest one again.
    """
    size = [len(i[0]) if isinstance(i, tuple) else len(i) for i in items]
    order = sorted(range(len(items)), key=lambda i: -size[i])
    batches = [order[i : i + rows] for i in range(0, len(order), rows)]
    mine: list[tuple[list[int], list[Any]]] = []
    for turn in range(0, len(batches), processes.size):
        at = turn + processes.rank
        batch = batches[at] if at < len(batches) else batches[-1]
        mine.append((batch, work([items[i] for i in batch])))
    result: list[Any] = [None] * len(items)
    for part in processes.gather(mine):
        for batch, values in part:
            for i, value in zip(batch, values, strict=True):
                result[i] = value
    return result


@torch.inference_mode()
def log_probabilities(
    model: CausalLM, rows: list[tuple[Row, int]], tokenizer: Tokenizer
) -> list[float]:
    """Log-probability, in nats, of each row's ids from its `start` on."""
    length = max(len(ids) for ids, _ in rows)
    device = model.model.embed_tokens.weight.device
    tokens = torch.full((len(rows), length), tokenizer.pad)
    targets = torch.full((len(rows), length), -100)
    for i, (ids, start) in enumerate(rows):
        row = torch.tensor(ids)
        tokens[i, : len(ids)] = row
        targets[i, start - 1 : len(ids) - 1] = row[start:]
    nll = model(tokens.to(device), targets.to(device))
    return [-float(x) for x in nll.sum(dim=1)]


@torch.inference_mode()
def greedy(model: CausalLM, prompts: list[Row], length: int, tokenizer: Tokenizer) -> list[str]:
    """Up to `length` tokens after each prompt, as text, in exactly `length` passes.

    Prompts stand at the right of their rows; what pads the left is seen by nobody. Rotary
    positions count differences only, so they may begin anywhere; learned ones may not, and a
    model that has them (GPT-3 family) is asked row by row.
    """
    if model.config.family == "gpt3" and len(prompts) > 1:
        return [text for p in prompts for text in greedy(model, [p], length, tokenizer)]
    device, longest = model.model.embed_tokens.weight.device, max(map(len, prompts))
    tokens = torch.full((len(prompts), longest), tokenizer.pad)
    there = torch.zeros(len(prompts), longest + length, dtype=torch.bool)
    for i, ids in enumerate(prompts):
        tokens[i, longest - len(ids) :] = torch.tensor(ids)
        there[i, longest - len(ids) :] = True
    new, there = tokens.to(device), there.to(device)
    cache = Cache(longest + length, last_only=True)
    own = torch.eye(longest, dtype=torch.bool, device=device)  # padding sees itself: no row of none
    mask = there[:, None, None, :longest] & own.new_ones(longest, longest).tril() | own
    written = []
    for step in range(length):
        logits = model(new, mask=mask, cache=cache)
        new = logits[:, -1].argmax(-1, keepdim=True)
        written.append(new)
        mask = there[:, None, None, : longest + step + 1]
    rows = torch.cat(written, dim=1).tolist()
    ends = [next((i for i, t in enumerate(row) if t in tokenizer.stops), length) for row in rows]
    sizes = len(tokenizer.piece_bytes)
    return [
        tokenizer.decode(t for t in row[:end] if t < sizes)
        for row, end in zip(rows, ends, strict=True)
    ]
