"""The texts that the models of filters/models were trained on, one file a document, from checkouts.

    python benchmarks/training/texts.py CHECKOUTS OUT [--gold PAGES.jsonl.gz] [--without WORKS]

CHECKOUTS holds clones of the repositories in filters/models/README.md under their own names. PAGES
has a JSON object a line with `fam` (name of the source), `true_lang` and `gold` (main text of a
page). WORKS is a folder with Aozora works to keep for tests: their paths, with __ for /. Writes
OUT/SOURCE/NNNNN.txt; a source whose checkout is absent is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

RUBY = re.compile(r"《[^》\n]*》|｜|［＃[^］\n]*］")
KANA = re.compile("[ぁ-んァ-ン]")
MARKDOWN = (
    (re.compile(r"```.*?```|<!--.*?-->", re.S), ""),
    (re.compile(r"\A---\n.*?\n---\n", re.S), ""),
    (re.compile(r"<[^>\n]+>|!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])"), r"\1"),
    (re.compile(r"^\[[^\]]+\]:.*$|^ {4,}\S.*$", re.M), ""),
    (re.compile(r"^[#>\s]*[-*+]?\s*(?=\S)", re.M), ""),
    (re.compile(r"\*\*|`"), ""),
)
AOZORA_STEP = 17  # every 17th work, in the order of the paths
AOZORA_CHARS = 12_000
MEETING = 60  # utterances of a text


def texts(root: Path, without: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(source, text) of every document, in a fixed order."""
    for part, name in (("train", "jaquad"), ("dev", "jaquad-dev")):
        for file in sorted((root / "JaQuAD/data" / part).glob("*.json")):
            for article in json.loads(file.read_text("utf-8"))["data"]:
                yield name, "\n".join(dict.fromkeys(p["context"] for p in article["paragraphs"]))
    for name, folder in (("wac", "WikipediaAnnotatedCorpus/org"), ("kwdlc", "KWDLC/org")):
        for file in sorted((root / folder).rglob("*.org")):
            lines = file.read_text("utf-8").splitlines()
            yield name, "\n".join(line for line in lines if not line.startswith("#"))
    dialogues = root / "real-persona-chat/real_persona_chat/dialogues"
    for file in sorted(dialogues.rglob("*.json")):
        yield "rpc", "\n".join(u["text"] for u in json.loads(file.read_text("utf-8"))["utterances"])
    for file in sorted((root / "AMI-Meeting-Parallel-Corpus").glob("*.json")):
        for meeting in json.loads(file.read_text("utf-8")):
            said = [row["ja_sentence"] for row in meeting["conversation"]]
            for i in range(0, len(said), MEETING):
                yield "ami", "\n".join(said[i : i + MEETING])
    for name, folder in (("js-primer", "js-primer/source"), ("rust-book", "book-ja/src")):
        for file in sorted((root / folder).rglob("*.md")):
            yield name, markdown(file.read_text("utf-8"))
    yield from aozora(root / "aozorabunko_text", without)


def markdown(text: str) -> str:
    """The Japanese lines of Markdown, without its marks and its code."""
    for pattern, instead in MARKDOWN:
        text = pattern.sub(instead, text)
    return "\n".join(line for line in text.split("\n") if KANA.search(line))


def aozora(root: Path, without: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Works of Aozora Bunko without ruby, notes, head and tail; none under copyright."""
    works = {file.relative_to(root).as_posix(): file for file in root.rglob("*.txt")}
    for name in sorted(works.keys() - without)[7::AOZORA_STEP]:
        text = works[name].read_bytes().decode("cp932", "replace").replace("\r\n", "\n")
        if "著作権者" in text or "クリエイティブ" in text:
            continue
        parts = re.split(r"^-{20,}\n", text, flags=re.M)
        body = (parts[2] if len(parts) > 2 else text).split("\n底本：")[0]
        body = RUBY.sub("", body).strip()[:AOZORA_CHARS]
        if len(body) >= 200:
            yield "aozora", body


def pages(file: Path) -> Iterator[tuple[str, str]]:
    """(gold-FAMILY, main text) of the Japanese pages."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["true_lang"] == "ja":
                yield f"gold-{row['fam']}", row["gold"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--gold", type=Path)
    parser.add_argument("--without", type=Path)
    options = parser.parse_args()
    kept = options.without.glob("*.txt") if options.without else ()
    without = frozenset(file.name.replace("__", "/") for file in kept)
    count: dict[str, int] = {}
    for part in (
        texts(options.checkouts, without),
        pages(options.gold) if options.gold else iter(()),
    ):
        for source, text in part:
            if len(text.strip()) < 50:
                continue
            path = options.out / source / f"{count.get(source, 0):05d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.strip(), encoding="utf-8")
            count[source] = count.get(source, 0) + 1
    for source, documents in count.items():
        print(f"{source:30} {documents:7,} texts")


if __name__ == "__main__":
    main()
