"""Lines that a site repeats on its pages: menus, notices and footers that one page cannot show.

The rule, over the pages of a host in one work unit:

1. A line is the site's when it stands on at least MIN_PAGES pages and on at least SHARE of the
   host's pages (pages with the same text count once: duplicates are the dedup stage's business).
2. Such a line is removed where it has at least LONG characters, or where it belongs to the run of
   such lines at the start or at the end of a text (short headings inside a text stay).
3. A text that would lose more than MAX_LOSS of its characters is left as it is.

The result depends only on the pages given, not on their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

MIN_PAGES = 5
SHARE = 0.5
LONG = 20
MAX_LOSS = 0.8


def repeated_lines(texts: Sequence[str]) -> frozenset[str]:
    """Lines of one host's texts that rule 1 calls the site's."""
    pages = sorted(set(texts))
    if len(pages) < MIN_PAGES:
        return frozenset()
    counts: Counter[str] = Counter()
    for text in pages:
        counts.update({line.strip() for line in text.split("\n")})
    needed = max(MIN_PAGES, SHARE * len(pages))
    return frozenset(line for line, count in counts.items() if line and count >= needed)


def without_lines(text: str, repeated: frozenset[str]) -> str:
    """A text without its site's lines (rules 2 and 3)."""
    if not repeated:
        return text
    lines = text.split("\n")
    flags = [line.strip() in repeated for line in lines]
    if not any(flags):
        return text
    first = next((i for i, flag in enumerate(flags) if not flag), len(lines))
    last = len(lines) - next((i for i, flag in enumerate(reversed(flags)) if not flag), len(lines))
    kept = [
        line
        for i, line in enumerate(lines)
        if not flags[i] or (first <= i < last and len(line.strip()) < LONG)
    ]
    size = sum(map(len, lines))
    return text if sum(map(len, kept)) < (1 - MAX_LOSS) * size else "\n".join(kept)


def site_boilerplate(hosts: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Texts of a work unit without the lines their hosts repeat, in the order given.

    `hosts` and `texts` are of equal length; a page without a host ("") is left alone.
    """
    by_host: dict[str, list[str]] = defaultdict(list)
    for host, text in zip(hosts, texts, strict=True):
        by_host[host].append(text)
    repeated = {host: repeated_lines(group) for host, group in by_host.items() if host}
    nothing: frozenset[str] = frozenset()
    return [
        without_lines(text, repeated.get(host, nothing))
        for host, text in zip(hosts, texts, strict=True)
    ]
