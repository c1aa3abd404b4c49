"""Conversations as training rows: read, written with role marks, packed, targets on answers alone.

A conversation is `{"messages": [{"role": "user", "content": "…"}, …]}`, a line of JSONL or a row
of Parquet. It is written as `<s><|user|>…<|end|><|assistant|>…<|end|>`; only what the assistant
says, and the <|end|> that closes it, is a target. Whole conversations share a row (best fit,
longest first) under document attention; one longer than a row is left out and counted.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE, Batch
from trainer.data.order import permute
from trainer.data.steps import batch_rows, first_row
from trainer.data.tokenizer import Tokenizer

ROLES = ("system", "user", "assistant")
Conversation = list[dict[str, str]]


@dataclass(frozen=True)
class Packed:
    """Rows of T + 1 tokens: tokens, which are targets, and the conversation each is part of."""

    tokens: np.ndarray  # int64[rows, T + 1]
    learn: np.ndarray  # bool[rows, T + 1]
    document: np.ndarray  # int32[rows, T + 1]
    left_out: int


class ChatLoader:
    """Has what the training loop asks of a loader: `batch(step)`, `documents`, `plan`."""

    def __init__(self, packed: Packed, config: Config, fingerprint: str) -> None:
        self.packed, self.train = packed, config.train
        self.seq_len = config.data.seq_len
        manifest = {"fingerprint": fingerprint, "input": fingerprint}
        rows, tokens = len(packed.tokens), int(packed.learn[:, 1:].sum())
        manifest_train = {"rows": rows, "tokens": tokens}
        self.documents = SimpleNamespace(
            names=["chat"], manifest={**manifest, "train": manifest_train}
        )

    def extend(self, rows: int) -> None:
        """Conversations may be read as often as a run wants."""

    def epoch_rows(self) -> int:
        return len(self.packed.tokens)

    def batch(self, step: int) -> Batch:
        rows = np.arange(batch_rows(self.train, step), dtype=np.int64)
        return self.rows(self._shuffled(rows + first_row(self.train, step)))

    def rows(self, rows: np.ndarray) -> Batch:
        tokens, learn = self.packed.tokens[rows], self.packed.learn[rows]
        targets = np.where(learn[:, 1:], tokens[:, 1:], IGNORE)
        digest = hashlib.blake2b(tokens.astype("<u4").tobytes(), digest_size=16).hexdigest()
        documents = self.packed.document[rows][:, :-1]
        sources = np.zeros_like(targets)
        count = int((targets != IGNORE).sum())
        return Batch(tokens[:, :-1], targets, documents, sources, count, digest)

    def _shuffled(self, rows: np.ndarray) -> np.ndarray:
        n = len(self.packed.tokens)
        out = np.empty_like(rows)
        for epoch in np.unique(rows // n):
            mine = rows // n == epoch
            out[mine] = permute(rows[mine] % n, n, self.train.seed * 1_000_003 + int(epoch))
        return out


def read(path: str | Path) -> list[Conversation]:
    """Conversations of a .jsonl or .parquet file. Raises ConfigError naming the bad line."""
    file = Path(path)
    conversations = []
    for where, row in _rows(file):
        messages = row.get("messages") if isinstance(row, dict) else None
        good = isinstance(messages, list) and all(
            isinstance(m, dict) and m.get("role") in ROLES and isinstance(m.get("content"), str)
            for m in messages
        )
        if not messages or not good:
            raise ConfigError(
                f"{file}: {where}: expected messages with content and role ({', '.join(ROLES)})"
            )
        try:
            "".join(m["content"] for m in messages).encode()
        except UnicodeEncodeError as error:  # JSON can write half of a character
            raise ConfigError(f"{file}: {where}: a lone surrogate is no text") from error
        conversations.append([{"role": m["role"], "content": m["content"]} for m in messages])
    if not conversations:
        raise ConfigError(f"{file}: no conversations")
    return conversations


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(line or row as an error names it, its object)."""
    where = ""
    try:
        if file.suffix == ".parquet":
            for i, messages in enumerate(pq.read_table(file).column("messages").to_pylist(), 1):
                yield f"row {i}", {"messages": messages}
            return
        text = file.read_text(encoding="utf-8-sig")
        for i, line in enumerate(text.split("\n"), 1):  # U+2028 is text, not a line's end
            where = f"line {i}: "
            if line.strip():
                yield where[:-2], json.loads(line)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{file}: {where}not conversations: {reason}") from error


