"""Conversations as training rows: read, written with role marks, packed, targets on answers alone.

A conversation (formats.py) is written in the chat template of the model's tokenizer (templates.py),
or by a tokenizer of ours as `<s><|user|>…<|end|><|assistant|>…<|end|>`; only what the assistant
says, and the <|end|> that closes it, is a target. Whole conversations share a row (best fit,
longest first) under document attention; one longer than a row is left out and counted.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE, Batch, digest, own
from trainer.data.order import permute
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning.formats import Conversation
from trainer.tuning.templates import BEGIN, END, render

OURS = ("system", "user", "assistant")  # roles that a tokenizer of ours has a symbol for
Example = tuple[list[int], list[bool]]  # ids, and whether each is a target


@dataclass(frozen=True)
class Packed:
    """Rows of T + 1 tokens: tokens, which are targets, and the conversation each is part of."""

    tokens: np.ndarray  # int64[rows, T + 1]
    learn: np.ndarray  # bool[rows, T + 1]
    document: np.ndarray  # int32[rows, T + 1]
    left_out: int


class ChatLoader:
    """Has what the training loop asks of a loader: `batch(step)`, `documents`, `plan`."""

    names = ["chat"]  # noqa: RUF012

    def __init__(self, packed: Packed, config: Config, fingerprint: str) -> None:
        self.packed, self.train = packed, config.train
        self.seq_len = config.data.seq_len
        manifest = {"fingerprint": fingerprint, "input": fingerprint}
        rows, tokens = len(packed.tokens), int(packed.learn[:, 1:].sum())
        manifest_train = {"rows": rows, "tokens": tokens}
        self.documents = SimpleNamespace(
            names=self.names, manifest={**manifest, "train": manifest_train}
        )

    def extend(self, rows: int) -> None:
        """Conversations may be read as often as a run wants."""

    def epoch_rows(self) -> int:
        return len(self.packed.tokens)

    def batch(self, step: int, rank: int = 0, size: int = 1) -> Batch:
        batch = self.train.batch_rows
        rows = np.arange(step * batch, (step + 1) * batch, dtype=np.int64)
        return self.rows(self._shuffled(rows), rank, size)

    def rows(self, rows: np.ndarray, rank: int = 0, size: int = 1) -> Batch:
        count, mine = int(self.packed.learn[rows, 1:].sum()), own(rows, rank, size)
        tokens, learn = self.packed.tokens[mine], self.packed.learn[mine]
        targets = np.where(learn[:, 1:], tokens[:, 1:], IGNORE)
        documents = self.packed.document[mine][:, :-1]
        sources = np.zeros_like(targets)
        return Batch(tokens[:, :-1], targets, documents, sources, count, digest(mine, tokens))

    def _shuffled(self, rows: np.ndarray) -> np.ndarray:
        n = len(self.packed.tokens)
        out = np.empty_like(rows)
        for epoch in np.unique(rows // n):
            mine = rows // n == epoch
            out[mine] = permute(rows[mine] % n, n, self.train.seed * 1_000_003 + int(epoch))
        return out


def encode(conversation: Conversation, tokenizer: Tokenizer) -> Example:
    """(ids, is the id a target): the same ids as the exported chat template gives.

    But for what looks like a symbol ("<|end|>") inside a message: ours leave it as text. Raises
    ConfigError for a template that writes a turn otherwise once the next one stands.
    """
    if tokenizer.template:
        return _by_template(conversation, tokenizer)
    if conversation.tools:
        raise ConfigError("a tokenizer of `trainer tokenizer` writes no tools")
    ids, learn = [tokenizer.bos], [False]
    for message in conversation.messages:
        answer = message["role"] == "assistant"
        if message["role"] not in OURS or message.get("tool_calls"):
            raise ConfigError(f"a tokenizer of `trainer tokenizer` writes only {', '.join(OURS)}")
        content = [*tokenizer.encode(message["content"]), tokenizer.id("<|end|>")]
        ids += [tokenizer.id(f"<|{message['role']}|>"), *content]
        learn += [False, *[answer] * len(content)]
    return ids, learn


def examples(conversation: Conversation, tokenizer: Tokenizer) -> list[Example]:
    """What a conversation teaches: one example, or one for each answer.

    A template may write earlier turns otherwise than the last one (Qwen 3 leaves out what was
    thought): then every answer is learnt after the prompt that it is given after.
    """
    if not tokenizer.template:
        return [encode(conversation, tokenizer)]
    try:
        return [_by_template(conversation, tokenizer)]
    except _RewritesError:
        messages, tools = conversation.messages, conversation.tools
        turns = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
        return [
            _by_template(Conversation(messages[: i + 1], tools), tokenizer, only_last=True)
            for i in turns
        ]


def _by_template(
    conversation: Conversation, tokenizer: Tokenizer, only_last: bool = False
) -> Example:
    """The same under a model's own chat template; what a template adds after a turn is learnt.

    A template with `{% generation %}` says itself what is learnt. only_last: the last answer.
    """
    messages, tools = conversation.messages, conversation.tools
    whole = render(conversation, tokenizer)
    if BEGIN in whole and not only_last:
        parts = re.split(f"[{BEGIN}{END}]", whole)
        return _pieces([(part, i % 2 == 1) for i, part in enumerate(parts)], tokenizer)
    whole = _plain(whole)
    pieces, done = [], 0
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or (only_last and i < len(messages) - 1):
            continue
        before = _plain(render(Conversation(messages[:i], tools), tokenizer, answer=True))
        answered = _plain(render(Conversation(messages[: i + 1], tools), tokenizer))
        if not answered.startswith(before):  # one that begins to think, say, before an answer
            before = _plain(render(Conversation(messages[:i], tools), tokenizer))
        if not (whole.startswith(answered) and answered.startswith(before) and done <= len(before)):
            raise _RewritesError(
                "the chat template writes a turn otherwise once the next one stands"
            )
        pieces += [(whole[done : len(before)], False), (answered[len(before) :], True)]
        done = len(answered)
    return _pieces([*pieces, (whole[done:], False)], tokenizer)


class _RewritesError(ConfigError):
    """A template that is not one text growing turn by turn."""


def _pieces(pieces: list[tuple[str, bool]], tokenizer: Tokenizer) -> Example:
    ids: list[int] = []
    learn: list[bool] = []
    for text, is_target in pieces:
        ids += tokenizer.encode_symbols(text) if text else []
        learn += [is_target] * (len(ids) - len(learn))
    return ids, learn


def _plain(text: str) -> str:
    return text.replace(BEGIN, "").replace(END, "")


def prompt(messages: list[dict[str, Any]], tokenizer: Tokenizer) -> list[int]:
    """The ids after which the model answers."""
    conversation = Conversation(messages)
    if tokenizer.template:
        return tokenizer.encode_symbols(_plain(render(conversation, tokenizer, answer=True)))
    return [*encode(conversation, tokenizer)[0], tokenizer.id("<|assistant|>")]


def pack(conversations: list[Conversation], tokenizer: Tokenizer, length: int) -> Packed:
    """Best fit, longest first, into rows of `length` + 1 tokens."""
    encoded = [e for c in conversations for e in examples(c, tokenizer) if any(e[1])]
    fitting = sorted((e for e in encoded if len(e[0]) <= length + 1), key=lambda e: -len(e[0]))
    rows: list[list[Example]] = []
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
    return fill(rows, tokenizer.pad, length, len(encoded) - len(fitting))


def fill(rows: list[list[Example]], pad: int, length: int, left_out: int) -> Packed:
    """Rows of `length` + 1 tokens from the examples of each."""
    shape = (len(rows), length + 1)
    tokens = np.full(shape, pad, dtype=np.int64)
    learn, document = np.zeros(shape, dtype=bool), np.full(shape, -1, dtype=np.int32)
    for i, row in enumerate(rows):
        at = 0
        for number, (ids, targets) in enumerate(row):
            cut = slice(at, at + len(ids))
            tokens[i, cut], learn[i, cut], document[i, cut] = ids, targets, number
            at += len(ids)
    return Packed(tokens, learn, document, left_out)
