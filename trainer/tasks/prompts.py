"""What each task is asked and how it is scored, as in llm-jp-eval 1.3.0 (Apache-2.0).

That is the version inside swallow-evaluation 202411. Instructions, the form of a question, the
number of tokens that an answer may have, examples and metrics are theirs, word for word, so that
scores compare. Later versions of llm-jp-eval word some instructions anew.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WORDS = tomllib.loads((Path(__file__).parent / "llm_jp_eval.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Task:
    """length: tokens of an answer; shots: examples that swallow-evaluation gives."""

    name: str
    instruction: str
    length: int
    metric: str
    shots: int


@dataclass(frozen=True)
class Item:
    """A question of a task.

    input, output: as llm-jp-eval writes them. plain, choices: a prompt and the answers in words,
    to rank by likelihood, of which `answer` is the right one; choices () where there are none.
    """

    task: str
    input: str
    output: str
    plain: str = ""
    choices: tuple[str, ...] = ()
    answer: int = 0


TASKS = {name: Task(name, **row) for name, row in WORDS["tasks"].items()}


def generation(task: Task, examples: Sequence[Item], item: Item) -> str:
    """The prompt after which a model writes its answer."""
    shots = "".join(f"\n\n### 入力:\n{e.input}\n\n### 応答:\n{e.output}" for e in examples)
    asked = f"{WORDS['head']}\n\n### 指示:\n{task.instruction}{shots}"
    return asked + f"\n\n### 入力:\n{item.input}\n\n### 応答:\n"


def plain(examples: Sequence[Item], item: Item) -> str:
    """The prompt whose continuations are ranked: no instruction, which small models do not read."""
    shots = "".join(f"{e.plain}{e.choices[e.answer]}\n\n" for e in examples)
    return shots + item.plain
