"""The kinds of failure a user meets, each a single line that names the thing and the mend."""

from __future__ import annotations


class UsageError(Exception):
    """Wrong usage (exit status 2): a missing file, an unknown key, a bad flag."""


class RunError(Exception):
    """The command was right but the run failed (exit status 1): unreadable input, a full disk."""


class UnreadableError(RunError):
    """An input file is not what its name says: it costs itself, a row of the ledger."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 file, 1,000 files; its plural where -s is wrong."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def one_line(error: object, limit: int | None = 160) -> str:
    """What a library says of an error, in one line of at most `limit` characters (None: all).

    Short enough for a row of the ledger; a traceback or a page of advice stays out of messages.
    """
    return " ".join(str(error).split())[:limit]
