"""Conversations in the forms that others publish, and templates as transformers opens them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from foreign import bpe
from transformers import AutoTokenizer

from trainer.config.settings import ConfigError
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning import formats
from trainer.tuning.conversations import encode, examples
from trainer.tuning.formats import Conversation
from trainer.tuning.templates import render

WEATHER = {
    "name": "weather",
    "description": "天気を調べる",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = {"name": "weather", "arguments": {"city": "京都"}}
OPENAI = [
    {"role": "system", "content": "短く答える。"},
    {"role": "user", "content": "京都の天気は？"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]},
    {"role": "tool", "content": '{"sky": "晴れ"}'},
    {"role": "assistant", "content": "晴れです。"},
]
SHARED = [
    {"from": "human", "value": "京都の天気は？"},
    {"from": "function_call", "value": json.dumps(CALL)},
    {"from": "observation", "value": '{"sky": "晴れ"}'},
    {"from": "gpt", "value": "晴れです。"},
]
# The shape of Qwen 2.5's: tools in the system's turn, calls and answers in marks of their own.
TOOLS = """
{%- if tools %}{{- '<|im_start|>system\\n' }}{%- if messages[0].role == 'system' %}
{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- "# Tools\\n<tools>" }}{%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
{{- "\\n</tools><|im_end|>\\n" }}{%- endif %}
{%- for m in messages %}
{%- if m.role == "user" or (m.role == "system" and not (loop.first and tools)) %}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- elif m.role == "assistant" %}
{{- '<|im_start|>assistant\\n' }}
{%- generation %}
{{- m.content }}
{%- for call in m.tool_calls or [] %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson + '}\\n</tool_call>' }}{%- endfor %}
{{- '<|im_end|>' }}
{%- endgeneration %}{{- '\\n' }}
{%- elif m.role == "tool" %}
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}
{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
# As Qwen 3's: what was thought before earlier answers is left out.
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    return path


def test_every_form_becomes_messages(tmp_path: Path) -> None:
    spoken = [OPENAI[0], {"role": "user", "content": "訳して\n犬"}]
    rows = [
        {"messages": OPENAI, "tools": [{"type": "function", "function": WEATHER}]},
        {"conversations": SHARED, "system": "短く答える。", "tools": json.dumps([WEATHER])},
        {"instruction": "訳して", "input": "犬", "output": "dog", "system": "短く答える。"},
        {"instruction": "次は", "output": "猫", "history": [["訳して", "dog"]]},
        {"prompt": "犬は？", "completion": "dog"},
    ]
    found = formats.conversations(write(tmp_path / "a.jsonl", *rows))
    tools = [{"type": "function", "function": WEATHER}]
    assert found[0] == found[1] == Conversation(OPENAI, tools)
    assert found[2].messages == [*spoken, {"role": "assistant", "content": "dog"}]
    assert [m["content"] for m in found[3].messages] == ["訳して", "dog", "次は", "猫"]
    assert [m["role"] for m in found[4].messages] == ["user", "assistant"]
    whole = tmp_path / "b.json"
    whole.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert formats.conversations(whole) == found
    said = [{**m, "tool_calls": m.get("tool_calls")} for m in OPENAI]
    pq.write_table(pa.Table.from_pylist([{"messages": said}]), tmp_path / "c.parquet")
    assert formats.conversations(tmp_path / "c.parquet") == [Conversation(OPENAI)]


@pytest.mark.parametrize(
    "row",
    [
        {"text": "x"},
        {"instruction": "訳して"},
        {"messages": [{"role": "tool"}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]},
        {"conversations": [{"from": "someone", "value": "x"}]},
        {"conversations": [{"from": "function_call", "value": "weather()"}]},
        {"messages": OPENAI, "tools": "weather"},
        {"messages": [OPENAI[1], {**OPENAI[2], "tool_calls": [{"function": {"name": 3}}]}]},
        {"instruction": "次は", "output": "猫", "history": ["訳して"]},
        {"messages": [{"role": "user", "content": "\ufdd0"}]},
    ],
    ids=str,
)
def test_a_row_in_no_form_is_named(tmp_path: Path, row: dict[str, Any]) -> None:
    file = write(tmp_path / "bad.jsonl", {"prompt": "a", "completion": "b"}, row)
    with pytest.raises(ConfigError, match=r"bad\.jsonl: line 2: ") as caught:
        formats.conversations(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_preferences_in_every_form(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "京都の天気は？"}
    good, bad = ({"role": "assistant", "content": c} for c in ("晴れです。", "知らない。"))
    ends = {"chosen": "晴れです。", "rejected": "知らない。"}
    rows = [
        {"prompt": asked["content"], **ends},
        {"prompt": [asked], "chosen": [good], "rejected": [bad]},
        {"chosen": [asked, good], "rejected": [asked, bad]},
        {"prompt": [asked], "chosen": [asked, good], "rejected": [asked, bad]},
        {"instruction": asked["content"], **ends},
        {"conversations": [{"from": "human", "value": asked["content"]}]}
        | {"chosen": {"from": "gpt", "value": "晴れです。"}, "rejected": bad},
    ]
    found = formats.pairs(write(tmp_path / "p.jsonl", *rows))
    for pair in found:
        assert pair.chosen.messages == [asked, good] and pair.rejected.messages == [asked, bad]
    wrong = [
        {"prompt": "a", "chosen": "b", "rejected": "b"},
        {"chosen": "b", "rejected": "c"},
        {"prompt": "a", "chosen": "b"},
        {"chosen": [asked, good], "rejected": [{**asked, "content": "x"}, bad]},
    ]
    for row in wrong:
        with pytest.raises(ConfigError, match=r"p\.jsonl: line 1: "):
            formats.pairs(write(tmp_path / "p.jsonl", row))


def test_tools_are_written_as_transformers_writes_them(tmp_path: Path) -> None:
    folder = bpe(tmp_path, template=TOOLS)
    ours, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    tools = [{"type": "function", "function": WEATHER}]
    chat = Conversation(OPENAI, tools)
    for answer in (False, True):
        text = theirs.apply_chat_template(
            OPENAI, tools=tools, tokenize=False, add_generation_prompt=answer
        )
        plain = render(chat, ours, answer).replace("\ufdd0", "").replace("\ufdd1", "")
        assert plain == text
    # What {% generation %} marks, and nothing else, is learnt; the same without the marks.
    ids, learn = encode(chat, ours)
    both = theirs.apply_chat_template(
        OPENAI, tools=tools, return_dict=True, return_assistant_tokens_mask=True
    )
    assert (ids, [int(x) for x in learn]) == (both["input_ids"], both["assistant_masks"])
    plain_folder = bpe(tmp_path / "plain", template=TOOLS.replace("generation %}", "if true %}")
                       .replace("endif true", "endif"))  # fmt: skip
    again, targets = encode(chat, Tokenizer.load(plain_folder))
    newline = ours.encode("\n")
    assert again == ids
    said = [i for i, t in zip(ids, learn, strict=True) if t]
    turns = [i for i, t in zip(again, targets, strict=True) if t]
    assert len(turns) == len(said) + 2 * len(newline)  # and the newline behind each turn


def test_a_template_without_tools_or_ours_refuses_them(tmp_path: Path, tokenizer_dir: Path) -> None:
    chat = Conversation(OPENAI, [{"type": "function", "function": WEATHER}])
    with pytest.raises(ConfigError, match="no place for tools"):
        encode(chat, Tokenizer.load(bpe(tmp_path)))
    with pytest.raises(ConfigError, match="writes no tools"):
        encode(chat, Tokenizer.load(tokenizer_dir))
    with pytest.raises(ConfigError, match="writes only system, user, assistant"):
        encode(Conversation(OPENAI), Tokenizer.load(tokenizer_dir))


def test_where_earlier_turns_are_rewritten_every_answer_follows_its_own_prompt(
    tmp_path: Path,
) -> None:
    folder = bpe(tmp_path, template=THINKS)
    ours, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    chat = [
        {"role": "user", "content": "花は？"},
        {"role": "assistant", "content": "<think>春</think>桜です。"},
        {"role": "user", "content": "月は？"},
        {"role": "assistant", "content": "<think>秋</think>満月です。"},
    ]
    found = examples(Conversation(chat), ours)
    for (ids, learn), end in zip(found, (2, 4), strict=True):
        before = theirs.apply_chat_template(
            chat[: end - 1], add_generation_prompt=True, return_dict=False
        )
        assert ids[: len(before)] == before and not any(learn[: len(before)])
        assert ours.decode(ids[len(before) :]) == chat[end - 1]["content"] + "\n"
        assert all(learn[len(before) :])


def test_a_template_cannot_leave_its_sandbox(tmp_path: Path) -> None:
    hostile = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(ConfigError, match="the chat template fails"):
        render(Conversation(OPENAI), Tokenizer.load(bpe(tmp_path, template=hostile)))
