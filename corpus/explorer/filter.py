"""What a reader asks for: the fields of a search, from the parameters of an address."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from corpus.errors import UsageError

SHOWN = 50  # pages of a list


@dataclass(frozen=True)
class Filter:
    """What a reader asks for; empty fields ask for nothing."""

    q: str = ""  # in the text
    url: str = ""  # in the address
    host: str = ""  # the host and those below it
    outcome: str = ""
    rule: str = ""
    stage: str = ""
    source: str = ""
    licence: str = ""
    language: str = ""
    cluster: str = ""
    signal: str = ""
    least: str = ""
    most: str = ""
    page: str = ""

    @staticmethod
    def of(values: dict[str, str]) -> Filter:
        """From the parameters of an address; UsageError for a value that cannot be one."""
        known = {f.name: values.get(f.name, "").strip()[:500] for f in fields(Filter)}
        found = Filter(**known)
        for limit in (found.least, found.most):
            if limit:
                number(limit)
        return found

    def asked(self) -> dict[str, str]:
        """The fields that are not empty, without the number of the list."""
        return {
            f.name: v for f in fields(self) if (v := getattr(self, f.name)) and f.name != "page"
        }

    def unpaged(self) -> Filter:
        """The same, of whatever page of the list."""
        return replace(self, page="")

    @property
    def offset(self) -> int:
        return SHOWN * (min(int(self.page), 10_000) if self.page.isdecimal() else 0)


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text} is no number") from None
