"""The `<h1>` before the chosen part is kept where it is the text's title; empty headings go."""

from __future__ import annotations

import numpy as np
import pytest

from corpus.web.html import blocks as b
from corpus.web.html.document import parse
from corpus.web.main_text.page_title import with_title
from corpus.web.main_text.write import write

TITLE = "秋の水路"
BODY = "<div id=text><p>本文です。</p><p>続きです。</p></div>"


def written(html: str, *kept: str) -> str:
    """Markdown of a page of whose blocks those that hold one of the words are the main text."""
    document = parse(html)
    texts = document.block_texts()
    keep = np.array([any(word in text for word in kept) for text in texts], np.bool_)
    return write(document, with_title(document, keep))[0]


def page(h1: str, title: str = TITLE, body: str = BODY) -> str:
    return f"<title>{title}</title>{h1}<p>2026年</p>{body}"


@pytest.mark.parametrize(
    ("h1", "title"),
    [
        (f"<h1>{TITLE}</h1>", TITLE),
        (f"<h1>{TITLE}</h1>", f"{TITLE} | 例の会"),
        (f"<header><h1>{TITLE}</h1></header>", f"{TITLE}｜例の会"),
        (f"<h1>{TITLE}</h1>", f"例の会 | {TITLE}"),
        (f"<h1>{TITLE}</h1><p>写真</p>", f" {TITLE[:2]}\n{TITLE[2:]}"),
    ],
)
def test_the_h1_that_is_the_title_begins_the_text(h1: str, title: str) -> None:
    assert written(page(h1, title), "です") == f"# {TITLE}\n\n本文です。\n\n続きです。"


@pytest.mark.parametrize(
    ("h1", "title"),
    [
        (f"<h1><a href=/>{TITLE}</a></h1>", TITLE),  # leads to the front page
        ("<h1>水路なら例の会</h1>", TITLE),  # words for search engines
        (f"<header><h1>{TITLE}</h1></header>", f"会則 | {TITLE}"),  # the site's name
        ("<h1>秋の</h1>", TITLE),  # no more than its begin
        ("<h1></h1>", TITLE),
        ("", TITLE),
    ],
)
def test_other_heads_are_not_kept(h1: str, title: str) -> None:
    assert written(page(h1, title), "です") == "本文です。\n\n続きです。"


def test_a_page_that_keeps_its_h1_or_nothing_is_as_it_was() -> None:
    html = page(f"<h1>{TITLE}</h1>", body=f"<h1>{TITLE}続</h1>{BODY}")
    assert written(html, "です", "続") == f"# {TITLE}続\n\n本文です。\n\n続きです。"
    assert written(html) == ""
    assert with_title(parse(""), np.zeros(0, np.bool_)).size == 0


MENU = "<h3>{}</h3><ul><li><a href=#a>甲へ</a><li><a href=#b>乙へ</a></ul>"


def test_a_heading_of_dropped_links_goes() -> None:
    html = f"<p>始め。</p>{MENU.format('話題')}<h3>本題</h3><p>本文です。</p>"
    assert written(html, "始め", "話題", "本題", "です") == "始め。\n\n### 本題\n\n本文です。"


def test_headings_over_text_or_over_deeper_headings_stay() -> None:
    html = f"{MENU.format('話題')}<h4>本題</h4><p>本文です。</p><h4>終わり</h4>"
    assert written(html, "話題", "本題", "です", "終わり") == (
        "### 話題\n\n#### 本題\n\n本文です。\n\n#### 終わり"
    )
    dropped = "<h3>話題</h3><p>捨てた文。</p><h3>本題</h3><p>本文です。</p>"
    assert written(dropped, "話題", "本題", "です") == "### 話題\n\n### 本題\n\n本文です。"
    document = parse(html)
    assert (document.blocks[:, b.B_LINKED] > 0).any()
