"""PDF: printed pages give back what was printed; hostile files cost themselves alone."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path

import pytest

from corpus.settings import HarvestSettings, Settings
from corpus.sources import pdf, warc
from corpus.sources.archives.warc import Record
from corpus.sources.item import Item, Unit
from corpus.sources.kinds import kind_of
from corpus.text.pdf import bounded, document
from corpus.text.pdf.page import Refused
from corpus.text.views import plain_text
from tests.corpus.sources import printed
from tests.corpus.sources.damaged import mutated

STYLES = ("prose", "columns", "vertical", "rows", "vertical-ruby")


@pytest.fixture(scope="module")
def files(data: Path) -> Path:
    return data / "sources" / "pdf"


def read(*paths: Path, settings: Settings = Settings()) -> list[Item]:  # noqa: B008
    return list(pdf.SOURCE.read(Unit(0, "pdf", tuple(map(str, paths))), settings))


@pytest.mark.parametrize("style", STYLES)
def test_a_printed_page_gives_back_its_words_without_running_heads(files: Path, style: str) -> None:
    truth = json.loads((files.parent.parent / "pdf-truth.json").read_text("utf-8"))[style]
    (item,) = read(files / f"{style}.pdf")
    plain = printed.squeezed(plain_text(item.text or "", item.blocks))
    assert printed.agreement(truth["words"], plain) > 0.995
    assert truth["head"] not in plain and not set("0123456789") & set(plain)
    for heading in truth["headings"]:
        assert f"# {heading}" in (item.text or "")
    for table in truth["tables"]:
        assert "\n".join("| " + " | ".join(row) + " |" for row in table[1:]) in (item.text or "")
    assert item.metadata["pages"] >= "3" and item.date.startswith("20")


def test_readings_go_by_policy(files: Path) -> None:
    truth = json.loads((files.parent.parent / "pdf-truth.json").read_text("utf-8"))["vertical-ruby"]
    file = files / "vertical-ruby.pdf"
    wanted = Counter(f"{word}（{reading}）" for word, reading in truth["readings"])
    (inline,) = read(file, settings=Settings(harvest=HarvestSettings(ruby="inline")))
    found = sum(min((inline.text or "").count(words), n) for words, n in wanted.items())
    assert found > 0.9 * len(truth["readings"])
    (keep,) = read(file, settings=Settings(harvest=HarvestSettings(ruby="keep")))
    word, reading = truth["readings"][0]
    assert f"｜{word}《{reading}》" in (keep.text or "").replace("\\", "")


def test_plain_pages_take_the_fast_way(files: Path) -> None:
    careful = {s: document.read((files / f"{s}.pdf").read_bytes(), "drop", True) for s in STYLES}
    assert careful["prose"]["careful"] == 0
    assert all(found["careful"] for style, found in careful.items() if style != "prose")


def test_the_fast_and_the_careful_way_agree(files: Path) -> None:
    data = (files / "prose.pdf").read_bytes()
    slow = document.Pages(data, None, "drop")
    pages = [page for page in slow.pages(100) if not page.reason]
    assert slow.careful > 3
    assert document.blocks_of(pages) == document.read(data, "drop", True)["blocks"]


def test_sentences_of_a_list_with_hanging_indent_are_whole(files: Path) -> None:
    (item,) = read(files / "columns.pdf")
    text = item.text or ""
    assert "これに義務を課し、又はその権利を制限する処分をいう。" in text
    assert text.count("処分（以下「許認可等」という。）を求める行為であって") == 2
    assert "処分をい\n" not in text


def test_verse_keeps_its_lines_and_stanzas_and_has_its_title(shared_data: Path) -> None:
    (item,) = read(shared_data / "formats" / "pdf" / "jo.pdf")
    stanzas = (item.text or "").split("\n\n")
    assert (stanzas[0], item.title) == ("# 序", "序")
    assert [stanza.count("\n") + 1 for stanza in stanzas[1:]] == [10, 8, 10, 27, 3, 1]
    assert "\nかげとひかりのひとくさりづつ\nそのとほりの心象スケッチです" in stanzas[2]
    assert "に過ぎません\nおそらくこれから二千年もたったころは\n" in stanzas[4]


# small files made for it --------------------------------------------------------------------------


def made(*objects: bytes, more: bytes = b"") -> bytes:
    """A PDF of objects 1, 2, …; the first is the catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R%s>>\n"
        b"startxref\n%d\n%%%%EOF" % (size, table, size, more, len(out))
    )


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(body), entries, body)


