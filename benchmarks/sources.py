"""How fast each source reads, and how much of its input's words come out, in order.

    python benchmarks/sources.py --shared ../shared/data [--only law,aozora] [--seconds 3]
        [--profile FILE]

Real files where they are open (statutes, sittings, Aozora Bunko, OCR, an EPUB), else the samples of
tests/data, made longer by their own paragraphs to the size of real ones. One process, one core, by
its CPU time: items of the source, text and blocks done, without language, signals or writing.

MB/s is of the unpacked input, characters/s of the text that comes out. "agree" is the share of the
reference's characters (blanks, ruby and marks of the reader aside) that stand in the text in order,
by difflib's matching blocks, against the words of the XML or the publisher's own HTML.
"""

from __future__ import annotations

import argparse
import cProfile
import difflib
import pstats
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lxml import etree

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from corpus.settings import Settings  # noqa: E402
from corpus.sources.item import Unit  # noqa: E402
from corpus.sources.kinds import SOURCES, items_of  # noqa: E402
from corpus.sources.xml import parse, text  # noqa: E402
from corpus.text import works  # noqa: E402
from corpus.text.blocks import Blocks  # noqa: E402
from corpus.text.normalize import normalize  # noqa: E402
from corpus.text.views import plain_text  # noqa: E402
from tests.corpus.sources.test_institutions import ARTICLE_XML, HEAD, PAGES  # noqa: E402

SAMPLES = REPO / "tests/data/sources"
GROWN = 200_000  # bytes of a sample that is made longer


PROSE = "水田の水温は収量に影響することが知られている。本研究では、三つの地区で水温を測り、" * 3


class Case(NamedTuple):
    """A file of a source: its bytes, how it is read, and what its text is compared with."""

    source: str
    name: str
    data: bytes
    reference: str = ""


