"""Which Japanese pages are found: the gate per encoding, and the language decision per language.

    python benchmarks/recall.py [--shared FOLDER]

Runs over the labelled pages of the dev sample. Pages with an uncertain label (`lang_conf` low) are
counted apart; see the data's README.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from corpus import config  # noqa: E402
from corpus.sources.item import Unit  # noqa: E402
from corpus.sources.warc import read  # noqa: E402
from corpus.stages.document import document  # noqa: E402
from corpus.web.charset import gate  # noqa: E402

SHARED = REPO.parent / "shared" / "data" / "warc"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--shared", type=Path, default=SHARED)
    folder = arguments.parse_args().shared
    with gzip.open(folder / "dev-sample.truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        truth = {row["offset"]: row for row in map(json.loads, lines) if row["kind"] == "html"}
    settings = config.load(None, ["rights.drop_noai=false", "rights.drop_tdm_reservation=false"])
    passed: Counter[tuple[str, bool]] = Counter()
    outcome: Counter[tuple[str, str, str]] = Counter()
    for item in read(Unit(0, "warc", (str(folder / "dev-sample.warc.gz"),)), settings):
        row = truth.get(item.offset)
        if row is None or item.html is None:
            continue
        name = row["true_enc"] if row["true_lang"] == "ja" else f"not Japanese: {row['true_lang']}"
        passed[name, gate.is_candidate(gate.evidence(item.html))] += 1
        result = document(item, settings)
        found = "ja" if isinstance(result, dict) else result.detail or result.rule
        outcome[row["true_lang"], found, row["lang_conf"]] += 1
    print_gate(passed)
    print_language(outcome)


def print_gate(passed: Counter[tuple[str, bool]]) -> None:
    print("| pages | let through | share |")
    print("|---|---:|---:|")
    others = [0, 0]
    for name in sorted({name for name, _ in passed}, key=lambda n: -passed[n, True]):
        yes, total = passed[name, True], passed[name, True] + passed[name, False]
        if name.startswith("not Japanese"):
            others[0] += yes
            others[1] += total
        if not name.startswith("not Japanese") or yes:
            print(f"| {name} | {yes} of {total} | {yes / total:.1%} |")
    print(f"| all others together | {others[0]} of {others[1]} | {others[0] / others[1]:.1%} |\n")


def detected(found: str) -> str:
    """Language code that an outcome names: "ja", or the one the reason gives, or the reason."""
    return found.removeprefix("the text is ").partition(",")[0] if "the text is" in found else found


def print_language(outcome: Counter[tuple[str, str, str]]) -> None:
    """Recall and precision of Japanese, and a row for every language it was confused with."""
    for confidence in ("high", "low"):
        rows: Counter[tuple[str, str]] = Counter()
        for (true, found, sure), count in outcome.items():
            if (sure == "high") == (confidence == "high"):
                rows[true, detected(found)] += count
        right = rows["ja", "ja"]
        japanese = sum(n for (true, _), n in rows.items() if true == "ja")
        called = sum(n for (_, found), n in rows.items() if found == "ja")
        print(
            f"labels of {confidence} confidence: recall {right / max(1, japanese):.4f} of "
            f"{japanese}, precision {right / max(1, called):.4f} of {called}\n"
        )
        print("| language | pages | of them called Japanese | Japanese pages called it |")
        print("|---|---:|---:|---:|")
        names = {n for pair in rows for n in pair} - {"ja", "not Japanese (gate)"}
        for name in sorted(
            names, key=lambda n: (-sum(c for (t, _), c in rows.items() if t == n), n)
        ):
            pages = sum(count for (true, _), count in rows.items() if true == name)
            print(f"| {name} | {pages} | {rows[name, 'ja']} | {rows['ja', name]} |")
        print()


if __name__ == "__main__":
    main()
