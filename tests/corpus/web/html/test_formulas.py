"""Every source of formulas, each once; what cannot be read leaves a mark and a count."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import KIND, KINDS
from corpus.text.views import plain_text
from corpus.web.html.blocks import MAX_FORMULAS
from corpus.web.html.document import parse
from corpus.web.html.formulas import tex, tidy
from corpus.web.main_text.write import write

UNREAD = "〈数式〉"


def written(html: str) -> tuple[str, list[str], int]:
    """(Markdown, kinds, unread formulas) of a whole page."""
    document = parse(html)
    text, blocks, unread = write(document, np.ones(len(document.blocks), np.bool_))
    return text, [KINDS[k] for k in blocks.spans[:, KIND]], unread


NOTE = '<annotation encoding="application/x-tex">{}</annotation>'
MATHML = f"<math><semantics><mrow><mi>y</mi></mrow>{NOTE}</semantics></math>"
KATEX = (
    f'<span class="katex"><span class="katex-mathml">{MATHML}</span>'
    '<span class="katex-html">x2</span></span>'
)
WIKI = (
    f'<span class="mwe-math-element"><span style="display: none;">{MATHML}</span>'
    '<img class="mwe-math-fallback-image-inline" alt="{}"></span>'
)
OLD_MATHJAX = (
    '<span class="MathJax_Preview">x2</span><span class="MathJax" id="a">x2</span>'
    '<script type="math/tex">x^2</script>'
)
NEW_MATHJAX = "<mjx-container><svg></svg><mjx-assistive-mml>{}</mjx-assistive-mml></mjx-container>"
STYLED = "{\\displaystyle x^2}"
SOURCES = {
    "mathml": ("<math><msup><mi>x</mi><mn>2</mn></msup></math>", "x^{2}"),
    "annotation": (MATHML.format("x^2"), "x^2"),
    "alttext": ('<math alttext="x^2"><mi>y</mi></math>', "x^2"),
    "katex": (KATEX.format("x^2"), "x^2"),
    "mathjax 2": (OLD_MATHJAX, "x^2"),
    "mathjax 3": (NEW_MATHJAX.format(MATHML.format("x^2")), "x^2"),
    "script": ('<script type="math/tex"> x^2</script>', "x^2"),
    "script in cdata": ('<script type="math/tex">% <![CDATA[\nx^2 %]]></script>', "x^2"),
    "wikipedia": (WIKI.format(STYLED, STYLED), "x^2"),
    "image of wikipedia": (f'<img class="mwe-math-fallback-image-inline" alt="{STYLED}">', "x^2"),
    "alt text": ('<img alt="\\frac{a}{b}">', "\\frac{a}{b}"),
    "class of an image": ('<img class="latex" alt="x=2">', "x=2"),
    "service": ('<img src="https://latex.codecogs.com/gif.latex?x%5E2">', "x^2"),
    "named": ('<img src="https://s0.wp.com/latex.php?bg=fff&amp;latex=x%5E2&amp;s=1">', "x^2"),
    "in a path": ('<img src="https://a.jp/t/%5Cfrac%7Ba%7D%7Bb%7D">', "\\frac{a}{b}"),
    "alt text and service": ('<img class="latex" alt="p<q" src="https://a.jp/latex.php?9">', "p<q"),
    "chart": ('<img src="https://chart.apis.google.com/chart?cht=tx&amp;chl=x%5E2">', "x^2"),
    "data attribute": ('<span data-tex="x^2">x2</span>', "x^2"),
    "hurmet": ('<span class="hurmet-tex" data-tex="x^2">x2</span>', "x^2"),
    "element of katex": ("<embed-katex><eq>x^2&lt;y</eq></embed-katex>", "x^2<y"),
    "round": ("\\(x^2\\)", "x^2"),
    "dollars": ("$$x^2$$", "x^2"),
    "hatena": ("[tex:x^2]", "x^2"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_read_once(name: str) -> None:
    html, expected = SOURCES[name]
    assert written(f"<p>解は{html}です。")[:1] == (f"解は${expected}$です。",)
    assert written(f"<p>解は{html}です。")[2] == 0


DISPLAYS = [
    '<embed-katex display-mode="1">x</embed-katex>',
    '<math display="block"><mi>x</mi></math>',
    '<span class="katex-display">' + KATEX.format("x") + "</span>",
    '<div class="MathJax_Display">x</div><script type="math/tex; mode=display">x</script>',
    '<mjx-container display="true">' + MATHML.format("x") + "</mjx-container>",
    "<p>$$x$$</p>",
    "<p>\\[x\\]</p>",
]


@pytest.mark.parametrize("html", DISPLAYS)
def test_display_formulas_are_blocks(html: str) -> None:
    text, kinds, unread = written(f"<p>次の式です。</p>{html}<p>終わり。</p>")
    assert text == "次の式です。\n\n$$\nx\n$$\n\n終わり。"
    assert kinds == ["paragraph", "formula", "paragraph"] and unread == 0


def test_environments_are_formulas_of_several_lines() -> None:
    text, kinds, _ = written("<p>\\begin{align}<br>a &amp;= b \\\\<br>+ c<br>\\end{align}</p>")
    assert text == "$$\n\\begin{align}\na &= b \\\\\n+ c\n\\end{align}\n$$" and kinds == ["formula"]


def test_dollars_are_formulas_where_the_page_loads_a_renderer() -> None:
    assert written("<p>$x$は$5と$6")[0] == "\\$x\\$は\\$5と\\$6"
    loads = '<script src="MathJax.js"></script>'
    assert written(f"{loads}<p>値 $x$は$5と$6")[0] == "値 $x$は\\$5と\\$6"


def test_text_between_delimiters_that_is_no_tex_stays() -> None:
    assert written("<p>$$特価$$")[0] == "\\$\\$特価\\$\\$"
    assert written("<p>C:\\(注\\)")[0] == "C:\\\\(注\\\\)"
    assert written("<p>\\(x</p><p>y\\)")[0] == "\\\\(x\n\ny\\\\)"


def test_bare_math_of_old_statutes_is_text() -> None:
    assert written("<p>額は<math>甲×乙</math>とする。")[0] == "額は甲×乙とする。"


def test_an_unread_formula_leaves_a_mark_and_counts() -> None:
    text, _, unread = written(
        "<p>解は<span class=katex>x</span>です。<math display=block><foo/></math>"
    )
    assert text == f"解は{UNREAD}です。\n\n{UNREAD}" and unread == 2
    assert written(f"<p>本文の{UNREAD}は数えない。")[2] == 0


def test_a_formula_in_a_listing_is_its_tex() -> None:
    assert written(f"<pre>a = {MATHML.format('x^2')}\nb</pre>")[0] == "```\na = x^2\nb\n```"


def test_formulas_beyond_the_limit_leave_marks() -> None:
    count = MAX_FORMULAS + 5
    html = "".join(f'<p>式<script type="math/tex">x_{n}</script>。' for n in range(count))
    text, _, unread = written("<meta>" * 3000 + html)
    lines = text.split("\n\n")
    assert len(lines) == count and unread == 5
    assert lines[2048] == "式$x_2048$。" and lines[-1] == f"式{UNREAD}。"


TIDY = [
    ("\\text{if $x$ or $y$}", "\\text{if \\(x\\) or \\(y\\)}"),
    ("a $ b", "a \\$ b"),
    ("a\\$b", "a\\$b"),
    ("x \\", "x"),
    ("x \\\\", "x \\\\"),
    ("a % note\n+ b\n\n= c", "a\n+ b\n= c"),
    ("{\\displaystyle {\\textstyle x}}", "x"),
    ("{\\displaystyle x} + {y}", "{\\displaystyle x} + {y}"),
    ("\\(a\\) + \\(b\\)", "\\(a\\) + \\(b\\)"),
    ("[tex:a[1]]", "a[1]"),
    ("$$", "\\$"),
    ("x\x0by\x1f", "x y"),
    ("", ""),
]


@pytest.mark.parametrize(("source", "expected"), TIDY)
def test_tex_cannot_end_the_dollars_around_it(source: str, expected: str) -> None:
    assert tidy(source) == expected


@given(st.text(st.sampled_from("\\${}|x \n%[]()a1"), max_size=30))
def test_any_tex_is_one_formula_in_text_and_in_a_cell(source: str) -> None:
    script = f'<script type="math/tex">{source}</script>'
    html = f"<p>前{script}1後</p><table><tr><th>名<th>値<tr><td>甲{script}乙<td>丙</table>"
    document = parse(html)
    text, blocks, unread = write(document, np.ones(len(document.blocks), np.bool_))
    view = plain_text(text, blocks).split("\n")
    found = " ".join(tidy(source).split("\n"))
    assert view[0] == (f"前{found} 1後" if found else f"前{UNREAD}1後")
    assert view[-1].startswith("甲") and view[-1].endswith("乙\t丙") and view[-1].count("\t") == 1
    assert unread == (0 if found else 2)


HOSTILE = {
    "annotations": '<span class="katex" title="' + "<annotation " * 50_000 + '">x</span>',
    "math": '<span class="katex" title="' + "<math " * 50_000 + '">x</span>',
    "service": ' src="' + "latex.php?" * 50_000 + '"',
    "styles": "{\\displaystyle " * 30_000 + "}" * 30_000,
    "hatena": "[tex:" + " " * 300_000,
    "dollars": "x" + "$ " * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_is_linear(name: str) -> None:
    start = time.process_time()
    tex(HOSTILE[name])
    assert time.process_time() - start < 3


def test_searching_text_for_tex_is_linear() -> None:
    for part in ("\\(", "\\[x ", "$$x ", "$", "[tex:", "\\begin{align}", "\\(\\["):
        start = time.process_time()
        written("<script src=katex></script><p>" + part * (300_000 // len(part)))
        assert time.process_time() - start < 5, part
