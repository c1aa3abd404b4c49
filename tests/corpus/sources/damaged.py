"""A whole file of every format, and damage to it, to its bytes or to its structure.

    python -m benchmarks.damage        what 2,000 damaged files of each format cost

A strict reader ends at the first wrong byte of XML or JSON. So every second damaged file of these
is well formed, and its elements or values are not those that the reader expects.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.kinds import items_of
from corpus.sources.xml import XmlError, parse
from corpus.stages.document import Reject, document
from corpus.text.views import plain_text
from tests.corpus.sources.test_institutions import ARTICLE, ARTICLE_XML, HEAD, PAGES, epub, node

SLOW = 2.0  # seconds of processor time that no damaged sample may take
LITE = {
    "contents": [[
        {"boundingBox": [[400, 150], [400, 850], [420, 850], [420, 150]], "id": 0,
         "isVertical": "true", "text": "その日は朝から雨が降つてゐて、", "isTextline": "true",
         "confidence": 0.9}
    ]],
    "imginfo": {"img_width": 500, "img_height": 1000, "img_path": "1.jpg", "img_name": "1.jpg"},
}  # fmt: skip
SRT = "1\n00:00:01,000 --> 00:00:03,000\n（ナレーション）山の朝は早い。\n\n" * 9
SPEECH = {"speechID": "a_1", "issueID": "a", "speechOrder": 1, "speaker": "山田太郎",
          "session": 212, "speech": "○山田太郎君　賛成です。\r\n　理由を述べます。"}  # fmt: skip
PROSE = "山路を登りながら、こう考えた。智に働けば角が立つ。情に棹させば流される。"


def samples(folder: Path) -> dict[str, bytes]:
    """A whole file of every format: kind.ending → its bytes. folder: tests/data/sources."""
    law = gzip.decompress((folder / "gyosei-tetsuzuki-ho.xml.gz").read_bytes())
    html = (folder.parent / "html").glob("*.html")
    with zipfile.ZipFile(folder / "aozora.zip") as packed:
        work = packed.read("3730_ruby_12444.txt")
    rows = [{"text": f"{PROSE}{n}", "url": f"https://example.jp/{n}"} for n in range(20)]
    return {
        "law.xml": law,
        "law.json": json.dumps(_law(), ensure_ascii=False).encode(),
        "minutes.xml": (folder / "kokkai.xml").read_bytes(),
        "minutes.json": json.dumps({"speechRecord": [SPEECH] * 9}, ensure_ascii=False).encode(),
        "minutes.txt": (folder / "council.txt").read_bytes(),
        "text.txt": work,  # Aozora Bunko
        "captions.vtt": (folder / "programme.vtt").read_bytes(),
        "captions.srt": SRT.encode(),
        "captions.ttml": (folder / "arib.ttml").read_bytes(),
        "ndl.xml": (folder / "ndl-geppo.xml").read_bytes(),
        "ndl.json": json.dumps(LITE).encode(),
        "books.epub": epub({"one": "<h2>一</h2><p>山路を登りながら。</p>"}, ["one"]),
        "articles.xml": ARTICLE_XML.encode(),
        "news.xml": (folder / "news-g2.xml").read_bytes(),
        "news.newsml1": (folder / "newsml1.xml").read_bytes(),
        "news.nitf": (folder / "news.nitf").read_bytes(),
        "news.atom": (folder / "feed.atom").read_bytes(),
        "patents.xml": (folder / "patent-st36.xml").read_bytes(),
        "patents.st96": (folder / "patent-st96.xml").read_bytes(),
        "patents.txt": (folder / "patent.txt").read_bytes(),
        "wikipedia.xml": (HEAD + "".join(PAGES) + "</mediawiki>").encode(),
        "wikipedia.json": _cirrus().encode(),
        "html.html": min(html, key=lambda path: path.name).read_bytes(),
        "text.md": f"# 題\n\n{PROSE}\n\n- 項\n  1. 番\n\n| 甲 | 乙 |\n| --- | --- |\n".encode(),
        "jsonl.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "csv.csv": "".join(["text,url\n", *(f"{r['text']},{r['url']}\n" for r in rows)]).encode(),
        "parquet.parquet": _parquet(rows),
        "arrow.arrow": _arrow(rows),
    }  # fmt: skip


def _law() -> dict[str, object]:
    sentence = node("ParagraphSentence", node("Sentence", PROSE))
    article = node("Article", node("ArticleTitle", "第一条"), node("Paragraph", sentence))
    body = node("LawBody", node("LawTitle", "試験法"), node("MainProvision", *[article] * 9))
    return {"law_info": {"law_id": "X1"}, "law_full_text": node("Law", body)}


def _cirrus() -> str:
    line = {"title": "稲穂", "source_text": ARTICLE, "namespace": 0, "wiki": "jawiki"}
    return f'{{"index":{{"_id":"1"}}}}\n{json.dumps(line, ensure_ascii=False)}\n' * 4


def _parquet(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _arrow(rows: list[dict[str, str]]) -> bytes:
    table, sink = pa.Table.from_pylist(rows), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)
    return sink.getvalue().to_pybytes()


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


def restructured(data: bytes, seed: int) -> bytes | None:
    """XML, JSON or a zip of them with parts gone, doubled, moved or renamed; None for others."""
    rng = random.Random(seed)
    if data[:2] == b"PK":
        return _rezipped(data, rng)
    if b"<" in data[:4]:
        try:
            root = parse(data)
        except XmlError:
            return None
        for _ in range(rng.choice((1, 3, 30))):
            _damage_element(rng.choice([e for e in root.iter() if isinstance(e.tag, str)]), rng)
        return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))
    if data.lstrip()[:1] == b"{":
        lines = [json.loads(line) for line in data.splitlines()]
        for _ in range(rng.choice((1, 3, 30))):
            _damage_value(rng.choice(lines), rng)
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    return None


def _rezipped(data: bytes, rng: random.Random) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as file, zipfile.ZipFile(sink, "w") as out:
        for name in file.namelist():
            member = file.read(name)
            if rng.random() < 0.3:
                seed = rng.randrange(1 << 30)
                member = restructured(member, seed) or mutated(member or b" ", seed)
            if rng.random() < 0.95:
                out.writestr(name, member)
    return sink.getvalue()


def _damage_element(element: etree._Element, rng: random.Random) -> None:
    parent = element.getparent()
    match rng.randrange(6):
        case 0 if parent is not None:
            parent.remove(element)
        case 1:
            element.text = rng.choice(("", None, "9" * 40, "1行\r\n\u3000" * 3, PROSE))
        case 2 if element.attrib:
            element.set(rng.choice(list(element.attrib)), rng.choice(("", "-1", "9" * 30, "あ")))
        case 3 if element.attrib:
            del element.attrib[rng.choice(list(element.attrib))]
        case 4 if len(element):  # a copy, somewhere in itself
            rng.choice(list(element.iter("*"))).append(copy.deepcopy(rng.choice(list(element))))
        case _:
            element.tag = rng.choice([e.tag for e in element.getroottree().iter("*")])


def _damage_value(value: object, rng: random.Random) -> None:
    """Damages one value inside an object or array, the deeper the likelier."""
    keys = list(value) if isinstance(value, dict) else range(len(value))  # type: ignore[arg-type]
    if not keys:
        return
    key = rng.choice(list(keys))
    inner = value[key]  # type: ignore[index]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
        _damage_value(inner, rng)
    else:
        value[key] = rng.choice((None, "", -1, 1e300, True, [], {}, [inner] * 3, {"a": inner}))  # type: ignore[index]


class Outcome(NamedTuple):
    """Of one damaged file: documents read of it, its problems by rule, processor seconds."""

    documents: int
    problems: list[str]
    seconds: float


def read(name: str, data: bytes, folder: Path) -> Outcome:
    """What harvest makes of a file of a format, as a build would; whatever is raised is a bug."""
    kind, _, ending = name.partition(".")
    file = folder / f"damaged.{ending}"
    file.write_bytes(data)
    begin = time.process_time()
    documents, problems = 0, []
    settings = Settings()
    for item in items_of(Unit(0, kind, (str(file),)), settings):
        row = document(item, settings)
        if isinstance(row, Reject):
            problems += [] if row.skip else [row.rule]
        else:
            documents += 1
            plain_text(row["text"], row["blocks"])
    return Outcome(documents, problems, time.process_time() - begin)


def outcomes(name: str, data: bytes, times: int, folder: Path) -> Iterator[Outcome]:
    """Those of `times` damaged files of a format, after its whole one (compiled kernels)."""
    assert read(name, data, folder).documents, name
    for seed in range(times):
        damage = (restructured(data, seed) if seed % 2 else None) or mutated(data, seed)
        found = read(name, damage, folder)
        if found.seconds > SLOW / 4:  # a kernel was compiled, or it is slow
            found = read(name, damage, folder)
        yield found
