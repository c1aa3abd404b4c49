"""Main-content extraction: 5-gram F1 and CPU time a page, by set, beside three peers.

    python benchmarks/extraction.py --shared ../shared/data [--material DIR] [--media DIR]
                                    [--peers] [--held-out] [--limit N]

--media is a checkout of postlight/parser: its Japanese pages are only ever measured on. --material
holds the checkouts named in `benchmarks.training.train_extractor`. --held-out trains on folds of
sites (needs lightgbm) and scores each page with the forests that did not see its site; it ends with
a table of gold-wide by genre, the peers beside it. Sets marked "report" had no part in training or
in any choice. Texts are scored as `benchmarks.training.scoring.folded` writes them.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from benchmarks.training import goldsets  # noqa: E402
from benchmarks.training.scoring import counted, folded, precision_recall_f1  # noqa: E402
from corpus.web.main_text.extract import extract  # noqa: E402

DRAWS = 2000  # of hosts, for an interval
HARD = 0.8  # F1 of the whole page: below it, much of a page is not main text
NEARLY_EMPTY = 100  # characters that an index page may leave
REPEATS = 3  # time is the fastest of this many passes


def ours(html: bytes) -> str:
    """Inaho."""
    return extract(html).text


def resiliparse(html: bytes) -> str:
    """resiliparse's main_content on the decoded page."""
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(html.decode(), main_content=True)


def trafilatura(html: bytes) -> str:
    """trafilatura with its defaults, without its process-wide duplicate filter."""
    from trafilatura import extract as peer

    return peer(html.decode(), deduplicate=False) or ""


def readability(html: bytes) -> str:
    """readability-lxml's summary as text."""
    from readability import Document

    try:
        return goldsets.text_of(Document(html.decode()).summary())
    except Exception:  # it raises on pages without text
        return ""


def whole_page(html: bytes) -> str:
    """All visible text."""
    return goldsets.text_of(html.decode())


PEERS = (resiliparse, trafilatura, readability)


def _js_array(source: str, name: str) -> list:
    """The array literal `name: [...]` of a JavaScript source (strings and nested arrays)."""
    found = re.search(r"\b" + name + r"\s*:\s*\[", source)
    if not found:
        return []
    start = end = found.end() - 1
    depth, quote = 0, ""
    while end < len(source):
        c = source[end]
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"`":
            quote = c
        elif c in "[]":
            depth += 1 if c == "[" else -1
            if depth == 0:
                break
        end += 1
    return ast.literal_eval(re.sub(r"(?m)(^|[\s,])//[^\n]*", "", source[start : end + 1]))


def media(folder: Path) -> Iterator[goldsets.GoldPage]:
    """Japanese pages of postlight/parser with its content selectors. Only ever measured on."""
    for rule in sorted((folder / "src" / "extractors" / "custom").glob("*/index.js")):
        source = rule.read_text()
        content = re.search(r"\n  content\s*:\s*\{", source)
        domain = rule.parent.name
        pages = sorted((folder / "fixtures").glob(domain + ".html"))
        if not content or not pages:
            continue
        selectors = _js_array(source[content.end() :], "selectors")
        clean = _js_array(source[content.end() :], "clean")
        html = pages[0].read_text(errors="replace")
        if len(re.findall("[ぁ-ヿ]", goldsets.text_of(html))) < 100:
            continue
        gold = goldsets.selected(html, selectors, clean)
        if len(re.sub(r"\s", "", gold)) >= 100:
            yield goldsets.GoldPage(
                "media",
                domain,
                "media",
                "ja",
                "https://" + domain + "/",
                html.encode("utf-8", "replace"),
                gold,
            )


def pages(options: argparse.Namespace) -> Iterable[tuple[str, goldsets.GoldPage]]:
    """(role, page): role "report" for sets that are only measured, else "trained"."""
    if options.media:
        yield from (("report", page) for page in media(options.media))
    if options.shared:
        yield from (("trained", page) for page in goldsets.dev_sample(options.shared / "warc"))
        yield from (("trained", page) for page in goldsets.wide(options.shared / "gold-wide"))
    if options.material:
        m = options.material
        wcxb = m / "Murrough-Foley+web-content-extraction-benchmark"
        yield from (("report", page) for page in goldsets.wcxb(wcxb, "test"))
        yield from (
            ("trained", page)
            for page in goldsets.scrapinghub(m / "scrapinghub+article-extraction-benchmark")
        )
        yield from (("trained", page) for page in goldsets.fundus(m / "flairNLP+fundus"))
        yield from (("trained", page) for page in goldsets.japanese_sites(m))


def group(role: str, page: goldsets.GoldPage) -> str:
    """Row of the table a page belongs to."""
    language = (
        ":ja"
        if page.source == "dev" and page.language == "ja"
        else (":other" if page.source == "dev" else "")
    )
    return f"{page.source}:{page.genre}{language} ({role})"


def score(text: str, page: goldsets.GoldPage) -> tuple[float, float, float]:
    """Precision, recall, F1 of a text of a page; without gold, 1 for nearly nothing and else 0."""
    found = counted(folded(text))
    if not page.gold:
        return (float(found[1].sum() <= NEARLY_EMPTY),) * 3
    return precision_recall_f1(found, counted(folded(page.gold)))


