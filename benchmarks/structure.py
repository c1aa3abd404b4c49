"""Structure that survives extraction: formulas, code, tables, lists, headings, beside the peers.

    python benchmarks/structure.py --shared ../shared/data --fixtures DIR [--peers] [--limit N]
        [--sets fixtures,dev,pages,wide,gold,round] [--show N [--kind KIND] [--of NAME]]

fixtures: the pages of kepano/defuddle (MIT; DIR is a checkout) and the Markdown its maintainers
expect. dev, wide: real pages, their structure counted by a walk over the DOM as published. pages:
made-up pages of hostile markup. gold: lines of each kind of block against Markdown written by hand.
round: our Markdown as markdown-it-py renders it. --show prints what is missing, with its page.

Cells are "found / there". On real pages only parts whose characters stand in an extractor's text
are asked for, so each extractor has its own "there".
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from benchmarks.structures import pages, sets  # noqa: E402
from benchmarks.structures.parts import (  # noqa: E402
    LINE,
    Markdown,
    Part,
    Sample,
    bare,
    code_lines,
    row,
    stands,
)
from corpus.web.main_text.extract import Page, extract  # noqa: E402

MADE_UP = 300
SHOWN_A_PAGE = 3  # missing parts of one kind
UNMEANT = {"em_open", "strong_open", "link_open", "image", "html_inline"}
LISTED = re.compile(r"[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]+\S")
RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")

Extractor = Callable[[str, str], str]
Counts = dict[str, dict[str, list[int]]]  # kind -> extractor -> [found, there]


def ours(html: str, url: str) -> str:
    """Inaho."""
    return extract(html.encode("utf-8", "replace"), url).text


def trafilatura(html: str, url: str) -> str:
    """trafilatura's Markdown with formatting and tables."""
    from trafilatura import extract as peer

    kept = peer(
        html,
        url=url,
        output_format="markdown",
        include_formatting=True,
        include_tables=True,
        deduplicate=False,
    )
    return kept or ""


def resiliparse(html: str, url: str) -> str:
    """resiliparse's main content; plain text with list marks."""
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(html, main_content=True, preserve_formatting=True)


def html_to_markdown(html: str, url: str) -> str:
    """html-to-markdown (Rust), the whole page."""
    from html_to_markdown import ConversionOptions, convert

    options = ConversionOptions(extract_metadata=False, strip_tags=["a"], sup_symbol="^")
    return convert(html, options).content or ""


def readability(html: str, url: str) -> str:
    """What readability-lxml keeps, written by html-to-markdown."""
    from readability import Document

    return html_to_markdown(Document(html).summary(), url)


def markdownify(html: str, url: str) -> str:
    """markdownify, the whole page."""
    from markdownify import markdownify as peer

    return peer(html, heading_style="ATX", strip=["a", "script", "style"], sup_symbol="^")


PEERS = [trafilatura, resiliparse, readability, html_to_markdown, markdownify]


def written(extractor: Extractor, sample: Sample) -> str:
    """The text an extractor gives; a peer that fails on a page gives none."""
    if extractor is ours:
        return ours(sample.html, sample.url)
    try:
        return extractor(sample.html, sample.url)
    except Exception:
        return ""


class Miss(NamedTuple):
    """A part that does not stand in the text of an extractor."""

    extractor: str
    page: str
    part: Part
    text: str


def judged(text: Markdown, sample: Sample) -> Iterator[tuple[str, int, int, list[Part]]]:
    """(kind, found, there, missing) of each part of a page."""
    for part in sample.parts:
        if part.kind == "pre lines":
            for kind, indented in (("pre lines, indented", True), ("pre lines", False)):
                found, there, lost = code_lines(text, part, indented)
                yield kind, found, there, [part._replace(kind=kind, want=x) for x in lost]
        else:
            held = stands(text, part, sample.published)
            yield part.kind, held is True, held is not None, [part] if held is False else []


def measure(samples: list[Sample], extractors: list[Extractor]) -> tuple[Counts, list[Miss]]:
    """Counts, and what is missing."""
    counts: Counts = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    misses: list[Miss] = []
    for sample in samples:
        for extractor in extractors:
            name, text = extractor.__name__, Markdown(written(extractor, sample))
            for kind, found, there, missing in judged(text, sample):
                for key in {kind, kind.split(":")[0]}:
                    counts[key][name][0] += found
                    counts[key][name][1] += there
                misses += [Miss(name, sample.name, part, text.text) for part in missing]
    return counts, misses


def kind_of(line: str) -> str:
    """Kind of block of a line outside of code; "" for lines that are only signs."""
    if not line.strip(" \t>") or RULE.fullmatch(line):
        return ""
    line = line.lstrip("> \t")
    if line.startswith("#"):
        return "headings"
    if line.startswith("|"):
        return "table rows"
    return "list items" if LISTED.match(line) else "paragraphs"


