"""Personal data: recall and false positives of every class, and speed; on real text.

    python benchmarks/personal.py [--shared FOLDER] [--spans FILE] [--list]

Spans of real pages, labelled by hand (personal/spans.jsonl.gz): for every class and verdict the
share that the default settings mask, and with the right placeholder; intervals of 95 % by drawing
hosts, and the lowest and highest of five folds of hosts. Texts are contexts of 300 characters:
which of them are code blocks is not known there.

Recall: numbers are made (no list of real telephones is public), in all forms that `MAKERS` of
tests/filters/test_personal.py writes and in sentences around them; addresses (7,000) and surnames
are real. False positives: 2,000 documents of clean Japanese text: literature, law, encyclopedia,
exam questions, single sentences, OCR, and the main texts of the dev sample; a longer text is cut at
line ends. What is found there and is a mail address, an IP address, … was judged by hand once;
tests/filters/personal_labels.tsv has the judgements, as hashes (`--list` prints what lacks one).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402
from test_personal import AFTER, BEFORE, MAKERS  # noqa: E402

from corpus.config import Settings  # noqa: E402
from corpus.sources.kinds import items_of  # noqa: E402
from corpus.sources.plan import units  # noqa: E402
from corpus.stages.document import document  # noqa: E402
from filters.personal import KINDS, apply, find, policies  # noqa: E402

DOCUMENTS = 2000
LABELS = ROOT / "tests/filters/personal_labels.tsv"
MADE = 2000  # numbers of each class
WEB = "web pages (dev sample)"


def clean_texts(data: Path) -> list[tuple[str, str]]:
    """(genre, text) of DOCUMENTS documents: pieces of at most 20,000, then of fewer characters."""
    whole = [(g, t) for g, t in documents(data) if g not in ("foreign", "technical", "statute")]
    whole += [(WEB, text) for text in _pages(data)]
    size = 40_000
    while len(pieces := [(g, p) for g, t in whole for p in _cut(t, size)]) < DOCUMENTS:
        size = size * 3 // 4
    step = len(pieces) / DOCUMENTS
    return [pieces[int(i * step)] for i in range(DOCUMENTS)]


def _pages(data: Path) -> Iterator[str]:
    """Main texts of the Japanese pages of the dev sample, as harvested, before cleaning."""
    settings = Settings()
    for unit in units([str(data / "warc/dev-sample.warc.gz")], settings):
        for item in items_of(unit, settings):
            row = document(item, settings)
            if isinstance(row, dict):
                yield row["text"]


def _cut(text: str, size: int) -> Iterator[str]:
    piece = ""
    for line in text.split("\n"):
        if piece and len(piece) + len(line) > size:
            yield piece
            piece = ""
        piece += line + "\n"
    yield piece


def recall(data: Path) -> dict[str, tuple[int, int]]:
    """Class → (found, there) on made numbers, real addresses and real surnames."""
    dice = random.Random(20)
    out = {}
    for kind, make in MAKERS.items():
        texts = [f"{dice.choice(BEFORE)}{make(dice)}{dice.choice(AFTER)}" for _ in range(MADE)]
        out[kind] = sum(any(f.kind == kind for f in find(text)) for text in texts), MADE
    lines = (data / "personal/addresses.txt").read_text("utf-8").split("\n")
    addresses = [line for line in lines if line]
    whole = 0
    for address in addresses:
        hits = [f for f in find(f"所在地は{address}です。") if f.kind == "address"]
        whole += any(f.begin <= 4 and f.end >= 4 + len(address) for f in hits)
    out["address"] = whole, len(addresses)
    rows = (data / "personal/last_name_org.csv").read_text("utf-8").splitlines()
    names = [row.split(",")[0] for row in rows]
    found = sum(
        any(f.kind == "name" for f in find(f"担当：{name}{dice.choice('様氏')}（03-3581-0123）"))
        for name in names
    )
    out["name"] = found, len(names)
    return out


HARMLESS = ("public", "example", "identifier", "other")  # verdicts of which nothing is masked
DRAWS, FOLDS = 2000, 5


def span_table(path: Path) -> None:
    """Print what is masked of the labelled spans, by class and verdict, and the four goals."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    settings = Settings().clean
    policy_of = policies(settings.personal, settings.personal_classes)
    for row in rows:
        row["hits"] = [
            f.kind
            for f in find(row["context"])
            if policy_of[f.kind] == "mask" and f.begin < row["end"] and row["begin"] < f.end
        ]
    hosts = len({row["host"] for row in rows})
    print(f"Labelled spans: {len(rows):,} of {hosts} hosts\n")
    print("| class | verdict | spans | masked | 95 % by hosts | folds | right placeholder |")
    print("|---|---|--:|--:|---|---|--:|")
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["class"], row["verdict"]), []).append(row)
    for (kind, verdict), own in sorted(groups.items()):
        _span_row(f"{kind} | {verdict}", own)
    # The goals: what is harmless stays, what is a person's or an organisation's is masked.
    own = [row for row in rows if row["verdict"] in HARMLESS]
    _span_row("all | " + ", ".join(HARMLESS), own)
    mails = groups.get(("email", "personal"), [])
    spelt = [row for row in mails if not re.search(r"[!-~]@[!-~]", row["text"])]
    _span_row("email | personal, @ not as such", spelt)
    for kind in ("phone", "address", "postal"):
        own = groups.get((kind, "personal"), []) + groups.get((kind, "organisation"), [])
        _span_row(f"{kind} | personal, organisation", own)
    print()


