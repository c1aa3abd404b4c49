"""Train the extractor's three forests from public gold sets (development only; needs lightgbm).

    python -m benchmarks.training.train_extractor --material MATERIAL --shared SHARED
        --out corpus/web/main_text/models/extractor.npz

SHARED is the shared data with the folders warc and gold-wide. MATERIAL holds checkouts named
owner+name of the repositories that `benchmarks.training.goldsets` reads:
Murrough-Foley/web-content-extraction-benchmark, scrapinghub/article-extraction-benchmark,
mozilla/readability, rundimeco/waddle, adbar/trafilatura,
immortal-autumn/Chinese-Web-Content-Extraction-Dataset, flairNLP/fundus and those of SITE_RULES.
postlight/parser is never read here: its pages are reserved for measurement.

1. A forest learns the probability that a block is content (label: share of its 5-grams in gold).
2. A forest learns the F1 each option (an element with a threshold) would give.
3. A forest learns which pages are an index without main text, from what the others kept of them.
Steps 2 and 3 learn from the answers of FOLDS models that each saw the other folds' sites.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.training import goldsets
from benchmarks.training.scoring import block_labels, counted, matched
from corpus.web.html import blocks as b
from corpus.web.html.document import parse
from corpus.web.main_text import containers, features, listing
from corpus.web.main_text.forest import FIELDS, Forest, as_forest, probabilities
from corpus.web.main_text.select import kept

# How much a page of each set counts. Documentation families look alike, so few of each are used.
SET_WEIGHT = {
    "dev": 1.0,
    "daniel": 0.8,
    "scrapinghub": 1.5,
    "readability": 1.5,
    "chinese": 1.0,
    "fundus": 0.7,
    "japanese": 3.0,
    "wide": 3.0,
}
GENRE_WEIGHT = {"article": 1.0, "documentation": 1.0, "forum": 0.8}  # of wcxb; the others:
OTHER_WEIGHT = 0.5
FAMILY_PAGES = {"dev": 12, "daniel": 10}
SEGMENT_WEIGHT = 0.5
OPTION_FACTOR = {
    "fundus": 2.14,
    "documentation": 1.5,
    "wide": 3.0,
}  # more weight of a set or genre in step 2
FOLDS = 5
MIN_COVER = 0.7  # pages whose blocks hold less of the gold text were saved without it
BLOCK_TREES = {"trees": 120, "learning_rate": 0.1}
BLOCK_SEEDS = 1  # forests whose mean is taken; a second one gained nothing and took 0.25 ms a page
CONTAINER_TREES = {"trees": 60, "learning_rate": 0.1}
CONTAINER_SEEDS = 2
LISTING_TREES = {"trees": 80, "learning_rate": 0.08}
LISTING_SEEDS = 3
LISTING_PARAMETERS = {"num_leaves": 4, "min_data_in_leaf": 8, "lambda_l2": 2.0}
LISTING_WEIGHT, TEXT_WEIGHT, OTHER_TEXT = 6.0, 3.0, 0.3  # indexes; Japanese texts; others
JAPANESE = ("wide", "japanese")
AMBIGUOUS = ("listing", "collection")  # genres of wcxb whose gold is lists: not shown to step 3
_PARAMETERS = {
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}


class Example:
    """A walked page with its labels; `p` and `keep` are of models that had not seen it."""

    def __init__(self, page: goldsets.GoldPage) -> None:
        document = parse(page.html)
        self.page = page
        self.blocks, self.elements = document.blocks.copy(), document.elements.copy()
        self.starts, self.ends = self.blocks[:, b.B_START], self.blocks[:, b.B_END]
        self.text = document.text.copy()
        self.labels, total, hits = block_labels(
            self.text, self.starts, self.ends, self.blocks[:, b.B_WEIGHT], page.gold
        )
        self.known, self.counts = counted(page.gold)
        self.gold = int(self.counts.sum())
        self.total, self.hits = int(total.sum()), int(hits.sum())
        self.rows = features.block_features(self.blocks, self.elements)
        self.p = np.zeros(len(self.blocks))
        self.keep = np.zeros(len(self.blocks), dtype=bool)

    def matched(self, keep: np.ndarray) -> tuple[int, int]:
        """5-grams of the blocks chosen by a mask as one text, and those the gold text has too."""
        total, hits = matched(
            self.text,
            self.starts,
            self.ends,
            np.flatnonzero(keep),
            True,
            self.known,
            self.counts.copy(),
        )
        return int(total.sum()), int(hits.sum())

    def cover(self) -> float:
        """Share of the gold text's 5-grams that the page's blocks hold."""
        return self.hits / max(self.gold, 1)

    def weight(self, base: float) -> float:
        """Weight of the page: one with much boilerplate teaches more."""
        page = self.page
        share = min(1.0, self.gold / max(1, self.total))
        if page.source.startswith("wcxb"):
            return GENRE_WEIGHT.get(page.genre, OTHER_WEIGHT) * (base - share)
        return SET_WEIGHT.get(page.source, 1.0) * (base - share)

    def f1(self, keep: np.ndarray) -> float:
        """5-gram F1 of the blocks chosen by a mask."""
        total, hits = self.matched(keep)
        return 2 * hits / (total + self.gold) if hits else 0.0


def fold(family: str) -> int:
    """Which of the FOLDS folds of sites a family belongs to (stable across runs)."""
    return int(hashlib.md5(family.encode()).hexdigest(), 16) % FOLDS


def examples(material: Path, shared: Path) -> list[Example]:
    """All training pages, in a fixed order."""

    def pages() -> Iterator[goldsets.GoldPage]:
        yield from goldsets.wide(shared / "gold-wide")
        yield from goldsets.dev_sample(shared / "warc")
        wcxb = material / "Murrough-Foley+web-content-extraction-benchmark"
        yield from goldsets.wcxb(wcxb, "dev")
        yield from goldsets.scrapinghub(material / "scrapinghub+article-extraction-benchmark")
        yield from goldsets.readability(material / "mozilla+readability")
        yield from goldsets.daniel(material / "rundimeco+waddle")
        yield from goldsets.chinese(
            material / "immortal-autumn+Chinese-Web-Content-Extraction-Dataset"
        )
        yield from goldsets.japanese_sites(material)
        yield from goldsets.fundus(material / "flairNLP+fundus")

    seen: Counter[tuple[str, bool]] = Counter()
    out = []
    for page in pages():
        key = (page.source + page.family, page.language == "ja")
        seen[key] += 1
        if seen[key] <= FAMILY_PAGES.get(page.source, 1 << 30):
            example = Example(page)
            if len(example.blocks) and (example.cover() >= MIN_COVER or page.source == "wide"):
                out.append(example)
    return out


def segment_rows(material: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks that trafilatura's evaluation says must or must not be kept: rows, labels, weights."""
    rows, labels, weights = [], [], []
    for page, right, wrong in goldsets.segments(material / "adbar+trafilatura"):
        document = parse(page.html)
        if not len(document.blocks):
            continue
        wanted = ["".join(s.split()) for s in right if len("".join(s.split())) > 5]
        waste = ["".join(s.split()) for s in wrong if len("".join(s.split())) > 3]
        label = np.full(len(document.blocks), np.nan, dtype=np.float32)
        for i, text in enumerate(document.block_texts()):
            squeezed = "".join(text.split())
            if any(s in squeezed for s in wanted):
                label[i] = 1.0
            elif any(s in squeezed for s in waste):
                label[i] = 0.0
        known = np.isfinite(label)
        if known.any():
            rows.append(features.block_features(document.blocks, document.elements)[known])
            labels.append(label[known])
            weights.append(np.full(known.sum(), SEGMENT_WEIGHT / known.sum()))
    return np.concatenate(rows), np.concatenate(labels), np.concatenate(weights)