def grown(data: bytes, part: bytes) -> bytes:
    """The sample with `part` repeated in place, up to GROWN bytes."""
    assert part in data
    return data.replace(part, part * max(1, GROWN // len(part)), 1)


def cues(cue: str) -> bytes:
    """Cues that follow each other, each with words of its own."""
    count = GROWN // len(cue.encode())
    every = (cue.replace("p2", f"p{k}").replace("極楽寺", f"極楽寺{k}") for k in range(9, count))
    return "".join(every).encode()


def between(data: bytes, start: str, end: str) -> bytes:
    """From the first `start` to the first `end` behind it, both with it."""
    first = data.index(start.encode())
    return data[first : data.index(end.encode(), first) + len(end.encode())]


def cases(shared: Path) -> list[Case]:
    formats = shared / "formats"
    law = next(formats.glob("law/*.xml")).read_bytes()
    article = ARTICLE_XML.encode()
    st36 = parse((SAMPLES / "patent-st36.xml").read_bytes())
    patent = etree.tostring(st36, encoding="utf-8")
    mode = between(patent, '<p num="0007">', "</p>")  # with a table and an image, in ten paragraphs
    plain = "".join(f'<p num="00{k}">{PROSE}</p>' for k in range(10, 20)).encode()
    patent, mode = patent.replace(mode, mode + plain, 1), mode + plain
    story, council = (SAMPLES / "news-g2.xml").read_bytes(), (SAMPLES / "council.txt").read_bytes()
    captions, vtt = (SAMPLES / "arib.ttml").read_bytes(), (SAMPLES / "programme.vtt").read_bytes()
    prose = f"<p>{PROSE}</p>".encode()  # a paragraph in ten has formulas and marks of references
    one = between(article, "<p>収量", "</p>")
    article = article.replace(one, one + 9 * prose, 1)
    cue = between(captions, '<p xml:id="p2"', "</p>")
    work, shown = aozora_work(formats)
    speech = council.decode("cp932").partition("　　　午前")[2].encode("cp932")
    page = (HEAD + PAGES[0] * (GROWN // len(PAGES[0])) + "</mediawiki>").encode()
    ocr = next(formats.glob("ndl/digidepo_3048008*.xml")).read_bytes()
    return [
        Case("law", "行政手続法.xml", law, text(parse(law))),
        Case("law", "特許法.json", (formats / "law/law_data_tokkyoho.json").read_bytes()),
        *(
            Case("minutes", path.name, path.read_bytes(), speeches(path.read_bytes()))
            for path in sorted(formats.glob("minutes/*.xml"))
        ),
        Case("minutes", "council.txt (grown)", grown(council, speech)),
        Case("aozora", "work-56656", work, shown),
        Case("articles", "JATS (grown)", grown(article, one + 9 * prose)),
        Case("patents", "ST.36 (grown)", grown(patent, mode)),
        Case("news", "NewsML-G2 (grown)", grown(story, between(story, "<p>稲穂市", "</p>"))),
        Case("captions", "ARIB-TTML (grown)", captions.replace(cue, cues(cue.decode()))),
        Case("captions", "WebVTT (grown)", vtt + vtt.partition(b"\n\n")[2] * (GROWN // len(vtt))),
        Case("ndl", "digidepo_3048008.xml", ocr),
        Case("books", "kusamakura.epub", (formats / "epub/kusamakura.epub").read_bytes()),
        Case("wikipedia", "XML (grown)", page),
    ]  # fmt: skip


def aozora_work(formats: Path) -> tuple[bytes, str]:
    """(the text in Shift_JIS, the words of Aozora Bunko's own HTML)."""
    folder = formats / "aozora/work-56656"
    packed = next(folder.glob("*.zip"), None)
    if packed:
        with zipfile.ZipFile(packed) as file:
            work = file.read(next(n for n in file.namelist() if n.endswith(".txt")))
    else:
        work = next(folder.glob("*.txt")).read_bytes()
    html = next(folder.glob("*.html"), None)
    if html is None:
        return work, ""
    page = html.read_bytes().decode("cp932", "replace")
    body = re.search(r'(?s)<div class="main_text">(.*?)<div class="bibliographical', page)
    words = re.sub(
        r"(?s)<rt>.*?</rt>|<rp>.*?</rp>|<span class=\"notes\">.*?</span>",
        "",
        body[1] if body else page,
    )
    return work, re.sub(r"<[^>]*>", "", words)


def speeches(data: bytes) -> str:
    """The words of all speeches of an answer of the Kokkai API."""
    return "".join(text(speech) for speech in parse(data).iter("speech"))


def read(case: Case, file: Path) -> list[tuple[str, Blocks]]:
    """(text, blocks) of all that comes out."""
    settings = Settings()
    if case.source == "aozora":
        words = case.data.decode("cp932", "replace")
        found = works.recognised(words, settings.normalize.steps, "drop")
        assert found is not None
        return [(found[1].text, found[1].blocks)]
    items = list(items_of(Unit(0, case.source, (str(file),)), settings))
    assert not any(item.problem for item in items), [item.detail for item in items]
    return [(item.text, item.blocks) for item in items if item.text and item.blocks]


def agreement(found: str, reference: str) -> float:
    """Share of the reference's characters that stand in the text in order."""
    one, two = (re.sub(r"\s", "", normalize(words)) for words in (found, reference))
    matcher = difflib.SequenceMatcher(None, one.split("。"), two.split("。"), autojunk=False)
    whole = sum(
        sum(map(len, one.split("。")[b.a : b.a + b.size])) for b in matcher.get_matching_blocks()
    )
    rest = sum(
        sum(
            m.size
            for m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
        )
        for tag, i, j, k, n in matcher.get_opcodes()
        if tag != "equal"
        for a, b in [
            ("".join(one.split("。")[i:j])[:20_000], "".join(two.split("。")[k:n])[:20_000])
        ]
    )
    return (whole + rest) / max(1, len(two.replace("。", "")))


def timed(run: Callable[[], object], seconds: float) -> float:
    """CPU seconds of a run, the mean over so many seconds: the clock of a process may be coarse."""
    runs, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        run()
        runs += 1
    return (time.process_time() - begin) / runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--only", default="", help="sources, by comma")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--profile", help="also a profile of each source: FILE-SOURCE.prof")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [*SOURCES, "aozora"]
    print("| source | file | MB | MB/s | M characters/s | agree |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(options.shared):
            if case.source not in wanted:
                continue
            file = Path(folder) / "input"
            file.write_bytes(case.data)
            found = read(case, file)  # compiled kernels from here on
            characters = sum(len(words) for words, _ in found)
            took = timed(lambda case=case, file=file: read(case, file), options.seconds)  # type: ignore[misc]
            size = len(case.data) / 1e6
            words = "\n".join(plain_text(*each) for each in found)
            agree = f"{agreement(words, case.reference):.4f}" if case.reference else ""
            print(f"| {case.source} | {case.name} | {size:.2f} | {size / took:.1f} | "
                  f"{characters / took / 1e6:.2f} | {agree} |", flush=True)  # fmt: skip
            if options.profile:
                profile = cProfile.Profile()
                profile.runcall(read, case, file)
                profile.dump_stats(f"{options.profile}-{case.source}.prof")
                pstats.Stats(profile).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    main()
