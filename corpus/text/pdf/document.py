"""A PDF file as blocks and facts: which pages are plain, which need care, which tell nothing."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from pdfminer.pdfdocument import PDFDocument, PDFPasswordIncorrect
from pdfminer.pdfinterp import PDFPageInterpreter
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser

from corpus.text.pdf.blocks import blocks_of, titles
from corpus.text.pdf.careful import page_text
from corpus.text.pdf.characters import Collector, Fonts
from corpus.text.pdf.page import PageText, Refused
from corpus.text.pdf.plain import BROKEN, plain_page

MAX_PAGES = 10_000
FEW_KANA = 0.005  # of the characters of these: another language
MANY_CHARACTERS = 200  # fewer tell nothing
EXTRACT = 0x10  # permission to take text (ISO 32000-1, table 22, bit 5)
_KANA = re.compile("[ぁ-ゖァ-ヺ]")
_JAPANESE, _HALF = re.compile("[ぁ-ヺ一-龠]"), re.compile("[\uff61-\uff9f]")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d{2})?(\d{2})?")
_FILE_NAME = re.compile(
    r"^Microsoft (?:Word|PowerPoint|Excel) - |\.(?:docx?|pptx?|xlsx?|jtd|pdf|indd|html?)$",
    re.IGNORECASE,
)


def read(data: bytes, ruby: str, gate: bool) -> dict[str, Any]:
    """What a file says: blocks, title, author, date, facts, dropped (reason → pages), careful.

    gate: whether a file without Japanese on some pages is passed over: {"skip": …}.
    Refused when no page can be read.
    """
    logging.disable(logging.ERROR)  # pdfminer warns of each oddity
    file = _open(data)
    try:
        count = min(len(file), MAX_PAGES) if file is not None else MAX_PAGES
        if gate and file is not None and _is_foreign(file, count):
            return {"skip": "not Japanese (gate)"}
        found = Pages(data, file, ruby)
        pages = list(found.pages(count))
        facts = _facts(file)
    finally:
        if file is not None:
            file.close()
    return _result(pages, found.careful, facts)


def _result(pages: list[PageText], careful: int, facts: dict[str, str]) -> dict[str, Any]:
    dropped: dict[str, list[int]] = {}
    for number, page in enumerate(pages, 1):
        if page.reason:
            dropped.setdefault(page.reason, []).append(number)
    blocks = blocks_of([page for page in pages if not page.reason])
    if not blocks:
        often = max(dropped, key=lambda reason: len(dropped[reason]), default="pdf_malformed")
        raise Refused(often)
    title = facts.pop("title", "") or next(titles(blocks), "")
    return {
        "blocks": blocks, "title": title, "author": facts.pop("author", ""),
        "date": facts.pop("date", ""), "facts": facts | {"pages": str(len(pages))},
        "dropped": dropped, "careful": careful,
    }  # fmt: skip


def _open(data: bytes) -> pdfium.PdfDocument | None:
    """The file by PDFium; None if only pdfminer may read it. Refused if it is locked."""
    try:
        file = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise Refused("pdf_encrypted") from None
        return None
    locked = raw.FPDF_GetSecurityHandlerRevision(file.raw) >= 0
    if locked and not raw.FPDF_GetDocPermissions(file.raw) & EXTRACT:
        file.close()
        raise Refused("pdf_encrypted")
    return file


def _is_foreign(file: pdfium.PdfDocument, count: int) -> bool:
    """Whether some pages have text and hardly any kana, none of it unreadable."""
    numbers = sorted({0, count // 2, count - 1} & set(range(count)))
    total = kana = unread = 0
    for number in numbers:
        try:
            text_page = file[number].get_textpage()
            text = text_page.get_text_range()
        except pdfium.PdfiumError:
            continue
        total += len(text)
        kana += len(_KANA.findall(text))
        unread += len(BROKEN.findall(text))
    return total > MANY_CHARACTERS and kana < FEW_KANA * total and unread < 0.1 * total


class Pages:
    """The pages of a file in order: fast where they are plain, with care where not."""

    def __init__(self, data: bytes, file: pdfium.PdfDocument | None, ruby: str) -> None:
        self.data, self.file, self.ruby = data, file, ruby
        self.careful = 0
        self._slow: Iterator[PDFPage] | None = None
        self._passed = 0
        self._device = Collector(Fonts())
        self._interpreter = PDFPageInterpreter(self._device.fonts, self._device)

    def pages(self, count: int) -> Iterator[PageText]:
        """Each page with its parts or its reason. count: of pages, at most."""
        for number in range(count):
            page = self._fast(number)
            if page is None:
                page = self._with_care(number)
            if page is None:
                return
            yield page

    def _fast(self, number: int) -> PageText | None:
        if self.file is None:
            return None
        try:
            page = self.file[number]
        except pdfium.PdfiumError:
            return None
        try:
            return plain_page(page)
        except pdfium.PdfiumError:
            return None
        finally:
            page.close()

    def _with_care(self, number: int) -> PageText | None:
        """The page by pdfminer; None behind the last one."""
        self.careful += 1
        try:
            page = self._page(number)
        except StopIteration:
            return None if self.file is None else PageText(0, 0, reason="pdf_malformed")
        except (Exception, RecursionError) as error:
            if isinstance(error, MemoryError):
                raise
            if self.file is None:
                raise Refused("pdf_malformed") from error
            return PageText(0, 0, reason="pdf_malformed")
        try:
            self._interpreter.process_page(page)
            return page_text(self._device, self.ruby)
        except MemoryError:
            raise
        except Exception:  # hostile input: one page must not cost its neighbours
            return PageText(0, 0, reason="pdf_malformed")

    def _page(self, number: int) -> PDFPage:
        if self._slow is None:
            try:
                document = PDFDocument(PDFParser(io.BytesIO(self.data)))
            except PDFPasswordIncorrect:
                raise Refused("pdf_encrypted") from None
            self._slow = PDFPage.create_pages(document)
        while self._passed < number:
            next(self._slow)
            self._passed += 1
        self._passed += 1
        return next(self._slow)


def _facts(file: pdfium.PdfDocument | None) -> dict[str, str]:
    """Title, author, date, and what else the file says of itself."""
    if file is None:
        return {}
    info = {key: _readable(value) for key, value in file.get_metadata_dict(skip_empty=True).items()}
    title = info.get("Title", "")
    if _FILE_NAME.search(title):
        title = ""
    facts = {
        "title": "" if title.lower() in ("untitled", "無題") else title,
        "author": info.get("Author", ""),
        "date": _date(info.get("CreationDate", "")),
        "modified": _date(info.get("ModDate", "")),
        "producer": info.get("Producer", ""),
        "subject": info.get("Subject", ""),
        "keywords": info.get("Keywords", ""),
    }
    return {key: value for key, value in facts.items() if value}


def _readable(value: str) -> str:
    """The words of a fact; Shift_JIS that was written as if it were Latin is read."""
    value = " ".join("".join(c for c in value if c.isprintable() or c.isspace()).split())
    if any("\x80" <= c <= "\xff" for c in value):
        try:
            read = value.encode("latin-1").decode("cp932")
        except ValueError:
            return value
        return read if _JAPANESE.search(read) and not _HALF.search(read) else value
    return value


def _date(words: str) -> str:
    """ISO 8601 of a date of PDF (7.9.4): D:YYYYMMDD…"""
    match = _DATE.match(words)
    if match is None or not "1900" < match[1] < "2100":
        return ""
    return "-".join(part for part in match.groups() if part)