CATALOGUE, PAGES = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = (
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 400]/Contents 4 0 R"
    b"/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>>>"
)
# A font of CIDs that are those of nothing: which characters they are, it does not tell.
MUTE = (
    b"<</Type/Font/Subtype/Type0/BaseFont/Odd/Encoding/Identity-H/DescendantFonts[<</Type/Font"
    b"/Subtype/CIDFontType2/BaseFont/Odd/CIDSystemInfo<</Registry(Odd)/Ordering(Identity)"
    b"/Supplement 0>>>>]>>"
)
IMAGE = stream(b"\0", b"/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8"
                      b"/ColorSpace/DeviceGray")  # fmt: skip
WORDS = stream(b"BT /F 12 Tf 50 300 Td <" + b"0102" * 30 + b"> Tj ET")


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as refused:
        document.read(data, "drop", gate=True)
    return str(refused.value)


def test_pages_that_tell_nothing_have_a_reason() -> None:
    picture = made(CATALOGUE, PAGES, PAGE, stream(b"400 0 0 400 0 0 cm /X Do"), MUTE, IMAGE)
    assert refusal(picture) == "pdf_image"
    assert refusal(made(CATALOGUE, PAGES, PAGE, WORDS, MUTE, IMAGE)) == "pdf_no_font_map"
    assert refusal(made(CATALOGUE, PAGES, PAGE, stream(b" "), MUTE, IMAGE)) == "pdf_blank"
    locked = (b"/Encrypt<</Filter/Standard/V 1/R 2/P -64/O(" + b"o" * 32 + b")/U(" + b"u" * 32
              + b")>>/ID[(a)(a)]")  # fmt: skip
    assert refusal(made(CATALOGUE, PAGES, PAGE, WORDS, MUTE, IMAGE, more=locked)) == "pdf_encrypted"


def test_a_page_without_text_is_a_row_beside_its_document(files: Path, tmp_path: Path) -> None:
    import pypdfium2

    whole = pypdfium2.PdfDocument((files / "prose.pdf").read_bytes())
    picture = made(CATALOGUE, PAGES, PAGE, stream(b"9 0 0 9 0 0 cm /X Do"), MUTE, IMAGE)
    whole.import_pages(pypdfium2.PdfDocument(picture), index=1)
    file = tmp_path / "mixed.pdf"
    whole.save(file)
    item, missing = read(file)
    assert item.text and item.metadata["pages_image"] == "2"
    assert (missing.problem, missing.value, missing.text) == ("pdf_image", 1.0, None)
    assert missing.detail.startswith("pages 2: images without text") and missing.part != item.part


def test_another_language_is_passed_over(tmp_path: Path) -> None:
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    words = stream(
        b"BT /F 9 Tf 20 300 Td 12 TL " + b"(The quick brown fox jumps over it.) Tj T* " * 9 + b"ET"
    )
    file = tmp_path / "english.pdf"
    file.write_bytes(made(CATALOGUE, PAGES, PAGE, words, font, IMAGE))
    assert [item.skip for item in read(file)] == ["not Japanese (gate)"]
    item = read(file, settings=Settings(harvest=HarvestSettings(gate=False)))[0]
    assert (item.text or "").startswith("The quick brown fox jumps over it. The quick brown")


# web archives -------------------------------------------------------------------------------------


def archived(body: bytes, media_type: str = "application/pdf", **headers: str) -> list[Item]:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n%s" % (media_type.encode(), body)
    own = {"warc-type": "response", "warc-target-uri": "https://example.jp/a", **headers}
    record = Record(7, len(block), 0, own | {"content-length": str(len(block))}, block, False)
    return list(warc.items("a.warc", [record], Settings()))


