"""Code comes out byte for byte, whatever writes it, and with its language."""

from __future__ import annotations

import html as entities

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import KIND, KINDS
from corpus.text.views import plain_text
from corpus.web.html.document import parse
from corpus.web.main_text.write import write

CODE = "def f(x):\n\tif x:\n\n\n        return  1   # 注\n    return `0`"
LINES = CODE.split("\n")


def written(html: str) -> tuple[str, list[str], str, str]:
    """(Markdown, kinds, plain view, first language) of a whole page."""
    document = parse(html)
    text, blocks, _ = write(document, np.ones(len(document.blocks), np.bool_))
    kinds = [KINDS[k] for k in blocks.spans[:, KIND]]
    return text, kinds, plain_text(text, blocks), "".join(blocks.languages[:1])


def gutter(numbers: str, code: str) -> str:
    return f"<table><tr><td class=gutter><pre>{numbers}</pre><td class=code>{code}</table>"


NUMBERS = "\n".join(str(n + 1) for n in range(len(LINES)))


def by_line(before: str, after: str = "", parted: str = "\n") -> str:
    """The code with something before and behind each line; {} is its number."""
    lines = (before.format(n + 1) + line + after for n, line in enumerate(LINES))
    return f"<pre>{parted.join(lines)}</pre>"


COLOURED = CODE.replace("def", "<span class=k>def</span>").replace("x", "<b>x</b>")
SHAPES = {
    "pre": f"<pre>{CODE}</pre>",
    "pre code": f"<pre><code>{CODE}\n</code></pre>",
    "first line feed": f"<pre>\n{CODE}\n\n</pre>",
    "spans": f"<pre>{COLOURED}</pre>",
    "line spans": by_line("<span class=line>", "</span>"),
    "numbers in lines": by_line("<span class=lineno>{}</span>"),
    "numbers by style": by_line("<i style='user-select:none'>{}</i>"),
    "gutter table": gutter(NUMBERS, f"<pre>{CODE}</pre>"),
    "div lines": by_line("<div>", "</div>", ""),
    "br": "<pre>" + CODE.replace("\n", "<br>") + "</pre>",
    "xmp": f"<xmp>{CODE}</xmp>",
    "textarea": f"<textarea name=code>{CODE}</textarea>",
    "code block": f"<code class=block>{CODE}</code>",
    "style": f"<div style='white-space: pre'>{CODE}</div>",
    "class": f"<div class=code-block>{CODE}</div>",
    "numbers in rows": by_line("<div><span>{}</span><div>", "</div></div>", ""),
    "numbers in code": "<code>"
    + by_line("<div><span>{}</span><div>", "</div></div>", "")
    + "</code>",
}


@pytest.mark.parametrize("name", SHAPES)
def test_code_is_verbatim(name: str) -> None:
    text, kinds, plain, _ = written(f"<p>前。</p>{SHAPES[name]}<p>後。</p>")
    assert text == f"前。\n\n```\n{CODE}\n```\n\n後。"
    assert kinds == ["paragraph", "code", "paragraph"] and plain == f"前。\n{CODE}\n後。"


def test_the_fence_is_longer_than_any_run_of_backticks_inside() -> None:
    assert written("<pre>```js\nx\n```\n~~~~~</pre>")[0] == "````\n```js\nx\n```\n~~~~~\n````"
    assert written("<pre>a</pre>")[0] == "```\na\n```"


def test_blanks_written_as_entities_are_blanks_in_highlighters() -> None:
    html = "<div class=dp-highlighter><ol><li>if x:<li>&nbsp;&nbsp;y</ol></div>"
    assert written(html)[0] == "```\nif x:\n  y\n```"


def test_hidden_lines_of_a_site_are_hidden() -> None:
    assert written("<pre>a\n<span class=boring>hidden\n</span>b</pre>")[0] == "```\na\nb\n```"


def test_words_in_a_block_of_prose_are_no_code() -> None:
    """`block` and `code` are class names of all kinds of parts of a page."""
    prose = "　今日は晴れです。\n\t\t\t明日は雨になるでしょう。"
    for name in ("block", "code"):
        assert written(f"<div class={name}>{prose}</div>")[1] == ["paragraph"]
        assert written(f"<p class={name}><code>ls</code>を使うと\n分かる。</p>")[1] == ["paragraph"]


