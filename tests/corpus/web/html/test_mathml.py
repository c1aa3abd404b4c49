"""MathML as TeX: what each element means, also as MathJax draws it; hostile input stays unread."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.web.html.formulas import tex
from corpus.web.html.mathml import MAX_DEPTH, to_tex

TABLE = (
    "<mtable><mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mtr>"
    "<mtr><mtd><mi>c</mi></mtd><mtd><mi>d</mi></mtd></mtr></mtable>"
)
POWER = "<msup><mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow><mn>2</mn></msup>"
BINOMIAL = '<mo>(</mo><mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>'
NUMBERED = (
    "<mtable><mlabeledtr><mtd><mtext>(</mtext><mn>3</mn><mtext>)</mtext></mtd>"
    "<mtd><mi>a</mi><mo>=</mo><mi>b</mi></mtd></mlabeledtr></mtable>"
)
SCRIPTS = (
    "<mmultiscripts><mi>X</mi><mi>a</mi><none/><mprescripts/><mn>1</mn><mn>2</mn></mmultiscripts>"
)
MATHML = {
    POWER: r"\left( a \right)^{2}",
    "<msup><mrow><mi>a</mi><mi>b</mi></mrow><mn>2</mn></msup>": "{a b}^{2}",
    "<msup><mi>f</mi><mo>′</mo></msup>": "f'",
    "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>": "x_{i}^{2}",
    "<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover>": r"\sum_{i}^{n}",
    "<munder><mi>lim</mi><mi>x</mi></munder>": r"\lim_{x}",
    "<mover><mi>x</mi><mo>˙</mo></mover>": r"\dot{x}",
    "<mover><mi>v</mi><mo>→</mo></mover>": r"\vec{v}",
    "<mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>→</mo></mover>": r"\overrightarrow{A B}",
    "<mover><mi>x</mi><mi>y</mi></mover>": r"\overset{y}{x}",
    "<munder><mrow><mi>x</mi><mi>y</mi></mrow><mo>⏟</mo></munder>": r"\underbrace{x y}",
    "<mroot><mn>8</mn><mn>3</mn></mroot>": r"\sqrt[3]{8}",
    BINOMIAL: r"\binom{n}{k}",
    '<mfenced open="[" close=")"><mn>0</mn><mn>1</mn></mfenced>': r"\left[ 0, 1 \right)",
    "<mo>(</mo>" + TABLE + "<mo>)</mo>": r"\begin{pmatrix}a & b \\ c & d\end{pmatrix}",
    "<mo>|</mo>" + TABLE + "<mo>|</mo>": r"\begin{vmatrix}a & b \\ c & d\end{vmatrix}",
    f'<mfenced open="[" close="]">{TABLE}</mfenced>': (
        r"\begin{bmatrix}a & b \\ c & d\end{bmatrix}"
    ),
    "<mi>y</mi><mo>=</mo><mo>{</mo>" + TABLE: r"y = \begin{cases}a & b \\ c & d\end{cases}",
    TABLE: r"\begin{aligned}a & b \\ c & d\end{aligned}",
    "<mi>x</mi>" + TABLE: r"x \begin{matrix}a & b \\ c & d\end{matrix}",
    NUMBERED: "a = b ( 3 )",
    SCRIPTS: "{}_{1}^{2} X_{a}",
    "<mo>|</mo><mi>q</mi><mo>|</mo><mo>&lt;</mo><mn>1</mn>": "| q | < 1",
    "<mo>{</mo><mi>x</mi><mo>}</mo>": r"\left\{ x \right\}",
    "<mo>(</mo><mi>x</mi>": "( x",
    "<mi>sin</mi><mi>θ</mi>": r"\sin \theta",
    "<mtext>面積 100%</mtext>": r"\text{面積 100\%}",
    "<mi>𝐯</mi>": r"\mathbf{v}",
    '<menclose notation="box"><mi>x</mi></menclose>': r"\boxed{x}",
    "<mphantom><mi>x</mi></mphantom><mi>y</mi>": "y",
    "<mi>a</mi><mo>&#x2062;</mo><mi>b</mi>": "a b",
}


@pytest.mark.parametrize("inside", MATHML)
def test_every_element_is_read(inside: str) -> None:
    assert to_tex(f"<math>{inside}</math>") == MATHML[inside]


def drawn(name: str, code: str) -> str:
    return f'<mjx-{name}><mjx-c class="mjx-c{code} TEX-I"></mjx-c></mjx-{name}>'


FRACTION = (
    f"<mjx-mfrac><mjx-frac><mjx-num><mjx-nstrut></mjx-nstrut>{drawn('mn', '31')}</mjx-num>"
    f"<mjx-dbox><mjx-dtable><mjx-line></mjx-line><mjx-row><mjx-den>{drawn('mi', '1D45B')}</mjx-den>"
    "</mjx-row></mjx-dtable></mjx-dbox></mjx-frac></mjx-mfrac>"
)
SUM = (
    f"<mjx-munderover><mjx-over>{drawn('mi', '1D45B')}</mjx-over><mjx-box><mjx-munder><mjx-row>"
    f"<mjx-base>{drawn('mo', '2211')}</mjx-base></mjx-row><mjx-row><mjx-under><mjx-texatom>"
    f"{drawn('mi', '1D456')}{drawn('mo', '3D')}{drawn('mn', '31')}</mjx-texatom></mjx-under>"
    "</mjx-row></mjx-munder></mjx-box></mjx-munderover>"
)
ROOT = (
    f"<mjx-msqrt><mjx-sqrt><mjx-surd>{drawn('mo', '221A')}</mjx-surd><mjx-box>"
    f"{drawn('mi', '1D465')}</mjx-box></mjx-sqrt></mjx-msqrt>"
)
BOTH = (
    f"<mjx-msubsup>{drawn('mi', '1D70E')}<mjx-script>{drawn('mn', '32')}<mjx-spacer></mjx-spacer>"
    f"{drawn('mi', '1D456')}</mjx-script></mjx-msubsup>"
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (FRACTION, r"\frac{1}{n}"),
        (SUM, r"\sum_{i = 1}^{n}"),
        (ROOT, r"\sqrt{x}"),
        (BOTH, r"\sigma_{i}^{2}"),
        (drawn("mi", "1D42F"), r"\mathbf{v}"),
        ('<mjx-mo><mjx-stretchy-v class="mjx-c7C"><mjx-ext><mjx-c></mjx-c></mjx-ext>'
         "</mjx-stretchy-v></mjx-mo>", "|"),
    ],
)  # fmt: skip
def test_what_mathjax_drew_is_read_back(inside: str, expected: str) -> None:
    source = f'<mjx-container jax="CHTML"><mjx-math>{inside}</mjx-math></mjx-container>'
    assert tex(source) == expected


def test_an_empty_drawing_is_unread() -> None:
    assert tex('<mjx-container jax="CHTML"><mjx-math></mjx-math></mjx-container>') == ""


def test_hostile_mathml_is_unread_and_quick() -> None:
    deep = MAX_DEPTH * 20
    nested = "<msup>" * deep + "<mi>x</mi>" + "<mn>2</mn></msup>" * deep
    shallow = "<msup>" * 60 + "<mi>x</mi>" + "<mn>2</mn></msup>" * 60
    began = time.process_time()
    assert tex(f"<math>{nested}</math>") == ""
    assert tex(f"<math>{shallow}</math>").count("^{2}") == 60
    assert tex("<math>" + "<mo>(</mo>" * 9000 + "</math>").count("(") == 9000
    assert time.process_time() - began < 5  # exponential work would not end
    assert tex("<math><msup><mi>x</mi></msup></math>") == ""
    assert tex('<math><mi xlink:href="a">x</mi></math>') == "x"


NAMES = "math mrow mi mo mn mtext msup msub msubsup mfrac msqrt mover munder mtable mtr mtd"
LEAVES = ["<mi>x</mi>", "<mo>(</mo>", "<mo>)</mo>", "<mo>|</mo>", "<mtext>$</mtext>", ""]


@given(st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>",
        st.sampled_from(NAMES.split()),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_tree_gives_tex_or_nothing(inside: str) -> None:
    found = tex(f"<math>{inside}</math>")
    assert "$" not in found.replace("\\$", "") and "\n\n" not in found