def test_a_pdf_in_a_web_archive_is_read_and_its_truncation_seen(files: Path) -> None:
    data = (files / "vertical.pdf").read_bytes()
    for media_type in ("application/pdf", "application/octet-stream"):
        (item,) = archived(data, media_type)
        assert (item.source, item.url, item.offset) == ("pdf", "https://example.jp/a", 7)
        assert item.text == read(files / "vertical.pdf")[0].text
    cut = archived(data[: len(data) // 2], **{"warc-truncated": "length"})[0]
    assert cut.truncated == "length"
    assert cut.text is None and cut.problem == "pdf_truncated" and "length" in cut.detail


def test_what_a_file_is_its_first_bytes_tell(files: Path, tmp_path: Path) -> None:
    file = tmp_path / "download"
    file.write_bytes((files / "rows.pdf").read_bytes())
    assert kind_of(str(file)) == kind_of(str(files / "rows.pdf")) == "pdf"


# hostile files ------------------------------------------------------------------------------------

NEST = b"[" * 50_000
BOMB = zlib.compress(zlib.compress(b"\0" * (64 << 20), 9), 9)
HOSTILE = {
    "pages that are their own children": made(
        CATALOGUE, b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>"
    ),
    "a form that draws itself": made(
        CATALOGUE, PAGES, PAGE, stream(b"/X Do"), MUTE,
        stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]"
                               b"/Resources<</XObject<</X 6 0 R>>>>"),
    ),
    "arrays inside arrays": made(CATALOGUE, PAGES, PAGE, stream(NEST), NEST, IMAGE),
    "a billion pages": made(CATALOGUE, b"<</Type/Pages/Kids[3 0 R]/Count 1000000000>>", PAGE,
                            stream(b" "), MUTE, IMAGE),
    "a stream that unpacks for ever": made(
        CATALOGUE, PAGES, PAGE, stream(BOMB, b"/Filter[/FlateDecode/FlateDecode]"), MUTE, IMAGE
    ),
    "a length of itself": made(
        CATALOGUE, PAGES, PAGE, b"<</Length 4 0 R>>stream\n(\nendstream", MUTE
    ),
    "no end": b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 1 0 R/Kids[1 0 R]>>",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_itself_alone(name: str, files: Path, tmp_path: Path) -> None:
    file = tmp_path / "hostile.pdf"
    file.write_bytes(HOSTILE[name])
    bad, *_, good = read(file, files / "prose.pdf")
    assert bad.text is None and bad.problem
    assert good.text


def test_the_child_is_bounded(files: Path) -> None:
    child = bounded.Child()
    data = (files / "vertical.pdf").read_bytes()
    whole = child.ask(data, "drop", gate=True)
    # Time that is not enough ends the child, and the next file has another one.
    message = json.dumps({"seconds": 0.01, "ruby": "drop", "gate": True}).encode() + b"\n" + data
    assert child._exchange(message, 60) is None
    child.close()
    assert child.ask(data, "drop", gate=True) == whole
    child.close()


def damage(files: Path, times: int) -> Counter[str]:
    """Damaged files, by outcome; the kernel ends a reader that computes too long (`bounded`)."""
    outcomes = Counter[str]()
    child = bounded.Child()
    samples = [(files / f"{style}.pdf").read_bytes() for style in STYLES]
    small = made(CATALOGUE, PAGES, PAGE, WORDS, MUTE, IMAGE)
    for seed in range(times):
        data = mutated([*samples, small][seed % 6], seed)
        found = child.ask(data, "drop", gate=True)
        assert "blocks" in found or "skip" in found or found["refused"]
        outcomes[found.get("refused", "skip" if "skip" in found else "read")] += 1
    child.close()
    return outcomes


def test_damaged_files(files: Path) -> None:
    assert sum(damage(files, 50).values()) == 50


@pytest.mark.slow
def test_two_thousand_damaged_files(files: Path) -> None:
    outcomes = damage(files, 2000)
    print(outcomes)
    assert outcomes["read"] > 200


@pytest.mark.slow
@pytest.mark.skipif(printed.CHROMIUM is None, reason="needs Chromium")
def test_sixty_printed_documents(data: Path) -> None:
    from benchmarks.pdf import measure

    words = printed.paragraphs(data / "sources")
    totals = Counter[str]()
    for seed in range(60):
        each = printed.document(seed, words)
        totals.update(measure(each, printed.print_pdf(each.markup)))
    means = {name: total / 60 for name, total in totals.items()}
    assert means["order"] >= 0.98 and means["heads"] >= 0.95 and means["numbers"] >= 0.95
    assert means["ruby"] >= 0.95