def lines_by_kind(markdown: str) -> dict[str, list[str]]:
    """Lines of each kind of block, NFKC and without signs; rows keep their cells apart, code its
    blanks."""
    outside, blocks = sets.fenced(markdown)
    lines: dict[str, list[str]] = defaultdict(list)
    for line in outside:
        kind = kind_of(line)
        if kind == "table rows":
            lines[kind].append(row(re.split(r"(?<!\\)\|", line.strip()[1:-1])))
        elif kind:
            lines[kind].append(bare(re.sub(r"^[>\s]*#*", "", unicodedata.normalize("NFKC", line))))
    for _, code in blocks:
        lines["code lines"] += [x.rstrip() for x in code.split("\n") if x.strip()]
    return lines


def against_gold(samples: list[Sample], extractors: list[Extractor]) -> None:
    """Print, by kind, F1 of the multisets of lines over all pages and the mean similarity of their
    order (difflib's ratio; pages whose gold has the kind)."""
    common: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for sample in samples:
        gold = lines_by_kind(sample.gold)
        for extractor in extractors:
            own = lines_by_kind(written(extractor, sample))
            for kind in gold.keys() | own.keys():
                key, a, b = (kind, extractor.__name__), gold[kind], own[kind]
                common[key] += 2 * (Counter(a) & Counter(b)).total()
                total[key] += len(a) + len(b)
                if a:
                    ratios[key].append(difflib.SequenceMatcher(None, a, b, False).ratio())
    names = [e.__name__ for e in extractors]
    heading(
        f"gold-wide against Markdown written by hand ({len(samples)} pages): line F1 / similarity",
        names,
    )
    for kind in ("headings", "list items", "table rows", "code lines", "paragraphs"):
        keys = [(kind, name) for name in names]
        mean = [sum(ratios[k]) / max(len(ratios[k]), 1) for k in keys]
        f1 = [common[k] / max(total[k], 1) for k in keys]
        table_row(f"{kind} ({len(ratios[keys[0]])} pages)", map("{:.3f} / {:.3f}".format, f1, mean))


def round_trip(samples: Iterable[Sample]) -> tuple[Counts, list[Miss]]:
    """Our Markdown as markdown-it-py (CommonMark, tables, dollars) reads it, beside what was meant:
    the lines and fences, or the spans of `blocks` where the page has them. "nothing unmeant" are
    pages without emphasis, links, images and HTML, which we never write."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    reader = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_digits=False)
    counts: Counts = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    misses: list[Miss] = []
    for sample in samples:
        page = extract(sample.html.encode("utf-8", "replace"), sample.url)
        rendered = read_back(reader.parse(page.text))
        stray = "; ".join(rendered.pop("unmeant", ()))
        checks = [(kind, want, rendered[kind][want] > 0) for kind, want in meant(page)]
        for kind, want, held in [*checks, ("nothing unmeant", stray, not stray)]:
            counts[kind]["ours"][0] += held
            counts[kind]["ours"][1] += 1
            if not held:
                misses.append(Miss("ours", sample.name, Part(kind, want), page.text))
    return counts, misses


def read_back(tokens: list) -> dict[str, Counter[str]]:
    """Headings, code blocks, rows, items, paragraphs and signs we did not mean, as a reader of
    Markdown sees them."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    inside, depth, cells = "", 0, list[str]()
    for token in tokens:
        depth += (token.type == "list_item_open") - (token.type == "list_item_close")
        if token.type in ("heading_open", "paragraph_open", "th_open", "td_open"):
            inside = token.type
        elif token.type == "fence":
            seen["code blocks"][token.content.rstrip("\n")] += 1
        elif token.type == "html_block":
            seen["unmeant"][token.content.strip()] += 1
        elif token.type == "tr_close":
            seen["table rows"]["|".join(cells)] += 1
            cells = []
        elif token.type == "inline":
            if UNMEANT & {t.type for t in token.children}:
                seen["unmeant"][token.content] += 1
            text = "".join(LINE if t.type == "softbreak" else t.content for t in token.children)
            if inside in ("th_open", "td_open"):
                cells.append(bare(text))
                continue
            kinds = ["headings"] if inside == "heading_open" else ["paragraphs"]
            for kind in kinds + ["list items"] * (depth > 0):
                seen[kind].update(bare(line) for line in {text, *text.split(LINE)})
    return seen