def fit_blocks(
    pages: list[Example], extra: tuple[np.ndarray, ...], seed: int
) -> list[lightgbm.Booster]:
    """Block forests, of which the mean counts; a page weighs over its blocks by length^0.7."""
    draw = np.random.default_rng(7)
    rows, labels, weights = [extra[0]], [extra[1]], [extra[2]]
    for page in pages:
        n = len(page.blocks)
        some = np.sort(draw.choice(n, min(n, 200), replace=False))
        unit = page.blocks[:, b.B_WEIGHT]
        rows.append(page.rows[some])
        labels.append(page.labels[some])
        weights.append(page.weight(1.5) * (unit[some] / max(unit.sum(), 1)) ** 0.7 * n / len(some))
    data = lightgbm.Dataset(
        np.concatenate(rows), np.concatenate(labels), weight=np.concatenate(weights)
    )
    return _boosters(data, "cross_entropy", BLOCK_TREES, BLOCK_SEEDS, seed)


def _boosters(
    data: lightgbm.Dataset,
    objective: str,
    trees: dict[str, float],
    seeds: int,
    seed: int,
    **other: float,
) -> list[lightgbm.Booster]:
    parameters = _PARAMETERS | {"objective": objective, "learning_rate": trees["learning_rate"]}
    return [
        lightgbm.train(
            parameters | other | {"seed": seed + k}, data, num_boost_round=int(trees["trees"])
        )
        for k in range(seeds)
    ]


