"""The verbs about where things come from: index, find, trace."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.cli.options import BuildName, Json, Running, grouped, layout_of, opened
from corpus.cli.printing import print_json
from corpus.errors import UsageError, counted
from corpus.words import language
from corpus.words.messages import said as spoken

app = typer.Typer()
Documents = Annotated[
    bool, typer.Option("--documents", help="All that was harvested, not only what is published.")
]


@app.command()
@grouped
def index(folder: BuildName, documents: Documents = False, *, running: Running) -> None:
    """Make any string findable: an index of all substrings of the shards, for `find` and `trace`.

    What did not change since the last time is not sorted again.
    """
    from corpus.config import require_build
    from corpus.folder.layout import DOCUMENTS, SHARDS
    from corpus.index.build import update

    build = opened(folder)
    require_build(build.layout)
    side = DOCUMENTS if documents else SHARDS
    with running.started(build) as engine, build.lock():
        facts = update(build, side, engine)
    if running.as_json:
        print_json(facts)
    elif not running.quiet:
        ratio = facts["bytes"] / max(1, facts["text_bytes"])
        print(
            f"{folder}: {counted(facts['documents'], 'document')}, "
            f"{counted(facts['characters'], 'character')} indexed in "
            f"{counted(facts['parts'], 'part')} ({facts['sorted']:,} sorted now, "
            f"{facts['kept']:,} kept, {facts['forgotten']:,} forgotten); "
            f"{facts['bytes'] / 2**20:,.1f} MiB, {ratio:.2f} times the text"
        )


@app.command()
def find(
    folder: BuildName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="One character or more, exactly.")],
    documents: Documents = False,
    limit: Annotated[int, typer.Option(min=0, help="Places that are shown.")] = 10,
    context: Annotated[int, typer.Option(min=0, help="Characters shown around each.")] = 40,
    as_json: Json = False,
) -> None:
    """How often a string is in the corpus, and where: document, shard row, record of the input."""
    from corpus.answers import find as answers

    facts = answers.find(layout_of(folder), text, documents, limit, context)
    if as_json:
        print_json(facts)
    else:
        print(answers.as_text(facts), end="")


@app.command()
def trace(
    folder: BuildName,
    name: Annotated[
        str | None,
        typer.Argument(help="A URL, a document id, SHARD.parquet:ROW or SOURCE-FILE:OFFSET."),
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Read the record again, and make its text again from it.")
    ] = False,
    text: Annotated[
        str | None, typer.Option(metavar="FILE", help="A text, or -: what of it the corpus has.")
    ] = None,
    min_chars: Annotated[int, typer.Option(min=1, help="Shortest span of --text.")] = 20,
    documents: Documents = False,
    near: Annotated[bool, typer.Option(help="With --text: near copies by signature.")] = True,
    run: Annotated[
        list[Path] | None, typer.Option(help="A training run: token rows, steps, checkpoints.")
    ] = None,
    step: Annotated[int, typer.Option(min=0, help="What a step of the --run was made of.")] = 0,
    model: Annotated[
        Path | None, typer.Option(help="A model exported from the --run: which checkpoint it is.")
    ] = None,
    as_json: Json = False,
) -> None:
    """From a record to document, shard row, step and model, and back; or where a text is from."""
    from corpus.answers import runs
    from corpus.answers import trace as answers

    layout, folders = layout_of(folder), run or []
    said: Any
    words: Callable[[Any], str]
    if bool(name) + bool(text) + bool(step) > 1:
        raise UsageError("name a document, or a --text, or a --step: one of them")
    if (step or model) and len(folders) != 1:
        raise UsageError("--step and --model are of one --run: name it")
    if text is not None:
        from corpus.answers import trace_text

        given = sys.stdin.read() if text == "-" else trace_text.read(Path(text))
        facts = trace_text.trace_text(layout, given, min_chars, documents, near)
        if folders:
            trace_text.add_runs(facts, folders, model)
        said, words = facts, trace_text.as_text
    elif step:
        said = answers.of_step(layout, folders[0], step)
        words = functools.partial(answers.step_text, folders[0], step)
    elif name is not None:
        said, words = answers.trace(layout, name, verify), answers.as_text
        if folders:
            answers.in_runs(said, folders, model)
        if not as_json:
            for row in said:
                row["sentences"] = [spoken(line, language.current()) for line in row["sentences"]]
    elif model is not None:
        said = runs.exported(folders[0], model)
        words = runs.model_text
    else:
        raise UsageError("nothing to trace: name a document, a --text, or a --run with --step")
    if as_json:
        print_json(said)
    else:
        print(words(said), end="")
