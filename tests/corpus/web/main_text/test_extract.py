"""Main-content extraction: what comes through, what does not, and in which shape."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.settings import NORMALIZE_STEPS as STEPS
from corpus.text.blocks import KIND, KINDS
from corpus.text.views import plain_text
from corpus.web.main_text.extract import extract, parse

BODY = (
    "<p>今年も城下町の桜が咲いた。市によると、満開は来週の半ばになるという。</p>"
    "<p>近くに住む男性は「毎年ここで花を見るのを楽しみにしている」と話した。</p>"
    "<p>市は週末に合わせて臨時のバスを出し、駐車場を三か所ふやす予定だ。</p>"
)


def page(inside: str, head: str = "") -> str:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{inside}</body></html>"


def article(extra: str = "", before: str = "", after: str = "") -> str:
    return page(f"{before}<article><h1>桜が咲いた</h1>{BODY}{extra}</article>{after}")


def lines(html: str, **settings: str) -> list[str]:
    return [line for line in extract(html, **settings).text.split("\n") if line]


def test_paragraphs_come_out_one_a_line_with_their_heading() -> None:
    found = extract(article()).text.split("\n\n")
    assert found[0] == "# 桜が咲いた"
    assert found[1].startswith("今年も城下町") and found[3].startswith("市は週末")
    assert len(found) == 4


def test_bytes_and_text_and_a_parsed_document_give_the_same_page() -> None:
    html = article()
    pages = [extract(html), extract(html.encode()), extract(parse(html))]
    assert len({page[:1] + page[2:] for page in pages}) == 1
    assert len({(page.blocks.spans.tobytes(), page.blocks.languages) for page in pages}) == 1


RUBY = "<p>これは<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>の読みを付けた文章です。</p>"
RB = "<p>これは<ruby><rb>漢字</rb><rp>（</rp><rt>かんじ</rt><rp>）</rp></ruby>の文章です。</p>"
BARE = "<p>これは<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>の文章です。</p>"


@pytest.mark.parametrize(
    ("policy", "html", "expected"),
    [
        ("drop", RUBY, "これは漢字の読み"),
        ("drop", RB, "これは漢字の文章"),
        ("drop", BARE, "これは漢字の文章"),
        ("inline", RUBY, "これは漢字（かんじ）の読み"),
        ("inline", RB, "これは漢字（かんじ）の文章"),
        ("inline", BARE, "これは漢（かん）字（じ）の文章"),
        ("keep", RUBY, "これは｜漢字《かんじ》の読み"),
        ("keep", RB, "これは｜漢字《かんじ》の文章"),
        ("keep", BARE, "これは｜漢《かん》｜字《じ》の文章"),
    ],
)
def test_ruby_policies(policy: str, html: str, expected: str) -> None:
    assert expected in extract(article(html), ruby=policy).text


def test_an_unknown_ruby_policy_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"'hiragana'.*drop, inline, keep"):
        extract(article(), ruby="hiragana")


def test_a_single_br_is_a_line_and_two_are_a_paragraph_and_indents_go() -> None:
    text = page(
        "<div>　昔々、ある所に老人が住んでいた。<br>山へ行くのが好きだった。<br><br>"
        "　ある日、川で大きな桃を見つけた。<br />\n<br>　それを持って帰ることにした。</div>"
    )
    assert extract(text).text == (
        "昔々、ある所に老人が住んでいた。\n山へ行くのが好きだった。\n\n"
        "ある日、川で大きな桃を見つけた。\n\nそれを持って帰ることにした。"
    )


def test_a_source_line_break_between_japanese_characters_writes_nothing() -> None:
    text = extract(
        page(
            "<p>長い文は原稿の途中で\n  折り返されていますが、\n続けて読めます。</p>"
            "<p>English words\nstay apart, as they should.</p>"
        )
    ).text
    assert "途中で折り返されていますが、続けて読めます。" in text
    assert "English words stay apart" in text


def test_a_data_table_keeps_its_rows_as_lines_with_bars_between_cells() -> None:
    table = (
        "<table><tr><th>年</th><th>来場者</th></tr><tr><td>2022年</td><td>12万人</td></tr>"
        "<tr><td>2023年</td><td>15万人</td></tr></table><p>過去最多は2019年の18万人だった。</p>"
    )
    page = extract(article(table))
    rows = "| 年 | 来場者 |\n| --- | --- |\n| 2022年 | 12万人 |\n| 2023年 | 15万人 |"
    assert f"\n\n{rows}\n\n過去最多" in page.text
    assert "年\t来場者\n2022年\t12万人\n2023年\t15万人\n" in plain_text(page.text, page.blocks)


def test_list_items_are_lines() -> None:
    items = (
        "<p>会場では次の催しがある。</p><ul><li>太鼓の演奏がある。</li>"
        "<li>茶会が開かれる。</li></ul>"
    )
    found = lines(article(items))
    assert "- 太鼓の演奏がある。" in found and "- 茶会が開かれる。" in found


def test_code_keeps_its_line_breaks_and_indents() -> None:
    code = (
        "<p>次のように書く。すると動く。</p><pre>"
        "<code>def f(x):\n    if x:\n        return 1\n</code></pre>"
    )
    assert "\n\n```\ndef f(x):\n    if x:\n        return 1\n```" in extract(article(code)).text


def test_plain_text_in_pre_keeps_its_lines() -> None:
    text = "　これは平文の文書です。\n改行は残ります。\n\n段落が変わりました。\n以上で終わりです。"
    found = extract(page(f"<pre>{text}</pre>"))
    assert found.text == text  # sentences: paragraphs, no code
    names = [KINDS[kind] for kind in found.blocks.spans[:, KIND]]
    assert names == ["paragraph", "paragraph"]
    assert extract(page(f"<pre>{text}</pre>"), steps=STEPS).text == text.replace("　", "")


def test_numeric_entities_decode() -> None:
    coded = "".join(f"&#x{ord(c):x};" for c in "文字参照だけで書かれた日本語の文章です。")
    decimal = "".join(f"&#{ord(c)};" for c in "これも読めなければなりません。")
    text = extract(page(f"<div><p>{coded}</p><p>{decimal}&amp;&lt;&gt;&quot;</p></div>")).text
    assert "文字参照だけで書かれた日本語の文章です。" in text
    assert '読めなければなりません。&<>"' in text


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>見えない文章がここに書いてあります。</p>",
        "<p style='color:red; DISPLAY : none'>見えない文章がここに書いてあります。</p>",
        "<div style='visibility:hidden'><p>見えない文章がここに書いてあります。</p></div>",
        "<script>var s = '見えない文章がここに書いてあります。';</script>",
        "<style>p::after { content: '見えない文章がここに書いてあります。' }</style>",
        "<noscript><p>見えない文章がここに書いてあります。</p></noscript>",
        "<template><p>見えない文章がここに書いてあります。</p></template>",
        "<textarea>見えない文章がここに書いてあります。</textarea>",
        "<select><option>見えない文章がここに書いてあります。</select>",
        "<!-- 見えない文章がここに書いてあります。 -->",
        "<svg><text>見えない文章がここに書いてあります。</text></svg>",
        "<dialog><p>見えない文章がここに書いてあります。</p></dialog>",
    ],
)
def test_invisible_text_does_not_come_through(hidden: str) -> None:
    text = extract(article(hidden)).text
    assert "見えない" not in text and "臨時のバス" in text


NAVIGATION = (
    "<header><div class='logo'><a href='/'>山の新聞</a></div><nav class='gnav'><ul>"
    "<li><a href='/1'>社会</a></li><li><a href='/2'>経済</a></li><li><a href='/3'>文化</a></li>"
    "</ul></nav></header><ol class='breadcrumb pankuzu'><li><a href='/'>ホーム</a> &gt;</li>"
    "<li><a href='/1'>社会</a> &gt;</li><li>桜が咲いた</li></ol>"
)
FOOTER = (
    "<aside class='sidebar'><h2>アクセスランキング</h2><ul><li>"
    "<a href='/a'>市長選の結果が判明</a></li>"
    "<li><a href='/b'>新しい駅が開業へ</a></li></ul></aside>"
    "<p class='pagetop'><a href='#top'>ページトップへ</a></p>"
    "<footer><ul><li><a href='/c'>会社概要</a></li><li><a href='/d'>採用情報</a></li></ul>"
    "<p>Copyright © 2024 山の新聞 All Rights Reserved. 無断転載を禁じます。</p></footer>"
)


@pytest.mark.parametrize(
    "waste",
    [
        "経済",
        "ホーム",
        "アクセスランキング",
        "市長選の結果",
        "ページトップへ",
        "採用情報",
        "Copyright",
        "無断転載",
    ],
)
def test_navigation_rails_and_footers_do_not_come_through(waste: str) -> None:
    text = extract(article(before=NAVIGATION, after=FOOTER)).text
    assert waste not in text
    assert "今年も城下町の桜が咲いた。" in text and "三か所ふやす予定だ。" in text


@pytest.mark.parametrize(
    "waste",
    [
        "<ul class='sns-share'><li><a href='x'>ツイート</a></li><li><a href='y'>シェアする"
        "</a></li></ul>",
        "<p><a href='/more'>続きを読む</a></p>",
        "<p><a href='#top'>▲ページの先頭へ戻る</a></p>",
        "<p>ホーム &gt; 社会 &gt; 桜が咲いた</p>",
        "<p><small>(c) 2024 Yama Shimbun. All rights reserved.</small></p>",
        "<div><a href='#'>この記事をシェア</a></div>",
        "<p>はてなブックマークに追加</p>",
        "<p>スポンサーリンク</p>",
        "<div class='cookie-consent'><p>当サイトではCookieを使用しています。同意しますか。"
        "</p></div>",
    ],
)
def test_boilerplate_inside_the_article_does_not_come_through(waste: str) -> None:
    assert extract(article(waste)).text == extract(article()).text


@pytest.mark.parametrize(
    "line",
    [
        "続きを読むには会員登録が必要だと同社は説明している。",
        "(c) 前号に掲げる者のほか、主務大臣が指定する者",
        "ホームから転落した乗客を駅員が助けた。",
        "トップページの改修に三か月かかった。",
    ],
)
def test_sentences_that_mention_such_phrases_stay(line: str) -> None:
    assert line in extract(article(f"<p>{line}</p>")).text.split("\n")


def test_a_page_laid_out_with_tables_gives_its_text_cell() -> None:
    menu = "".join(f"<a href='{i}.html'>項目{i}</a><br>" for i in range(12))
    html = page(
        f"<table width=760><tr><td width=150>{menu}</td><td>"
        + BODY.replace("<p>", "").replace("</p>", "<br><br>")
        + "</td></tr></table>"
    )
    text = extract(html).text
    assert "項目3" not in text
    assert "今年も城下町" in text and "三か所ふやす" in text


def test_a_frameset_gives_the_text_of_its_noframes() -> None:
    html = (
        "<html><frameset cols='20%,80%'><frame src=a.html><noframes><body>"
        "<p>フレームに対応していない方のために、ここに案内を書いておきます。</p></body></noframes></frameset></html>"
    )
    assert "ここに案内を書いておきます。" in extract(html).text


def test_a_forum_thread_keeps_its_posts() -> None:
    posts = "".join(
        f"<div class='post'><div class='name'>{i} 名無し</div><div class='body'>"
        f"<p>{i}番目の書き込みです。"
        "電源を入れ直したら直りました。同じ症状の人はいますか。</p></div></div>"
        for i in range(1, 9)
    )
    text = extract(page(f"<div id='thread'>{posts}</div>")).text
    assert all(f"{i}番目の書き込みです。" in text for i in range(1, 9))


def _is_subsequence(small: str, large: str) -> bool:
    rest = iter(large)
    return all(character in rest for character in small)


def _squeezed(text: str) -> str:
    return "".join(text.split())


_TAGS = st.sampled_from(
    ["div", "p", "li", "td", "b", "a", "h2", "pre", "article", "span", "br", "nav"]
)
_TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(_TAGS, _TEXT, st.booleans()), max_size=25))
def test_the_text_is_a_subsequence_of_the_visible_text(parts: list[tuple[str, str, bool]]) -> None:
    html, visible = "", ""
    for tag, text, close in parts:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        html += f"<{tag}>{escaped}" + (f"</{tag}>" if close and tag != "br" else "")
        visible += text
    found = extract(html)
    assert _is_subsequence(_squeezed(plain_text(found.text, found.blocks)), _squeezed(visible))


def test_sections_of_one_shape_all_come_through() -> None:
    sections = "".join(
        f"<div class='office'><h2>第{i}営業所</h2><p>住所は本町{i}丁目です。駅から{i}分で着きます。"
        f"</p><p>受付は午前九時から午後五時まで。土曜と日曜は休みます。</p></div>"
        for i in range(1, 6)
    )
    text = extract(
        page(f"<div id='page'>{NAVIGATION}<div class='main'>{sections}</div>{FOOTER}</div>")
    ).text
    assert all(f"第{i}営業所" in text for i in range(1, 6))


def test_an_index_page_gives_no_text_and_says_so() -> None:
    links = "".join(f"<li><a href='/p/{i}'>{i}番目の記事の題名</a></li>" for i in range(80))
    index = f"<h1>記事一覧</h1><ul class='index'>{links}</ul>"
    found = extract(page(f"{NAVIGATION}<div class='list'>{index}</div>{FOOTER}"))
    assert (found.text, found.method) == ("", "listing")
    assert found.listing > 0.8
