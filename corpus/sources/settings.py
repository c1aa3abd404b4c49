"""Settings of selective fetching: what is taken from an index, and how it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class CcindexSettings:
    """What `--source ccindex` takes from an index; an empty list or text: no such filter."""

    base: str = "https://data.commoncrawl.org/"  # what warc_filename is relative to: URL or folder
    languages: tuple[str, ...] = ("jpn",)  # ISO 639-3 in content_languages; unknown: none is noted
    hosts: tuple[str, ...] = ()  # a host and everything below it
    since: str = ""  # fetched at or after this date or time, UTC
    until: str = ""  # fetched before it
    status: tuple[str, ...] = ("200",)
    mimes: tuple[str, ...] = ("text/html", "application/xhtml+xml", "text/plain")
    unit_records: int = 4000  # records of a unit of work

    def __post_init__(self) -> None:
        for time in filter(None, (self.since, self.until)):
            datetime.fromisoformat(time)
        wrong = [code for code in self.status if not (code.isascii() and code.isdigit())]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no HTTP status code")


@dataclass(frozen=True)
class FetchSettings:
    """How patiently and how politely records are fetched; of no influence on their bytes."""

    connections: int = 4  # requests of a worker at the same time
    gap_kib: int = 128  # records nearer than this are fetched by one request
    attempts: int = 8
    backoff_s: float = 1.0  # before the 2nd attempt; doubled each time, up to a minute
    timeout_s: float = 60.0  # without a byte; the whole answer has longer, by its size
    max_skip_mib: int = 256  # read away at most so much from a server that ignores Range
    max_failed: float = 0.5  # a unit whose server fails for a larger share is left for a later run
