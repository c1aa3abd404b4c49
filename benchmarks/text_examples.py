"""Pages before and after docs/text.md, a few lines each, as docs/text-examples.md shows them.

    python benchmarks/text_examples.py --before DIR > docs/text-examples.md

DIR is a checkout of commit 79cad06, the last one whose texts had no structure. Pages are those of
tests/data; four small ones are made for what no page there has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parent.parent
WIDTH = 96  # a longer line is cut there
HEAD = """\
# Twenty pages, before and after

What [text.md](text.md) says, on pages of `tests/data` (its README names their sources and licences)
and on four small ones made for this file. "Before" is the text of commit 79cad06, "after" today's,
both as `corpus harvest` writes them with its defaults; long lines are cut with …. Written by
`python benchmarks/text_examples.py --before DIR`.
"""


class Example(NamedTuple):
    """A part of a page; `before` and `after` are where it begins in the text, and its lines."""

    kind: str
    look: str
    url: str  # of a page of tests/data/sample.warc.gz; or, without "http", the page itself
    before: tuple[str, int]
    after: tuple[str, int]


HTTPD = "http://httpd.apache.org/docs/2.4/ja/"
DEBIAN = "https://debian-handbook.info/browse/ja-JP/"
OFFICE = "https://help.libreoffice.org/7.4/ja/"
MECAB = "http://mecab.example.org/doc/mecab/"

FORMULAS = """<h1>二次方程式の解の公式</h1>
<p>二次方程式 <math><mi>a</mi><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mi>b</mi>
<mi>x</mi><mo>+</mo>
<mi>c</mi><mo>=</mo><mn>0</mn></math> の解を求めます。両辺を a で割り、平方完成をすると、
次の公式になります。</p>
<math display="block"><mi>x</mi><mo>=</mo><mfrac><mrow><mo>-</mo><mi>b</mi><mo>±</mo>
<msqrt><msup><mi>b</mi><mn>2</mn></msup>
<mo>-</mo><mn>4</mn><mi>a</mi><mi>c</mi></msqrt></mrow><mrow><mn>2</mn><mi>a</mi></mrow>
</mfrac></math>
<p>根号の中を判別式といい、その符号が解の個数を決めます。水は H<sub>2</sub>O、
アボガドロ定数は約 6.02×10<sup>23</sup> です。</p>"""
SPANS = """<h1>施設の利用料金</h1><p>市民体育館の利用料金は次の表のとおりです。
利用する日の三日前までに窓口で申し込んでください。</p>
<table><tr><th rowspan="2">区分</th><th colspan="2">料金（一時間）</th>
<th rowspan="2">備考</th></tr><tr><th>午前</th><th>午後</th></tr>
<tr><td rowspan="2">競技場</td><td>1,200円</td><td>1,500円</td><td>全面</td></tr><tr>
<td>600円</td><td>750円</td><td>半面</td></tr>
<tr><td>会議室</td><td colspan="2">400円</td><td></td></tr></table>
<p>市外の方が利用するときは、料金が五割増しになります。納めた料金はお返しできません。</p>"""
POEM = """<h1>秋の日の散歩</h1><p>これは説明のために書いた短い詩です。行の分かれ目は、
作者が置いたところにそのまま残ります。</p>
<p><ruby>稲穂<rp>（</rp><rt>いなほ</rt><rp>）</rp>
</ruby>の海を風がわたり<br>　遠くの山に雲がかかる<br>
<ruby>畦道<rt>あぜみち</rt></ruby>を子どもたちが走り<br>　夕暮れの鐘がしずかに鳴る</p>
<p>二つの連からなり、それぞれの行は読点を使わずに終わります。</p>"""
OLD_PAGE = """<html><body bgcolor="#ffffff"><center><font size="6" color="#800000">
<b>わたしの天文ノート</b></font></center><hr>
<font size="5"><b>一、望遠鏡について</b></font><br><br>
はじめて望遠鏡を買ったのは、平成十年の冬のことでした。口径は小さいのですが、
土星の環がはっきり見えます。<br>
寒い夜ほど星はよく見えるので、厚い上着が欠かせません。<br><br>
<font size="5"><b>二、観測の記録</b></font><br><br>
<table border="0"><tr><td><font size="3">十二月の晴れた日には、
午後九時ごろからオリオン座を見ることにしています。中央の三つの星の下に、
ぼんやりと光る雲のようなものが見えたら、それが大星雲です。</font></td></tr></table></body>
</html>"""

EXAMPLES = [
    Example(
        "Code with indentation",
        "the blanks and the empty lines of the listing",
        HTTPD + "mod/mod_dav.html",
        ("完全な例", 12),
        ("### 完全な例", 18),
    ),
    Example(
        "A terminal session",
        "blanks inside lines; `>` at the start of a line is no quotation",
        DEBIAN + "sect.task-scheduling-cron-atd.html",
        ("$ at 09:00", 6),
        ("```\n$ at 09:00", 8),
    ),
    Example(
        "A configuration file",
        "columns of a zone file",
        DEBIAN + "sect.domain-name-servers.html",
        ("@ IN MX 10 mail2", 6),
        ("@       IN      MX      10 mail2", 9),
    ),
    Example(
        "A table with empty cells",
        "which number belongs to which heading",
        OFFICE + "schart/01/type_stock.html",
        ("A\nB\nC\nD", 15),
        ("|  | A | B |", 8),
    ),
    Example(
        "A table with spans",
        "a wide cell stands in its first place, the others are empty",
        HTTPD + "mod/mod_proxy_ajp.html",
        ("パケット形式 (Server", 4),
        ("| パケット形式 (Server", 9),
    ),
    Example(
        "A caption, and a table with code",
        "what the log says, and what it means",
        DEBIAN + "sect.selinux.html",
        ("表 14.1", 6),
        ("表 14.1", 8),
    ),
    Example(
        "Summary table of an httpd module",
        "names and values; a bar inside a cell is escaped",
        HTTPD + "mod/mod_cgi.html",
        ("CGIScriptTimeout ディレクティブ", 6),
        ("## CGIScriptTimeout ディレクティブ", 8),
    ),
    Example(
        "A Shift_JIS page",
        "the title, an empty cell, and no list of translations",
        HTTPD + "mod/mod_mime.html",
        ("Apache モジュール mod_mime", 8),
        ("# Apache モジュール mod_mime", 9),
    ),
    Example(
        "A definition list",
        "a name and its value stand on one line; headings have levels",
        HTTPD + "stopping.html",
        ("急な停止 ¶", 4),
        ("## 急な停止", 5),
    ),
    Example(
        "A nested list",
        "which entry belongs to which",
        HTTPD + "howto/auth.html",
        ("認証のタイプ (", 9),
        ("- 認証のタイプ (", 9),
    ),
    Example(
        "A nested list with line breaks",
        "inner items; a line break inside an item",
        MECAB + "learn.html",
        ("動作タイミング:", 9),
        ("- 動作タイミング:", 9),
    ),
    Example(
        "An ordered list in an ordered list",
        "numbers of both",
        HTTPD + "content-negotiation.html",
        ("variant のメディアタイプの品質", 3),
        ("   1. variant のメディアタイプの品質", 3),
    ),
    Example(
        "An ordered list that goes on after code",
        "the second item is still 2; bare lines of code are code",
        HTTPD + "dso.html",
        ("サードパーティ Apache モジュール", 4),
        ("2. サードパーティ Apache", 7),
    ),
    Example(
        "A quotation",
        "the quotation, and who wrote it",
        HTTPD + "ssl/ssl_intro.html",
        ("標準規格の良い所は", 3),
        ("> 標準規格の良い所は", 5),
    ),
    Example(
        "Powers and indices",
        "terms of a series; an exponent with blanks in it is left as it stands",
        OFFICE + "scalc/01/04060106.html",
        ("SERIESSUM(x;n;m;c)", 2),
        ("SERIESSUM(x;n;m;c)", 3),
    ),
    Example(
        "A page of dollars and comments",
        "inline code is code; a dollar that is no formula is escaped",
        HTTPD + "howto/ssi.html",
        ('<!--#set var="modified" value="$LAST', 3),
        ('`<!--#set var="modified" value="$LAST', 5),
    ),
    Example(
        "Formulas, powers, indices (made for this file)",
        "MathML is TeX now",
        FORMULAS,
        ("二次方程式", 9),
        ("# 二次方程式", 11),
    ),
    Example(
        "Rows and columns that span (made for this file)",
        "values under their headings",
        SPANS,
        ("区分", 14),
        ("| 区分", 6),
    ),
    Example(
        "Poem and ruby (made for this file)",
        "lines of a verse; readings are left out by default",
        POEM,
        ("秋の日", 8),
        ("# 秋の日", 11),
    ),
    Example(
        "Old page with font tags (made for this file)",
        "paragraphs of doubled line breaks; a table for layout is text",
        OLD_PAGE,
        ("一、望遠鏡", 8),
        ("一、望遠鏡", 11),
    ),
]


def texts() -> dict[str, str]:
    """Text of every example's page, by the code on the path."""
    from corpus.settings import Settings
    from corpus.sources import warc
    from corpus.sources.item import Item, Unit
    from corpus.stages.document import document

    wanted = {example.url for example in EXAMPLES}
    sample = str(REPO / "tests/data/sample.warc.gz")
    items = [
        item for item in warc.read(Unit(0, "warc", (sample,)), Settings()) if item.url in wanted
    ]
    items += [
        Item("made", 0, 0, url=page, html=f"<meta charset=utf-8>{page}".encode())
        for page in wanted
        if not page.startswith("http")
    ]
    found: dict[str, str] = {}
    for item in items:
        row = document(item, Settings())
        if isinstance(row, dict):
            found.setdefault(item.url, row["text"])
    return found