def option_rows(pages: list[Example]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Features, F1 and weights of every page's options; none for a page without gold."""
    out = []
    for page in pages:
        dropped = containers.waste(page.blocks, page.elements)
        chosen, lows, x = containers.options(page.blocks, page.elements, page.p, dropped)
        labels = []
        for e, low in zip(chosen, lows, strict=True):
            keep = (page.p >= low) & ~dropped
            keep[: page.elements[e, b.E_FIRST]] = False
            keep[page.elements[e, b.E_END] :] = False
            labels.append(page.f1(keep))
        factor = OPTION_FACTOR.get(page.page.source, OPTION_FACTOR.get(page.page.genre, 1.0))
        some = len(chosen) if page.gold else 0
        weights = np.full(some, factor * page.weight(1.15))
        out.append((x[:some], np.array(labels[:some]), weights))
    return out


def fit_containers(
    options: list[tuple[np.ndarray, np.ndarray, np.ndarray]], seed: int
) -> list[lightgbm.Booster]:
    """Forests whose mean predicts the F1 of each option."""
    rows, labels, weights = (np.concatenate(part) for part in zip(*options, strict=True))
    data = lightgbm.Dataset(rows, labels, weight=weights)
    return _boosters(data, "regression", CONTAINER_TREES, CONTAINER_SEEDS, seed)


def fit_listing(pages: list[Example], seed: int) -> list[lightgbm.Booster]:
    """Forests whose mean is the log-odds (weighted) that a page is an index without main text."""
    pages = [p for p in pages if p.page.source != "wcxb-dev" or p.page.genre not in AMBIGUOUS]
    rows = np.concatenate([listing.page_features(p.blocks, p.elements, p.p, p.keep) for p in pages])
    labels = np.array([float(not p.gold) for p in pages])
    weights = [
        LISTING_WEIGHT if not p.gold else TEXT_WEIGHT if p.page.source in JAPANESE else OTHER_TEXT
        for p in pages
    ]
    data = lightgbm.Dataset(rows, labels, weight=np.array(weights))
    return _boosters(data, "binary", LISTING_TREES, LISTING_SEEDS, seed, **LISTING_PARAMETERS)


def flat(boosters: list[lightgbm.Booster], name: str) -> dict[str, np.ndarray]:
    """The mean of boosters as the arrays `corpus.web.main_text.forest` describes."""
    columns: dict[str, list] = {
        k: [] for k in ("feature", "threshold", "left", "right", "value", "nodes", "leaves")
    }
    for tree in [tree for booster in boosters for tree in booster.dump_model()["tree_info"]]:
        columns["nodes"].append(len(columns["feature"]))
        columns["leaves"].append(len(columns["value"]))
        splits: dict[int, tuple] = {}
        leaves: dict[int, float] = {}

        def child(node: dict, splits: dict = splits, leaves: dict = leaves) -> int:
            if "leaf_value" in node:
                leaves[node.get("leaf_index", 0)] = node["leaf_value"]
                return ~node.get("leaf_index", 0)
            splits[node["split_index"]] = (
                node["split_feature"],
                node["threshold"],
                child(node["left_child"]),
                child(node["right_child"]),
            )
            return node["split_index"]

        child(tree["tree_structure"])
        if not splits:  # a tree of one leaf: an always-left split keeps the walk uniform
            splits[0] = (0, np.inf, -1, -1)
        for k in range(len(splits)):
            for field, value in zip(
                ("feature", "threshold", "left", "right"), splits[k], strict=True
            ):
                columns[field].append(value)
        columns["value"].extend(leaves[k] / len(boosters) for k in range(len(leaves)))
    kinds = {
        "feature": np.int16,
        "left": np.int16,
        "right": np.int16,
        "nodes": np.int32,
        "leaves": np.int32,
    }
    return {f"{name}_{k}": np.array(v, dtype=kinds.get(k, np.float32)) for k, v in columns.items()}


def forests(arrays: dict[str, np.ndarray], *names: str) -> list[Forest]:
    """The forests of these names, as `load_forest` would read them."""
    return [as_forest(*(arrays[f"{name}_{field}"] for field in FIELDS)) for name in names]


def train_folds(
    pages: list[Example], extra: tuple[np.ndarray, ...], seed: int
) -> list[dict[str, np.ndarray]]:
    """Arrays of the three forests of each fold, which saw the sites of the other folds only.

    Fills p and keep of every page from the models that had not seen its site.
    """
    models: list[dict[str, np.ndarray]] = []
    inside = [[page for page in pages if fold(page.page.family) == k] for k in range(FOLDS)]
    outside = [[page for page in pages if fold(page.page.family) != k] for k in range(FOLDS)]
    for k in range(FOLDS):
        models.append(flat(fit_blocks(outside[k], extra, seed), "block"))
        (forest,) = forests(models[k], "block")
        for page in inside[k]:
            page.p = probabilities(page.rows, forest)
    options = option_rows(pages)
    for k in range(FOLDS):
        others = [o for o, p in zip(options, pages, strict=True) if fold(p.page.family) != k]
        models[k] |= flat(fit_containers(others, seed), "container")
        (forest,) = forests(models[k], "container")
        for page in inside[k]:
            page.keep, _ = kept(page.blocks, page.elements, page.p, forest)
    for k in range(FOLDS):
        models[k] |= flat(fit_listing(outside[k], seed), "listing")
    return models


def main() -> None:
    """Command line: read the gold sets, train, write the model file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--material", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pages = examples(options.material, options.shared)
    extra = segment_rows(options.material)
    print(len(pages), "pages", dict(Counter(p.page.source for p in pages)), flush=True)
    train_folds(pages, extra, options.seed)
    arrays = flat(fit_containers(option_rows(pages), options.seed), "container")
    arrays |= flat(fit_listing(pages, options.seed), "listing")
    arrays |= flat(fit_blocks(pages, extra, options.seed), "block")
    arrays["listing_names"] = np.array(listing.NAMES)
    arrays["container_names"] = np.array(containers.NAMES)
    arrays["block_names"] = np.array(features.NAMES)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    print(options.out, options.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
