"""Conversations and preferences as others publish them, in JSONL, JSON or Parquet.

    messages   {"messages": [{"role": "user", "content": "…"}, …], "tools": […]}
    ShareGPT   {"conversations": [{"from": "human", "value": "…"}, …], "system": "…", "tools": "…"}
    alpaca     {"instruction": "…", "input": "…", "output": "…", "history": [["…", "…"]]}
    prompt     {"prompt": "…" or messages, "completion": "…" or messages}

A preference is the same without its last answer, and with `chosen` and `rejected`: a text, a
message or messages; or those two alone, whole conversations that begin alike. An alpaca `input`
follows its `instruction` on a line of its own, as LLaMA-Factory writes it. Calls of tools come in
OpenAI's form or as ShareGPT's function_call; arguments that are JSON in a string are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from trainer.config.settings import ConfigError

ROLES = ("system", "developer", "user", "assistant", "tool")
# ShareGPT's names of the roles, in the spellings that data sets have.
FROM = {
    **dict.fromkeys(("human", "user", "usr"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response", "function"), "tool"),
    **{"system": "system", "function_call": "assistant"},
}
FORMS = "messages, conversations, instruction and output, or prompt and completion"
Message = dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """messages: role and content, of an assistant also tool_calls; tools: their JSON schemas."""

    messages: list[Message]
    tools: list[dict[str, Any]] = field(default_factory=list)

    def key(self) -> str:
        """Names the conversation by its content."""
        there = [self.messages, self.tools] if self.tools else self.messages
        return json.dumps(there, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Pair:
    """The same conversation with a better and a worse end."""

    chosen: Conversation
    rejected: Conversation


def conversations(path: str | Path) -> list[Conversation]:
    """Every conversation of a file. Raises ConfigError naming the bad line."""
    return [_read(path, where, row, _conversation) for where, row in _rows(Path(path))]


def pairs(path: str | Path) -> list[Pair]:
    """Every preference of a file. Raises ConfigError naming the bad line."""
    return [_read(path, where, row, _pair) for where, row in _rows(Path(path))]


def _read(path: str | Path, where: str, row: Any, form: Any) -> Any:
    """One row in its form; what is wrong with it in one line."""
    try:
        if not isinstance(row, dict):
            raise ValueError(f"expected an object with {FORMS}")
        text = json.dumps(row, ensure_ascii=False)
        if "\ufdd0" in text or "\ufdd1" in text:
            raise ValueError("U+FDD0 and U+FDD1 are no characters")
        text.encode()
        read = form(row)
    except UnicodeEncodeError as error:  # JSON can write half of a character
        raise ConfigError(f"{path}: {where}: a lone surrogate is no text") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"{path}: {where}: {' '.join(str(error).split())[:200]}") from error
    return read


def _conversation(row: dict[str, Any]) -> Conversation:
    messages = _beginning(row)
    if "messages" not in row and "conversations" not in row:
        answer = row.get("output") if "instruction" in row else row.get("completion")
        messages += _answer(answer, "output" if "instruction" in row else "completion")
    return Conversation(_checked(messages), _tools(row.get("tools")))


def _pair(row: dict[str, Any]) -> Pair:
    named = ("messages", "conversations", "instruction", "prompt")
    begin = _beginning(row) if any(row.get(n) is not None for n in named) else []
    ends = [_answer(row.get(name), name) for name in ("chosen", "rejected")]
    if not begin and any(len(end) < 2 for end in ends):
        raise ValueError("chosen and rejected without a prompt must be whole conversations")
    begins = len(begin) > 0 and all(end[: len(begin)] == begin for end in ends)
    tools = _tools(row.get("tools"))
    chosen, rejected = (
        Conversation(_checked(end if begins or not begin else begin + end), tools) for end in ends
    )
    both = chosen.messages, rejected.messages
    if any(m[-1]["role"] != "assistant" for m in both) or both[0] == both[1]:
        raise ValueError("chosen and rejected must end in two different answers")
    if chosen.messages[:-1] != rejected.messages[:-1]:
        raise ValueError("chosen and rejected differ before their last answer")
    return Pair(chosen, rejected)


def _beginning(row: dict[str, Any]) -> list[Message]:
    """The messages of a row, without an answer that stands in a field of its own."""
    system = row.get("system")
    first: list[Message] = [{"role": "system", "content": system}] if system else []
    if row.get("messages") is not None:
        return first + _list(row["messages"], "messages")
    if row.get("conversations") is not None:
        return first + [_shared(m) for m in _list(row["conversations"], "conversations")]
    if row.get("instruction") is not None:
        for said, answered in row.get("history") or []:
            first += [{"role": "user", "content": said}, *_answer(answered, "history")]
        asked = "\n".join(filter(None, (row["instruction"], row.get("input"))))
        return [*first, {"role": "user", "content": asked}]
    if row.get("prompt") is None:
        raise ValueError(f"expected {FORMS}")
    if isinstance(row["prompt"], str):
        return [*first, {"role": "user", "content": row["prompt"]}]
    return first + _list(row["prompt"], "prompt")


def _answer(said: Any, name: str) -> list[Message]:
    """What the assistant says: a text, a message in either form, or messages."""
    if isinstance(said, str):
        return [{"role": "assistant", "content": said}]
    said = [said] if isinstance(said, dict) else said
    return [_shared(m) if "from" in m else m for m in _list(said, name)]


def _list(value: Any, name: str) -> list[Message]:
    if not isinstance(value, list) or not value or not all(isinstance(m, dict) for m in value):
        raise ValueError(f"{name}: expected messages with content and role ({', '.join(ROLES)})")
    return list(value)


def _shared(message: Message) -> Message:
    """A message of ShareGPT in OpenAI's form."""
    who, value = FROM.get(str(message.get("from"))), message.get("value")
    if who is None or not isinstance(value, str):
        raise ValueError(f"conversations: from is {message.get('from')!r} or value is no text")
    if message["from"] != "function_call":
        return {"role": who, "content": value}
    calls = json.loads(value)
    calls = calls if isinstance(calls, list) else [calls]
    return {"role": who, "content": "", "tool_calls": [{"function": c} for c in calls]}


