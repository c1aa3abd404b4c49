"""Harmful words: precision and recall on labelled real sentences, beside bare search; and speed.

    python benchmarks/words.py [--data FOLDER]

tests/filters/word_labels.tsv holds, for 374 sentences of the shared data (by hash), whether the
word at a place stands there as a word of its own. Bare search is what HojiChar and C4 do: every
occurrence is a hit. The speed is that of Inaho's own list, boundaries included.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from pathlib import Path

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402

from filters.buffers import text_buffers  # noqa: E402
from filters.signals import slices  # noqa: E402
from filters.words import Word, WordList, load  # noqa: E402

LABELS = ROOT / "tests/filters/word_labels.tsv"
Spot = tuple[str, int, str]  # sentence, character, word


def labels() -> dict[Spot, bool]:
    """What a hand said of every place."""
    lines = LABELS.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line[0] != "#"]
    return {(key, int(at), word): label == "1" for key, at, word, label in rows}


def sentences(data: Path, wanted: set[str]) -> dict[str, str]:
    """Hash → sentence, of those wanted."""
    found = {}
    for genre, text in documents(data):
        for match in re.finditer("[^。\n！？]+[。！？]?", text) if genre != "foreign" else ():
            sentence = match.group().strip()
            key = hashlib.sha1(sentence.encode(), usedforsecurity=False).hexdigest()[:12]
            if key in wanted:
                found[key] = sentence
    return found


def hits(words: WordList, texts: dict[str, str], boundaries: bool) -> set[Spot]:
    """Where the list finds a word."""
    keys = sorted(texts)
    data, offsets = text_buffers(pa.array([texts[key] for key in keys]))
    if boundaries:
        spots = [(h.document, h.begin, h.word.text) for h in words.find(data, offsets)]
    else:
        every = words._candidates(data, offsets)
        spots = [(document, begin, words.words[i].text) for document, begin, _, i in every]
    out = set()
    for document, begin, word in spots:
        head = data[offsets[document] : offsets[document] + begin].tobytes().decode()
        out.add((keys[document], len(head), word))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    options = parser.parse_args()
    truth = labels()
    texts = sentences(options.data, {key for key, _, _ in truth})
    words = WordList.of(Word(word, "adult", 2) for word in sorted({word for _, _, word in truth}))
    print(f"{len(texts)} sentences, {len(truth)} places, {sum(truth.values())} of them words\n")
    print("| search | precision | recall |\n|---|--:|--:|")
    for name, boundaries in (("every occurrence", False), ("at word boundaries", True)):
        found = hits(words, texts, boundaries) & truth.keys()
        right = sum(truth[spot] for spot in found)
        print(f"| {name} | {right / len(found):.3f} | {right / sum(truth.values()):.3f} |")
    array = pa.array([text for genre, text in documents(options.data) if genre != "foreign"])
    own, parts = load(), list(slices(array))
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        count = sum(len(own.find(part.data, part.offsets)) for part in parts)
        best = min(best, time.process_time() - start)
    megabytes = sum(int(part.offsets[-1] - part.offsets[0]) for part in parts) / 1e6
    print(
        f"\n{len(own.words):,} words, {count:,} hits in {megabytes:.0f} MB: "
        f"{megabytes / best:.0f} MB/s"
    )


if __name__ == "__main__":
    main()
