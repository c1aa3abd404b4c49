"""Pages with the parts of their structure: defuddle's fixtures, and pages as published.

Parts of a published page are counted by a plain walk over the page's own DOM (lexbor), which shares
nothing with the extractor that is measured.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from benchmarks.structures.parts import (
    ANY,
    FENCE,
    LINE,
    PERMALINK,
    Part,
    Sample,
    formulas_of,
    row,
    signature,
    squeeze,
    without_links,
)
from benchmarks.training import goldsets

_HIDDEN = (
    "script:not([type^='math/tex']),style,template,noscript,[hidden],"
    "[style*='display:none'],[style*='display: none'],[style*='visibility:hidden']"
)
_BLOCKS = "p,div,ul,ol,dl,pre,table,blockquote,section,figure,h1,h2,h3,h4,h5,h6,li"
_TEX_NOTE = "annotation[encoding='application/x-tex']"
_TEX_IMAGE = re.compile(r"\\[A-Za-z]+|^\$.*\$$")
_TEX_CLASS = re.compile(r"\b(?:tex|latex|math|mwe-math\S*)\b")
_RAW_TEX = re.compile(r"\\\((.{1,500}?)\\\)|\\\[(.{1,2000}?)\\\]|\$\$(.{1,2000}?)\$\$", re.DOTALL)
_PREAMBLE = re.compile(r"\A```json\n.*?\n```\n+", re.DOTALL)
NEAR = 12  # characters on either side that say where a formula stood


def fixtures(folder: Path) -> Iterator[Sample]:
    """defuddle's fixtures (MIT): the structure of the Markdown that its maintainers expect."""
    for page in sorted((folder / "tests" / "fixtures").glob("*.html")):
        expected = (folder / "tests" / "expected" / (page.stem + ".md")).read_text()
        html = page.read_text()
        url = re.match(r'\s*<!--\s*\{"url":\s*"([^"]+)', html)
        name = re.sub(r"^[a-z]+--", "", page.stem)
        parts = list(expected_parts(_PREAMBLE.sub("", expected, count=1)))
        yield Sample(page.stem, url[1] if url else "https://" + name, html, parts)


def expected_parts(markdown: str) -> Iterator[Part]:
    """Formulas of three signs or more, each once; fences that begin a line; rows with two filled
    cells or more; headings. So 107 formulas, 73 code blocks, 92 rows and 378 headings are counted
    on the fixtures of July 2026."""
    outside, blocks = fenced(markdown)
    for language, code in blocks:
        yield Part("code blocks", code)
        yield Part("code blocks, blanks aside", code)
        if language:
            yield Part("code languages", code, language=language)
    for formula in dict.fromkeys(formulas_of("\n".join(outside))):
        if len(formula) > 2:
            yield Part("formulas", formula)
            yield Part("formulas, braces aside", formula)
    for line in outside:
        if line.startswith("#") and re.match(r"#{1,6} ", line):
            yield Part("headings", without_links(line.lstrip("#")))
        if re.fullmatch(r"\|.*\|\s*", line) and not re.fullmatch(r"[|\s:-]+", line):
            values = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            if sum(bool(v.strip()) for v in values) >= 2:
                yield Part("table rows", row([without_links(v) for v in values]))


def fenced(markdown: str) -> tuple[list[str], list[tuple[str, str]]]:
    """(lines outside of fences, (language, code) of each fence that begins a line)."""
    outside: list[str] = []
    blocks: list[tuple[str, str]] = []
    fence, language, code, quoted = "", "", list[str](), False
    for line in markdown.split("\n"):
        opening = FENCE.match(line)
        if fence and line.strip().lstrip("> ") == fence:
            if not quoted:
                blocks.append((language, "\n".join(code)))
            fence = ""
        elif fence:
            code.append(line)
        elif opening:
            fence, language, code = opening[1], line[opening.end() :].strip(), []
            quoted = line.lstrip().startswith(">")
        else:
            outside.append(line)
    return outside, blocks


def dev_sample(folder: Path) -> Iterator[Sample]:
    """The Japanese pages of the shared sample whose language is sure."""
    raw = (folder / "warc" / "dev-sample.warc.gz").read_bytes()
    with gzip.open(folder / "warc" / "dev-sample.truth.jsonl.gz", "rt") as lines:
        for truth in map(json.loads, lines):
            label = truth["kind"], truth.get("true_lang"), truth.get("lang_conf")
            if label == ("html", "ja", "high"):
                html = goldsets.sample_page(raw, truth)
                yield Sample(truth["url"], truth["url"], html, published_parts(html), True)


def gold_wide(folder: Path) -> Iterator[Sample]:
    """Real pages marked by hand; `gold` is their text as Markdown, "" where there is none."""
    with gzip.open(folder / "gold-wide" / "gold.jsonl.gz", "rt") as lines:
        for page in map(json.loads, lines):
            html = base64.b64decode(page["raw_b64"]).decode(page["charset"], "replace")
            gold = page.get("gold_md") or ""
            yield Sample(page["id"], page["url"], html, published_parts(html), True, gold)


