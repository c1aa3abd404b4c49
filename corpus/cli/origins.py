"""The verbs about where a string comes from: index, find."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.options import BuildName, Json, Running, grouped, layout_of, opened
from corpus.cli.printing import print_json
from corpus.errors import counted

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
    from corpus.folder.layout import DOCUMENTS, SHARDS
    from corpus.index.build import update

    build = opened(folder)
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
    """How often a string stands in the corpus, and where: document, shard row, WARC offset."""
    from corpus.answers import find as answers

    facts = answers.find(layout_of(folder), text, documents, limit, context)
    if as_json:
        print_json(facts)
    else:
        print(answers.as_text(facts), end="")
