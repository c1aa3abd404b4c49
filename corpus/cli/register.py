"""The verbs of takedown registers, and what robots.txt of today says of yesterday's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import BuildName, Json, Running, TakedownRequest, grouped, opened
from corpus.cli.printing import print_json
from corpus.errors import RunError, UsageError, counted

app = typer.Typer(
    help="Takedowns for many builds: a hash-chained file that `--register FILE` makes builds obey.",
    no_args_is_help=True,
)
optout_app = typer.Typer()
RegisterFile = Annotated[Path, typer.Argument(metavar="FILE", help="The register.")]


@app.command()
@grouped
def add(
    register: RegisterFile,
    as_json: Json = False,
    *,
    request: TakedownRequest,
) -> None:
    """Enter takedowns; builds that name the register obey them from their next run on."""
    from corpus.register import append, head_of, read

    requests = request.requests()
    if not requests:
        raise UsageError("nothing to enter: --url, --host, --id, --pattern, --text, --near, --list")
    added = append(register, requests, request.key)
    entries = read(register)
    if as_json:
        print_json({"added": added, "entries": len(entries), "head": head_of(entries)})
    else:
        of = counted(len(entries), "entry", "entries")
        print(f"{added:,} added to {register}: {of}, head {head_of(entries)}")


@app.command()
def verify(
    register: RegisterFile,
    head: Annotated[str, typer.Option(help="A head noted earlier: it must be in the chain.")] = "",
    public_key: Annotated[
        Path | None, typer.Option(help="Every entry must be signed by this key (PEM).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether no entry was changed, dropped or moved; exit status 1 when one was."""
    from corpus.register import as_text
    from corpus.register import verify as check

    facts = check(register, head, public_key)
    if as_json:
        print_json(facts)
    else:
        print(as_text(facts), end="")
    if not facts["whole"]:
        raise RunError(f"the register {register} is not whole: see above")


@app.command("list")
def list_entries(register: RegisterFile, as_json: Json = False) -> None:
    """The entries: number, day, kind, and what the operator noted."""
    from corpus.register import read

    entries = read(register)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        private = entry.get("private", {})
        said = [private.get(name, "") for name in ("value", "who", "reason")]
        words = "  ".join(part for part in said if part) or entry["sha256"]
        shown = "".join(c if c.isprintable() else "�" for c in words)
        print(f"{entry['number']:>6}  {entry['time'][:10]}  {entry['kind']:<8}{shown}")


@app.command()
def export(
    register: RegisterFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file for others.")],
) -> None:
    """Write it without names, reasons and who asked: hashes and days; its chain stays whole."""
    from corpus.register import export as write

    number = write(register, out)
    print(f"{counted(number, 'entry', 'entries')} written to {out}")


@optout_app.command()
@grouped
def optout(
    folder: BuildName,
    robots: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER|WARC",
            help="robots.txt, ai.txt, tdmrep.json: HOST/robots.txt, or WARC.",
        ),
    ],
    apply: Annotated[
        bool, typer.Option("--apply", help="Take the pages out; without it: only say what goes.")
    ] = False,
    register: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Enter the pages in this register.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Sign the entries (Ed25519, PEM).")] = None,
    *,
    running: Running,
) -> None:
    """What robots.txt and ai.txt of today refuse of pages that were read before: first the loss."""
    from corpus import optout as refusing
    from corpus import takedown
    from corpus.register import append, removals_of

    place = opened(folder)
    facts = refusing.refused(place.layout, robots)
    if not running.quiet and not running.as_json:
        print(refusing.as_text(facts, apply), end="")
    if apply and facts["pages"]:
        requests = refusing.requests(facts)
        wanted = [request.removal for request in requests]
        if register:
            append(register, requests, key)
            wanted = removals_of(register)
        with running.started(place) as engine:
            done = takedown.from_build(place, wanted, engine, False, str(register or ""))
        facts["removed"] = len(done["removed"])
        if not running.quiet and not running.as_json:
            print(f"{counted(facts['removed'], 'document')} removed from {place}")
    if running.as_json:
        print_json(facts)
