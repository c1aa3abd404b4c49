"""Chat templates of Hugging Face, opened as transformers opens them.

A template is Jinja from a tokenizer's folder; it comes with a download, so it runs in a sandbox.
The same text comes out as from `apply_chat_template`, but for the date: the same rows on any day.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from trainer.config.settings import ConfigError
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning.formats import Conversation

BEGIN, END = "\ufdd0", "\ufdd1"  # code points that are no characters, around what is generated


class Generation(Extension):
    """`{% generation %}`, by which a template says itself what the assistant writes."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Any) -> str:
        return f"{BEGIN}{caller()}{END}"


def render(conversation: Conversation, tokenizer: Tokenizer, answer: bool = False) -> str:
    """A conversation in the tokenizer's template; with `answer` up to where one begins.

    BEGIN and END stand around what a template marks as generated. Raises ConfigError.
    """
    if conversation.tools and "tools" not in tokenizer.template:
        raise ConfigError("the tokenizer's chat template has no place for tools")
    try:
        return _compiled(tokenizer.template).render(
            messages=conversation.messages,
            tools=conversation.tools or None,
            documents=None,
            add_generation_prompt=answer,
            **tokenizer.marks,
        )
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"the chat template fails: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    world = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    world.filters["tojson"] = _json
    world.globals["raise_exception"] = _refuse
    world.globals["strftime_now"] = lambda form: ""
    return world.from_string(template)


def _json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As in transformers: Jinja's own filter writes HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> None:
    raise ConfigError(f"the chat template says: {message}")
