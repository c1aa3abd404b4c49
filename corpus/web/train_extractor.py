"""Train the extractor's two forests from public gold sets (development only; needs lightgbm).

    python -m corpus.web.train_extractor MATERIAL WARC_FOLDER --out corpus/web/models/extractor.npz

MATERIAL holds checkouts named owner+name of the repositories that `corpus.web.goldsets` reads:
Murrough-Foley/web-content-extraction-benchmark, scrapinghub/article-extraction-benchmark,
mozilla/readability, rundimeco/waddle, adbar/trafilatura,
immortal-autumn/Chinese-Web-Content-Extraction-Dataset and those of SITE_RULES.
postlight/parser is never read here: its pages are reserved for measurement.

1. A forest learns the probability that a block is content (label: share of its 5-grams in gold).
2. Probabilities for the second step come from two models that each saw the other half of the sites.
3. A forest learns the F1 each candidate container would give.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np

from corpus.web import blocks as b
from corpus.web import containers, features, goldsets
from corpus.web.scoring import block_labels, counted
from corpus.web.trees import parse

# How much a page of each set counts. Documentation families look alike, so few of each are used.
SET_WEIGHT = {
    "dev": 1.0,
    "daniel": 0.8,
    "scrapinghub": 1.5,
    "readability": 1.5,
    "chinese": 1.0,
    "japanese": 3.0,
}
GENRE_WEIGHT = {"article": 1.0, "documentation": 0.6, "forum": 0.4}  # of wcxb; the others:
OTHER_WEIGHT = 0.4
FAMILY_PAGES = {"dev": 12, "daniel": 10}
SEGMENT_WEIGHT = 0.5
MIN_COVER = 0.7  # pages whose blocks hold less of the gold text were saved without it
LOW = 0.2  # blocks below this probability are dropped inside the container
BLOCK_TREES = {"trees": 120, "learning_rate": 0.1}
CONTAINER_TREES = {"trees": 100, "learning_rate": 0.1}
_PARAMETERS = {
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "verbose": -1,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
}


class Example:
    """A walked page with its labels; `p` and `f1` are filled by the first step."""

    def __init__(self, page: goldsets.GoldPage) -> None:
        document = parse(page.html)
        self.page = page
        self.blocks, self.elements = document.blocks.copy(), document.elements.copy()
        self.labels, self.total, self.hits = block_labels(
            document.text, self.blocks[:, b.B_START], self.blocks[:, b.B_END], page.gold
        )
        self.text = document.text.copy()
        self.gold = int(counted(page.gold)[1].sum())
        self.rows = features.block_features(self.blocks, self.elements)
        self.p = np.zeros(len(self.blocks))

    def cover(self) -> float:
        """Share of the gold text's 5-grams that the page's blocks hold."""
        return float(self.hits.sum()) / max(self.gold, 1)

    def weight(self, base: float) -> float:
        """Weight of the page: one with much boilerplate teaches more."""
        page = self.page
        share = min(1.0, self.gold / max(1, int(self.total.sum())))
        if page.source.startswith("wcxb"):
            return GENRE_WEIGHT.get(page.genre, OTHER_WEIGHT) * (base - share)
        return SET_WEIGHT.get(page.source, 1.0) * (base - share)

    def f1(self, keep: np.ndarray) -> float:
        """5-gram F1 of the blocks chosen by a mask (repeated 5-grams counted as they come)."""
        total, hits = int(self.total[keep].sum()), int(self.hits[keep].sum())
        if not total or not self.gold:
            return 0.0
        precision, recall = hits / total, min(1.0, hits / self.gold)
        return 2 * precision * recall / (precision + recall) if hits else 0.0


def half(family: str) -> int:
    """Which half of the sites a family belongs to (stable across runs)."""
    return int(hashlib.md5(family.encode()).hexdigest(), 16) % 2


def examples(material: Path, warc_folder: Path) -> list[Example]:
    """All training pages, in a fixed order."""

    def pages() -> Iterator[goldsets.GoldPage]:
        yield from goldsets.dev_sample(warc_folder)
        wcxb = material / "Murrough-Foley+web-content-extraction-benchmark"
        yield from goldsets.wcxb(wcxb, "dev")
        yield from goldsets.scrapinghub(material / "scrapinghub+article-extraction-benchmark")
        yield from goldsets.readability(material / "mozilla+readability")
        yield from goldsets.daniel(material / "rundimeco+waddle")
        yield from goldsets.chinese(
            material / "immortal-autumn+Chinese-Web-Content-Extraction-Dataset"
        )
        yield from goldsets.japanese_sites(material)

    seen: Counter[tuple[str, bool]] = Counter()
    out = []
    for page in pages():
        key = (page.source + page.family, page.language == "ja")
        seen[key] += 1
        if seen[key] <= FAMILY_PAGES.get(page.source, 1 << 30):
            example = Example(page)
            if len(example.blocks) and example.cover() >= MIN_COVER:
                out.append(example)
    return out


def segment_rows(material: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks that trafilatura's evaluation says must or must not be kept: rows, labels, weights."""
    rows, labels, weights = [], [], []
    for page, kept, dropped in goldsets.segments(material / "adbar+trafilatura"):
        document = parse(page.html)
        if not len(document.blocks):
            continue
        wanted = ["".join(s.split()) for s in kept if len("".join(s.split())) > 5]
        waste = ["".join(s.split()) for s in dropped if len("".join(s.split())) > 3]
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


