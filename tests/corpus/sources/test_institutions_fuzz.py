"""Damaged files of institutions: a problem in words, or what could be read; never an exception."""

from __future__ import annotations

import io
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
from tests.corpus.sources.damaged import SLOW, outcomes, samples

STEPS = Settings().normalize.steps


def run(folder: Path, tmp_path: Path, times: int) -> None:
    for name, whole in samples(folder).items():
        for seed, found in enumerate(outcomes(name, whole, times, tmp_path)):
            assert found.seconds < SLOW, (name, seed)


def test_damaged_files(data: Path, tmp_path: Path) -> None:
    run(data / "sources", tmp_path, 10)


@pytest.mark.slow
def test_two_thousand_damaged_files_of_each_format(data: Path, tmp_path: Path) -> None:
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
        if not body.lstrip().startswith(b"<") or kind in ("wikipedia", "html"):
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
    assert checked >= {
        "news.xml", "news.newsml1", "patents.xml", "minutes.xml", "ndl.xml", "articles.xml",
        "captions.ttml", "law.xml",
    }  # fmt: skip


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