def encode(conversation: Conversation, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """(ids, is the id a target): the same ids as the exported chat template gives.

    But for what looks like a symbol ("<|end|>") inside a message: ours leave it as text.
    """
    if tokenizer.template:
        return _by_template(conversation, tokenizer)
    ids, learn = [tokenizer.bos], [False]
    for message in conversation:
        answer = message["role"] == "assistant"
        content = [*tokenizer.encode(message["content"]), tokenizer.id("<|end|>")]
        ids += [tokenizer.id(f"<|{message['role']}|>"), *content]
        learn += [False, *[answer] * len(content)]
    return ids, learn


def _by_template(conversation: Conversation, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """The same under a model's own chat template; what a template adds after a turn is learnt."""
    ids: list[int] = []
    learn: list[bool] = []
    whole, done = render(conversation, tokenizer), 0
    for i, message in enumerate(conversation):
        if message["role"] != "assistant":
            continue
        prompt = render(conversation[:i], tokenizer, answer=True)
        answered = render(conversation[: i + 1], tokenizer)
        if not (whole.startswith(answered) and answered.startswith(prompt)):
            raise ConfigError("the chat template writes a turn otherwise once the next one stands")
        for text, is_target in (
            (whole[done : len(prompt)], False),
            (answered[len(prompt) :], True),
        ):
            ids += tokenizer.encode_symbols(text)
            learn += [is_target] * (len(ids) - len(learn))
        done = len(answered)
    rest = tokenizer.encode_symbols(whole[done:])
    return ids + rest, learn + [False] * len(rest)


def prompt(conversation: Conversation, tokenizer: Tokenizer) -> list[int]:
    """The ids after which the model answers."""
    if tokenizer.template:
        return tokenizer.encode_symbols(render(conversation, tokenizer, answer=True))
    return [*encode(conversation, tokenizer)[0], tokenizer.id("<|assistant|>")]


def render(conversation: Conversation, tokenizer: Tokenizer, answer: bool = False) -> str:
    """A conversation in the tokenizer's chat template; with `answer` up to where one begins."""
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise ConfigError(f"the chat template says: {message}")

    # As transformers opens templates: sandboxed, for they come with a download.
    world = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    world.globals["raise_exception"] = refuse
    world.globals["strftime_now"] = lambda form: ""  # no date: the same rows on any day
    try:
        return world.from_string(tokenizer.template).render(
            messages=conversation, add_generation_prompt=answer, **tokenizer.marks
        )
    except TemplateError as error:
        raise ConfigError(f"the chat template fails: {error}") from error


def pack(conversations: list[Conversation], tokenizer: Tokenizer, length: int) -> Packed:
    """Best fit, longest first, into rows of `length` + 1 tokens."""
    encoded = [encode(c, tokenizer) for c in conversations]
    encoded = [e for e in encoded if any(e[1])]
    fitting = sorted((e for e in encoded if len(e[0]) <= length + 1), key=lambda e: -len(e[0]))
    rows: list[list[tuple[list[int], list[bool]]]] = []
    room: list[tuple[int, int]] = []  # (free tokens, row), sorted
    for item in fitting:
        at = bisect_left(room, (len(item[0]), 0))
        if at == len(room):
            rows.append([])
            free, place = length + 1, len(rows) - 1
        else:
            free, place = room.pop(at)
        rows[place].append(item)
        insort(room, (free - len(item[0]), place))
    shape = (len(rows), length + 1)
    tokens = np.full(shape, tokenizer.pad, dtype=np.int64)
    learn, document = np.zeros(shape, dtype=bool), np.full(shape, -1, dtype=np.int32)
    for i, row in enumerate(rows):
        at = 0
        for number, (ids, targets) in enumerate(row):
            cut = slice(at, at + len(ids))
            tokens[i, cut], learn[i, cut], document[i, cut] = ids, targets, number
            at += len(ids)
    return Packed(tokens, learn, document, len(encoded) - len(fitting))
