"""Errors of every profile on pages that people judged: keep, borderline or drop.

    python benchmarks/judged.py [--shared FOLDER] [--labels FOLDER] [--write] [--trees] [--fair]

The pages are harvested as they were published (benchmarks/training/labels.py). A page that becomes
no document counts as dropped. Pages put together from templates (`made`) only train. Profiles with
a model are judged by models that had not seen the host of a page: folds by host, dealt SEEDS times;
figures are means over those. Intervals are 95 %, hosts drawn again.

--write stores the figures where `corpus profiles NAME` finds them; --trees adds free boosted trees
on all stored signals and the same n-grams (needs lightgbm); --fair asks what the default keeps of
public texts at every length, by models that had not seen them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: its filters.py is not the package filters

from benchmarks.training import fairness, train_filter, trees  # noqa: E402
from benchmarks.training.judging import NO_DOCUMENT, Judged, figures  # noqa: E402
from filters.profile import Profile, load, names  # noqa: E402
from filters.published_words import measure_extra  # noqa: E402
from filters.signals import GROUPS, MODEL, measure  # noqa: E402

SEEDS = 3
STORE = ROOT / "filters/lists/judged.json"
Figures = dict[str, dict[str, Any]]


def all_signals(texts: pa.Array, prose: pa.Array, data: Path) -> tuple[pa.StructArray, dict]:
    """(signals, extra columns) that the profiles read of texts; data: the shared data."""
    groups = frozenset(name for name, group in GROUPS.items() if not group.lazy)
    wanted = {signal for name in names() for signal in load(name).extra_signals()}
    lists = data / "wordlists"
    return measure(texts, groups | {"zlib", "words"}, prose), measure_extra(
        sorted(wanted), texts.cast(pa.string()), lists
    )


def decide(
    profile: Profile, quality: pa.StructArray, extra: dict, odds: np.ndarray, rows: np.ndarray,
    pages: Judged,
) -> dict[str, Any]:  # fmt: skip
    """Figures of a profile; odds float[seeds, documents]: of models that had not seen the host."""
    held_out = bool(profile.models())
    kept, rules, scores = [], [], []
    for each in odds if held_out else odds[:1]:
        models = {MODEL + name: pa.array(1 / (1 + np.exp(-each))) for name in profile.models()}
        decisions = profile.decide(quality, extra | models)
        keep = np.zeros(len(pages.label), bool)
        keep[rows] = decisions.keep
        rule = np.full(len(pages.label), NO_DOCUMENT, object)
        rule[rows] = ["" if r < 0 else profile.rules[r].name for r in decisions.rule]
        score = np.full(len(pages.label), -np.inf)
        score[rows] = each
        kept.append(keep)
        rules.append(rule.tolist())
        scores.append(score)
    found = figures(pages, np.array(kept), rules, np.array(scores) if held_out else None)
    return found | {"held_out": held_out}


def print_table(found: Figures) -> None:
    """A row a profile, best balanced accuracy first."""
    print("| profile | wrong drops | wrong keeps | balanced accuracy | AUC | borderline kept |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, own in sorted(found.items(), key=lambda item: -item[1]["balanced"][0]):
        drops, keeps = (
            f"{v[0]:.1%} ({v[1]:.1%}–{v[2]:.1%})" for v in (own["wrong_drops"], own["wrong_keeps"])
        )
        balanced = "{:.3f} ({:.3f}–{:.3f})".format(*own["balanced"])
        auc = "–" if own["auc"] is None else f"{own['auc'][0]:.3f}"
        print(f"| {name} | {drops} | {keeps} | {balanced} | {auc} | {own['borderline_kept']:.1%} |")


def print_parts(name: str, own: dict[str, Any]) -> None:
    """Errors of a profile by length, genre and rule."""
    for key in ("length", "genre"):
        print(f"\n| {name}, {key} | keep | drop | wrong drops | wrong keeps | balanced accuracy |")
        print("|---|--:|--:|--:|--:|--:|")
        for part, row in own[key].items():
            shares = [
                "–" if row[k] is None else f"{row[k]:.1%}" for k in ("wrong_drops", "wrong_keeps")
            ]
            balanced = "–" if row["balanced"] is None else f"{row['balanced']:.3f}"
            print(f"| {part} | {row['keep']} | {row['drop']} | {' | '.join(shares)} | {balanced} |")
    print(f"\n| {name}, deciding rule | keep | borderline | drop |\n|---|--:|--:|--:|")
    for rule, row in own["rule"].items():
        print(f"| {rule} | {' | '.join(f'{value:.1f}' for value in row.values())} |")


def main() -> None:
    """Command line: see the head of the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--labels", type=Path, help="folder of *.jsonl.gz; SHARED/data/labels")
    parser.add_argument("--profiles", default=",".join(n for n in names() if n != "none"))
    parser.add_argument("--write", action="store_true", help="store the figures in filters/lists")
    parser.add_argument("--trees", action="store_true", help="free boosted trees beside the model")
    parser.add_argument("--fair", action="store_true", help="public texts at every length")
    options = parser.parse_args()
    data = options.shared / "data"
    with tempfile.TemporaryDirectory() as work:
        labelled, harvested, lost, e = train_filter.prepare(
            options.labels or data / "labels", data, Path(work)
        )
    # Pages that count: people saw them as they were published.
    place = {int(page): row for row, page in enumerate(harvested.rows)}
    counted = [i for i, page in enumerate(labelled) if not page["made"]]
    rows = np.array([k for k, i in enumerate(counted) if i in place])
    documents = np.array([place[counted[k]] for k in rows])
    n_chars = np.zeros(len(counted), np.int64)
    n_chars[rows] = harvested.n_chars[documents]
    columns = [np.array([labelled[i][k] for i in counted]) for k in ("label", "host", "genre")]
    pages = Judged(*columns, n_chars)
    about = pages.about()
    print(about, "no document:", {i: lost[i] for i in counted if i in lost}.__len__(), "\n")
    # What models say that had not seen the host, then what each profile makes of it.
    chosen = [load(name) for name in options.profiles.split(",")]
    seeds = range(SEEDS if any(profile.models() for profile in chosen) else 1)
    folds = [train_filter.folds(e.host, seed) for seed in seeds]
    answers = [train_filter.answers_by_folds(e, fold, nested=True) for fold in folds]
    odds = np.array(
        [train_filter.out_of_fold(e, f, a)[documents] for f, a in zip(folds, answers, strict=True)]
    )
    taken = pa.array(documents)
    quality, extra = all_signals(harvested.text.take(taken), harvested.prose.take(taken), data)
    found = {p.name: decide(p, quality, extra, odds, rows, pages) for p in chosen}
    print_table(found)
    for name in ("web",):
        if name in found:
            print_parts(name, found[name])
    if options.trees:
        free = np.array(
            [
                trees.out_of_fold(e, harvested.quality, f, a)[documents]
                for f, a in zip(folds, answers, strict=True)
            ]
        )
        own = decide(load("web"), quality, extra, free, rows, pages)
        print("\nfree boosted trees in place of the model:\n")
        print_table({"trees": own})
    if options.write:
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        stored = {"date": date, "set": about, "profiles": found}
        STORE.write_text(json.dumps(_rounded(stored), indent=1) + "\n", encoding="utf-8")
    if options.fair:
        fairness.print_table(e, data)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
