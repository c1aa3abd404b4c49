"""Perplexity and classifiers: what they tell apart, and what they cost.

    python benchmarks/quality.py [--shared ../shared/data]

The clean texts are JSQuAD articles, UD-GSD and Aozora works of the shared data, 400 characters or
more, cut at 1,600; the spoiled ones are made from them with a fixed seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO), str(REPO / "tests" / "filters")]

from filter_texts import documents  # noqa: E402

from benchmarks.training.train_perplexity import perplexities  # noqa: E402
from filters.morphemes import analyse  # noqa: E402
from filters.perplexity import shipped  # noqa: E402
from filters.quality import area  # noqa: E402
from filters.signals import measure  # noqa: E402

LENGTH, LEAST = 1600, 400
# Pairs that printed and scanned Japanese confuses; other errors are a random kanji of the texts.
LOOK_ALIKE = dict(
    zip(
        "一ニ二口ロ八ハ力カ夕タへヘエ工トト未末土士日曰人入大太",
        "ーニ二ロ口ハ八カ力タ夕ヘへ工エ卜ト末未士土曰日入人太大",
        strict=True,
    )
)


def spoilers(clean: list[str]) -> dict[str, Callable[[str], str]]:
    chance = random.Random(1)
    kanji = sorted({c for text in clean for c in text if "\u4e00" <= c <= "\u9fff"})

    def read_as(wrote: str, read: str) -> Callable[[str], str]:
        return lambda text: text.encode(wrote, "replace").decode(read, "replace")

    def noise(rate: float) -> Callable[[str], str]:
        def spoil(text: str) -> str:
            return "".join(
                LOOK_ALIKE.get(c, chance.choice(kanji))
                if c != "\n" and chance.random() < rate
                else c
                for c in text
            )

        return spoil

    def characters(text: str) -> str:
        return "\n".join("".join(chance.sample(line, len(line))) for line in text.split("\n"))

    def words(text: str) -> str:
        lines = (analyse(line)[0] for line in text.split("\n"))
        return "\n".join("".join(chance.sample(line, len(line))) for line in lines)

    return {
        "UTF-8 read as CP932": read_as("utf-8", "cp932"),
        "CP932 read as UTF-8": read_as("cp932", "utf-8"),
        "EUC-JP read as CP932": read_as("euc-jp", "cp932"),
        "UTF-8 read as Latin-1": read_as("utf-8", "latin-1"),
        "OCR noise, 5 % of characters": noise(0.05),
        "OCR noise, 15 % of characters": noise(0.15),
        "characters of each line shuffled": characters,
        "words of each line shuffled": words,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=REPO.parent / "shared" / "data")
    texts: dict[str, list[str]] = {}
    for genre, text in documents(parser.parse_args().shared):
        texts.setdefault(genre, []).append(text)
    clean = [
        text[:LENGTH]
        for genre in ("encyclopedia", "literature", "sentences")
        for text in texts[genre]
        if len(text) >= LEAST
    ]
    rows = {"clean": clean}
    rows |= {name: [spoil(text) for text in clean] for name, spoil in spoilers(clean).items()}
    rows["Chinese manuals"] = [t[:LENGTH] for t in texts["foreign"] if _share(t) > 0.3]
    rows["NDL OCR pages"] = texts["ocr"]
    base = perplexities(shipped(), clean)[:, 0]
    print(
        "| text | documents | perplexity, median | 10 to 90 % | worst line | median line "
        "| in bad lines | AUC against clean |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for name, own in rows.items():
        x = perplexities(shipped(), own)
        both = np.concatenate([base, x[:, 0]])
        auc = area(both, np.arange(len(both)) >= len(base))
        low, high = np.quantile(x[:, 0], (0.1, 0.9))
        print(
            f"| {name} | {len(own)} | {np.median(x[:, 0]):,.0f} | {low:,.0f} to {high:,.0f} | "
            f"{np.median(x[:, 1]):,.0f} | {np.median(x[:, 2]):,.0f} | {x[:, 3].mean():.3f} | "
            f"{'–' if name == 'clean' else f'{auc:.4f}'} |"
        )
    print("\n| group | MB/s | µs a document of 1,600 characters |\n|---|--:|--:|")
    array = pa.array(clean * 5)
    size = sum(len(t.encode()) for t in clean) * 5 / 1e6
    for group in ("perplexity", "classifiers"):
        measure(array[:1], frozenset({group}))
        begin = time.process_time()
        measure(array, frozenset({group}))
        took = time.process_time() - begin
        length = sum(map(len, clean)) * 5
        print(f"| {group} | {size / took:.1f} | {took / length * LENGTH * 1e6:.0f} |")


def _share(text: str) -> float:
    return sum("\u4e00" <= c <= "\u9fff" for c in text) / max(len(text), 1)


if __name__ == "__main__":
    main()