def meant(page: Page) -> Iterator[tuple[str, str]]:
    """(kind, characters) of what a page's text says by its signs, or by spans where it has them."""
    text: str = page.text
    spans = getattr(page, "blocks", None)
    if spans is None:
        outside, blocks = sets.fenced(text)
        pieces = [(kind_of(x), x) for x in outside] + [("code blocks", code) for _, code in blocks]
    else:
        from corpus.text.blocks import END, KIND, KINDS, START

        names = dict(heading="headings", table="table rows", code="code blocks", item="list items")
        pieces = []
        for span in spans.spans:
            kind, piece = KINDS[span[KIND]], text[span[START] : span[END]]
            if kind == "code":
                piece = "\n".join(c for _, c in sets.fenced(piece)[1])
            lines = piece.split("\n") if kind == "table" else [piece]
            pieces += [(names.get(kind, kind + "s"), x) for x in lines if not RULE.fullmatch(x)]
    for kind, piece in pieces:
        if kind == "code blocks":
            yield kind, piece.rstrip("\n")
        elif kind == "table rows":
            yield kind, row(re.split(r"(?<!\\)\|", piece.strip()[1:-1]))
        elif kind in ("headings", "list items", "paragraphs"):
            yield kind, bare(re.sub(r"^[>\s]*#*", "", piece))


def heading(title: str, names: list[str]) -> None:
    print(f"\n## {title}\n\n| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")


def table_row(name: str, values: Iterable[str]) -> None:
    print(f"| {name} | {' | '.join(values)} |", flush=True)


def report(title: str, names: list[str], counts: Counts) -> None:
    """Print counts, kinds as rows."""
    heading(title, names)
    for kind in sorted(counts):
        table_row(kind.replace("|", "\\|"), ("{} / {}".format(*counts[kind][n]) for n in names))


def show(misses: list[Miss], options: argparse.Namespace) -> None:
    """Print the first missing parts of one extractor: where each was, and what the text has."""
    wanted = [m for m in misses if m.extractor == options.of and options.kind in m.part.kind]
    seen: Counter[tuple[str, str]] = Counter()
    chosen = []
    for miss in wanted:
        seen[miss.page, miss.part.kind] += 1
        if seen[miss.page, miss.part.kind] <= SHOWN_A_PAGE:
            chosen.append(miss)
    for miss in chosen[: options.show]:
        print(f"\n- {miss.part.kind}, {miss.page}\n  want: {miss.part.want!r}")
        if miss.part.near[0] or miss.part.language:
            print(f"  near: {miss.part.near} {miss.part.language}")
        print(f"  html: {miss.part.source!r}\n  text: {context(miss)!r}")


def context(miss: Miss) -> str:
    """Some of the text around the longest beginning of a part that it has."""
    for want in (miss.part.near[0], miss.part.want.split("|")[0].strip()):
        for size in range(min(len(want), 24), 3, -4):
            at = miss.text.find(want[:size])
            if at >= 0:
                return miss.text[max(at - 60, 0) : at + 200]
    return "(not in the text)" if miss.text else "(no text)"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("shared", "fixtures"):
        parser.add_argument("--" + name, type=Path)
    parser.add_argument("--sets", default="fixtures,dev,pages,wide,gold,round")
    parser.add_argument("--peers", action="store_true", help="measure the peers too")
    parser.add_argument("--limit", type=int, help="pages of each set")
    parser.add_argument("--show", type=int, default=0, help="print the first N missing parts")
    parser.add_argument("--kind", default="", help="only missing parts whose kind contains this")
    parser.add_argument("--of", default="ours", help="whose missing parts")
    options = parser.parse_args()
    extractors: list[Extractor] = [ours, *PEERS] if options.peers else [ours]
    names = [e.__name__ for e in extractors]
    chosen = set(options.sets.split(","))
    samples: dict[str, list[Sample]] = {}
    if "fixtures" in chosen and options.fixtures:
        samples["fixtures"] = list(islice(sets.fixtures(options.fixtures), options.limit))
    if "dev" in chosen and options.shared:
        samples["dev"] = list(islice(sets.dev_sample(options.shared), options.limit))
    if "pages" in chosen:
        samples["pages"] = list(islice(pages.made_up(MADE_UP), options.limit))
    if chosen & {"wide", "gold"} and options.shared:
        samples["wide"] = list(islice(sets.gold_wide(options.shared), options.limit))
    for name in [name for name in samples if name in chosen]:
        counts, misses = measure(samples[name], extractors)
        report(f"{name} ({len(samples[name])} pages)", names, counts)
        show(misses, options)
    if "gold" in chosen and options.shared:
        against_gold([s for s in samples["wide"] if s.gold], extractors)
    if "round" in chosen:
        every = [s for own in samples.values() for s in own]
        counts, misses = round_trip(every)
        report(f"our Markdown read by markdown-it-py ({len(every)} pages)", ["ours"], counts)
        show(misses, options)


if __name__ == "__main__":
    main()
