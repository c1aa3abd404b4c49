"""Text from a model: a KV cache, sampling controls, streaming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.config.settings import ConfigError
from trainer.model.transformer import Cache, CausalLM
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning.conversations import prompt


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; top_k 0 and top_p 1 switch their limit off."""

    max_tokens: int = 200
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    repetition_penalty: float = 1.0  # Keskar et al. 2019: divides scores of tokens seen
    seed: int = 1


@torch.inference_mode()
def tokens(
    model: CausalLM, prompt: list[int], sampling: Sampling, stop: frozenset[int]
) -> Iterator[int]:
    """New token ids after `prompt`, until one of `stop` (not yielded) or max_tokens.

    Raises ConfigError when the prompt leaves no room in the model's context.
    """
    _check(sampling)
    limit = model.config.max_position_embeddings
    if not prompt or len(prompt) >= limit:
        raise ConfigError(f"the prompt has {len(prompt)} tokens; 1 to {limit - 1} fit the model")
    weight = model.model.embed_tokens.weight
    capacity = min(limit, len(prompt) + sampling.max_tokens)
    cache = Cache(capacity, last_only=True)
    generator = torch.Generator().manual_seed(sampling.seed)
    seen = list(prompt)
    new = torch.tensor([prompt], device=weight.device)
    for _ in range(capacity - len(prompt)):
        logits = model(new, cache=cache)
        token = choose(logits[0, -1].float().cpu(), seen, sampling, generator)
        if token in stop:
            return
        yield token
        seen.append(token)
        new = torch.tensor([[token]], device=weight.device)


def _check(sampling: Sampling) -> None:
    s = sampling
    good = {
        "max_tokens of at least 0": s.max_tokens >= 0,
        "temperature of at least 0": 0 <= s.temperature < math.inf,
        "top_k of at least 0": s.top_k >= 0,
        "top_p above 0 and up to 1": 0 < s.top_p <= 1,
        "repetition_penalty above 0": 0 < s.repetition_penalty < math.inf,
        "seed below 2^63": abs(s.seed) < 2**63,
    }
    for what, fits in good.items():
        if not fits:
            raise ConfigError(f"sampling needs a {what}")


def choose(logits: Tensor, seen: list[int], sampling: Sampling, generator: torch.Generator) -> int:
    """One id from float32[vocab] logits under the sampling controls."""
    if sampling.repetition_penalty != 1.0:
        logits = logits.clone()
        ids = torch.tensor(sorted(set(seen)))
        score = logits[ids]
        penalty = sampling.repetition_penalty
        logits[ids] = torch.where(score > 0, score / penalty, score * penalty)
    if sampling.temperature <= 0:
        return int(logits.argmax())
    values, order = torch.sort(logits / sampling.temperature, descending=True, stable=True)
    if sampling.top_k:
        values, order = values[: sampling.top_k], order[: sampling.top_k]
    p = values.softmax(-1)
    if sampling.top_p < 1:
        keep = p.cumsum(-1) - p < sampling.top_p  # the token that crosses the limit stays
        p = p * keep
    return int(order[torch.multinomial(p / p.sum(), 1, generator=generator)])


def text(model: CausalLM, tokenizer: Tokenizer, start: str, sampling: Sampling) -> Iterator[str]:
    """Pieces of text as they are generated; a character split over byte tokens comes whole."""
    ids = [tokenizer.bos, *tokenizer.encode(start)]
    yield from _stream(tokens(model, ids, sampling, tokenizer.stops), tokenizer)


def reply(
    model: CausalLM, tokenizer: Tokenizer, messages: list[dict[str, str]], sampling: Sampling
) -> Iterator[str]:
    """The assistant's answer to a conversation, as pieces of text (for a model from `sft`)."""
    yield from _stream(
        tokens(model, prompt(messages, tokenizer), sampling, tokenizer.stops), tokenizer
    )


def _stream(ids: Iterator[int], tokenizer: Tokenizer) -> Iterator[str]:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = tokenizer.piece_bytes
    for token in ids:
        part = decoder.decode(pieces[token] if token < len(pieces) else b"")
        if part:
            yield part
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest
