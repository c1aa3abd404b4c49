"""How every verb takes a build folder: a local one, or the address of one in an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.errors import UsageError
from corpus.folder import mirror
from corpus.folder.commit import is_remote

_work = [""]  # of --work, which is read before the folder is
_attached: dict[str, str] = {}  # working folder → address


def folder(text: str) -> Path:
    """The local folder of a build: the one named, or the working folder of an s3://… address."""
    if not is_remote(text):
        if _work[0]:
            raise UsageError(f"--work is for builds in an object store, and {text} is a folder")
        return Path(text.removeprefix("file://"))
    root = mirror.attach(text, _work[0])
    _attached[str(root)] = text.rstrip("/")
    return root


def named(message: str) -> str:
    """A message with the addresses that users know in place of working folders."""
    for root, address in _attached.items():
        message = message.replace(root, address)
    return message


def _set_work(value: str | None) -> str | None:
    _work[0] = value or ""
    return value


HELP = "The build folder, or its address: s3://…"
Build = Annotated[Path, typer.Argument(metavar="DIR", help=HELP, parser=folder)]
Folder = Annotated[Path | None, typer.Argument(metavar="DIR", help=HELP, parser=folder)]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help=HELP, parser=folder)]
Work = Annotated[
    str | None,
    typer.Option(
        "--work",
        is_eager=True,
        callback=_set_work,
        help="Local folder for a build in an object store; else one below ~/.cache/inaho/work.",
    ),
]
