"""Hostile pages: no crash, no hang, and the text still comes through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.web.html.guard import MAX_DEPTH, harmless
from corpus.web.main_text.extract import extract, parse

SENTENCE = "深い所に置かれた文章もきちんと取り出されます。"


@pytest.mark.parametrize(
    "nest",
    [
        "<div>" * 30_000,
        "<ul><li>" * 30_000,
        "<p><b>" * 20_000,
        "<form><div>" * 20_000,
        "<table><tr><td>" * 10_000,
        "<blockquote>" * 50_000,
        "<span>" * 50_000,
        "<a href=x><div>" * 20_000,
        "".join(f"<font size={i}>" for i in range(30_000)),
        "".join(f"<font size={i}><p>" for i in range(3_000)),
    ],
    ids=["div", "ul-li", "p-b", "form", "table", "blockquote", "span", "a-div", "font", "font-p"],
)
def test_deep_nesting_keeps_its_text(nest: str) -> None:
    assert SENTENCE in extract(nest + SENTENCE).text


def test_the_guard_leaves_ordinary_pages_alone() -> None:
    html = ("<div><p>本文<br><img src='a>b'>" * 200 + "</div>" * 200).encode()
    assert harmless(html) is html


def test_the_guard_drops_tags_but_no_text() -> None:
    html = ("<div>あ" * 2_000 + "</div>い" * 2_000).encode()
    flat = harmless(html)
    assert flat.count(b"<div>") == MAX_DEPTH == flat.count(b"</div>")
    assert flat.count("あ".encode()) == flat.count("い".encode()) == 2_000


def test_a_tag_with_thirty_thousand_attributes() -> None:
    html = "<p " + " ".join(f"a{i}=1" for i in range(30_000)) + f"><p>{SENTENCE}"
    assert SENTENCE in extract(html).text


def test_one_line_of_a_megabyte() -> None:
    text = extract("<p>" + "あ" * 400_000 + "。").text
    assert text == "あ" * 400_000 + "。"


def test_a_hundred_thousand_blocks() -> None:
    page = extract("".join(f"<p>{i}番目の段落です。ここに文があります。" for i in range(100_000)))
    assert page.n_blocks == 100_000
    assert page.method == "rule"
    assert page.text.count("\n\n") == 99_999 and len(page.blocks.spans) == 100_000


@pytest.mark.parametrize(
    "html",
    [
        "",
        " ",
        "\0",
        "<",
        "<!",
        "<!--",
        "<a",
        "</",
        "<p",
        "&",
        "&#",
        "&#x110000;",
        "<html>",
        "<head>",
        "<title>",
        "<frameset>",
        "<plaintext>",
        "<script>",
        "<svg><title>",
        "<p>\ud800x",
        "a\0b\0" * 500,
        b"\xff\xfe\x00",
        b"\xe3\x81",
        b"<p>\xe3\x81\xff",
        "<meta charset>",
        "<base href>",
        "<body " * 50,
    ],
)
def test_fragments_give_a_page_and_no_error(html: str | bytes) -> None:
    page = extract(html, "http://[")
    assert isinstance(page.text, str)
    page.text.encode()


def test_nul_bytes_vanish() -> None:
    assert (
        extract("<p>\0今日は\0良い天気です。\0散歩に行きます。").text
        == "今日は良い天気です。散歩に行きます。"
    )


def test_a_page_without_a_body() -> None:
    page = extract("<html><head><title>題だけ</title></head></html>")
    assert (page.text, page.title, page.method, page.n_blocks) == ("", "題だけ", "none", 0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<div class=nav>",
                "</div>",
                "<p>",
                "</p>",
                "<table>",
                "<tr>",
                "<td>",
                "</table>",
                "<a href=x>",
                "</a>",
                "<script>",
                "</script>",
                "<!--",
                "-->",
                "<svg>",
                "</svg>",
                "<ruby>",
                "<rt>",
                "</rt>",
                "<br>",
                "<select>",
                "<option>",
                "<title>",
                "</title>",
                "<frameset>",
                "<template>",
                "<b>",
                "</b>",
                "\0",
                "<",
                ">",
                "&lt;",
                "&nbsp;",
                '"',
                "='",
                "日本語の文。",
                "word. ",
                "\n",
                "　",
                "<pre>",
                "</pre>",
                "<h1>",
                "<math>",
                "<noframes>",
                "</noframes>",
                "<xmp>",
                "</xmp>",
            ]
        ),
        max_size=60,
    ),
    st.sampled_from(["drop", "inline", "keep"]),
)
def test_any_soup_of_tags_gives_a_page(parts: list[str], ruby: str) -> None:
    document = parse("".join(parts), ruby)
    page = extract(document, "https://example.jp/2024/01/02/x", ruby)
    page.text.encode()
    assert document.meta is not None and document.links is not None and document.jsonld is not None
    starts_ends = document.blocks[:, :2]
    assert (starts_ends[:, 0] < starts_ends[:, 1]).all()
    assert (starts_ends[1:, 0] >= starts_ends[:-1, 1]).all()
