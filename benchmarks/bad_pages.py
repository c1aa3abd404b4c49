"""Pages that solicit: recall on texts written for it, and what the same rules cost of good pages.

    python benchmarks/bad_pages.py [--shared FOLDER] [--profile NAME]

tests/filters/bad_pages.jsonl holds invented texts of five bad kinds and innocent ones that look
alike; those held out were never looked at while rules were tuned. Each is asked as it stands and,
as a longer page, joined with the next two of its kind. --shared: the folder of shared data; its
judged pages (data/labels) are harvested, and wrong drops are counted on those that people keep.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: its filters.py is not the package filters

from corpus.settings import Settings  # noqa: E402
from corpus.sources.item import Item  # noqa: E402
from corpus.stages.clean import plain_view  # noqa: E402
from corpus.stages.document import Reject, document  # noqa: E402
from corpus.text.normalize import normalize  # noqa: E402
from filters.profile import Profile, load  # noqa: E402
from filters.signals import measure  # noqa: E402

TEXTS = ROOT / "tests/filters/bad_pages.jsonl"
JOINED = 3  # texts of one kind that make a longer page
Row = dict[str, Any]


def texts() -> list[Row]:
    """The written texts (`id`, `kind`, `held_out`, `text`), as harvest would normalise them."""
    rows = [json.loads(line) for line in TEXTS.read_text("utf-8").splitlines()[1:]]
    steps = Settings().normalize.steps
    return [row | {"text": normalize(row["text"], steps)} for row in rows]


def joined(rows: list[Row]) -> list[Row]:
    """Longer pages: each text with the next ones of its kind and half."""
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["held_out"]), []).append(row)
    return [
        row | {"text": "\n".join(group[(i + k) % len(group)]["text"] for k in range(JOINED))}
        for group in groups.values()
        for i, row in enumerate(group)
    ]


def dropped(profile: Profile, plain: list[str]) -> list[str]:
    """The rule that drops each text, "" where it is kept."""
    decisions = profile.decide(measure(pa.array(plain), profile.groups()))
    return ["" if r < 0 else profile.rules[r].name for r in decisions.rule.tolist()]


def judged(labels: Path) -> tuple[list[Row], list[str]]:
    """(judged pages that become documents, their plain texts)."""
    settings, kept, plain = Settings(), [], []
    with gzip.open(labels, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            body = base64.b64decode(row["raw_b64"])
            item = Item("labels", number, len(body), url=row["url"], html=body)
            made = document(item, settings)
            if not isinstance(made, Reject):
                kept.append(row)
                plain.append(plain_view(made))
    return kept, plain


def print_written(profile: Profile, rows: list[Row]) -> None:
    """How many are dropped, by kind and half, short and joined."""
    print("| kind | held out | texts | dropped | dropped, joined |\n|---|---|--:|--:|--:|")
    sums: Counter[tuple[str, bool, str]] = Counter()
    for form, those in (("short", rows), ("joined", joined(rows))):
        for row, rule in zip(those, dropped(profile, [r["text"] for r in those]), strict=True):
            kinds = [row["kind"]] if row["kind"] == "innocent" else [row["kind"], "all bad"]
            for kind in kinds:
                sums[kind, row["held_out"], form] += bool(rule)
                sums[kind, row["held_out"], "texts"] += form == "short"
    for kind, half in sorted({(kind, half) for kind, half, _ in sums}):
        n, short, long = (sums[kind, half, key] for key in ("texts", "short", "joined"))
        print(f"| {kind} | {'yes' if half else 'no'} | {n} | {short} | {long} |")


def print_judged(profile: Profile, labels: Path) -> None:
    """Judged pages dropped, by label and rule."""
    rows, plain = judged(labels)
    rules = dropped(profile, plain)
    totals = Counter(row["label"] for row in rows)
    print("\n| label | pages | dropped | by |\n|---|--:|--:|---|")
    for label in ("keep", "borderline", "drop"):
        by = Counter(r for row, r in zip(rows, rules, strict=True) if r and row["label"] == label)
        words = ", ".join(f"{rule} {n}" for rule, n in by.most_common())
        print(f"| {label} | {totals[label]} | {by.total()} | {words} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--profile", default=str(ROOT / "benchmarks/solicitation.toml"))
    options = parser.parse_args()
    profile = load(options.profile)
    print_written(profile, texts())
    print_judged(profile, options.shared / "data/labels/labels.jsonl.gz")


if __name__ == "__main__":
    main()