def excerpt(text: str, begin: str, lines: int) -> str:
    """`lines` lines from the one on in which `begin` begins, long ones cut."""
    at = text.index(begin)
    found = text[text.rfind("\n", 0, at) + 1 :].split("\n")[:lines]
    return "\n".join(x if len(x) <= WIDTH else x[:WIDTH].rstrip() + "…" for x in found)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--before", type=Path, help="checkout of the code before")
    parser.add_argument("--texts", action="store_true", help="only the texts, as JSON")
    options = parser.parse_args()
    if options.texts:
        json.dump(texts(), sys.stdout)
        return
    both = []
    for code in (options.before.resolve(), REPO):
        command = [sys.executable, "-P", __file__, "--texts"]
        run = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(code)}, stdout=subprocess.PIPE, check=True
        )
        both.append(json.loads(run.stdout))
    print(HEAD.strip())
    for number, example in enumerate(EXAMPLES, 1):
        where = example.url if example.url.startswith("http") else "no published page"
        print(f"\n## {number}. {example.kind}\n\n{where}\\\nLook at: {example.look}.")
        for name, found, part in zip(
            ("Before", "After"), both, (example.before, example.after), strict=True
        ):
            shown = excerpt(found[example.url], *part)
            print(f"\n{name}:\n\n~~~~text\n{shown}\n~~~~")


if __name__ == "__main__":
    main()
