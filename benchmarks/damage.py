"""Damaged files of every format: what becomes of them, and what the slowest costs.

    python -m benchmarks.damage [--times 2000] [--only law,pdf]

Each is read as a build reads it (items of its source, document), in this process; an exception ends
the run. PDF is read by its own process. Figures: files of which some document came out, files
with a problem (a row of the ledger) and the most frequent rules, processor time of all and of the
slowest.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from tests.corpus.sources.damaged import Outcome, outcomes, samples

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "sources"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=2000, help="damaged files of each format")
    parser.add_argument("--only", default="", help="kinds, by comma")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else []
    print(
        "| format | files | read | with a problem | rules | s in all | slowest, s |\n|" + "---|" * 7
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, data in samples(DATA).items():
            if not wanted or name.partition(".")[0] in wanted:
                _print(name, list(outcomes(name, data, options.times, Path(folder))))


def _print(name: str, found: list[Outcome]) -> None:
    rules = Counter(rule for each in found for rule in set(each.problems))
    often = ", ".join(f"{rule} {count}" for rule, count in rules.most_common(3))
    read, bad = sum(o.documents > 0 for o in found), sum(bool(o.problems) for o in found)
    seconds = [each.seconds for each in found]
    print(f"| {name} | {len(found)} | {read} | {bad} | {often} | {sum(seconds):.1f} | "
          f"{max(seconds):.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
