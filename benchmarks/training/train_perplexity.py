"""Makes the model of `filters.perplexity` from clean text.

    python -m benchmarks.training.train_perplexity CLEAN_TEXT… --out filters/models/ja-char.npz

CLEAN_TEXT: files of UTF-8 text, or folders of *.txt. One file in HOLD_OUT is kept from training and
scored at the end. Steps: count all n-grams up to ORDER; smooth them (Chen & Goodman 1999, three
discounts per order, interpolated; --smoothing kneser-ney or absolute); keep the --entries n-grams
whose loss would cost most (Seymore & Rosenfeld 1996), with all their ends; code probabilities in
eight bits. Back-off weights are not stored: they follow from the rest when the model is read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.kernels.perplexity import BREAK, N_SIGNALS, ORDER, UNKNOWN, column
from filters.kernels.spec import Floats, Offsets, Points
from filters.perplexity import FORMAT, LEVELS, Model, ModelError, build, fold
from filters.signals import slices

HOLD_OUT = 40
MIN_COUNT = 3  # a rarer character is unknown: those give the unknown their probability
MAX_SIZE = 8000
SMOOTHINGS = ("absolute", "kneser-ney")


@dataclass(eq=False)
class Level:
    """All n-grams of one length, sorted by parent and last character.

    parent: index in the level below; char: id of the last character; suffix: index, in the level
    below, of the n-gram without its first character; count: occurrences; whole: it begins a line.
    """

    parent: Offsets
    char: Offsets
    suffix: Offsets
    count: Offsets
    whole: np.ndarray
    p: Floats
    gain: Floats


def train(
    texts: Sequence[str], entries: int, smoothing: str = "kneser-ney"
) -> dict[str, np.ndarray]:
    """What the model's file holds, made of `texts`. Raises ModelError for too little text."""
    if smoothing not in SMOOTHINGS:
        raise ModelError(f"unknown smoothing {smoothing!r}; there are {', '.join(SMOOTHINGS)}")
    points, place = _lines(texts)
    ids, vocabulary = _vocabulary(points)
    levels = _count(ids, place, len(vocabulary))
    _smooth(levels, smoothing == "kneser-ney")
    return _pack(vocabulary, _prune(levels, entries))


def _lines(texts: Sequence[str]) -> tuple[Points, Offsets]:
    """(folded code points, position in the line) of all lines, a BREAK before and after each."""
    lines = [line.lstrip() for text in texts for line in text.split("\n")]
    joined = "".join(f"\n{line}\n" for line in lines if line)
    if not joined:
        raise ModelError("no text to train on")
    points = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    points = np.where(points < 0x10000, points, 0xFFFF)
    begins = np.cumsum([0] + [len(line) + 2 for line in lines if line])
    place = np.arange(len(points)) - np.repeat(begins[:-1], np.diff(begins))
    return fold()[points], place


def _vocabulary(points: Points) -> tuple[Offsets, Points]:
    """(id of each point, code point of each id): frequent characters first."""
    counts = np.bincount(points, minlength=0x10000)
    counts[[ord("\n"), ord(" "), 0, 0xFFFF]] = 0
    order = np.argsort(-counts, kind="stable")[:MAX_SIZE]
    known = order[counts[order] >= MIN_COUNT]
    vocabulary = np.concatenate([[0, ord("\n"), ord(" ")], known]).astype(np.uint32)
    ids = np.full(0x10000, UNKNOWN, np.int64)
    ids[vocabulary[1:]] = np.arange(1, len(vocabulary))
    return ids[points], vocabulary


