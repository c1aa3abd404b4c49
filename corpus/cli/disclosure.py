"""The verbs for those who ask from outside: authorities, and holders of rights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import FOLDER, BuildName, Json, layout_of
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
    measured = sheets.measure(layout_of(folder), small)
    lines = sheets.sheet(measured, template, sheets.read_stated(facts))
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


@app.command()
def answer(
    folders: Annotated[list[str], typer.Argument(metavar="DIR…", help=FOLDER)],
    request: Annotated[
        Path, typer.Option(metavar="FILE.toml", help="What is asked about: docs/answers.md.")
    ],
    run: Annotated[
        list[Path] | None, typer.Option(help="A training run: which steps saw it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .md, .html or .json file; else Markdown.")
    ] = None,
    as_json: Json = False,
) -> None:
    """What builds and runs have of a rights holder's list: in, dropped, taken out, not seen."""
    from corpus.cli.printing import as_json_text
    from corpus.enquiry import page
    from corpus.enquiry import request as requests
    from corpus.enquiry.answer import answer as answered

    forms = {".md": page.markdown, ".html": page.webpage, ".json": as_json_text}
    if out is not None and out.suffix not in forms:
        raise UsageError(f"--out {out}: name a file that ends in {', '.join(forms)}")
    facts = answered(requests.read(request), [layout_of(name) for name in folders], run or [])
    if out is not None:
        out.write_text(forms[out.suffix](facts), "utf-8", "replace")
    elif as_json:
        print_json(facts)
    else:
        print(page.markdown(facts), end="")