def _span_row(name: str, rows: list[dict[str, Any]]) -> None:
    """Print one line of the table."""
    if not rows:
        return
    masked = np.array([bool(row["hits"]) for row in rows])
    right = sum(row["class"] in row["hits"] for row in rows)
    names = sorted({row["host"] for row in rows})
    of_host = np.array([names.index(row["host"]) for row in rows])
    hits, spans = np.bincount(of_host, masked), np.bincount(of_host)
    drawn = np.random.default_rng(20).integers(0, len(names), (DRAWS, len(names)))
    low, high = np.quantile(hits[drawn].sum(1) / spans[drawn].sum(1), (0.025, 0.975))
    folds = [
        hits[fold::FOLDS].sum() / spans[fold::FOLDS].sum() for fold in range(min(FOLDS, len(names)))
    ]
    print(
        f"| {name} | {len(rows)} | {masked.mean():.3f} | {low:.3f}–{high:.3f} "
        f"| {min(folds):.2f}–{max(folds):.2f} | {right / len(rows):.3f} |"
    )


def key(kind: str, words: str) -> str:
    """Name of a finding in LABELS, so that no personal data stands there."""
    return hashlib.sha1(f"{kind}\t{words}".encode(), usedforsecurity=False).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--spans", type=Path, help="other labelled spans, e.g. of other hosts")
    parser.add_argument("--list", action="store_true", help="print findings without a judgement")
    options = parser.parse_args()
    span_table(options.spans or options.shared / "personal/spans.jsonl.gz")
    labelled = dict(line.split("\t")[:2] for line in LABELS.read_text("utf-8").splitlines())
    texts = clean_texts(options.shared)
    array = pa.array([text for _, text in texts])
    apply(array.slice(0, 8), "detect")
    start = time.process_time()
    result = apply(array, "detect")
    seconds = time.process_time() - start
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    unknown = set()
    for row, findings in result.findings.items():
        text = texts[row][1]
        for f in findings:
            words = text[f.begin : f.end]
            found[f.kind] += 1
            label = labelled.get(key(f.kind, words))
            wrong[f.kind] += label != "1"
            if label is None and words not in unknown:
                unknown.add(words)
                if options.list:
                    near = text[max(0, f.begin - 15) : f.begin], text[f.end : f.end + 10]
                    print(f"{key(f.kind, words)}\t{f.kind}\t{near[0]!r}【{words}】{near[1]!r}")
    characters = sum(len(text) for _, text in texts)
    genres = Counter(genre for genre, _ in texts)
    print(
        f"Clean text: {len(texts):,} documents, {characters:,} characters: "
        + ", ".join(f"{genre} {n}" for genre, n in sorted(genres.items()))
    )
    print("\n| class | recall | of | found in clean text | false | false per 100,000 characters |")
    print("|---|--:|--:|--:|--:|--:|")
    there = recall(options.shared)
    for kind in KINDS:
        hits, total = there[kind]
        rate = 100_000 * wrong[kind] / characters
        print(
            f"| {kind} | {hits / total:.3f} | {total:,} | {found[kind]} | {wrong[kind]} "
            f"| {rate:.3f} |"
        )
    if unknown:
        print(f"\n{len(unknown)} different findings have no judgement and count as false.")
    megabytes = sum(len(text.encode()) for _, text in texts) / 1e6
    print(
        f"\ndetect: {megabytes / seconds:.0f} MB/s, {1e6 * seconds / len(texts):.0f} µs a document"
    )


if __name__ == "__main__":
    main()