def _count(ids: Offsets, place: Offsets, size: int) -> list[Level]:
    """The n-grams of lengths 1 to ORDER; levels[n - 1] holds those of length n."""
    none = np.zeros(size, np.int64)
    count = np.bincount(ids[place > 0], minlength=size)
    chars = np.arange(size)
    levels = [Level(none, chars, none, count, chars == BREAK, np.zeros(size), np.zeros(size))]
    below = ids
    for n in range(2, ORDER + 1):
        at = np.flatnonzero(place >= n - 1)
        keys, first, inverse, count = np.unique(
            below[at - 1] * size + ids[at],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        parent, zeros = keys // size, np.zeros(len(keys))
        suffix, whole = below[at][first], levels[-1].whole[parent]
        levels.append(Level(parent, keys % size, suffix, count, whole, zeros, zeros))
        below = np.zeros(len(ids), np.int64)
        below[at] = inverse
    return levels


def _smooth(levels: list[Level], kneser_ney: bool) -> None:
    """Fills p, the interpolated probability, and gain, what the n-gram adds to the log likelihood.

    Kneser-Ney counts, below the highest order, the characters seen before an n-gram.
    """
    counts = [level.count for level in levels]
    for n in range(ORDER - 1) if kneser_ney else []:
        kinds = np.bincount(levels[n + 1].suffix, minlength=len(counts[n]))
        counts[n] = np.where(levels[n].whole, counts[n], kinds)
    unigrams: Floats = np.maximum(counts[0].astype(np.float64), 0.5)
    levels[0].p = unigrams / unigrams.sum()
    for below, level, count in zip(levels[:-1], levels[1:], counts[1:], strict=True):
        n1, n2, n3, n4 = (max(int((count == k).sum()), 1) for k in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        discounts = np.clip(
            [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3], 0.05, 3
        )
        discount = np.minimum(discounts[np.minimum(count, 3) - 1], count * 0.95)
        total = np.bincount(level.parent, count, len(below.count))[level.parent]
        spare = np.bincount(level.parent, discount, len(below.count))[level.parent]
        backed = spare / total * below.p[level.suffix]
        level.p = (count - discount) / total + backed
        level.gain = np.log(level.p / backed) * level.count.astype(np.float64)


def _prune(levels: list[Level], entries: int) -> list[Level]:
    """The levels with about `entries` n-grams: the best by gain, and the ends of those."""
    gains = np.sort(np.concatenate([level.gain for level in levels[1:]]))[::-1]
    low, high = 0, len(gains)
    keep = _closed(levels, -np.inf)
    if sum(int(k.sum()) for k in keep) > entries:
        while high - low > max(entries // 500, 1):
            middle = (low + high) // 2
            keep = _closed(levels, gains[middle])
            if sum(int(k.sum()) for k in keep) > entries:
                high = middle
            else:
                low = middle
        keep = _closed(levels, gains[low])
    out = []
    rank = np.zeros(0, np.int64)
    for level, kept in zip(levels, keep, strict=True):
        part = Level(*(getattr(level, name)[kept] for name in Level.__dataclass_fields__))
        if len(rank):
            part.parent, part.suffix = rank[part.parent], rank[part.suffix]
        out.append(part)
        rank = np.cumsum(kept) - 1
    return out


def _closed(levels: list[Level], least: float) -> list[np.ndarray]:
    """Masks of the n-grams with a gain of `least` or more and of all their beginnings and ends."""
    keep = [level.gain >= least for level in levels]
    keep[0][:] = True
    for below, (level, kept) in zip(
        keep[-2::-1], list(zip(levels, keep, strict=True))[:0:-1], strict=True
    ):
        below[level.parent[kept]] = True
        below[level.suffix[kept]] = True
    return keep


def _pack(vocabulary: Points, levels: list[Level]) -> dict[str, np.ndarray]:
    """Arrays of the file. A context whose coded probabilities would leave nothing gets less."""
    codes, children = [], []
    for above, level in zip([*levels[1:], None], levels, strict=True):
        if above is not None:
            children.append(np.bincount(above.parent, minlength=len(level.char)))
        nats = -np.log(level.p)
        code = np.clip(np.rint(255 * np.sqrt(nats / -LEVELS[-1])), 1, 255).astype(np.int64)
        if level is not levels[0]:
            full = np.ones(len(code), bool)
            while full.any():
                sums = np.bincount(level.parent, np.exp(LEVELS[code]))
                full = (sums > 1 - 1e-4)[level.parent]
                code[full] += 1
        codes.append(code)
    chars = np.concatenate([level.char for level in levels])
    return {
        "format": np.array(FORMAT),
        "vocabulary": vocabulary.astype(np.uint16),
        "children": np.concatenate(children).astype(np.uint16),
        "chars_low": (chars & 255).astype(np.uint8),
        "chars_high": (chars >> 8).astype(np.uint8),
        "codes": np.concatenate(codes).astype(np.uint8),
    }


def model_of(arrays: dict[str, np.ndarray]) -> Model:
    """The model that a file with these arrays holds."""
    low, high = arrays["chars_low"].astype(np.uint32), arrays["chars_high"].astype(np.uint32)
    children = arrays["children"].astype(np.int64)
    vocabulary = arrays["vocabulary"].astype(np.uint32)
    return build(vocabulary, children, low | high << np.uint32(8), arrays["codes"])


def perplexities(model: Model, texts: Sequence[str]) -> Floats:
    """float64[n, N_SIGNALS]: the signals of each text under `model`."""
    out = np.empty((len(texts), N_SIGNALS))
    row = 0
    for part in slices(pa.array(texts, pa.large_string())):
        n = len(part.starts) - 1
        model.measure(part.points, part.starts, out[row : row + n])
        row += n
    return out


def read(paths: Sequence[Path]) -> list[str]:
    """The texts of files and of the *.txt files under folders, in the order of their names."""
    files = [f for p in paths for f in (sorted(p.rglob("*.txt")) if p.is_dir() else [p])]
    if not files:
        raise ModelError(f"no *.txt files in {', '.join(map(str, paths))}")
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]


def main() -> int:
    """The command; one line on stderr and status 2 for what a user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_perplexity", description=__doc__.split("\n")[0]
    )
    parser.add_argument("text", nargs="+", type=Path, help="UTF-8 files, or folders of *.txt")
    parser.add_argument("--out", type=Path, required=True, help="the model, *.npz")
    parser.add_argument("--entries", type=int, default=2_050_000, help="n-grams to keep")
    parser.add_argument("--smoothing", default="kneser-ney", choices=SMOOTHINGS)
    options = parser.parse_args()
    try:
        texts = read(options.text)
        held_out = texts[HOLD_OUT - 1 :: HOLD_OUT]
        arrays = train(
            [t for i, t in enumerate(texts, 1) if i % HOLD_OUT], options.entries, options.smoothing
        )
        with options.out.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    except (ModelError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{options.out}: {len(arrays['codes']):,} n-grams, {len(arrays['vocabulary']):,} "
        f"characters, {options.out.stat().st_size:,} bytes; {len(texts):,} texts of "
        f"{sum(map(len, texts)):,} characters"
    )
    if held_out:
        scores = perplexities(model_of(arrays), held_out)
        weights = [len(text) for text in held_out]
        mean = float(np.exp(np.average(np.log(scores[:, column.perplexity]), weights=weights)))
        print(
            f"held out, {len(held_out):,} texts: perplexity {mean:.2f}, median text "
            f"{np.median(scores[:, column.perplexity]):.2f}, characters in bad lines "
            f"{np.average(scores[:, column.high_perplexity_share], weights=weights):.4f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
