"""The walk over the serialised page reads what a walk over the DOM does."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from corpus.web.html import blocks as b
from corpus.web.html.document import parse

SKIPPED = (
    "script style noscript template button select option textarea input iframe svg math object "
    "embed canvas audio video head title datalist meter progress applet map rt rp rtc noframes "
    "-comment -undef"
)
DROPPED = dict.fromkeys([*range(32), *range(127, 160), 0x200B, 0xFEFF])


def visible(node: LexborNode) -> str:
    """Text of a DOM subtree that the walk should read, in document order (reference)."""
    if node.tag == "-text":
        return node.text_content or ""
    style = "".join((node.attributes.get("style") or "").split())
    if node.tag in SKIPPED.split() or "hidden" in node.attributes or "display:none" in style:
        return ""
    found, child = "", node.child
    while child is not None:
        found += visible(child)
        child = child.next
    return found


def squeezed(text: str) -> str:
    return "".join(text.translate(DROPPED).split())


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