def _checked(messages: list[Message]) -> list[Message]:
    """Messages with the fields that a chat template reads; raises ValueError."""
    checked = []
    for message in messages:
        role, content, calls = (message.get(k) for k in ("role", "content", "tool_calls"))
        if isinstance(content, list):  # parts, of which text alone can be trained on
            content = "".join(part["text"] for part in content)
        content = "" if content is None and calls else content
        if role not in ROLES or not isinstance(content, str):
            raise ValueError(f"expected messages with content and role ({', '.join(ROLES)})")
        kept: Message = {"role": role, "content": content}
        if calls:
            kept["tool_calls"] = [_call(c) for c in calls]
        names = ("name", "tool_call_id", "reasoning_content")
        kept |= {n: message[n] for n in names if isinstance(message.get(n), str)}
        checked.append(kept)
    return checked


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if not isinstance(function.get("name"), str) or not isinstance(arguments, dict):
        raise ValueError("tool_calls: expected function.name and an object of arguments")
    said = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
    return said | ({"id": call["id"]} if isinstance(call.get("id"), str) else {})


def _tools(tools: Any) -> list[dict[str, Any]]:
    """Schemas of tools in OpenAI's form, from a list or from JSON in a string."""
    tools = json.loads(tools) if isinstance(tools, str) and tools.strip() else tools or []
    if not isinstance(tools, list) or not all(isinstance(t, dict) for t in tools):
        raise ValueError("tools: expected a list of schemas")
    return [t if "function" in t else {"type": "function", "function": t} for t in tools]


def _rows(file: Path) -> Iterator[tuple[str, Any]]:
    """(line or row as an error names it, its object), at least one."""
    where, found = "", False
    try:
        if file.suffix == ".parquet":
            for i, row in enumerate(pq.read_table(file).to_pylist(), 1):
                found = True
                yield f"row {i}", _filled(row)
        else:
            text = file.read_text(encoding="utf-8-sig")
            whole = file.suffix == ".json" and text.lstrip()[:1] == "["
            lines = json.loads(text) if whole else text.split("\n")  # U+2028 ends no line
            for i, line in enumerate(lines, 1):
                where = f"{'row' if whole else 'line'} {i}: "
                if whole or line.strip():
                    row = line if whole else json.loads(line)
                    found = True
                    yield where[:-2], row
    except (OSError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{file}: {where}not conversations: {reason}") from error
    if not found:
        raise ConfigError(f"{file}: no conversations")


def _filled(value: Any) -> Any:
    """Without the nulls by which Parquet fills fields that a row does not have."""
    if isinstance(value, dict):
        return {k: _filled(v) for k, v in value.items() if v is not None}
    return [_filled(v) for v in value] if isinstance(value, list) else value
