"""Every document of the shared real data as plain text, with its genre."""

from __future__ import annotations

import csv
import gzip
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

RUBY = re.compile(r"《[^》\n]*》|｜|［＃[^］\n]*］")


def documents(shared_data: Path) -> Iterator[tuple[str, str]]:
    """(genre, text) of every document, in a fixed order."""
    yield from _gold(shared_data)
    yield from _aozora(shared_data)
    yield from _ud_gsd(shared_data)
    yield from _evaluation(shared_data)
    yield from _ndl(shared_data)
    yield "law", _law(shared_data / "formats/law")


def _gold(shared_data: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(shared_data / "warc/dev-sample.gold.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            genre = "statute" if row["fam"] == "egov-law" else "technical"
            yield (genre if row["true_lang"] == "ja" else "foreign"), row["gold"]


def _aozora(shared_data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((shared_data / "text/aozora-sjis").glob("*.txt")):
        text = path.read_bytes().decode("cp932", "replace").replace("\r\n", "\n")
        parts = re.split(r"^-{20,}\n", text, flags=re.M)
        body = parts[2] if len(parts) > 2 else text
        yield "literature", RUBY.sub("", body.split("\n底本：")[0]).strip()


def _ud_gsd(shared_data: Path) -> Iterator[tuple[str, str]]:
    path = shared_data / "text/ud-gsd/ja_gsd-ud-dev.conllu"
    lines = path.read_text(encoding="utf-8").splitlines()
    sentences = [line[9:] for line in lines if line.startswith("# text = ")]
    for i in range(0, len(sentences), 20):
        yield "sentences", "\n".join(sentences[i : i + 20])


def _evaluation(shared_data: Path) -> Iterator[tuple[str, str]]:
    squad = json.loads(
        (shared_data / "evaluation/JGLUE/jsquad-v1.3/valid-v1.3.json").read_text("utf-8")
    )
    for article in squad["data"]:
        paragraphs = [p["context"].split(" [SEP] ")[-1] for p in article["paragraphs"]]
        yield "encyclopedia", "\n".join(paragraphs)
    for path in sorted((shared_data / "evaluation/JMMLU").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield "exam", "\n".join("\n".join(row) for row in csv.reader(file))
    law = json.loads((shared_data / "evaluation/lawqa_jp.selection.json").read_text("utf-8"))
    for sample in law["samples"]:
        for value in sample.values():
            if isinstance(value, str) and len(value) > 100:
                yield "statute", value


def _ndl(shared_data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((shared_data / "formats/ndl").glob("*.xml")):
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        strings = [e.get("STRING", "") for e in root.iter() if e.tag.endswith("LINE")]
        yield "ocr", "\n".join(strings)


def _law(folder: Path) -> str:
    root = ET.parse(next(folder.glob("*.xml"))).getroot()
    sentences = ("".join(e.itertext()).strip() for e in root.iter("Sentence"))
    return "\n".join(s for s in sentences if s)
