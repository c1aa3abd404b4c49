"""Real pages for tests/data, from the dev sample and Debian packages, each with its licence.

Only packages whose licence allows copying without doubt are here. Left out on purpose: GFDL
manuals (gimp-help, sylpheed-doc), GPL-only and LGPL-only manuals (their HTML is a compiled form),
and packages without a clear licence.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli

# package -> (version, licence chosen, file in tests/data/licences)
PACKAGES = {
    "apache2-doc": ("2.4.71-1~deb12u1", "Apache-2.0", "apache2-doc.copyright"),
    "libreoffice-help-ja": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "libreoffice-help-ko": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "libreoffice-help-ru": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "libreoffice-help-vi": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "libreoffice-help-zh-cn": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "libreoffice-help-zh-tw": ("4:7.4.7-1+deb12u14", "MPL-2.0", "libreoffice-help.copyright"),
    "debian-handbook": ("11.20220922", "CC-BY-SA-3.0", "debian-handbook.copyright"),
    "mecab": ("0.996-14+b14", "BSD-3-Clause", "mecab.copyright"),
}

# Package files from which further Japanese pages come: the folder of the pages, the URL of it.
DEBS = {
    "libreoffice-help-ja_7.4.7": (
        "7799ace9bfe0845771ed2499913e7f7e521318cf3727c007672e3b020f8eb7b9",
        "libreoffice-help-ja",
        "usr/share/libreoffice/help/ja/text/",
        "https://help.libreoffice.org/7.4/ja/",
    ),
    "debian-handbook_11.20220922": (
        "3d5dbeac1f1afc9c094eab9d0f701f6ecff99c4927d5a4794cf6c85678134faa",
        "debian-handbook",
        "usr/share/doc/debian-handbook/html/ja-JP/",
        "https://debian-handbook.info/browse/ja-JP/",
    ),
}

KANA = re.compile("[ぁ-ヺ]")


@dataclass(frozen=True)
class Page:
    """One published page; `body` is the file's bytes, `origin` is `dev-sample` or `deb`."""

    package: str
    path: str
    url: str
    body: bytes
    encoding: str
    language: str
    origin: str

    @property
    def text(self) -> str:
        """The whole file, decoded (encodings here are the dev sample's true ones)."""
        return self.body.decode({"euc-kr": "cp949"}.get(self.encoding, self.encoding))

    @property
    def kana(self) -> int:
        """Number of kana in the file."""
        return len(KANA.findall(self.text))

    @property
    def density(self) -> float:
        """Kana per compressed byte: how much Japanese a page brings for its size."""
        return self.kana / len(zlib.compress(self.body, 9))


def _dechunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out


def _payload(record: bytes) -> bytes:
    """Body of a response record without transfer and content coding; raises on broken ones."""
    _, _, http = record.partition(b"\r\n\r\n")
    head, _, body = http.removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    fields = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if fields.get(b"transfer-encoding") == b"chunked":
        body = _dechunk(body)
    coding = fields.get(b"content-encoding")
    if coding == b"gzip" and body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    elif coding == b"br":
        body = brotli.decompress(body)
    elif coding == b"deflate":
        body = zlib.decompress(body, 15 if body[:1] == b"\x78" else -15)
    return body


def dev_sample_pages(shared_data: Path) -> list[Page]:
    """Untouched pages of the allowed packages in `warc/dev-sample.warc.gz`, in file order.

    A page counts as untouched when its bytes have the SHA-1 of the packaged file.
    """
    folder = shared_data / "warc"
    pages: dict[str, Page] = {}
    with (
        gzip.open(folder / "dev-sample.truth.jsonl.gz", "rt", encoding="utf-8") as truth,
        open(folder / "dev-sample.warc.gz", "rb") as warc,
    ):
        for line in truth:
            row: dict[str, Any] = json.loads(line)
            package = str(row.get("src", "")).removeprefix("deb:")
            usable = row["kind"] == "html" and row.get("lang_conf") == "high"
            if package not in PACKAGES or not usable or row["url"] in pages:
                continue
            warc.seek(row["offset"])
            try:
                body = _payload(gzip.decompress(warc.read(row["length"])))
            except (ValueError, zlib.error, EOFError, brotli.error):
                continue  # a record that the dev sample damaged on purpose
            if hashlib.sha1(body).hexdigest() != row["source_sha1"]:
                continue
            encoding, language = row["true_enc"], row["true_lang"]
            page = Page(package, row["path"], row["url"], body, encoding, language, "dev-sample")
            pages[page.url] = page
    return list(pages.values())


def deb_pages(debs: Path) -> list[Page]:
    """Japanese pages of the unpacked packages under `debs/NAME/` (`dpkg-deb -x FILE.deb NAME`).

    The package file itself must lie in `debs`; its SHA-256 is checked against `DEBS`.
    """
    pages: list[Page] = []
    for stem, (sha256, package, folder, base) in DEBS.items():
        version = stem.rpartition("_")[2]
        files = [p for p in sorted(debs.glob(f"{package}_*.deb")) if version in p.name]
        if not files or hashlib.sha256(files[0].read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{debs}: no {stem}*.deb with SHA-256 {sha256}: apt-get download it")
        root = debs / package
        if not (root / folder).is_dir():
            raise SystemExit(f"{root / folder} is missing: dpkg-deb -x {files[0]} {root}")
        for file in sorted((root / folder).rglob("*.html")):
            body = file.read_bytes()
            url = base + file.relative_to(root / folder).as_posix()
            path = file.relative_to(root).as_posix()
            page = Page(package, path, url, body, "utf-8", "ja", "deb")
            if _is_japanese(page):
                pages.append(page)
    return pages


def _is_japanese(page: Page) -> bool:
    """The folder says Japanese, but untranslated pages are English: at least 8 % must be kana."""
    try:
        visible = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>|\s+", "", page.text)
    except UnicodeDecodeError:
        return False
    kana = len(KANA.findall(visible))
    return kana >= 120 and kana >= 0.08 * len(visible)
