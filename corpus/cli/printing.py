"""What verbs print: JSON, tables, and what of the input was not read."""

from __future__ import annotations

import io
import json
import os
from typing import IO, TYPE_CHECKING, Any

from corpus.answers.vocabulary import files_and_members
from corpus.errors import counted
from corpus.sources.item import FOLDER, REPEATED, UNREADABLE
from corpus.words import language, names

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 120
HEADS = {
    "en": ("stage", "in", "out", "kept", "where the rest went"),
    "ja": ("段階", "入力", "出力", "残存率", "残りの行き先"),
}
NAMED = 3  # files, or endings, that a line names; the ledger names all


def as_json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def print_json(value: Any) -> None:
    print(as_json_text(value), end="")


def print_table(table: Table, file: IO[str]) -> None:
    """A table as wide as the terminal; in a pipe at most $COLUMNS, or PIPE_WIDTH, wide."""
    from rich.console import Console

    if file.isatty():
        Console(file=file, highlight=False, markup=False).print(table)
        return
    text = io.StringIO()
    asked = os.environ.get("COLUMNS", "")
    width = int(asked) if asked.isdigit() else PIPE_WIDTH
    Console(file=text, width=width, highlight=False, markup=False).print(table)
    file.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def print_funnel(funnel: dict[str, Any], file: IO[str]) -> None:
    """A row a stage: in, out, the share that stays, and where the rest went."""
    from rich.table import Table

    spoken = language.current()
    heads = HEADS[spoken]
    table = Table(box=None, pad_edge=False)
    for name in heads[:-1]:
        table.add_column(name, justify="left" if name == heads[0] else "right", no_wrap=True)
    table.add_column(heads[-1], overflow="fold")
    for stage, entry in funnel.items():
        reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
        words = ", ".join(
            f"{names.called(reason, spoken)} {count:,}" for reason, count in reasons.items()
        )
        profiles = dict.fromkeys(facts["profile"] for facts in entry.get("sources", {}).values())
        if profiles:
            words = f"by {', '.join(profiles)}: {words or 'nothing dropped'}"
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else "-"
        name = names.stage(stage, spoken)
        table.add_row(name, f"{entry['in']:,}", f"{entry['out']:,}", share, words)
        if len(profiles) > 1:
            for source, facts in entry["sources"].items():
                part = f"{facts['out'] / facts['in']:.1%}", f"source {source} by {facts['profile']}"
                table.add_row("", f"{facts['in']:,}", f"{facts['out']:,}", *part)
    print_table(table, file)


def unread_lines(funnel: dict[str, Any]) -> list[str]:
    """What of the input was not read, or not to its end: a line for each kind of loss."""
    harvest = funnel.get("harvest", {})
    unread, lines = harvest.get("unread", {}), []
    if number := unread.get("unreadable"):
        of, _ = files_and_members(unread["files"], unread["members"])
        lines.append(f"{number:,} of {of} could not be read: {_named(unread, UNREADABLE, number)}")
    if number := unread.get("folders"):
        folders = counted(number, "folder")
        lines.append(f"{folders} could not be entered: {_named(unread, FOLDER, number)}")
    if number := unread.get("repeated"):
        lines.append(
            f"{counted(number, 'file')} given twice, read once: {_named(unread, REPEATED, number)}"
        )
    if endings := unread.get("endings"):
        words = ", ".join(f"{ending} {count:,}" for ending, count in list(endings.items())[:NAMED])
        more = f" and {counted(len(endings) - NAMED, 'more kind')}" if len(endings) > NAMED else ""
        files = counted(sum(endings.values()), "file")
        lines.append(f"{files} of unknown kinds passed over: {words}{more} (--source names a kind)")
    if truncated := harvest.get("truncated"):
        words = ", ".join(f"{reason} {count:,}" for reason, count in truncated.items())
        documents = counted(sum(truncated.values()), "document")
        lines.append(f"{documents} may end early (column truncated): {words}")
    return lines


def _named(unread: dict[str, Any], rule: str, number: int) -> str:
    examples = list(unread["examples"].get(rule, {}).items())[:NAMED]
    more = f"; and {number - len(examples):,} more" if number > len(examples) else ""
    named = "; ".join(f"{path}: {reason}" for path, reason in examples)
    return f"{named}{more} (ledger: rule {rule})"
