"""Documents with known blocks, printed to PDF by headless Chromium: what a reader should give back.

The words are those of a statute (Copyright Act, Article 13) and of a work of Aozora Bunko in the
public domain; they have no ASCII digits, so that any in the output is a page number that stayed.
Readings are those of UniDic.
"""

from __future__ import annotations

import functools
import gzip
import html
import random
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fugashi

HEADS = (
    "稲穂叢書",
    "春の号",
    "調査報告",
    "電子版試刷",
)  # running heads; the words have none of these
STYLES = {  # of each: CSS of the pages
    "prose": "",
    "plain": "",
    "columns": "main{columns:2;column-gap:2em}",
    "vertical": "html{writing-mode:vertical-rl}",
    "rows": "html{writing-mode:vertical-rl} main{columns:2;column-gap:2em}",
    "ruby": "p{line-height:2}",
    "vertical-ruby": "html{writing-mode:vertical-rl} p{line-height:2}",
}
NUMBERS = ("counter(page)", '"- " counter(page) " -"', 'counter(page) " / " counter(pages)')
FONTS = ("Noto Serif CJK JP", "Noto Sans CJK JP", "IPAMincho")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
_KANJI = re.compile("[々一-龠]+")


class Printed(NamedTuple):
    """A document: its style, its blocks (kind, words; rows of a table), running head and markup.

    readings: (word, reading) of each ruby, in order."""

    style: str
    blocks: list[tuple[str, object]]
    head: str
    readings: list[tuple[str, str]]
    markup: str

    @property
    def words(self) -> str:
        """All words in reading order."""
        parts = [
            "".join(cell for row in words for cell in row)
            if isinstance(words, list)
            else str(words)
            for _, words in self.blocks
        ]
        return squeezed("".join(parts))


def squeezed(words: str) -> str:
    return re.sub(r"\s", "", words)


def paragraphs(folder: Path) -> list[str]:
    """Paragraphs to print, of the files in tests/data/sources."""
    with zipfile.ZipFile(folder / "aozora.zip") as packed:
        work = packed.read("3730_ruby_12444.txt").decode("cp932").split("底本：")[0]
    statute = gzip.decompress((folder / "gyosei-tetsuzuki-ho.xml.gz").read_bytes()).decode()
    words = [
        re.sub("《[^》]*》|［＃[^］]*］|｜", "", line).strip() for line in work.split("\n")[14:]
    ]
    words += re.findall(r"<Sentence[^>]*>([^<>]+)</Sentence>", statute)
    return [w for w in words if len(w) > 20 and not re.search("[0-9A-Za-z―—]", w)]


def document(seed: int, words: list[str], small: bool = False) -> Printed:
    """The document of a number; the same words give the same one. small: of a few pages."""
    rng = random.Random(seed)
    style = list(STYLES)[seed % len(STYLES)]
    blocks: list[tuple[str, object]] = []
    start = rng.randrange(len(words))
    own = [words[(start + k) % len(words)] for k in range(16 if small else rng.randint(18, 45))]
    for k, paragraph in enumerate(own):
        if k % 9 == 0:
            blocks.append(("h1" if k == 0 else "h2", _heading(paragraph)))
        if k % 9 == 5 and style in ("plain", "vertical"):
            rows = [[_heading(words[(start + k + 3 * r + c) % len(words)]) for c in range(3)]
                    for r in range(4)]  # fmt: skip
            blocks.append(("table", rows))
        if k % 9 == 7 and style in ("plain", "columns"):
            blocks += [("li", words[(start + k + j) % len(words)]) for j in range(3)]
        blocks.append(("p", paragraph))
    readings: list[tuple[str, str]] = []
    body = "".join(_markup(kind, value, style, readings) for kind, value in blocks)
    head, number = rng.choice(HEADS), rng.choice(NUMBERS)
    size, font = (
        12 if small else rng.choice((9, 10.5, 12)),
        "IPAMincho" if small else rng.choice(FONTS),
    )
    # Paragraphs are told by an indent, as in books, or by a gap, as in the web.
    apart = "p{text-indent:1em;margin:0}" if seed % 2 else "p{margin:0;margin-block:.8em}"
    css = (
        f"@page{{size:A5;margin:22mm 16mm;"
        f'@top-center{{content:"{head}";font-size:8pt}}'
        f"@bottom-center{{content:{number};font-size:8pt}}}}"
        f'body{{font:{size}pt/1.7 "{font}";margin:0;text-align:justify}}h1{{font-size:1.8em}}'
        "h2{font-size:1.3em} table{border-collapse:collapse} td{border:1px solid;padding:.3em}"
        f"ul{{margin:0;padding:0 0 0 1.5em}} {apart} {STYLES[style]}"
    )
    page = f'<html lang="ja"><meta charset="utf-8"><style>{css}</style><main>{body}</main></html>'
    return Printed(style, blocks, head, readings, page)


def _heading(words: str) -> str:
    return re.split("[、。（）「」]", words)[0][:14]


def _markup(kind: str, value: object, style: str, readings: list[tuple[str, str]]) -> str:
    if isinstance(value, list):
        rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in value)
        return f"<table>{rows}</table>"
    words = str(value)
    inner = html.escape(words)
    if kind == "p" and "ruby" in style:
        inner = "".join(_with_readings(words, readings))
    return f"<ul><li>{inner}</li></ul>" if kind == "li" else f"<{kind}>{inner}</{kind}>"


@functools.cache
def _tagger() -> fugashi.Tagger:
    return fugashi.Tagger()


def _with_readings(words: str, readings: list[tuple[str, str]]) -> Iterator[str]:
    """The words with the reading of every third word of kanji alone."""
    for k, word in enumerate(_tagger()(words)):
        reading = str(word.feature.kana or "")
        if k % 3 or not reading or not _KANJI.fullmatch(word.surface):
            yield html.escape(word.surface)
            continue
        reading = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in reading)
        readings.append((word.surface, reading))
        yield f"<ruby>{word.surface}<rt>{reading}</rt></ruby>"


def print_pdf(markup: str) -> bytes:
    """The page as PDF."""
    assert CHROMIUM, "apt-get install chromium"
    with tempfile.TemporaryDirectory() as folder:
        page, file = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(markup, "utf-8")
        subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
             f"--user-data-dir={folder}/profile", f"--print-to-pdf={file}", page.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return file.read_bytes()


def agreement(one: str, other: str) -> float:
    """2 LCS / (|one| + |other|): 1 where all characters are there, in the same order.

    LCS by Hyyrö (2004), Bit-parallel LCS-length computation revisited."""
    places: dict[str, int] = {}
    for k, c in enumerate(one):
        places[c] = places.get(c, 0) | 1 << k
    full = (1 << len(one)) - 1
    row = full
    for c in other:
        shared = row & places.get(c, 0)
        row = ((row + shared) | (row - shared)) & full
    common = len(one) - row.bit_count()
    return 2 * common / max(len(one) + len(other), 1)
