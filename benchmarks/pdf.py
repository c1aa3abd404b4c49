"""PDF: order of the words, running heads removed, readings by policy, pages a second.

    python -m benchmarks.pdf [--documents 60] [--folder DIR] [--times 5]

Prints documents with known blocks by headless Chromium (tests/corpus/sources/printed.py) into the
folder once, reads them, and compares. Speed: pages a second of one core by each way alone.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2

from corpus.text.pdf import document
from tests.corpus.sources import printed

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "sources"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="where printed files stay")
    parser.add_argument("--times", type=int, default=3, help="runs of which the best counts")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    words = printed.paragraphs(DATA)
    documents = [printed.document(seed, words) for seed in range(options.documents)]
    files = [_file(folder / f"{k:03}.pdf", each) for k, each in enumerate(documents)]
    _print_quality(documents, files)
    _print_speed(files, options.times)


def _file(path: Path, each: printed.Printed) -> Path:
    if not path.exists():
        path.write_bytes(printed.print_pdf(each.markup))
    return path


def _print_quality(documents: Sequence[printed.Printed], files: Sequence[Path]) -> None:
    rows = defaultdict[str, list[dict[str, float]]](list)
    for each, file in zip(documents, files, strict=True):
        measured = measure(each, file.read_bytes())
        rows[each.style].append(measured)
        rows["all"].append(measured)
    names = list(next(iter(rows.values()))[0])
    print(f"{'style':14}" + "".join(f"{name:>12}" for name in names))
    for style, measures in rows.items():
        means = [sum(m[name] for m in measures) / len(measures) for name in names]
        print(f"{style:14}" + "".join(f"{mean:12.4f}" for mean in means))


def measure(each: printed.Printed, data: bytes) -> dict[str, float]:
    """Shares from 0 to 1: order, heads and numbers removed, blocks found whole, ruby inline."""
    found = document.read(data, "drop", gate=False)
    pages = int(found["facts"]["pages"])
    text = "".join(_words(block) for block in found["blocks"])
    squeezed = printed.squeezed(text)
    blocks = {printed.squeezed(_words(block)) for block in found["blocks"]}
    known = [printed.squeezed(_words(("", 0, words))) for _, words in each.blocks]
    headings = {printed.squeezed(b[2]) for b in found["blocks"] if b[0] == "heading"}
    titles = [printed.squeezed(str(w)) for kind, w in each.blocks if kind in ("h1", "h2")]
    tables = [b[2] for b in found["blocks"] if b[0] == "table"]
    own_tables = [w for kind, w in each.blocks if kind == "table"]
    return {
        "order": printed.agreement(each.words, squeezed),
        "heads": 1 - min(squeezed.count(each.head) / pages, 1),
        "numbers": 1 - min(len(re.findall("[0-9]+", squeezed)) / pages, 1),
        "blocks": sum(words in blocks for words in known) / len(known),
        "headings": sum(title in headings for title in titles) / len(titles),
        "tables": sum(t in tables for t in own_tables) / len(own_tables) if own_tables else 1.0,
        "ruby": _ruby(each, data),
    }


def _words(block: Sequence[Any]) -> str:
    words = block[2]
    return words if isinstance(words, str) else "".join(cell for row in words for cell in row)


def _ruby(each: printed.Printed, data: bytes) -> float:
    """The share of readings that stand behind their word under the policy `inline`."""
    if not each.readings:
        return 1.0
    found = document.read(data, "inline", gate=False)
    text = printed.squeezed("".join(_words(block) for block in found["blocks"]))
    wanted = Counter(f"{word}（{reading}）" for word, reading in each.readings)
    return sum(min(text.count(w), n) for w, n in wanted.items()) / len(each.readings)


def _print_speed(files: Sequence[Path], times: int) -> None:
    data = [file.read_bytes() for file in files]
    plain = [one for one in data if document.read(one, "drop", False)["careful"] == 0]
    for name, files_read, read in (
        ("fast path, plain pages", plain, lambda one: document.read(one, "drop", True)),
        ("pdfminer, all pages", data, read_with_care),
    ):
        pages = sum(len(pypdfium2.PdfDocument(one)) for one in files_read)
        best = min(_timed(files_read, read) for _ in range(times))
        print(f"{name}: {pages} pages, {pages / best:.0f} pages/s")


def _timed(data: Sequence[bytes], read: Any) -> float:
    begin = time.process_time()
    for one in data:
        read(one)
    return time.process_time() - begin


def read_with_care(data: bytes) -> None:
    """All pages by pdfminer, whatever they are."""
    pages = document.Pages(data, None, "drop")
    document.blocks_of([page for page in pages.pages(document.MAX_PAGES) if not page.reason])


if __name__ == "__main__":
    main()