def test_preformatted_sentences_are_paragraphs_and_code_with_comments_is_code() -> None:
    prose = "昔の頁です。\n改行があります。\n\n段落です。終わり。"
    assert written(f"<pre>{prose}</pre>")[1] == ["paragraph", "paragraph"]
    code = "# 初めに読む。\nx = 1\n# 次に書く。\nf(x)\n# 最後に消す。\ndel x"
    assert written(f"<pre>{code}</pre>")[1] == ["code"]


def shown_as_blocks(*lines: str) -> str:
    return "".join(f"<code class='hl block'>{line}</code>\n" for line in lines)


def test_code_shown_as_a_block_is_a_listing_that_goes_on_in_the_next() -> None:
    assert written(shown_as_blocks("#check m"))[0] == "```\n#check m\n```"
    text = written(shown_as_blocks("a", "\n", "b\n\n", "c") + "<pre>out</pre>")[0]
    assert text == "```\na\n\nb\n\nc\nout\n```"


def test_listings_apart_and_code_in_a_sentence_stay_as_they_are() -> None:
    assert written("<pre>a</pre><pre>b</pre>")[1] == ["code", "code"]
    text = written(shown_as_blocks("a") + "<p>間。</p>" + shown_as_blocks("b"))[1]
    assert text == ["code", "paragraph", "code"]
    assert written("<p>値は<code class=block>x</code>です。</p>")[0] == "値は`x`です。"


def test_boxes_shown_over_code_are_no_code() -> None:
    html = "<pre>f<span class=hover-info><code>f : Nat</code></span>(x)\ny</pre>"
    assert written(html)[0] == "```\nf(x)\ny\n```"
    assert written("<p>商品<span class=hover-info>木の椅子</span></p>")[0] == "商品木の椅子"


HEADED = "<pre><code><div><span>Bash</span></div><div>cd x\nls</div></code></pre>"


def test_a_head_with_the_language_is_no_code() -> None:
    assert written(HEADED)[0] == "```bash\ncd x\nls\n```"
    lines = "<pre><div>bash</div><div>ls</div></pre>"
    assert written(lines)[0] == "```\nbash\nls\n```"


LANGUAGES = [
    ("<figure class='highlight sh'><table><tr><td class=gutter><pre>1\n2</pre><td class=code>"
     "<pre>a\nb</pre></table></figure>", "sh"),
    ("<div class='language-cpp rouge'><div class=highlight><code><table><tr><td><pre>a\nb</pre>"
     "</table></code></div></div>", "cpp"),
    ("<code class='hl lean block'>a\nb</code>", "lean"),
    ("<pre><code class='language-python'>a\nb</code></pre>", "python"),
    ("<pre class='brush: js; toolbar: false'>a\nb</pre>", "js"),
    ("<div class='highlight-source-ruby'><pre>a\nb</pre></div>", "ruby"),
    ("<div class='language-c++ rouge'><div class=highlight><pre>a\nb</pre></div></div>", "c++"),
    ("<figure class='highlight bash'><pre>a\nb</pre></figure>", "bash"),
    ("<pre data-lang=Scala>a\nb</pre>", "scala"),
    ("<pre lang=sql>a\nb</pre>", "sql"),
    ("<pre class='language-text'>a\nb</pre>", "text"),
    ("<pre class='highlight-text'>a\nb</pre>", ""),
    ("<pre lang=ja>a\nb</pre>", ""),
    ("<pre class='language-none'>a\nb</pre>", ""),
    ("<pre class='highlight-wrap box'>a\nb</pre>", ""),
    ("<pre data-lang='日本語'>a\nb</pre>", ""),
    ("<pre data-lang='" + "x" * 99 + "'>a\nb</pre>", ""),
]  # fmt: skip


@pytest.mark.parametrize(("html", "language"), LANGUAGES)
def test_languages(html: str, language: str) -> None:
    text, _, _, found = written(html)
    assert text == f"```{language}\na\nb\n```" and found == language


LINE = st.text(st.sampled_from("ab `~|#-*>$\\&<\t日本{}"), max_size=12)


@given(st.lists(LINE, max_size=8))
def test_any_code_is_byte_for_byte(lines: list[str]) -> None:
    code = "\n".join(lines).rstrip()
    while code.startswith((" ", "\t", "\n")) and not code.split("\n")[0].strip():
        code = code.partition("\n")[2]
    plain = written(f"<pre>\n{entities.escape(code)}</pre>")[2]
    assert plain == code
