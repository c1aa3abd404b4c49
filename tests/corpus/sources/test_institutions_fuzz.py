"""Damaged files of institutions: a problem in words, or what could be read; never an exception."""

from __future__ import annotations

import gzip
import json
import random
import time
import zipfile
from pathlib import Path

import pytest

from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.kinds import SOURCES
from corpus.text import aozora
from corpus.text.views import plain_text
from tests.corpus.sources.test_institutions import ARTICLE_XML, HEAD, PAGES, epub

SLOW = 2.0  # seconds
LITE = {
    "contents": [[
        {"boundingBox": [[400, 150], [400, 850], [420, 850], [420, 150]], "id": 0,
         "isVertical": "true", "text": "その日は朝から雨が降つてゐて、", "isTextline": "true",
         "confidence": 0.9}
    ]],
    "imginfo": {"img_width": 500, "img_height": 1000, "img_path": "1.jpg", "img_name": "1.jpg"},
}  # fmt: skip
STEPS = Settings().normalize.steps


def samples(folder: Path) -> dict[str, bytes]:
    """A whole file of every kind."""
    return {
        "law": gzip.decompress((folder / "gyosei-tetsuzuki-ho.xml.gz").read_bytes())[:30_000],
        "minutes": (folder / "kokkai.xml").read_bytes(),
        "captions": (folder / "programme.vtt").read_bytes(),
        "captions.ttml": (folder / "arib.ttml").read_bytes(),
        "ndl": (folder / "ndl-geppo.xml").read_bytes(),
        "books": epub({"one": "<h2>一</h2><p>山路を登りながら。</p>"}, ["one"]),
        "articles": ARTICLE_XML.encode(),
        "news": (folder / "news-g2.xml").read_bytes(),
        "news.newsml1": (folder / "newsml1.xml").read_bytes(),
        "news.nitf": (folder / "news.nitf").read_bytes(),
        "news.atom": (folder / "feed.atom").read_bytes(),
        "patents": (folder / "patent-st36.xml").read_bytes(),
        "patents.st96": (folder / "patent-st96.xml").read_bytes(),
        "patents.txt": (folder / "patent.txt").read_bytes(),
        "minutes.txt": (folder / "council.txt").read_bytes(),
        "ndl.json": json.dumps(LITE).encode(),
        "wikipedia": (HEAD + "".join(PAGES) + "</mediawiki>").encode(),
    }


def mutated(data: bytes, seed: int) -> bytes:
    """The data with some bytes changed, a part cut out, doubled or moved."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        at = rng.randrange(len(out) + 1)
        size = rng.choice((1, 2, 40, 3000))
        match rng.randrange(5):
            case 0:
                out[at : at + size] = rng.randbytes(size)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size] * rng.choice((1, 2, 20))
            case 3:
                out[at:at] = rng.choice((b"<", b">", b"&x;", b"{{", b"[[", b"\x00", b'"', b"]]>"))
            case 4:
                out[at : at + 1] = b"9" * rng.choice((1, 30))
    return bytes(out[: 4 * len(data)])


def run(folder: Path, tmp_path: Path, times: int) -> None:
    for name, data in samples(folder).items():
        kind, _, ending = name.partition(".")
        file = tmp_path / f"damaged.{ending or 'xml'}"
        for seed in range(times):
            file.write_bytes(mutated(data, seed))
            begin = time.process_time()
            for item in SOURCES[kind].read(Unit(0, kind, (str(file),)), Settings()):
                if item.blocks is not None:
                    plain_text(item.text or "", item.blocks)
            assert time.process_time() - begin < SLOW, (name, seed)
    with zipfile.ZipFile(folder / "aozora.zip") as packed:
        work = packed.read("3730_ruby_12444.txt")
    for seed in range(times):
        found = aozora.read(mutated(work, seed).decode("cp932", "replace"), STEPS)
        plain_text(found.text, found.blocks)


def test_damaged_files(data: Path, tmp_path: Path) -> None:
    run(data / "sources", tmp_path, 10)


@pytest.mark.slow
def test_two_thousand_damaged_files_of_each_kind(data: Path, tmp_path: Path) -> None:
    run(data / "sources", tmp_path, 2000)
