"""A request: what a holder of rights names, as TOML. It comes from outside, so nothing is believed.

    reference = "R-2026-014"            asked = "2026-11-20"
    urls = ["https://…"]                hosts = ["example.jp"]
    titles = ["…"]                      excerpts = ["a sentence or more"]
    isbn = ["978-4-…"]                  doi = ["10.…/…"]
    texts = ["a whole article"]

Names are compared, never run: there are no patterns or expressions in a request, and no paths to
files. Sizes are bounded; an item that names nothing is answered with why.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.dedup.signatures.normal import normalise
from corpus.errors import UsageError, counted, one_line
from filters.urls.canonical import canonical_url

MAX_BYTES = 512 << 20
# List of a request → (kind of an item, most items, most characters of one).
LISTS = {
    "urls": ("url", 2_000_000, 16_384),
    "hosts": ("host", 100_000, 255),
    "titles": ("title", 100_000, 2_000),
    "excerpts": ("excerpt", 10_000, 20_000),
    "isbn": ("isbn", 100_000, 40),
    "doi": ("doi", 100_000, 300),
    "texts": ("text", 2_000, 1 << 20),
}
WORDS = ("reference", "asked")
LEAST = 12  # letters of an excerpt: a shorter one stands in texts of many
LEAST_TEXT = 40


@dataclass(frozen=True)
class Item:
    """One thing that is asked about.

    key: what it is compared by (a canonical address, a host, letters, digits); empty where the item
    names nothing, and `problem` says why.
    """

    number: int
    kind: str
    value: str
    key: str
    problem: str = ""


@dataclass(frozen=True)
class Request:
    """What was asked, under which reference, and the SHA-256 of the request as it came."""

    reference: str
    asked: str
    sha256: str
    items: tuple[Item, ...]
    repeated: int  # items that say the same as an earlier one


def read(path: Path) -> Request:
    """The request of a file; UsageError for what is none."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES:,} bytes")
        table = tomllib.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read the request {path}: {one_line(error)}") from error
    unknown = sorted(table.keys() - LISTS.keys() - set(WORDS))
    if unknown:
        known = ", ".join((*WORDS, *LISTS))
        raise UsageError(f"{path}: no key {one_line(unknown[0], 40)!r} in a request: {known}")
    words = [table.get(name, "") for name in WORDS]
    if not all(isinstance(word, str) and len(word) < 200 for word in words):
        raise UsageError(f"{path}: reference and asked are short texts")
    items, repeated = _items(table, path)
    if not items:
        raise UsageError(f"{path} asks about nothing: {', '.join(LISTS)}")
    return Request(words[0], words[1], hashlib.sha256(data).hexdigest(), tuple(items), repeated)


def _items(table: dict[str, Any], path: Path) -> tuple[list[Item], int]:
    items: list[Item] = []
    seen: set[tuple[str, str]] = set()
    repeated = 0
    for name, (kind, most, longest) in LISTS.items():
        values = table.get(name, [])
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise UsageError(f"{path}: {name} is a list of texts")
        if len(values) > most:
            raise UsageError(f"{path}: {len(values):,} {name}, at most {most:,} are answered")
        for value in values:
            problem = ""
            if len(value) > longest:
                key, problem = "", f"longer than {longest:,} characters"
                value = value[:200]
            else:
                key, problem = _KEYS[kind](value) if value.strip() else ("", "blank")
            if (kind, key or value) in seen:
                repeated += 1
                continue
            seen.add((kind, key or value))
            items.append(Item(len(items) + 1, kind, value, key, problem))
    return items, repeated


def letters(text: str) -> str:
    """A text as comparison sees it: letters and numbers alone, of one width and case."""
    folded: str = normalise(pa.array([text.encode("utf-8", "replace").decode()]))[0].as_py()
    return folded


def _url(value: str) -> tuple[str, str]:
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(?![0-9])", value)
    address = value if scheme else f"https://{value}"
    key = canonical_url(address)
    if not key or not _HOST.fullmatch(re.split(r"[/?]", key)[0]):
        return "", "no http or https address"
    return key, ""


# A name with a dot in IDNA's form, or an IPv6 address; and a port.
_HOST = re.compile(r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|[0-9a-f:]+)(?::[0-9]+)?")


def _host(value: str) -> tuple[str, str]:
    key = canonical_url(f"http://{value.strip()}/")
    if not key or not _HOST.fullmatch(key):
        return "", "no host"
    return key.partition(":")[0], ""


def _title(value: str) -> tuple[str, str]:
    key = letters(value)
    return key, "" if key else "no letter in it"


def _excerpt(value: str) -> tuple[str, str]:
    key = letters(value)
    if len(key) < LEAST:
        words = counted(len(key), "letter")
        return "", f"{words}: texts of many share so short a passage, {LEAST} are needed"
    return key, ""


def _text(value: str) -> tuple[str, str]:
    key = letters(value)
    if len(key) < LEAST_TEXT:
        return "", f"{counted(len(key), 'letter')}: a whole text has {LEAST_TEXT} or more"
    return key, ""


def _isbn(value: str) -> tuple[str, str]:
    """Thirteen digits, also of a number of ten; the check digit must be right (ISO 2108)."""
    digits = re.sub(r"[^0-9X]", "", letters(value).upper())
    if len(digits) == 10 and "X" not in digits[:9]:
        total = sum((10 - i) * (10 if c == "X" else int(c)) for i, c in enumerate(digits))
        if total % 11 == 0:
            body = "978" + digits[:9]
            return body + _check(body), ""
    if len(digits) == 13 and digits.isdigit() and _check(digits[:12]) == digits[12]:
        return digits, ""
    return "", "no ISBN: its check digit is wrong, or digits are missing"


def _check(body: str) -> str:
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(body))
    return str(-total % 10)


def _doi(value: str) -> tuple[str, str]:
    found = re.match(
        r"\s*(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.[0-9]{4,9}/\S{1,200})\s*$", value
    )
    return (letters(found[1]), "") if found else ("", "no DOI: 10.NNNN/…")


_KEYS: dict[str, Callable[[str], tuple[str, str]]] = {
    "url": _url, "host": _host, "title": _title, "excerpt": _excerpt, "isbn": _isbn, "doi": _doi,
    "text": _text,
}  # fmt: skip


def ten_of(isbn: str) -> str:
    """The number of ten digits for one of thirteen that begins with 978, in lower case; else ""."""
    if not isbn.startswith("978"):
        return ""
    body = isbn[3:12]
    total = sum((10 - i) * int(c) for i, c in enumerate(body))
    check = -total % 11
    return body + ("x" if check == 10 else str(check))
