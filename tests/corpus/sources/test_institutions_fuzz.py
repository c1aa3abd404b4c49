"""Damaged files of institutions: a problem in words, or what could be read; never an exception."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from corpus.settings import HarvestSettings, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Unit
from corpus.sources.kinds import SOURCES
from corpus.sources.members import members
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


SECRET = "これはこの機械の秘密である"


def test_entities_and_external_references_stay_closed(data: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, "utf-8")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    doctype = (
        f'<!DOCTYPE r SYSTEM "{secret.as_uri()}" [<!ENTITY x SYSTEM "{secret.as_uri()}">'
        f'<!ENTITY l0 "笑">{laughs}]>'
    ).encode()
    checked = set()
    for name, sample in samples(data / "sources").items():
        kind, _, ending = name.partition(".")
        head, sign, rest = sample.partition(b"?>")
        body = re.sub(rb"<!DOCTYPE[^>]*>", b"", rest if sign else head)
        if not body.lstrip().startswith(b"<") or kind == "wikipedia":
            continue
        at = body.index(b"</", len(body) // 2)  # inside the words of some element
        charset = "euc-jp" if b"EUC-JP" in head else "cp932" if b"Shift_JIS" in head else "utf-8"
        prolog = head.strip() + sign if sign else b'<?xml version="1.0" encoding="UTF-8"?>'
        hostile = prolog + doctype.decode().encode(charset) + body[:at] + b"&x;&l9;" + body[at:]
        file = tmp_path / f"hostile.{ending or 'xml'}"
        file.write_bytes(hostile)
        begin = time.process_time()
        for item in SOURCES[kind].read(Unit(0, kind, (str(file),)), Settings()):
            for words in (item.text, item.title, item.detail, str(item.metadata)):
                assert SECRET not in (words or "")
                assert len(words or "") < 10 * len(sample)
        assert time.process_time() - begin < SLOW
        checked.add(name)
    assert {"news", "news.newsml1", "patents", "minutes", "ndl", "articles", "captions.ttml"} <= (
        checked
    )


def test_archives_that_are_bombs_or_point_elsewhere_open_nothing(tmp_path: Path) -> None:
    tar, packed = tmp_path / "a.tar.xz", tmp_path / "a.zip"
    with tarfile.open(tar, "w:xz", preset=0) as out:
        info = tarfile.TarInfo("../../zeros.txt")
        info.size = 2 << 20
        out.addfile(info, io.BytesIO(bytes(info.size)))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        out.addfile(link)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("../../../outside.txt", "外へ出ようとする文章です。")
        file.writestr("zeros.txt", bytes(2 << 20))
    (bomb,) = members(str(tar))
    assert bomb.reason.startswith("a bomb: ")
    outside, zeros = members(str(packed))
    assert (outside.reason, zeros.reason[:6]) == ("", "a bomb")
    # it is read from the archive, whatever its name says; nothing lies on the disk
    with open_input(outside.path) as stream:
        assert stream.read().decode() == "外へ出ようとする文章です。"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.xz", "a.zip"]


def test_a_file_that_is_too_long_is_said_to_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpus.sources.whole_files.WHOLE_MIB", 1)
    file = tmp_path / "a.xml"
    file.write_bytes(b'<Law LawType="Act"><LawBody>' + b"<P>x</P>" * (1 << 18))
    settings = Settings(harvest=HarvestSettings(max_body_mib=1))
    (item,) = SOURCES["law"].read(Unit(0, "law", (str(file),)), settings)
    assert item.problem == "malformed"
    assert "cut where it is too long" in item.detail