def fit_blocks(pages: list[Example], extra: tuple[np.ndarray, ...], seed: int) -> lightgbm.Booster:
    """The block forest; a page's weight is spread over its blocks by length^0.7."""
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
    parameters = _PARAMETERS | {
        "objective": "cross_entropy",
        "seed": seed,
        "learning_rate": BLOCK_TREES["learning_rate"],
    }
    return lightgbm.train(parameters, data, num_boost_round=int(BLOCK_TREES["trees"]))


def fit_containers(pages: list[Example], seed: int) -> lightgbm.Booster:
    """The container forest: the F1 of keeping the blocks with p >= LOW inside a candidate."""
    rows, labels, weights = [], [], []
    for page in pages:
        chosen, x = containers.container_features(page.blocks, page.elements, page.p)
        for e in chosen:
            keep = page.p >= LOW
            keep[: page.elements[e, b.E_FIRST]] = False
            keep[page.elements[e, b.E_END] :] = False
            labels.append(page.f1(keep))
        rows.append(x)
        weights.append(np.full(len(chosen), page.weight(1.15)))
    data = lightgbm.Dataset(np.concatenate(rows), np.array(labels), weight=np.concatenate(weights))
    parameters = _PARAMETERS | {
        "objective": "regression",
        "seed": seed,
        "learning_rate": CONTAINER_TREES["learning_rate"],
    }
    return lightgbm.train(parameters, data, num_boost_round=int(CONTAINER_TREES["trees"]))


def flat(booster: lightgbm.Booster, name: str) -> dict[str, np.ndarray]:
    """A booster as the arrays `corpus.web.forest` describes."""
    columns: dict[str, list] = {
        k: [] for k in ("feature", "threshold", "left", "right", "value", "nodes", "leaves")
    }
    for tree in booster.dump_model()["tree_info"]:
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
        columns["value"].extend(leaves[k] for k in range(len(leaves)))
    kinds = {
        "feature": np.int16,
        "left": np.int16,
        "right": np.int16,
        "nodes": np.int32,
        "leaves": np.int32,
    }
    return {f"{name}_{k}": np.array(v, dtype=kinds.get(k, np.float32)) for k, v in columns.items()}


def fill_held_out(pages: list[Example], extra: tuple[np.ndarray, ...], seed: int) -> None:
    """Give every page block probabilities from a model that has not seen its site's half."""
    for k in (0, 1):
        model = fit_blocks([p for p in pages if half(p.page.family) != k], extra, seed)
        for page in pages:
            if half(page.page.family) == k:
                page.p = np.asarray(model.predict(page.rows))


def main() -> None:
    """Command line: read the gold sets, train, write the model file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("material", type=Path)
    parser.add_argument("warc_folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pages = examples(options.material, options.warc_folder)
    extra = segment_rows(options.material)
    print(len(pages), "pages", dict(Counter(p.page.source for p in pages)), flush=True)
    fill_held_out(pages, extra, options.seed)
    arrays = flat(fit_containers(pages, options.seed), "container")
    arrays |= flat(fit_blocks(pages, extra, options.seed), "block")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    print(options.out, options.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
