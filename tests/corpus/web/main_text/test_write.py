"""Pages as Markdown with spans: every block kind, inline signs, and no structure from prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.settings import NORMALIZE_STEPS
from corpus.text.blocks import END, KIND, KINDS, LANGUAGE, LEVEL, START, Blocks
from corpus.text.views import plain_text
from corpus.web.html.document import parse
from corpus.web.main_text.extract import extract
from corpus.web.main_text.write import write

READER = MarkdownIt("commonmark").enable("table")


def written(html: str, steps: tuple[str, ...] = ()) -> tuple[str, Blocks, int]:
    """The whole page."""
    document = parse(html)
    return write(document, np.ones(len(document.blocks), np.bool_), steps)


def text_of(html: str) -> str:
    return written(html)[0]


def parts(text: str, blocks: Blocks) -> Iterator[tuple[str, int, str]]:
    """(kind, level, Markdown) of every block."""
    for span in blocks.spans.tolist():
        yield KINDS[span[KIND]], span[LEVEL], text[span[START] : span[END]]


KINDS_AS_MARKDOWN = [
    ("<h2>設定<br>の手順</h2>", [("heading", 2, "## 設定 の手順")]),
    ("<h6>小さい</h6>", [("heading", 6, "###### 小さい")]),
    ("<p>一行目。<br>二行目。</p>", [("paragraph", 0, "一行目。\n二行目。")]),
    ("<p>一。</p>二。<div>三。</div>", [("paragraph", 0, c) for c in ("一。", "二。", "三。")]),
    (
        "<ul><li>甲<ul><li>内<br>側</ul><li>乙</ul>",
        [("item", 1, "- 甲"), ("item", 2, "  - 内\n    側"), ("item", 1, "- 乙")],
    ),
    (
        "<ol start=9><li>九<li>十<ol><li>内</ol><li value=20>二十</ol>",
        [
            ("item", 1, "9. 九"), ("item", 1, "10. 十"), ("item", 2, "    1. 内"),
            ("item", 1, "20. 二十"),
        ],
    ),
    (
        "<ul><li>甲<pre>a\n  b</pre>続き</ul>",
        [("item", 1, "- 甲"), ("code", 0, "```\na\n  b\n```"), ("paragraph", 0, "続き")],
    ),
    ("<ul><li><h3>題</h3>文</ul>", [("heading", 3, "### 題"), ("paragraph", 0, "文")]),
    (
        "<p>前置きの文をここに書く。</p><blockquote><p>引用<br>文</p></blockquote>",
        [("paragraph", 0, "前置きの文をここに書く。"), ("quote", 0, "> 引用\n> 文")],
    ),
    ("<blockquote><p>頁の全部</p></blockquote>", [("paragraph", 0, "頁の全部")]),
    (
        "<dl><dt>名前<dd>値<dt>色：<dd>赤<dd>青<dt>空</dl>",
        [
            ("definition", 0, "名前: 値"), ("definition", 0, "色： 赤"), ("definition", 0, "青"),
            ("definition", 0, "空"),
        ],
    ),
    (
        "<dl><div><dt>甲</div><dd><ul><li>項</ul></dl><dl><dd>他</dl>",
        [("definition", 0, "甲"), ("item", 1, "- 項"), ("definition", 0, "他")],
    ),
    ("<figure><img><figcaption>図1 結果</figcaption></figure>", [("caption", 0, "図1 結果")]),
    (
        "<p>上。<hr><hr><p>下。<hr>",
        [("paragraph", 0, "上。"), ("rule", 0, "---"), ("paragraph", 0, "下。")],
    ),
    ("<math display=block><mi>x</mi></math>", [("formula", 0, "$$\nx\n$$")]),
    ("<p><math><mi>x</mi></math></p>", [("formula", 0, "$$\nx\n$$")]),
    (
        "<table><tr><th>名<th>値<tr><td>甲<td></table>",
        [("table", 0, "| 名 | 値 |\n| --- | --- |\n| 甲 |  |")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("html", "expected"), KINDS_AS_MARKDOWN)
def test_every_kind_has_its_signs_and_its_span(
    html: str, expected: list[tuple[str, int, str]]
) -> None:
    text, blocks, unread = written(html)
    assert list(parts(text, blocks)) == expected
    assert unread == 0


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<p><code>while (1) {<br>\n  &nbsp;&nbsp;x;<br>\n}</code></p>",
            "```\nwhile (1) {\n  x;\n}\n```",
        ),
        ("<p>前<code>a\n     b</code>後", "前`a b`後"),
        ("<ol start=3><li><p>三</p></li><li><div>四</div></li></ol>", "3. 三\n4. 四"),
        ("<h2>2. 題</h2>", "## 2. 題"),
        (
            "<table><tr><td rowspan=2><img><th>注記<tr><td>本文の注です。</table>",
            "注記\n\n本文の注です。",
        ),
        (
            "<pre><code>&lt;p&gt;これは。文で。ある。&lt;/p&gt;</code></pre>",
            "```\n<p>これは。文で。ある。</p>\n```",
        ),
    ],
)  # fmt: skip
def test_what_a_reader_of_thirty_pages_found(html: str, expected: str) -> None:
    assert text_of(html) == expected


INLINE = [
    ("<p>型は<code>a  b</code>で", "型は`a  b`で"),
    ("<p><kbd>`</kbd>と<tt>``x`</tt>", "`` ` ``と``` ``x` ```"),
    ("<p><code>`````````</code>", "` ````````` `"),
    ("<p><tt>lib</tt><i><tt>foo</tt></i>", "`libfoo`"),
    ("<p><code>a<br>b</code>です", "`a`\n`b`です"),
    ("<p>値<code>*x*</code>*と<code> y </code>", "値`*x*`\\*と `y`"),
    ("<p>10<sup>23</sup>とH<sub>2</sub>O", "10^{23}とH_{2}O"),
    ("<p>文である<sup>1</sup>。", "文である[1]。"),
    ("<p>x<sup>n + (i-1)m</sup>とa<sup>see it</sup>", "x^{n + (i-1)m}とasee it"),
    ("<p>次<pre>a\u200bb</pre>", "次\n\n```\na\u200bb\n```"),
    ("<p><math><mi>x</mi></math><math><mi>y</mi></math>", "$x$ $y$"),
    ("<p>式<math><mi>x</mi></math>2と\\<math><mi>y</mi></math>", "式$x$ 2と\\\\$y$"),
    ("<p><ruby>漢字<rt>かんじ</rt></ruby>を読む", "漢字を読む"),
    ("<p><a href=x>網</a><b>太</b><img alt=絵>い", "網太い"),
]


@pytest.mark.parametrize(("html", "expected"), INLINE)
def test_inline_signs(html: str, expected: str) -> None:
    assert text_of(html) == expected


def test_ruby_is_read_as_the_policy_says() -> None:
    html = "<p><ruby>漢字<rt>かんじ</rt></ruby>を読む"
    assert extract(html, ruby="inline").text == "漢字（かんじ）を読む"
    assert extract(html, ruby="keep").text == "｜漢字《かんじ》を読む"


def test_an_inner_list_that_begins_late_is_parted_from_the_text_above() -> None:
    text, blocks, _ = written("<ol><li>一<ol start=3><li>三<li>四</ol></ol>")
    assert text == "1. 一\n\n   3. 三\n   4. 四"
    assert [level for _, level, _ in parts(text, blocks)] == [1, 2, 2]


def test_a_line_with_code_or_a_formula_is_no_boilerplate() -> None:
    """Removing it gave its hole to the next one."""
    html = "<p><code>一</code>前へ</p><p>© 2020 <code>二</code></p><p><code>三</code>の文</p>"
    assert text_of(html) == "`一`前へ\n\n© 2020 `二`\n\n`三`の文"


def test_indents_of_preformatted_prose_are_no_signs() -> None:
    lines = [f"{n}番目の文をここに書いておきます。" for n in "一二三四五六七八九十"]
    html = (
        "<pre>" + "\n".join([*lines, "    字下げの文です。", "  - 印に見える文です。"]) + "</pre>"
    )
    text, blocks, _ = written(html)
    assert [kind for kind, _, _ in parts(text, blocks)] == ["paragraph"]
    assert text.endswith("\n字下げの文です。\n\\- 印に見える文です。")


SIGNS = [
    *("# 見出し", "## ", "- ", "* ", "+ ", "1. ", "10) ", "> ", "```", "`", "``", "~~~", "---"),
    *("| a | b |", "| --- | --- |", "===", "***", "$", "$$", "$x$", "\\(", "\\)", "\\[", "\\]"),
    *("\\", "&lt;b&gt;", "&amp;amp;", "[a](b)", "[a]: b", "![x](y)", "*強調*", "__x__", "_x_"),
    *("\x1e", "\x1f", "\x0b", "\u2028", "\u3000", "  ", "\n", "\t", "&nbsp;", "&#31;", "&#30;"),
    *("日本語の文です。", "二つ目。三つ目。四つ目の文です。", "abc", "2", "続きを読む", "© 2020 x"),
    *("前へ", "〈数式〉", "\\begin{align}", "\\end{align}", "-", "=", "#", "1.", "[tex:", "]", "|"),
    *("y^2", "&#8203;", "１", "%"),
]
_TAGS = (
    "div p span b a h1 h6 ul ol li dl dt dd table tr td th caption pre code kbd blockquote br hr "
    "sup sub ruby rt math textarea xmp figcaption script img svg section"
)
ATTRIBUTES = [
    *("class=katex", "class=katex-display", "class=gutter", "class=anchor", "class=block"),
    *("class=code-block", "class='language-python'", "hidden", "style='white-space:pre'"),
    *("colspan=99999999", "rowspan=99999999", "colspan=2", "start=-1", "start=7", "value=3"),
    *("start=99999999999", "type='math/tex; mode=display'", "data-tex='x|y'", "name=code"),
    *("alt='\\frac{a}{b}'", "data-lang='a b`c'"),
]
SOUP = st.lists(
    st.one_of(
        st.builds(
            "<{} {}>".format,
            st.sampled_from(_TAGS.split()),
            st.sampled_from([""] * 20 + ATTRIBUTES),
        ),
        st.builds("</{}>".format, st.sampled_from(_TAGS.split())),
        st.sampled_from(SIGNS),
    ),
    max_size=28,
)


def rendered(markdown: str) -> list[tuple[object, ...]]:
    """The structure that a reader of Markdown sees; no mark inside paragraphs is meant."""
    found: list[tuple[object, ...]] = []
    for token in READER.parse(markdown):
        if token.type == "heading_open":
            found.append(("heading", int(token.tag[1])))
        elif token.type in ("fence", "code_block"):
            found.append(("code", token.content))
        elif token.type in ("html_block", "hr"):
            found.append(("rule",) if token.type == "hr" else ("html", token.content))
        elif token.type in ("list_item_open", "table_open", "blockquote_open", "tr_open"):
            found.append((token.type.removesuffix("_open"),))
        elif token.type in ("th_open", "td_open"):
            found.append(("cell",))
        elif token.type == "inline" and "$" not in token.content.replace("\\$", ""):
            names = {child.type for child in token.children or ()}
            strange = names - {"text", "softbreak", "code_inline", "text_special"}
            found.extend(("strange", name) for name in strange)
    return found


def said(text: str, blocks: Blocks) -> list[tuple[object, ...]]:
    """The structure that the blocks say."""
    found: list[tuple[object, ...]] = []
    for kind, level, part in parts(text, blocks):
        if kind == "heading":
            found.append((kind, level))
        elif kind == "code":
            found.append((kind, "\n".join(part.split("\n")[1:-1]) + "\n"))
        elif kind == "item":
            found.append(("list_item",))
        elif kind == "quote":
            found.append(("blockquote",))
        elif kind == "rule":
            found.append((kind,))
        elif kind == "table":
            found.append((kind,))
            rows = part.split("\n")
            for row in [rows[0], *rows[2:]]:
                cells = len(re.findall(r"(?<!\\)\|", row)) - 1
                found += [("tr",), *[("cell",)] * cells]
    return found


def without_formulas(text: str, blocks: Blocks) -> str:
    """The Markdown with a word for each display formula: a reader of dollars never reads inside."""
    out, at = "", 0
    for span in blocks.spans.tolist():
        part = text[span[START] : span[END]]
        out += text[at : span[START]] + ("x" if KINDS[span[KIND]] == "formula" else part)
        at = span[END]
    return out


def spans_cover(text: str, blocks: Blocks) -> None:
    at = 0
    for start, end, kind, level, language in blocks.spans.tolist():
        assert at <= start < end and not text[at:start].strip("\n")
        assert text[start] != "\n" != text[end - 1]
        assert 0 <= kind < len(KINDS) and level >= 0 and language <= len(blocks.languages)
        if KINDS[kind] != "code":
            assert "\n\n" not in text[start:end]
        at = end
    assert at == len(text)


@settings(max_examples=1500, deadline=None)
@given(SOUP, st.booleans())
def test_no_html_forges_structure(soup: list[str], normal: bool) -> None:
    text, blocks, _ = written("".join(soup), NORMALIZE_STEPS if normal else ())
    spans_cover(text, blocks)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text)
    assert rendered(without_formulas(text, blocks)) == said(text, blocks)


_PLAIN_TAGS = "div p span b h2 ul ol li dt dd blockquote br table tr td th figcaption sub"
PLAIN_TAGS = _PLAIN_TAGS.split()


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds("<{}>".format, st.sampled_from(PLAIN_TAGS)),
            st.builds("</{}>".format, st.sampled_from(PLAIN_TAGS)),
            st.sampled_from(["# 見出し", "- ", "1. ", "> ", "```", "`", "| a |", "---", "_x_"]),
            st.sampled_from(["*甲*", "a*b", "[a](b)", "\\", "&lt;p&gt;", "&amp;amp;", "文です。"]),
            st.sampled_from(
                ["<code>", "</code>", " ", "\n", "日本語。", "abc", "100円", "C#", "|"]
            ),
        ),
        max_size=25,
    )
)
def test_the_plain_view_is_the_visible_text_in_order(soup: list[str]) -> None:
    document = parse("".join(soup))
    text, blocks, _ = write(document, np.ones(len(document.blocks), np.bool_))
    view, seen = plain_text(text, blocks), "".join(document.block_texts())
    # a colon parts a term from its value, and nothing else is added
    assert squeezed(view).replace(":", "") == squeezed(seen).replace(":", "")


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_real_pages_keep_their_words_and_structure(data: Path) -> None:
    pages = sorted(data.rglob("*.html"))
    assert pages
    for path in pages:
        document = parse(path.read_bytes())
        text, blocks, unread = write(document, np.ones(len(document.blocks), np.bool_))
        spans_cover(text, blocks)
        assert rendered(without_formulas(text, blocks)) == said(text, blocks), path
        assert unread == 0


def test_real_crawled_pages_keep_their_structure(shared_data: Path) -> None:
    from benchmarks.training.goldsets import dev_sample

    for page, _ in zip(dev_sample(shared_data / "warc"), range(150), strict=False):
        found = extract(page.html, page.url)
        spans_cover(found.text, found.blocks)
        structure = rendered(without_formulas(found.text, found.blocks))
        assert structure == said(found.text, found.blocks), page.url


def test_languages_are_named_once_a_block() -> None:
    html = "<pre class=language-python>a\nb</pre><pre>c\nd</pre><pre lang=sql>e\nf</pre>"
    text, blocks, _ = written(html)
    assert text == "```python\na\nb\n```\n\n```\nc\nd\n```\n\n```sql\ne\nf\n```"
    names = ["", *blocks.languages]
    assert [names[k] for k in blocks.spans[:, LANGUAGE]] == ["python", "", "sql"]
