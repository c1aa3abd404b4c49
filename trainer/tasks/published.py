"""Files of tasks in the form they are published in, from a folder; nothing is downloaded.

    JGLUE     train-*.json and valid-*.json of jcommonsenseqa, jnli, jsquad, jsts
    JMMLU     the 53 files SUBJECT.csv

Examples are those of llm-jp-eval 1.3.0: of JGLUE the first of the training file, of JMMLU of the
half of each subject that is not asked, both shuffled by Python's generator from 42. Where files
are missing for that, examples come from the questions, and a note says that scores do not compare.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.config.settings import ConfigError
from trainer.tasks.prompts import TASKS, WORDS, Item

NLI = {"entailment": "含意", "neutral": "中立", "contradiction": "矛盾"}
SUBJECTS: list[str] = WORDS["jmmlu"]["subjects"].split()
RESERVED = 16  # questions of each half of JMMLU that are kept for examples
MOST_SHOTS = 32


@dataclass
class Suite:
    """The questions of a task, the examples in their order, and what speaks against comparing."""

    task: str
    questions: list[Item]
    examples: list[Item]
    notes: list[str] = field(default_factory=list)


def read(folder: str | Path) -> list[Suite]:
    """Every task of the files below `folder` whose format is known. Raises ConfigError if none."""
    root = Path(folder)
    parts: dict[tuple[str, bool], list[Item]] = {}
    subjects: dict[str, list[Item]] = {}
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if file.suffix in (".json", ".jsonl"):
            training = "train" in file.name.lower()
            for item in _json(file):
                parts.setdefault((item.task, training), []).append(item)
        elif file.suffix == ".csv" and (items := list(_jmmlu(file))):
            subjects.setdefault(file.stem.removeprefix("jmmlu_"), []).extend(items)
    suites = [
        _glue(name, parts[name, False], parts.get((name, True), []))
        for name in TASKS
        if (name, False) in parts
    ]
    suites += [_mmlu(subjects)] if subjects else []
    if not suites:
        raise ConfigError(f"no {', '.join(TASKS)} file in {folder}")
    return suites


def _glue(name: str, questions: list[Item], training: list[Item]) -> Suite:
    notes = ["JGLUE's files differ by version: llm-jp-eval asks version 1.1"]
    pool = list(training or questions)
    random.Random(42).shuffle(pool)
    if training:
        return Suite(name, questions, pool[:MOST_SHOTS], notes)
    notes.append("no training file: examples are questions, scores do not compare")
    taken = pool[: min(MOST_SHOTS, len(pool) // 2)]
    left_out = {id(item) for item in taken}
    return Suite(name, [q for q in questions if id(q) not in left_out], taken, notes)


def _mmlu(subjects: dict[str, list[Item]]) -> Suite:
    """llm-jp-eval's halves: `test` is asked, examples are from `dev`, the rest of both reserved."""
    draw = random.Random(42)
    dev: list[Item] = []
    test: list[Item] = []
    known = [s for s in SUBJECTS if s in subjects]
    for subject in known + sorted(set(subjects) - set(known)):
        items = list(subjects[subject])
        draw.shuffle(items)
        dev += items[: len(items) // 2]
        test += items[len(items) // 2 :]
    draw.shuffle(dev)
    draw.shuffle(test)
    reserved = min(RESERVED, len(test) // 2)
    notes = []
    if len(known) < len(SUBJECTS) or len(subjects) > len(SUBJECTS):
        notes = [f"{len(subjects)} subjects, not the 53: scores do not compare"]
    return Suite("JMMLU", test[reserved:], dev[:reserved] + test[:reserved], notes)


def _json(file: Path) -> Iterator[Item]:
    """Items of a JGLUE file; a file whose first line is no object is another format: none."""
    text = _text(file)
    if text.lstrip().startswith('{"data"') or text.lstrip().startswith("{\n"):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            whole = None  # lines, or another format
        if isinstance(whole, dict) and "data" in whole:
            yield from _squad(file, whole)
            return
    for number, line in enumerate(text.split("\n"), 1):  # U+2028 is text, not a line's end
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
            item = _item(row)
            if item:
                "".join((item.input, item.output)).encode()  # JSON can hold half of a character
        except UnicodeEncodeError as error:
            raise ConfigError(f"{file}: line {number}: a lone surrogate is no text") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{file}: line {number}: not a question: {error!r}") from error
        if item:
            yield item


def _item(row: dict[str, Any]) -> Item | None:
    label = row.get("label")
    if "choice4" in row:
        choices = tuple(str(row[f"choice{i}"]) for i in range(5))
        if type(row["label"]) is not int or not 0 <= row["label"] < 5 or not all(choices):
            raise ValueError(f"label {label!r} or an empty choice")
        listed = ",".join(f"{i}.{c}" for i, c in enumerate(choices))
        asked = f"質問：{row['question']}\n選択肢：{listed}"
        plain = f"質問：{row['question']}\n回答："
        return Item("JCommonsenseQA", asked, str(label), plain, choices, row["label"])
    if "sentence1" in row and label in NLI:
        asked = f"前提：{row['sentence1']}\n仮説：{row['sentence2']}"
        words = tuple(NLI.values())
        return Item("JNLI", asked, label, f"{asked}\n関係：", words, list(NLI).index(label))
    if "sentence1" in row and isinstance(label, (int, float)) and not isinstance(label, bool):
        if not 0 <= label <= 5:
            raise ValueError(f"label {label!r} is not from 0 to 5")
        return Item("JSTS", f"文1：{row['sentence1']}\n文2：{row['sentence2']}", str(label))
    return None


def _squad(file: Path, whole: dict[str, Any]) -> Iterator[Item]:
    try:
        for article in whole["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    text = f"文章：{paragraph['context']}\n質問：{asked['question']}"
                    answer = str(asked["answers"][0]["text"])
                    (text + answer).encode()
                    yield Item("JSQuAD", text, answer)
    except (KeyError, TypeError, IndexError, UnicodeEncodeError) as error:
        raise ConfigError(f"{file}: not JSQuAD: {error!r}") from error


def _jmmlu(file: Path) -> Iterator[Item]:
    csv.field_size_limit(1 << 30)
    # strict: a quote that is never closed would swallow the rest of the file
    rows = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        for row in rows:
            if len(row) == 6 and row[5].strip() in ("A", "B", "C", "D") and all(row[:5]):
                listed = ",".join(f"{n}.{c}" for n, c in zip("ABCD", row[1:5], strict=True))
                answer = row[5].strip()
                asked, plain = f"質問：{row[0]}\n選択肢：{listed}", f"質問：{row[0]}\n回答："
                words = tuple(row[1:5])
                yield Item("JMMLU", asked, answer, plain, words, "ABCD".index(answer))
    except csv.Error as error:
        raise ConfigError(f"{file}: line {rows.line_num}: {error}") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot read: {error}") from error