def published_parts(html: str) -> list[Part]:
    """What a page as published has, script, style, template, noscript and what is hidden left out.

    Code: `pre` of two lines or more. Headings: h1 to h4. Items: li without block children, no
    entries of lists of contents. Rows: of data tables. Powers: digits raised behind a digit.
    Formulas: see `_formulas`.
    """
    tree = LexborHTMLParser(html)
    for node in tree.css(_HIDDEN):
        node.decompose()
    for br in tree.css("br"):
        br.replace_with(LINE)
    parts = [*_formulas(tree, html), *_powers(tree)]
    for pre in tree.css("pre"):
        code = pre.text().replace(LINE, "\n").rstrip().lstrip("\n")
        if "\n" in code and not re.fullmatch(r"[\d\s]+", code):  # line numbers
            parts.append(Part("pre lines", code, source=_source(pre)))
    for heading in tree.css("h1,h2,h3,h4"):
        parts.append(Part("headings", PERMALINK.sub("", heading.text()), source=_source(heading)))
    for item in tree.css("li"):
        if not [n for n in item.css(_BLOCKS) if n != item] and not _is_entry(item):
            parts.append(Part("list items", item.text().strip(), source=_source(item)))
    for table in tree.css("table"):
        parts.extend(_rows(table))
    return [part for part in parts if squeeze(part.want.replace("|", ""))]


def _is_entry(item: LexborNode) -> bool:
    """Whether an item is an entry of a list of contents: only a link into its own page."""
    links = [a for a in item.css("a[href]") if (a.attributes.get("href") or "").startswith("#")]
    return len(links) == 1 and squeeze(links[0].text()) == squeeze(item.text())


def _source(node: LexborNode) -> str:
    return (node.html or "")[:200]


def _rows(table: LexborNode) -> Iterator[Part]:
    """Rows of a data table: three rows or more, two to eight columns, no spans, no nested blocks,
    cells of up to 120 characters."""
    grid = [[c for c in tr.iter() if c.tag in ("td", "th")] for tr in table.css("tr")]
    widths = {len(values) for values in grid}
    if len(grid) < 3 or len(widths) != 1 or not 2 <= min(widths) <= 8:
        return
    if table.css("[colspan]:not([colspan='1']),[rowspan]:not([rowspan='1'])"):
        return
    texts = [[c.text().strip() for c in values] for values in grid]
    nested = any(n for values in grid for c in values for n in c.css(_BLOCKS))
    if not nested and all(len(t) <= 120 for values in texts for t in values):
        for tr, values in zip(table.css("tr"), texts, strict=True):
            yield Part("table rows", row(values), source=_source(tr))


def _powers(tree: LexborHTMLParser) -> Iterator[Part]:
    for sup in tree.css("sup"):
        exponent, before = sup.text(), sup.prev
        if before is not None and before.tag == "-text" and re.fullmatch(r"[0-9]+", exponent):
            base = squeeze(before.text())[-6:]
            if base[-1:].isascii() and base[-1:].isdigit() and not sup.css("a"):
                yield Part("powers", exponent, (base, ""), source=_source(sup.parent or sup))


def _tex_of(node: LexborNode) -> str:
    """TeX of a formula's element, or ANY and the letters and digits of its MathML; "" without."""
    if node.tag == "script":
        return node.text()
    if node.tag == "img":
        alt = node.attributes.get("alt") or ""
        known = _TEX_CLASS.search(node.attributes.get("class") or "")
        return alt.strip("$ ") if known or _TEX_IMAGE.search(alt) else ""
    note = node.css_first(_TEX_NOTE)
    if note is not None:
        return note.text()
    leaves = [n.text() for n in node.css("mi,mn,mtext")]
    return ANY + signature(" ".join(leaves)) if leaves else node.text()


def _formulas(tree: LexborHTMLParser, html: str) -> Iterator[Part]:
    """MathML, script type=math/tex, images with TeX as alt, and TeX between \\( \\), \\[ \\] or $$
    on pages that load MathJax or KaTeX. Each stands between what is before and behind it."""
    found = []
    for node in tree.css("math,script[type^='math/tex'],img[alt]"):
        formula = _tex_of(node)
        if formula:
            found.append((formula, _source(node)))
            node.replace_with(f"\ue000{len(found) - 1}\ue001")
    for node in tree.css("[class^=MathJax],.katex-html,mjx-math"):
        node.decompose()
    text = tree.body.text() if tree.body else ""
    if re.search("mathjax|katex", html, re.IGNORECASE):
        outside = LexborHTMLParser(html)
        for node in outside.css("script,style,pre,code,textarea"):
            node.decompose()
        raw = outside.body.text() if outside.body else ""
        found += [("".join(m.groups("")), m[0][:200]) for m in _RAW_TEX.finditer(raw)]
    for i, (formula, source) in enumerate(found):
        mark = f"\ue000{i}\ue001"
        at = text.find(mark) if mark in text else text.find(source)
        size = len(mark) if mark in text else len(source)
        if at < 0:
            continue
        before = squeeze(re.split("[\ue000\ue001]", text[max(at - 80, 0) : at])[-1])[-NEAR:]
        behind = squeeze(re.split("[\ue000\ue001]", text[at + size : at + size + 80])[0])[:NEAR]
        for kind in ("formulas", "formulas without a hole"):
            yield Part(kind, formula.strip(), (before, behind), source=source)
