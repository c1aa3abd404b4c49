"""`trainer generate`: text from a prompt, or a conversation line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from trainer.cli.options import RunDir, Step, device
from trainer.config.settings import ConfigError


def generate(
    run: RunDir,
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    step: Step = 0,
    max_tokens: Annotated[int, typer.Option(help="Of each answer.")] = 200,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest tokens; 0 is off.")] = 0,
    top_p: Annotated[float, typer.Option(help="Only the likeliest of this sum; 1 is off.")] = 0.95,
    repetition_penalty: Annotated[float, typer.Option(help="1 is off.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same text.")] = 1,
    chat: Annotated[bool, typer.Option("--chat", help="For a model from sft.")] = False,
    system: Annotated[str, typer.Option(help="With --chat: what the model is told first.")] = "",
) -> None:
    """Write text with a trained model, as it comes.

    With --chat the prompt is a user's message; without a prompt each line of the standard input
    is one, and the conversation goes on to its end.
    """
    from trainer.export import generate as gen
    from trainer.folder.load import load_model

    if system and not chat:
        raise ConfigError("--system goes with --chat")
    sampling = gen.Sampling(max_tokens, temperature, top_k, top_p, repetition_penalty, seed)
    model, _, tokenizer, _ = load_model(run, step or None, device())
    if not chat:
        print(prompt, end="", flush=True)
        _stream(gen.text(model, tokenizer, prompt, sampling))
        return
    messages = [{"role": "system", "content": system}] if system else []
    for said in [prompt] if prompt else _lines():
        messages.append({"role": "user", "content": said})
        answer = _stream(gen.reply(model, tokenizer, messages, sampling))
        messages.append({"role": "assistant", "content": answer})


def _stream(parts: Iterator[str]) -> str:
    """Print text as it comes; the whole of it."""
    whole = ""
    for part in parts:
        print(part, end="", flush=True)
        whole += part
    print(flush=True)
    return whole


def _lines() -> Iterator[str]:
    """Lines of the standard input that are not empty, with a prompt on a terminal."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    print("A line is a message; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return
        if line:
            yield line
