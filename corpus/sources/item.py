"""What a source yields: one `Item` per record, and the `Unit` of work it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from corpus.errors import counted

if TYPE_CHECKING:  # commands that read nothing need no kernels
    from corpus.text.blocks import Blocks

# Rules of the ledger for what of the input is not read.
UNREADABLE, FOLDER = "unreadable_file", "unreadable_folder"
ENDING, REPEATED = "unknown_ending", "repeated_file"


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of the input that one worker reads: a byte or row range of a file, or whole files."""

    index: int  # position in the plan; names the unit's outputs
    kind: str  # a key of corpus.sources.kinds.SOURCES
    files: tuple[str, ...]  # as named on the command line
    start: int = 0  # first byte (row) of the range
    end: int = -1  # behind the last one; -1: the whole file
    state: str = ""  # the build's selection of records, for ccindex; filled in by the build
    identities: tuple[str, ...] = ()  # of the files, by their content: corpus/sources/identity.py
    unread: tuple[tuple[str, str], ...] = ()  # of files that are not read: rule, reason in words

    def __str__(self) -> str:
        more = f" and {counted(len(self.files) - 1, 'more file')}" if len(self.files) > 1 else ""
        span = f"[{self.start}:{self.end}]" if self.end >= 0 else ""
        return f"{self.files[0]}{span}{more}"


@dataclass(slots=True)
class Item:
    """One record of the input.

    Exactly one of these holds: `skip` names why it is no candidate; `problem` why it is unreadable;
    `html` is the body of a page; `plain` the bytes of a text; `text` a text the source decoded.
    """

    file: str
    offset: int
    length: int
    part: int = 0
    numbered: bool = False  # one of several of a file that is read whole: `part` is its place
    identity: str = ""  # of the file; corpus.sources.kinds.items_of sets it
    url: str = ""
    moved_to: str = ""  # of a redirect: where `url` has its page now
    captured: str = ""  # ISO 8601
    digest: str = ""
    skip: str = ""
    problem: str = ""
    truncated: str = ""  # why the body may end early: a key of corpus.folder.schema.TRUNCATED
    html: bytes | None = None
    plain: bytes | None = None
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)  # HTTP, names in lower case
    title: str = ""
    date: str = ""
    charset: str = ""  # of `text`, or the one `plain` must be in
    blocks: Blocks | None = None  # of `text`, which the source has normalised; None: read it
    author: str = ""
    licence: str = ""  # that the source vouches for
    source: str = ""  # name of the collection, where the source knows it
    orthography: str = ""  # corpus.text.orthography
    metadata: dict[str, str] = field(default_factory=dict)  # facts that have no column
    site: dict[str, Any] | None = None  # row of web.sites.ROW: this is a robots.txt or ai.txt
    notice: tuple[str, int, str, str] | None = None  # of news: name, version, ISO time, state
    detail: str = ""  # words for the ledger
    value: float | None = None  # measured value behind `problem`, e.g. bytes lost

    @property
    def place(self) -> tuple[int, int]:
        """The columns source_offset and source_length: bytes; or a number from 0, and no bytes."""
        return (self.part, 0) if self.numbered else (self.offset, self.length)
