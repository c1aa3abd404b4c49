"""Which copy of a cluster stayed: newer or older versions, originals or mirrors.

    corpus build dev-sample.warc.gz --out BUILD --profile none
    python benchmarks/kept_copies.py BUILD

A pair is a removed document and its kept copy. Versions are those in the addresses; an original is
a page on the host that one of the two names as its own. Prints counts, and pairs that look wrong.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from corpus.dedup.addresses import version  # noqa: E402
from filters.urls.canonical import canonical_url  # noqa: E402

PAIRS = """select gone.url, gone.canonical_url, kept.url, kept.canonical_url
from read_parquet('{0}/duplicates/*.parquet') pair
join read_parquet('{0}/documents/*.parquet') gone on gone.id = pair.id
join read_parquet('{0}/documents/*.parquet') kept on kept.id = pair.kept_id
where pair.kind <> 'kept'"""


def host(address: str | None) -> str:
    return canonical_url(address or "").partition("/")[0]


def fates(gone: str, gone_names: str, kept: str, kept_names: str) -> str:
    """What became of a pair, in words; WRONG where the older or the mirror stayed."""
    named = {host(gone_names), host(kept_names)} - {""}
    if host(gone) != host(kept):
        if named & {host(kept)}:
            return "mirror removed, original kept"
        return "WRONG: original removed, mirror kept" if host(gone) in named else "hosts unknown"
    before, after = version(canonical_url(gone)), version(canonical_url(kept))
    if before == after:
        return "one version of one host"
    return "newer version kept" if after > before else "WRONG: older version kept"


def main() -> None:
    counts = Counter[str]()
    for pair in duckdb.sql(PAIRS.format(sys.argv[1].replace("'", "''"))).fetchall():
        fate = fates(*pair)
        counts[fate] += 1
        if fate.startswith("WRONG"):
            print(pair[0], "→", pair[2])
    for fate, number in counts.most_common():
        print(f"| {fate} | {number} |")


if __name__ == "__main__":
    main()
