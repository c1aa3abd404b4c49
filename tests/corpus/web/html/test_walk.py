"""The walk over the serialised page reads what a walk over the DOM does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from corpus.web.html import blocks as b
from corpus.web.html.document import parse

SKIPPED = (
    "script style noscript template button select option textarea input iframe svg object "
    "embed canvas audio video head title datalist meter progress applet map rt rp rtc noframes "
    "-comment -undef"
)
DROPPED = dict.fromkeys([*range(32), *range(127, 160), 0x200B, 0xFEFF])
# What the walk does on purpose with names that programs write (corpus/web/html/classes.py).
FORMULAS = "katex katex-display mathjax mathjax_display mjx-chtml mjx-container mwe-math-element"
UNSEEN = "mathjax_preview katex-html boring rusttest mw-editsection"
GUTTERS = (
    "gutter lineno linenos linenodiv line-number line-numbers line-numbers-rows linenumber "
    "linenumbers hljs-ln-numbers blob-num lnt ln lntd gl"
)
ANCHORS = (
    "headerlink anchor-link hash-link header-anchor headeranchor heading-anchor anchor permalink"
)
POWERS = dict.fromkeys(map(ord, "^_{}[]"))  # the signs of powers, indices and notes


def visible(node: LexborNode) -> str:
    """Text of a DOM subtree that the walk should read, in document order (reference)."""
    if node.tag == "-text":
        return node.text_content or ""
    said = node.attributes
    style = "".join((said.get("style") or "").split())
    classes = set((said.get("class") or "").lower().split())
    code = node.tag == "textarea" and (said.get("name") == "code" or "codemirror-code" in classes)
    streamed = re.match("S:.", said.get("id") or "")  # a part that React moves to its place
    hidden = (
        ("hidden" in said and not streamed)
        or "display:none" in style
        or classes & set(UNSEEN.split())
    )
    if hidden or (node.tag in SKIPPED.split() and not code):
        return ""
    first = node.child.text_content or "" if node.child and node.child.tag == "-text" else ""
    if node.tag == "math" and not first.strip():
        return ""
    if node.tag == "mjx-container" or classes & set(FORMULAS.split()) or said.get("data-tex"):
        return ""
    found, child = "", node.child
    while child is not None:
        found += visible(child)
        child = child.next
    sign = "".join(found.split())
    if classes & set(GUTTERS.split()) and re.fullmatch(r"[0-9.:]*", sign):
        return ""
    if classes & set(ANCHORS.split()) and re.fullmatch("[^0-9A-Za-z\u3000-\uffff]?", sign):
        return ""
    return found


def squeezed(text: str) -> str:
    return "".join(text.translate(DROPPED | POWERS).split())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "<div>",
                    "</div>",
                    "<p>",
                    "</p>",
                    "<table><tr><td>",
                    "</table>",
                    "<br>",
                    "<b>",
                    "</b>",
                    "<ruby>漢<rp>(</rp><rt>かん</rt></ruby>",
                    "<script>x<y</script>",
                    "<p hidden>",
                    "<select>",
                    "<a href='?a=1&b=\"2\"'>",
                    "</a>",
                    "<svg><p>",
                    "<!-- > -->",
                    "&amp;&lt;&nbsp;&#12354;",
                    "<ul>",
                    "<li>",
                    "<pre>",
                    "</pre>",
                    "<code class=block>",
                    "</code>",
                    "<span class=gutter>1</span>",
                    "<span class=gutter>x</span>",
                    "<a class=headerlink>¶</a>",
                    "<a class=anchor>あ</a>",
                    "<span class=boring>x</span>",
                    "<math><mi>x</mi></math>",
                    "<math>甲</math>",
                    "<span class=katex>y</span>",
                    "<textarea name=code>a\n b</textarea>",
                    "10<sup>23</sup>",
                    "<sub>",
                    "</sub>",
                ]
            ),
            st.text(st.characters(codec="utf-8", exclude_characters="<&\0\r"), max_size=20),
        ),
        max_size=30,
    )
)
def test_the_walk_reads_what_the_dom_shows(parts: list[str]) -> None:
    html = "".join(parts)
    body = LexborHTMLParser(html.encode()).body
    assert squeezed("".join(parse(html).block_texts())) == squeezed(visible(body) if body else "")


def test_real_pages_are_read_as_the_dom_shows_them(shared_data: Path) -> None:
    from benchmarks.training.goldsets import dev_sample

    pages = [page for page, _ in zip(dev_sample(shared_data / "warc"), range(60), strict=False)]
    for page in pages:
        body = LexborHTMLParser(page.html).body
        assert body is not None
        ours = squeezed("".join(parse(page.html).block_texts()))
        assert ours == squeezed(visible(body)), page.url


def test_blocks_lie_inside_their_elements() -> None:
    document = parse("<div><p>一</p><ul><li>二<b>三</b></li></ul>四</div><p>五</p>" * 3)
    for i, row in enumerate(document.blocks):
        e = row[b.B_ELEMENT]
        while e >= 0:
            element = document.elements[e]
            assert element[b.E_FIRST] <= i < element[b.E_END]
            e = element[b.E_PARENT]


def words(html: str) -> str:
    return "".join(parse(html).block_texts())


def test_powers_indices_and_notes_have_signs() -> None:
    assert words("<p>10<sup>23</sup>個のH<sub>2</sub>O") == "10^{23}個のH_{2}O"
    assert words("<p>2 <sup>30</sup>バイト") == "2^{30}バイト"
    assert words("<p>文である<sup>1</sup>。続く<sup><a href=#n>2</a></sup>。") == (
        "文である[1]。続く[2]。"
    )
    assert words("<p>文<sup>[3]</sup>と<sup>※</sup>と1<sup>st</sup>とX<sup>TM</sup>") == (
        "文[3]と※と1stとXTM"
    )


def test_numbers_of_lines_and_links_to_oneself_are_no_text() -> None:
    assert words("<h2>節<a class=headerlink href=#a>¶</a></h2>") == "節"
    assert words("<h2><a class=anchor name=a>あ</a></h2><h2><a class=anchor>A</a></h2>") == "あA"
    assert words("<p><span class=gutter>12</span>行<span class=ln>第1</span>") == "行第1"


def test_hidden_formulas_are_no_text() -> None:
    hidden = parse("<p>式<span class=katex style='display:none'><math><mi>x</mi></math></span>。")
    assert not hidden.has_formulas and hidden.block_texts() == ["式。"]
    image = parse("<p>式<img class=tex alt='x^{2}' hidden>。")
    assert not image.has_formulas


def test_parts_that_react_sends_late_are_read() -> None:
    html = "<div hidden id=S:1><p>本文</p></div><div id=S:2 hidden>続き</div><p hidden id=S>隠す"
    assert parse(html).block_texts() == ["本文", "続き"]
    assert (
        parse('<p hidden="until-found">見える<p id=S:1 style="display:none">隠す').visible
        == "見える"
    )


@given(st.text(alphabet="aZ09 ,!\n年月あゖァー・ヴ、。一龯々Ａ９é€𠮷", min_size=1, max_size=40))
def test_runs_of_letters_are_counted_as_characters_alone(text: str) -> None:
    """A tag between two characters ends every run."""
    whole, alone = (parse(f"<p>{part}</p>") for part in (text, "<i></i>".join(text)))
    assert whole.text.tobytes() == alone.text.tobytes()
    counted = np.arange(b.B_WIDTH) != b.B_INLINE
    assert (whole.blocks[:, counted] == alone.blocks[:, counted]).all()
