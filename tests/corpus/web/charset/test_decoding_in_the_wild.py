"""What pages in the wild do with charsets: labels, mixtures, forgotten escapes, mojibake twice."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.web.charset import decode as encoding
from corpus.web.charset import gate, japanese, mojibake
from corpus.web.charset.labels import PYTHON, whatwg_name

TEXT = (
    "これは日本語の文章です。東京都の天気は晴れで、気温は二十度になる見込みです。"
    "カタカナ・テストとひらがな。"
)
PAGE = "<html><head><title>x</title></head><body><p>{}</p></body></html>"


def decode(body: bytes, content_type: str = "") -> encoding.Decoded:
    return encoding.decode(body, content_type, gate.evidence(body))


# labels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("shift_jis", "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis"),
        ("euc-jp", "cseucpkdfmtjapanese euc-jp x-euc-jp"),
        ("iso-2022-jp", "csiso2022jp iso-2022-jp"),
        ("utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8"),
        ("euc-kr", "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ksc_5601 windows-949"),
        ("gbk", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk"),
        ("big5", "big5 big5-hkscs cn-big5 csbig5 x-x-big5"),
        ("windows-1252", "ascii us-ascii iso-8859-1 latin1 l1 cp1252 ansi_x3.4-1968 iso88591"),
        ("windows-1254", "iso-8859-9 latin5 iso_8859-9:1989"),
        ("windows-874", "tis-620 dos-874 iso-8859-11"),
        ("utf-16le", "utf-16 unicode ucs-2 csunicode iso-10646-ucs-2"),
        ("koi8-r", "koi koi8 koi8_r cskoi8r"),
    ],
)
def test_labels_of_the_encoding_standard(name: str, labels: str) -> None:
    for label in labels.split():
        assert whatwg_name(label) == whatwg_name(f"  {label.upper()} ") == name, label


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (
            "shift_jis",
            "Shift_JIS shift__jis Shift-JIS; shuft_jis shfit_jis shif_jis sift_jis shift_jsi "
            "shiftt_jis shift_jis. shift_gis shit_jis x_sjis sjis-win cp943c cp-932 ms_932 "
            "windows31j windows-31 Ｓｈｉｆｔ＿ＪＩＳ shift_jis-2004 shift_jisx0213 macjapanese",
        ),
        (
            "euc-jp",
            "euc_jp eucjp eucJP-ms euc-jp-ms eucjp-win x-euc ujis cp51932 euc-jo euc-pj ecu-jp "
            "euc-ja EUC－JP euc-jisx0213",
        ),
        (
            "iso-2022-jp",
            "iso2022-jp iso_2022_jp iso-2202-jp iso-2022-jpn iso-2022-jp-2004 jis x-jis cp50220",
        ),
        ("utf-8", "utf8 utf_8 utf-8n ＵＴＦ－８ uft-8 utf.8 utf8mb4 utf-8-sig x-utf8"),
    ],
)
def test_misspelt_labels(name: str, labels: str) -> None:
    for label in labels.split():
        assert whatwg_name(label) == name, label


def test_no_label_names_a_codec_that_browsers_do_not_have() -> None:
    labels = (
        "idna punycode unicode_escape raw_unicode_escape rot13 base64 zlib undefined utf-7 utf-32 "
        "cp037 mbcs oem iso-2022-kr iso-2022-cn hz-gb-2312 euc-tw none auto text/html japanese"
    )
    for label in labels.split():
        assert whatwg_name(label) == "", label
        body = PAGE.format(TEXT).encode()
        assert TEXT in decode(body, f"text/html; charset={label}").text
        assert decode(b"<p>plain", f"text/html; charset={label}").text == "<p>plain"
    for codec in PYTHON.values():
        assert "abc" in "abc".encode(codec).decode(codec)


@given(st.text(max_size=60))
def test_any_label_has_an_answer(label: str) -> None:
    assert whatwg_name(label) in {"", *PYTHON}


@pytest.mark.parametrize(
    "header",
    [
        'text/html; charset="euc-jp"',
        "text/html;charset = 'EUC-JP'",
        "text/html, charset=euc-jp",
        "text/html; charset=none, text/html; charset=euc-jp",
        "text/html; charset=charset=euc-jp",
    ],
)
def test_header_forms(header: str) -> None:
    body = "<p>東京都 大阪府 京都府</p>".encode("euc_jp")  # no kana: the declaration decides
    found = decode(body, header)
    assert "東京都 大阪府" in found.text and found.how == "header"


@pytest.mark.parametrize(
    "head",
    [
        "<meta charset=EUC-JP>",
        "<META\nCHARSET\n=\n' x-euc-jp '\n/>",
        "<meta http-equiv=Content-Type content='text/html; charset=EUC-JP'>",
        '<meta content="text/html; charset=euc_jp;" http-equiv="content-type">',
        '<?xml version="1.0" encoding="EUC-JP"?>',
        '<!-- <meta charset="Shift_JIS"> --><meta charset="euc-jp">',
        '<meta charset="unknown-8bit"><meta charset="euc-jp">',
    ],
)
def test_meta_forms(head: str) -> None:
    found = decode((head + "<p>東京都 大阪府 京都府</p>").encode("euc_jp"))
    assert "東京都 大阪府" in found.text and found.how == "meta"


def test_hostile_declarations_cost_no_time() -> None:
    for junk in (b"<meta charset=" + b" " * 8000, b"<meta " * 1400, b"<!--" * 2000):
        decode(junk)
    decode(b"<p>x", "text/html;" + " charset=" + " " * 200_000)
    assert decode(b"<p>x", "charset" * 200_000).text == "<p>x"
    # A quadratic pattern took 80 s here.


def test_a_page_in_ascii_declared_as_utf_16_is_read_as_it_is() -> None:
    assert decode(b"<p>plain", "text/html; charset=utf-16").text == "<p>plain"


# marks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_and_without_a_mark(codec: str) -> None:
    for body in (("\ufeff" + TEXT).encode(codec), PAGE.format(TEXT).encode(codec)):
        assert gate.is_candidate(gate.evidence(body))
        assert TEXT in decode(body).text


def test_a_utf_8_mark_before_shift_jis_loses() -> None:
    found = decode(b"\xef\xbb\xbf" + PAGE.format(TEXT).encode("cp932"))
    assert TEXT in found.text and found.charset == "shift_jis" and found.repairs == 0


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_utf_16_whose_line_feeds_somebody_made_cr_lf_is_read_whole(
    codec: str, newline: str
) -> None:
    lines = newline.join(f"<p>{i}{TEXT}</p>" for i in range(5))
    body = ("\ufeff" + lines).encode(codec).replace(b"\n", b"\r\n")
    assert "਍" in body.decode("utf-16", "replace") or "਀" in body.decode("utf-16", "replace")
    found = decode(body)
    assert found.text == lines and found.repairs == 4


def test_utf_8_behind_the_mark_of_utf_16_is_read_as_utf_8() -> None:
    found = decode(codecs.BOM_UTF16_LE + PAGE.format(TEXT).encode())
    assert TEXT in found.text and found.charset == "utf-8"


@pytest.mark.parametrize("meta", ["", '<meta charset="utf-8">'])
def test_utf_8_that_lost_every_seventeenth_of_its_high_bytes_is_still_utf_8(meta: str) -> None:
    whole = (meta + PAGE.format(TEXT * 6)).encode()
    high = 0
    kept = bytearray()
    for byte in whole:
        high += byte >= 0x80
        if byte < 0x80 or high % 17:
            kept.append(byte)
    found = decode(bytes(kept))
    assert found.charset == "utf-8" and found.repairs > 20
    assert sum(c in TEXT for c in found.text) > 0.8 * 6 * len(TEXT)


# pages in several charsets ------------------------------------------------------------------------

CODECS = ["utf-8", "cp932", "euc_jp", "iso2022_jp"]


@pytest.mark.parametrize("first", CODECS)
@pytest.mark.parametrize("second", CODECS)
@pytest.mark.parametrize("share", [1, 5, 9])
def test_a_page_whose_parts_are_in_two_charsets_is_read_whole(
    first: str, second: str, share: int
) -> None:
    head, tail = PAGE.format(TEXT * share), PAGE.format(TEXT * (10 - share))
    found = decode(head.encode(first) + tail.encode(second))
    assert found.text == head + tail


def test_random_bytes_in_a_page_are_no_other_charset() -> None:
    page = PAGE.format(TEXT * 20).encode()
    for bad in (b"\xff", b"\x82\x30", b"\xa4\x20", b"\x8f"):
        body = bad.join(page.split("。".encode()))
        found = decode(body)
        assert found.charset == "utf-8" and found.text.count("日本語") == 20, bad


def test_noise_costs_no_time() -> None:
    assert TEXT in decode(PAGE.format(TEXT).encode() + b"\xff<" * 2_000_000).text
    one_line = b"x" * 4_000_000 + TEXT.encode("cp932")
    assert TEXT in decode(PAGE.format(TEXT * 9).encode() + one_line).text
    assert TEXT in decode(PAGE.format(TEXT).encode("iso2022_jp") + b"\x1b$B" * 300_000).text


def test_japanese_in_gb_2312_keeps_its_kanji_and_a_lie_about_euc_jp_loses(
    shared_data: Path,
) -> None:
    """Chinese servers have Japanese pages; GB 2312 has its kana where EUC-JP has them."""
    for path in sorted((shared_data / "text" / "aozora-sjis").rglob("*.txt"))[:40]:
        text = path.read_bytes().decode("cp932", "ignore")[:5000]
        text = text.encode("euc_jp", "ignore").decode("euc_jp")
        for label in ("gb2312", "gbk", "GB18030"):
            header = f"text/html; charset={label}"
            assert decode(text.encode("gb18030"), header).text == text, path.name
            found = decode(text.encode("euc_jp"), header)
            assert (found.text, found.charset) == (japanese.as_windows(text), "euc-jp"), path.name


# ISO-2022-JP --------------------------------------------------------------------------------------

JIS = TEXT.encode("iso2022_jp")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (JIS.replace(b"\x1b$B", b"\x1b$@"), TEXT),
        (JIS.replace(b"\x1b(B", b"\x1b(J"), TEXT),
        (JIS.replace(b"\x1b(B", b"\x1b(H"), TEXT),
        (JIS.replace(b"\x1b$B", b"\x1b&@\x1b$B"), TEXT),
        (JIS.replace(b"\x1b$B", b"\x1b$(Q"), TEXT),
        (JIS[:-3], TEXT),
        (b"<p>" + JIS[:-3] + b"</p>\n<p>" + JIS, f"<p>{TEXT}</p>\n<p>{TEXT}"),
        (JIS[:-3] + b"<br>" + JIS, f"{TEXT}<br>{TEXT}"),
        (JIS[:-3] + b"\n<div>x", f"{TEXT}\n<div>x"),
        (JIS + b"\x1b(I6E3^\x1b(B", TEXT + "ｶﾅｳﾞ"),
        (JIS + b"\x0e6E3^\x0f.", TEXT + "ｶﾅｳﾞ."),
        (JIS + b"\xb6\xc5", TEXT + "ｶﾅ"),
        (JIS + "侔".encode("iso2022_jp_1"), TEXT + "侔"),
        (JIS + b"\x1b$B-!-j\x1b(B", TEXT + "①㈱"),
    ],
)
def test_iso_2022_jp_as_pages_have_it(body: bytes, expected: str) -> None:
    found = decode(body)
    assert (found.text, found.charset, found.repairs) == (expected, "iso-2022-jp", 0)


def test_no_kanji_is_taken_for_markup(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "text" / "aozora-sjis").rglob("*.txt"))[:40]:
        text = path.read_bytes().decode("cp932", "ignore")
        text = text.encode("iso2022_jp", "ignore").decode("iso2022_jp")
        assert encoding.decode_as(text.encode("iso2022_jp"), "iso-2022-jp") == (
            japanese.as_windows(text),
            0,
        )
        seen += len(text)
    assert seen > 100_000


# mojibake -----------------------------------------------------------------------------------------


def western(data: bytes) -> str:
    return "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in data)


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("table", ["cp1252", "latin-1"])
def test_utf_8_read_as_western_is_undone_however_often(rounds: int, table: str) -> None:
    text = TEXT * 3
    for _ in range(rounds):
        text = western(text.encode()) if table == "cp1252" else text.encode().decode("latin-1")
    body = PAGE.format(text).encode()
    assert gate.is_candidate(gate.evidence(body))
    found = decode(body)
    assert found.text == PAGE.format(TEXT * 3) and found.how == "mojibake"


@pytest.mark.parametrize("lost", ["\ufffd", "・", "?", ""])
def test_utf_8_read_as_cp932_comes_back_up_to_what_was_lost(lost: str) -> None:
    garbled = (TEXT * 3).encode().decode("cp932", "replace").replace("\ufffd", lost)
    body = PAGE.format(garbled).encode()
    assert gate.is_candidate(gate.evidence(body))
    found = decode(body)
    assert found.how == "mojibake"
    assert "これは日本語" in found.text and "気温は二十度になる見込みです。" in found.text


def test_utf_8_read_as_windows_1252_with_undefined_bytes_lost() -> None:
    garbled = (TEXT * 3).encode().decode("cp1252", "replace")
    found = decode(PAGE.format(garbled).encode())
    assert "これは日本語の文章です。" in found.text and found.how == "mojibake"


def test_a_page_about_mojibake_stays() -> None:
    text = "文字化けの例として「縺ゅ＞縺」や「繧ｳ繝ｳ」と表示されることがあります。" * 5
    assert decode(PAGE.format(text).encode()).text == PAGE.format(text)
    for text in ("糸が縺れる。縺れた繧繝の織物。", "GARÇÃO NÃO SÃO JOÃO, não coração SÃ£o"):
        assert mojibake.undo(text) == (text, 0)


@given(
    st.lists(
        st.sampled_from(
            [b"\x1b$B", b"\x1b(B", b"\x1b(J", b"\x1b$@", b"$3$l", b"F|K\\", b"abc", b"\\~", b" \n"]
        ),
        max_size=12,
    )
)
def test_the_fast_way_reads_iso_2022_jp_as_the_careful_one_does(parts: list[bytes]) -> None:
    body = b"".join(parts)
    assert japanese.decode_iso2022jp(body) == japanese.decode_iso2022jp(
        body + b"\x1b(I"
    )  # never fast


def test_user_defined_and_unassigned_euc_cells_are_one_repair_each() -> None:
    assert encoding.decode_as(b"\xa4\xa2\xf5\xa1\xa4\xa2", "euc-jp") == ("あ\ufffdあ", 1)
    assert encoding.decode_as(b"\xa4\xa2\x8f\xf5\xa1\xa4\xa2", "euc-jp") == ("あ\ufffdあ", 1)


def test_real_texts_survive_every_accident(shared_data: Path) -> None:
    """Short lines without kana, runs of full-width blanks: what made-up sentences do not have."""
    seen = 0
    for path in sorted((shared_data / "text" / "aozora-sjis").rglob("*.txt"))[:30]:
        text = path.read_bytes().decode("cp932", "ignore").replace("\r\n", "\n")[:4000]
        text = text.encode("euc_jp", "ignore").decode("euc_jp").replace("〜", "～")
        lines = text.split("\n")
        head, tail = "\n".join(lines[: len(lines) // 2]), "\n".join(lines[len(lines) // 2 :])
        if "は" not in head or "は" not in tail:
            continue
        accidents = {
            "twice": western(western(text.encode()).encode()).encode(),
            "once": western(text.encode()).encode(),
            "half CP932": f"{head}\n".encode() + tail.encode("cp932", "ignore"),
            "GB": b'<meta charset="gb2312">' + text.encode("gb18030"),
        }
        for name, body in accidents.items():
            assert gate.is_candidate(gate.evidence(body)), (name, path.name)
            found = decode(body).text.removeprefix('<meta charset="gb2312">')
            wanted = text if name != "half CP932" else text.replace("〜", "～")
            same = sum(a == b for a, b in zip(found, wanted, strict=False))
            assert same >= 0.99 * len(wanted) and len(found) == len(wanted), (name, path.name)
        seen += 1
    assert seen >= 20


def test_a_body_that_is_mostly_damage_costs_bounded_time() -> None:
    """By the work done, not the clock: the error handler is not called for every byte."""
    calls = 0

    def counting(error: UnicodeError) -> tuple[str | bytes, int]:
        nonlocal calls
        calls += 1
        return handler(error)

    handler = codecs.lookup_error("inaho-eucjp-ms")
    codecs.register_error("inaho-eucjp-ms", counting)
    try:
        damaged = "あいう".encode("euc_jp") * 50 + b"\x8f\xff" * 1_000_000
        assert encoding.decode_as(damaged, "euc-jp")[0].startswith("あいう")
        escapes = "あ\x1b$B".encode() * 300_000
        assert encoding.decode_as(escapes, "iso-2022-jp")[1] > 0
    finally:
        codecs.register_error("inaho-eucjp-ms", handler)
    assert calls < 100_000
