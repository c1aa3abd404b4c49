"""Made-up pages of hostile but valid structure, with what each holds.

A page is Japanese prose, long enough to be kept, around pieces of many sorts. The markup is that of
the tools named beside it. The same seed gives the same pages.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from html import escape

from benchmarks.structures.parts import ANY, Part, Sample, row, signature, squeeze

SEED = 12
PLACES = [
    "札幌", "仙台", "新潟", "金沢", "長野", "静岡", "京都", "奈良", "高松", "松江", "熊本", "那覇",
]  # fmt: skip
THINGS = [
    "水路", "図書館", "観測所", "温室", "工房", "市場", "橋", "資料室", "灯台", "製紙場",
    "農場", "展示館",
]  # fmt: skip
DEEDS = [
    "地元の人びとの手で少しずつ直され、いまも毎日使われている",
    "大雨のあとに調べ直され、記録の多くが書き改められた",
    "古い図面をもとに建て替えられたが、入口の位置だけは変わらなかった",
    "隣の町と費用を分け合う約束で、十年をかけて整えられた",
    "学生と職人が一緒に測り、その結果を冊子にまとめて配った",
    "訪れる人が減った時期もあったが、近ごろは週末ごとににぎわっている",
]
NAV = "<ul>" + "".join(f'<li><a href="/{n}">{t}</a></li>' for n, t in enumerate(THINGS)) + "</ul>"
HEAD = (
    '<!DOCTYPE html><html lang="ja"><head><meta charset="utf-8"><title>{title}</title>'
    '<script src="https://cdn.example/mathjax@3/es5/tex-mml-chtml.js"></script></head><body>'
    "<header><nav>" + NAV + '</nav></header><main><article class="post"><h1>{title}</h1>'
)
FOOT = (
    '</article></main><aside><h3>関連</h3><ul><li><a href="/x">次の記事</a></li></ul></aside>'
    "<footer><p>© 2026 例示出版</p></footer></body></html>"
)

# (TeX, MathML); 77 becomes a number of the formula's own.
FORMULAS = [
    (r"\frac{77}{x+1}", "<mfrac><mn>77</mn><mrow><mi>x</mi><mo>+</mo><mn>1</mn></mrow></mfrac>"),
    (r"x^{77}+y", "<msup><mi>x</mi><mn>77</mn></msup><mo>+</mo><mi>y</mi>"),
    (
        r"a_{77} \leq \sqrt{b}",
        "<msub><mi>a</mi><mn>77</mn></msub><mo>≤</mo><msqrt><mi>b</mi></msqrt>",
    ),
    (
        r"\sum_{i=1}^{77} c_{i}",
        "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mn>77</mn></munderover>"
        "<msub><mi>c</mi><mi>i</mi></msub>",
    ),
    (r"p < 77 q", "<mi>p</mi><mo>&lt;</mo><mn>77</mn><mi>q</mi>"),
]
XMLNS = 'xmlns="http://www.w3.org/1998/Math/MathML"'
NOTED = (
    f"<math {XMLNS}><semantics><mrow>MATH</mrow>"
    '<annotation encoding="application/x-tex">TEX</annotation></semantics></math>'
)
DRAWN = (
    '<span class="base"><span class="mord mathnormal">z</span><span class="mord">9</span></span>'
)
KATEX = (
    f'<span class="katex"><span class="katex-mathml">{NOTED}</span>'
    f'<span class="katex-html" aria-hidden="true">{DRAWN}</span></span>'
)
ASSISTIVE = f"<mjx-assistive-mml><math {XMLNS}>MATH</math></mjx-assistive-mml></mjx-container>"
# What tools publish: TEX is escaped, RAW is not (inside a script), MATH is MathML.
FORMULA_FORMS = {
    "MathML": f"<math {XMLNS}><mrow>MATH</mrow></math>",
    "MathML with TeX": NOTED,
    "MathML alttext": f'<math {XMLNS} alttext="TEX"><mrow>MATH</mrow></math>',
    "KaTeX": KATEX,
    "KaTeX display": f'<span class="katex-display">{KATEX}</span>',
    "MathJax 2": '<span class="MathJax_Preview"></span><span class="MathJax" role="presentation">'
    f'<nobr>{DRAWN}</nobr></span><script type="math/tex">RAW</script>',
    "MathJax 3 CHTML": '<mjx-container class="MathJax" jax="CHTML"><mjx-math aria-hidden="true">'
    f'<mjx-c class="mjx-c1D465 TEX-I"></mjx-c></mjx-math>{ASSISTIVE}',
    "MathJax 3 SVG": '<mjx-container class="MathJax" jax="SVG"><svg viewBox="0 0 9 9">'
    f'<path d="M0 1"></path></svg>{ASSISTIVE}',
    "script": '<script type="math/tex">RAW</script>',
    "script display": '<script type="math/tex; mode=display">RAW</script>',
    "Wikipedia": '<span class="mwe-math-element"><span class="mwe-math-mathml-a11y" '
    f'style="display: none;">{NOTED}</span><img src="/svg/9" aria-hidden="true" '
    'class="mwe-math-fallback-image-inline" alt="TEX"></span>',
    "Wikipedia img": '<img class="tex" alt="TEX" src="//upload.example/math/9.png">',
    "img latex": '<img src="https://s0.example/latex.php?latex=9" alt="TEX" class="latex">',
    r"raw \( \)": r"\(TEX\)",
    r"raw \[ \]": r"\[TEX\]",
    "raw $$": "$$TEX$$",
    "pandoc span": r'<span class="math inline">\(TEX\)</span>',
    "Sphinx div": r'<div class="math notranslate nohighlight">\[TEX\]</div>',
    "embed-katex": "<embed-katex>TEX</embed-katex>",
    "math-renderer": '<math-renderer class="js-inline-math">$TEX$</math-renderer>',
    "data-tex": '<span class="math" data-tex="TEX"><img src="/9.png" alt=""></span>',
}
NO_TEX = {"MathML", "MathJax 3 CHTML", "MathJax 3 SVG"}

CODES = {
    "python": 'def area77(r):\n    """円の面積"""\n\n    if r < 0:\n        raise ValueError(r)\n'
    "    return 3.14 * r ** 2",
    "c": "int main77(void)\n{\n\tint n = 77;\n"
    '\twhile (n--) {\n\t\tputs("残り");\n\t}\n\treturn 0;\n}',
    "bash": '# 一覧77を作る\nfor f in `ls *.txt`; do\n    echo "$f" | tee -a list77\n\ndone',
    "markdown": "# 見出し77\n\n```python\nprint(77)\n```\n\n- 項目\n  - 子",
    "yaml": "servers77:\n  - name: web\n    note: |\n      一行目\n\n      二行目",
    "text": "+----+----+\n| a  | 77 |\n+----+----+\n\n    字下げ77  二つの空白",
    "html": '<div class="a77">\n  <p>本文 &amp; 記号</p>\n\n  <!-- 注 -->\n</div>',
    "diff": "--- a/x77\n+++ b/x77\n@@ -1,2 +1,2 @@\n-  古い行\n+  新しい行\n > 引用",
}


def spans(line: str) -> str:
    """A line as highlighters write it: words in spans."""
    return " ".join(f'<span class="k">{w}</span>' if w else "" for w in escape(line).split(" "))


def numbers(lines: list[str]) -> str:
    return "\n".join(str(n) for n in range(1, len(lines) + 1))


def each(lines: list[str], form: str, end: str = "\n") -> str:
    return end.join(form.replace("NUMBER", str(n)).replace("LINE", spans(x))
                    for n, x in enumerate(lines, 1))  # fmt: skip


CODE_FORMS: dict[str, Callable[[list[str], str], str]] = {
    "pre": lambda x, lang: "<pre>\n" + escape("\n".join(x)) + "\n</pre>",
    "pre code": lambda x, lang: f'<pre><code class="language-{lang}">'
    + escape("\n".join(x)) + "\n</code></pre>",
    "Pygments": lambda x, lang: f'<div class="highlight-{lang} notranslate"><div class="highlight">'
    "<pre><span></span>" + each(x, "LINE") + "\n</pre></div></div>",
    "Rouge gutter": lambda x, lang: f'<div class="language-{lang} highlighter-rouge"><table><tbody>'
    f'<tr><td class="rouge-gutter gl"><pre class="lineno">{numbers(x)}\n</pre></td>'
    f'<td class="rouge-code"><pre>{each(x, "LINE")}\n</pre></td></tr></tbody></table></div>',
    "Hexo gutter": lambda x, lang: f'<figure class="highlight {lang}"><table><tr>'
    f'<td class="gutter"><pre>{each(x, "<span class=line>NUMBER</span>", "<br>")}</pre></td>'
    f'<td class="code"><pre>{each(x, "<span class=line>LINE</span>", "<br>")}</pre></td></tr>'
    "</table></figure>",
    "Chroma numbers": lambda x, lang: f'<div class="highlight"><pre class="chroma"><code '
    f'class="language-{lang}" data-lang="{lang}">'
    + each(x, '<span><span class="ln">NUMBER</span><span class="cl">LINE\n</span></span>', "")
    + "</code></pre></div>",
    "Prism rows": lambda x, lang: f'<pre class="language-{lang} line-numbers"><code>'
    + each(x, "LINE") + '<span aria-hidden="true" class="line-numbers-rows">'
    + "<span></span>" * len(x) + "</span></code></pre>",
    "rehype lines": lambda x, lang: f'<figure data-rehype-pretty-code-figure=""><pre '
    f'data-language="{lang}"><code data-language="{lang}" style="display: grid;">'
    + each(x, '<span data-line="">LINE</span>') + "</code></pre></figure>",
    "copy button": lambda x, lang: f'<div class="code-header"><span>{lang}</span><button>コピー'
    f'</button></div><pre><code class="{lang} hljs">' + each(x, "LINE") + "</code></pre>",
    "CodeMirror": lambda x, lang: '<div class="cm-editor"><div class="cm-scroller"><div class='
    '"cm-content" role="textbox">' + each(x, '<div class="cm-line">LINE</div>', "")
    + "</div></div></div>",
    "code block": lambda x, lang: '<code style="display:block;white-space:pre">'
    + escape("\n".join(x)) + "</code>",
    "br and nbsp": lambda x, lang: '<div class="code"><code>' + "<br>".join(
        escape(y).replace("\t", "    ").replace(" ", "&nbsp;") for y in x) + "</code></div>",
    "in a list": lambda x, lang: f"<ol><li><p>手順を示す。</p><pre><code>{each(x, 'LINE')}"
    "</code></pre></li></ol>",
}  # fmt: skip


class Writer:
    """A page in the making: its HTML, its parts, and a number that no two things share."""

    def __init__(self, n: int, rng: random.Random) -> None:
        self.rng, self.number = rng, 1000 + 37 * n
        self.html: list[str] = []
        self.parts: list[Part] = []

    def next(self) -> int:
        self.number += 1
        return self.number

    def sentence(self) -> str:
        r = self.rng
        return (
            f"{r.choice(PLACES)}にある{r.choice(THINGS)}は、{self.next()}番の台帳によると、"
            f"{r.choice(DEEDS)}。"
        )

    def add(self, html: str, *parts: Part) -> None:
        self.html.append(html)
        self.parts += [part._replace(source=part.source or html[:200]) for part in parts]

    def prose(self) -> None:
        text = "".join(self.sentence() for _ in range(self.rng.randint(2, 4)))
        self.add(f"<p>{text}</p>", Part("paragraphs", text))

    def heading(self) -> None:
        text = f"{self.next()}. {self.rng.choice(PLACES)}の<em>{self.rng.choice(THINGS)}</em>"
        level = self.rng.choice((2, 2, 3, 4))
        words = text.replace("<em>", "").replace("</em>", "")
        self.add(f'<h{level} id="s">{text}</h{level}>', Part("headings", words))

    def formula(self) -> None:
        """A formula amid a sentence, or as a block of its own, in the form of one tool."""
        n, form = self.next(), self.rng.choice(list(FORMULA_FORMS))
        raw, math = (x.replace("77", str(n)) for x in self.rng.choice(FORMULAS))
        html = FORMULA_FORMS[form].replace("TEX", escape(raw)).replace("RAW", raw)
        html = html.replace("MATH", math)
        before, behind = f"ここで第{n}の量は次の形、", f"で表され、条件{n}のもとで成り立つ。"
        want = ANY + signature(raw) if form in NO_TEX else raw
        near = squeeze(before)[-9:], squeeze(behind)[:9]
        apart = "</p>" + html + "<p>" if "<div" in html else html
        self.add(
            f"<p>{before}{apart}{behind}{self.sentence()}</p>",
            Part("formulas: " + form, want, near, source=html[:300]),
            Part("formulas in dollars", want, near, source=html[:300]),
            Part("formulas without a hole", want, near, source=html[:300]),
        )

    def code(self) -> None:
        form, language = self.rng.choice(list(CODE_FORMS)), self.rng.choice(list(CODES))
        code = CODES[language].replace("77", str(self.next()))
        if form == "br and nbsp":
            code = code.expandtabs(4).replace("\t", "    ")
        html = CODE_FORMS[form](code.split("\n"), language)
        parts = [Part("code blocks: " + form, code)]
        if f"language-{language}" in html or f'"{language} ' in html or "data-lang" in html:
            parts.append(Part("code languages", code, language=language))
        self.add(html, *parts)

    def table(self) -> None:
        """Four rows with empty cells, signs of Markdown, and now and then a span."""
        r, spanned = self.rng, self.rng.random() < 0.4
        columns = r.randint(2, 5)
        grid = [[self.cell() for _ in range(columns)] for _ in range(4)]
        grid[0] = [f"列{self.next()}" for _ in range(columns)]
        html = "".join(
            "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in g) + "</tr>" for g in grid[1:]
        )
        if spanned:
            grid[3] = [grid[3][0] or "計", ANY, *grid[3][2:]]
            tail = "".join(f"<td>{escape(c)}</td>" for c in grid[3][2:])
            html = (
                html[: html.rindex("<tr>")]
                + f'<tr><td colspan="2">{escape(grid[3][0])}</td>{tail}</tr>'
            )
        head = "".join(f'<th scope="col">{c}</th>' for c in grid[0])
        kind = "rows with spans" if spanned else "table rows"
        self.add(
            f"<table><thead><tr>{head}</tr></thead><tbody>{html}</tbody></table>",
            *(Part(kind, row([c.replace("|", "") for c in values])) for values in grid),
        )

    def cell(self) -> str:
        r = self.rng
        kinds = (
            "",
            f"{self.next()}円",
            f"甲|乙{self.next()}",
            f"`x{self.next()}`",
            f"*{self.next()}*",
        )
        return r.choices(kinds, (2, 5, 1, 1, 1))[0]

    def items(self) -> None:
        """A list of up to three levels; the innermost items hold only text."""

        def level(depth: int) -> str:
            out = []
            for _ in range(self.rng.randint(2, 3)):
                text = f"{self.rng.choice(PLACES)}の項目{self.next()}"
                nested = depth < 3 and self.rng.random() < 0.5
                if not nested:
                    kind = "nested items" if depth > 1 else "list items"
                    self.parts.append(Part(kind, text, source=text))
                out.append(f"<li>{text}{level(depth + 1) if nested else ''}</li>")
            tag = self.rng.choice(("ul", "ol"))
            return f"<{tag}>{''.join(out)}</{tag}>"

        self.add(level(1))

    def quote(self) -> None:
        texts = [self.sentence(), self.sentence()]
        self.add(
            "<blockquote>" + "".join(f"<p>{t}</p>" for t in texts) + "</blockquote>",
            *(Part("quotes", t) for t in texts),
        )

    def definitions(self) -> None:
        pairs = [(f"用語{self.next()}", self.sentence()) for _ in range(3)]
        self.add(
            "<dl>" + "".join(f"<dt>{t}</dt><dd>{d}</dd>" for t, d in pairs) + "</dl>",
            *(Part("terms", f"{t}|{d}") for t, d in pairs),
        )

    def raised(self) -> None:
        n, exponent = self.next(), str(self.rng.randint(2, 19))
        text = f"およそ{n}の倍で、面積は{n}10<sup>{exponent}</sup>、水は H<sub>2</sub>O である。"
        self.add(
            f"<p>{text}{self.sentence()}</p>",
            Part("powers", exponent, (squeeze(f"面積は{n}10")[-7:], "")),
        )

    def ruby(self) -> None:
        n = self.next()
        word = "<ruby>稲穂<rp>(</rp><rt>いなほ</rt><rp>)</rp></ruby>"
        html = f"第{n}の{word}が実る季節に{n}人が集まった。"
        self.add(
            f"<p>{html}{self.sentence()}</p>",
            Part("ruby, no readings", f"第{n}の稲穂が実る季節に{n}人"),
        )


PIECES = (
    Writer.formula, Writer.formula, Writer.formula, Writer.code, Writer.code, Writer.table,
    Writer.items, Writer.quote, Writer.definitions, Writer.raised, Writer.ruby,
)  # fmt: skip


def made_up(pages: int) -> Iterator[Sample]:
    """That many pages of three to six sections, each of prose and two pieces."""
    rng = random.Random(SEED)
    for n in range(pages):
        writer = Writer(n, rng)
        title = f"{rng.choice(PLACES)}の{rng.choice(THINGS)}をめぐる記録 その{n}"
        for _ in range(rng.randint(3, 6)):
            writer.heading()
            for piece in rng.sample(PIECES, 2):
                writer.prose()
                piece(writer)
            writer.prose()
        html = HEAD.format(title=title) + "\n".join(writer.html) + FOOT
        yield Sample(f"page {n}", f"https://example.jp/kiroku/{n}", html, writer.parts)
