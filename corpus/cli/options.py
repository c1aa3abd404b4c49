"""The options that verbs share, and what they stand for: a folder, an engine.

Typer reads options from the signature of a function. So that verbs need not repeat the list, they
take a dataclass of options, and `grouped` gives them the signature with its fields.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from corpus.errors import RunError, UsageError

if TYPE_CHECKING:
    from corpus.engine.units import Engine
    from corpus.folder.folder import Folder
    from corpus.folder.layout import Layout
    from corpus.register import Request

FOLDER = "The build folder, or its address: s3://…"
BuildName = Annotated[str, typer.Argument(metavar="DIR", help=FOLDER)]
OptionalBuildName = Annotated[str | None, typer.Argument(metavar="DIR", help=FOLDER)]
Out = Annotated[str | None, typer.Option("--out", "-o", metavar="DIR", help=FOLDER)]
Work = Annotated[
    str | None,
    typer.Option(
        "--work",
        help="Local folder for a build in an object store; else one below ~/.cache/inaho/work.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, globs, fsspec URLs (s3://…) or @list.txt."),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source", help="A kind of source (docs/sources/README.md); else by ending and content."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")
]
LedgerKind = Annotated[
    str | None, typer.Option("--ledger", help="candidates, or full: a row for every record.")
]
_Config = Annotated[str | None, typer.Option("--config", help="Settings in a TOML file.")]
_Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Filter profile (`corpus profiles` lists them), or none; one a source: web,law=law.",
    ),
]
_Dedup = Annotated[str | None, typer.Option("--dedup", help="near, exact, url or none.")]
_Licence = Annotated[
    str | None,
    typer.Option(
        "--licence",
        help="What may be published: public (all but contract), open, or classes: CC-BY-*,PDM.",
    ),
]
_Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="section.key=value, as often as needed: `corpus settings`."),
]
_Registers = Annotated[
    list[str] | None,
    typer.Option("--register", metavar="FILE", help="Obey this register of takedowns as well."),
]
_Workers = Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes; 0: one a core.")]
_Engine = Annotated[str, typer.Option("--engine", help="local, or ray: a cluster.")]
_RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="auto or HOST:PORT; without it a Ray on this machine."),
]
_Memory = Annotated[
    float, typer.Option("--memory", min=0, help="GiB that a worker may use; ray reserves them.")
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]


@dataclass(frozen=True)
class Changes:
    """What is built: the options that change settings."""

    config: _Config = None
    profile: _Profile = None
    dedup: _Dedup = None
    licence: _Licence = None
    set_: _Sets = None
    register: _Registers = None

    def any(self) -> bool:
        given = (self.config, self.profile, self.dedup, self.licence, self.set_, self.register)
        return any(map(bool, given))


@dataclass(frozen=True)
class Running:
    """How it is built: who does the work, and what is printed."""

    workers: _Workers = 0
    engine: _Engine = "local"
    ray_address: _RayAddress = None
    memory: _Memory = 0
    as_json: Json = False
    quiet: _Quiet = False

    @contextlib.contextmanager
    def started(self, folder: Folder) -> Iterator[Engine]:
        """The engine that the flags name; ended with the command."""
        from corpus import engine

        try:
            address, memory = self.ray_address or "", int(self.memory * 2**30)
            with engine.start(
                self.engine, self.workers, address, memory, self.quiet, folder.layout.lock
            ) as ready:
                yield ready
        except KeyboardInterrupt:
            # Caught while multiprocessing makes an object, it leaves one whose end prints a
            # traceback.
            sys.unraisablehook = lambda _: None
            raise RunError(
                "interrupted; what is done is kept: run the same command again"
            ) from None


@dataclass(frozen=True)
class TakedownRequest:
    """What is to go, why, and who asked."""

    url: Annotated[list[str] | None, typer.Option(help="A page, in every capture.")] = None
    host: Annotated[list[str] | None, typer.Option(help="A host and all below it.")] = None
    id_: Annotated[list[str] | None, typer.Option("--id", help="One document.")] = None
    list_: Annotated[
        Path | None, typer.Option("--list", help="A removals.json, or lines of URLs.")
    ] = None
    pattern: Annotated[
        list[str] | None, typer.Option(help="Addresses: HOST/PATH or *.HOST/PATH, with *.")
    ] = None
    text: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="The text in this file, as a whole.")
    ] = None
    near: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Texts that are like the one there.")
    ] = None
    likeness: Annotated[
        float, typer.Option(min=0.5, max=1, help="Of --near: least Jaccard similarity.")
    ] = 0.8
    reason: Annotated[str, typer.Option(help="Why, for register and ledger.")] = ""
    who: Annotated[str, typer.Option(help="Who asked: a reference, no name.")] = ""
    asked: Annotated[str, typer.Option(help="The day it was asked for: 2026-11-30.")] = ""
    key: Annotated[
        Path | None, typer.Option(help="Sign the entry with this Ed25519 key (PEM).")
    ] = None

    def requests(self) -> list[Request]:
        """An entry of a register for each thing named."""
        from corpus import takedown

        named = {
            "url": self.url or [],
            "host": self.host or [],
            "id": self.id_ or [],
            "pattern": self.pattern or [],
            "text": self.text or [],
            "near": self.near or [],
        }
        return takedown.requests(
            named, self.list_, self.reason, self.who, self.asked, self.likeness
        )


def opened(name: str | None, work: str | None = None) -> Folder:
    """The folder that an argument or --out names; UsageError when it cannot be one."""
    from corpus.folder.folder import open_folder

    if name is None:
        raise UsageError("no build folder: name it with --out DIR")
    folder = open_folder(name, work or "")
    if folder.path.exists() and not folder.path.is_dir():
        raise UsageError(f"{folder} is a file, no build folder: name a folder")
    return folder


def layout_of(name: str) -> Layout:
    """The paths of a build folder that is only read; of one in a store, those of its copy here."""
    from corpus.folder.layout import Layout

    return opened(name).layout if "://" in name else Layout(Path(name))


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with an option for each field in place of its parameters that are dataclasses."""
    kinds = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)
    }
    options = []
    for parameter in inspect.signature(verb).parameters.values():
        kind = groups.get(parameter.name)
        if kind is None:
            own = parameter.replace(annotation=kinds[parameter.name])
            options.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        fields = get_type_hints(kind, include_extras=True)
        options += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=fields[field.name],
            )
            for field in dataclasses.fields(kind)
        ]

    @functools.wraps(verb)
    def run(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{f.name: values.pop(f.name) for f in dataclasses.fields(kind)})
        verb(**values)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run
