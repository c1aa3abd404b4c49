"""`corpus doctor --warm`: kernels are compiled before the first build, for images and installs.

A kernel is compiled for the types of its arguments, never for what they hold, so two small builds
of made-up pages reach what a build of a crawl reaches: one with the default settings, one with
what is off by default.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import numpy as np
from numba.core import event
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from corpus import config
from corpus.build import Build
from corpus.engine.local import LocalEngine
from corpus.folder.folder import Folder, open_folder
from corpus.folder.layout import DOCUMENTS
from corpus.index import Index
from corpus.index.build import update
from corpus.index.suffixes import scan
from corpus.text.escape import escaped

SENTENCE = "設定ファイルの{n}行目では、サーバーが待ち受ける番号と、記録を残す場所を指定します。"
BODY = """<main><h1>設定の手引き {n}</h1><p>{text}</p><ul><li>一つ目の項目</li></ul>
<table><tr><th>名前<th>値</tr><tr><td>Port<td>{n}</tr></table><pre>Listen {n}</pre>
<blockquote><p>{text}</p></blockquote><p>式は<math><mi>x</mi></math>、問い合わせは
a{n}@example.jp まで。</p></main>"""
OPTIONS = (
    "harvest.format=plain", "harvest.language=", "dedup.url=true", "dedup.mask_digits=true",
    "dedup.mask_dates=true", "dedup.mask_prices=true", "dedup.paragraph=host",
    "dedup.substring=40", "select.profile=swallow-v1",
)  # fmt: skip
KEEP = "publish.allow_empty=true"  # whatever the profiles say of these pages


def warm() -> int:
    """Compile what a build needs; the number of kernels that were not compiled yet."""
    with event.install_recorder("numba:compile") as compiled, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages, texts, held_out = (folder / f for f in ("pages.warc", "texts.jsonl", "set.jsonl"))
        _write_pages(pages)
        rows = [{"url": f"https://w{n % 3}.example/{n}", "text": _text(n)} for n in range(40)]
        texts.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
        held_out.write_text(json.dumps({"question": _text(99), "answer": _text(98)}), "utf-8")
        for inputs, options in (
            ([pages, texts], ["select.profile=web", KEEP]),
            ([pages, texts], [*OPTIONS, KEEP, f"decontaminate.sets={held_out}"]),
        ):
            settings = config.load(None, options)
            out = open_folder(str(folder / f"build{len(options)}"), "")
            Build(out, settings, tuple(map(str, inputs)), LocalEngine(quiet=True)).run()
        _index(out)
        escaped("*")  # as PDFs, laws and what else is no HTML are written
    return sum(record.is_start for _, record in compiled.buffer)


def _index(folder: Folder) -> None:
    """Sort and search, so that the kernels of `corpus index`, `find` and `trace` are compiled."""
    update(folder, DOCUMENTS, LocalEngine(quiet=True))
    index = Index(folder.layout, documents=True)
    index.find(_text(1)[:30])
    index.spans(_text(1), 20)
    scan(index.parts[0].text, np.frombuffer(b"..", np.uint16), np.empty(1, np.int64))


def _text(n: int) -> str:
    """A few sentences; every fourth text is nearly the one before it."""
    return "".join(SENTENCE.format(n=7 * (n - n % 4 // 3) + line) for line in range(12))


def _write_pages(path: Path) -> None:
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=False)
        for n in range(40):
            coding = ("utf-8", "cp932", "euc-jp")[n % 3]
            page = f"<html lang=ja><title>手引き</title><body>{BODY.format(n=n, text=_text(n))}"
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], "HTTP/1.1")
            body = io.BytesIO(page.encode(coding))
            address = f"https://w{n % 2}.example/{n}"
            record = writer.create_warc_record(address, "response", body, http_headers=headers)
            writer.write_record(record)