def milliseconds(extractor: Callable[[bytes], str], sample: list[bytes]) -> float:
    """Fastest mean CPU time a page (CPU, because the machine may be shared; one thread each)."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        for html in sample:
            extractor(html)
        best = min(best, time.process_time() - start)
    return 1000 * best / max(len(sample), 1)


def interval(rows: list[tuple[str, float]]) -> str:
    """Mean of (host, score) rows with the 95 % interval of a bootstrap over hosts."""
    by_host: dict[str, list[float]] = defaultdict(list)
    for host, value in rows:
        by_host[host].append(value)
    sums = np.array([sum(values) for values in by_host.values()])
    sizes = np.array([len(values) for values in by_host.values()])
    drawn = np.random.default_rng(0).integers(0, len(sums), (DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), (2.5, 97.5))
    return f"{sums.sum() / sizes.sum():.3f} ({low:.3f}–{high:.3f})"


def wide_table(texts: dict[str, str], pages: list[goldsets.GoldPage], peers: bool) -> None:
    """Print scores of gold-wide by genre for Inaho's texts (by id) and, if wanted, the peers'."""
    groups: dict[str, list[goldsets.GoldPage]] = defaultdict(list)
    for page in pages:
        if page.gold:
            hard = score(whole_page(page.html), page)[2] < HARD
            capture = page.language == "ja-capture"
            for name in ("all", *["captures"] * capture, *["hard"] * hard, page.genre):
                groups[name].append(page)
        else:
            groups[f"index, share of ≤ {NEARLY_EMPTY} characters"].append(page)
    found = {"Inaho, held out": {page.url: score(texts[page.url], page)[2] for page in pages}}
    for peer in PEERS if peers else ():
        found[peer.__name__] = {page.url: score(peer(page.html), page)[2] for page in pages}
    print(f"\n| gold-wide | pages | hosts | {' | '.join(found)} |")
    print("|---|--:|--:|" + "---|" * len(found))
    for name, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        cells = [interval([(p.family, scores[p.url]) for p in rows]) for scores in found.values()]
        hosts = len({page.family for page in rows})
        print(f"| {name} | {len(rows)} | {hosts} | {' | '.join(cells)} |", flush=True)


def held_out(options: argparse.Namespace) -> None:
    """Print F1 by set where each page is scored by forests that saw only other folds' sites."""
    from benchmarks.training import train_extractor as training
    from corpus.web.html.document import parse
    from corpus.web.main_text.select import choose
    from corpus.web.main_text.write import write

    examples = training.examples(options.material, options.shared)
    extra = training.segment_rows(options.material)
    results, texts = defaultdict(list), {}
    for seed in range(options.seeds):
        models = [
            training.forests(arrays, "block", "container", "listing")
            for arrays in training.train_folds(examples, extra, seed)
        ]
        for e in examples:
            keep, *_ = choose(e.blocks, e.elements, *models[training.fold(e.page.family)])
            text = write(parse(e.page.html), keep)[0]
            if e.page.source == "wide" and seed == 0:
                texts[e.page.url] = text
            results[group("held out", e.page)].append((seed, score(text, e.page)[2]))
    print("| set | pages | F1 mean over seeds | lowest | highest |\n|---|---|---|---|---|")
    for name, rows in sorted(results.items()):
        by_seed = [np.mean([f for s, f in rows if s == seed]) for seed in range(options.seeds)]
        print(
            f"| {name} | {len(rows) // options.seeds} | {np.mean(by_seed):.3f} | "
            f"{min(by_seed):.3f} | {max(by_seed):.3f} |"
        )
    wide_table(texts, [e.page for e in examples if e.page.url in texts], options.peers)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("shared", "material", "media"):
        parser.add_argument("--" + name, type=Path)
    parser.add_argument("--peers", action="store_true", help="score and time the peers too")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="pages per row, 0 for all")
    options = parser.parse_args()
    if options.held_out:
        held_out(options)
        return
    extractors = [ours, *PEERS] if options.peers else [ours]
    groups: dict[str, list[goldsets.GoldPage]] = defaultdict(list)
    for role, page in pages(options):
        rows = groups[group(role, page)]
        if not options.limit or len(rows) < options.limit:
            rows.append(page)
    names = " | ".join(f"{e.__name__} P/R/F1 | ms/page" for e in extractors)
    print(f"| set | pages | kB/page | {names} |\n|---|---|---|" + "---|---|" * len(extractors))
    ours(b"<p>warm up</p>")
    for name, rows in groups.items():
        cells = []
        for extractor in extractors:
            mean = np.mean([score(extractor(page.html), page) for page in rows], axis=0)
            time_ms = milliseconds(extractor, [page.html for page in rows[:100]])
            cells.append(f"{mean[0]:.3f} / {mean[1]:.3f} / {mean[2]:.3f} | {time_ms:.2f}")
        size = sum(len(page.html) for page in rows) / len(rows) / 1000
        print(f"| {name} | {len(rows)} | {size:.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
