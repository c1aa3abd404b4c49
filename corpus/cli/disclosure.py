"""The verbs for those who ask from outside: authorities, and holders of rights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import BuildName, Json, layout_of
from corpus.cli.printing import print_json
from corpus.errors import RunError, UsageError

app = typer.Typer()


@app.command()
def disclose(
    folder: BuildName,
    template: Annotated[str, typer.Option(help="eu, japan or datasheet.")] = "japan",
    facts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml", help='What no build knows: key = "words" (--json: keys).'
        ),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="A small provider: fewer domains are named (EU).")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail where a claim states no number and no day.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the sheet here.")] = None,
    as_json: Json = False,
) -> None:
    """The sheet that must be published on training data: each line a figure, or unanswered."""
    from corpus.answers import disclose as sheets

    if template not in sheets.TEMPLATES:
        raise UsageError(f"no template {template!r}: choose {', '.join(sheets.TEMPLATES)}")
    measured = sheets.measure(layout_of(folder))
    lines = sheets.sheet(measured, template, sheets.read_stated(facts), small)
    text = sheets.markdown(lines, template, measured)
    if out:
        out.write_text(text, "utf-8")
    elif as_json:
        print_json(sheets.as_facts(lines))
    else:
        print(text, end="")
    wrong = sheets.problems(lines) if check else []
    if wrong:
        raise RunError("; ".join(wrong))
