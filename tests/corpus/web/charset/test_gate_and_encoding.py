"""The gate never misses Japanese, and the decoder reads it whatever the headers say."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.archives import warc
from corpus.sources.archives.window import Window
from corpus.web import http
from corpus.web.charset import decode, gate, japanese, mojibake

KANA = [chr(c) for c in [*range(0x3042, 0x3094), *range(0x30A2, 0x30F4)]]
CODECS = ["utf-8", "cp932", "euc_jp", "iso2022_jp"]


def pages(archive: Path, truth_file: Path, file: str = "") -> list[tuple[dict, http.Response]]:
    with gzip.open(truth_file, "rt", encoding="utf-8") as lines:
        rows = {r["offset"]: r for r in map(json.loads, lines) if r.get("file", file) == file}
    found = []
    with Window(str(archive)) as window:
        for record in warc.read(window, 0, window.size, 8 << 20):
            row = rows.get(record.offset)
            if isinstance(record, warc.Record) and row and row["kind"] == "html":
                response = http.parse(record.block, 8 << 20, 1000)
                if response is not None and record.type == "response":
                    found.append((row, response))
    return found


def decoded(response: http.Response) -> decode.Decoded:
    evidence = gate.evidence(response.body)
    return decode.decode(response.body, response.headers.get("content-type", ""), evidence)


# the gate -----------------------------------------------------------------------------------------


def count_utf8(body: bytes) -> tuple[int, int, int, int]:
    """Reference of the first kernel: high bytes, characters, kana, bad bytes."""
    high = chars = kana = bad = i = 0
    while i < len(body):
        b, size = body[i], 0
        if b < 0x80:
            i += 1
            continue
        for n, low, top in ((2, 0xC2, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF4)):
            tail = body[i + 1 : i + n]
            if low <= b <= top and len(tail) == n - 1 and all(t & 0xC0 == 0x80 for t in tail):
                size = n
        if size == 3:
            code = (b & 15) << 12 | (body[i + 1] & 63) << 6 | body[i + 2] & 63
            kana += 0x3040 <= code <= 0x30FA
        high, chars, bad = high + (size or 1), chars + (size > 0), bad + (size == 0)
        i += size or 1
    return high, chars, kana, bad


@given(
    st.one_of(
        st.binary(max_size=400), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
    )
)
def test_the_utf8_kernel_equals_its_reference(body: bytes) -> None:
    assert gate.evidence(body)[:4] == count_utf8(body)


@pytest.mark.parametrize("codec", CODECS)
@given(
    text=st.lists(st.sampled_from(KANA), min_size=20, max_size=80).map("".join),
    latin=st.text(alphabet='abc <>/"=\n', max_size=300),
)
def test_twenty_kana_always_pass(codec: str, text: str, latin: str) -> None:
    body = (latin + text + latin).encode(codec)
    assert gate.is_candidate(gate.evidence(body))


@given(text=st.lists(st.sampled_from(KANA), min_size=20, max_size=60).map("".join))
def test_numeric_entities_pass(text: str) -> None:
    for form in ("&#{};", "&#x{:x};", "&#X{:04X};"):
        body = "".join(form.format(ord(c)) for c in text).encode()
        assert gate.is_candidate(gate.evidence(body))


def test_gate_on_the_labelled_pages(shared_data: Path) -> None:
    folder = shared_data / "warc"
    seen: Counter[tuple[bool, bool]] = Counter()
    for row, response in pages(folder / "dev-sample.warc.gz", folder / "dev-sample.truth.jsonl.gz"):
        passed = gate.is_candidate(gate.evidence(response.body))
        seen[row["true_lang"] == "ja", passed] += 1
    assert seen[True, False] == 0  # of 1,397 Japanese pages none is missed
    assert seen[False, True] <= 0.03 * (seen[False, True] + seen[False, False])


def test_gate_on_chinese_with_no_and_legacy_chinese_and_korean(data: Path) -> None:
    for row, response in pages(
        data / "encodings.warc.gz", data / "truth.jsonl.gz", "encodings.warc.gz"
    ):
        passed = gate.is_candidate(gate.evidence(response.body))
        if row["true_lang"] in ("ko", "ru", "de", "fr", "en") or row["true_enc"] in (
            "gb18030",
            "big5",
        ):
            assert not passed, row["url"]
        if row["true_lang"] == "ja" and row["kana"] >= 20:
            assert passed, row["url"]


# decoding -----------------------------------------------------------------------------------------


def test_every_page_of_the_encodings_archive_is_read_right(data: Path) -> None:
    wrong = []
    checked = 0
    for row, response in pages(
        data / "encodings.warc.gz", data / "truth.jsonl.gz", "encodings.warc.gz"
    ):
        if row["true_lang"] != "ja" or not row.get("text_sha1"):
            continue
        checked += 1
        found = decoded(response)
        text = found.text
        if "mojibake-stored-as-utf-8" in row["transform"]:  # the truth keeps what is stored
            assert found.how == "mojibake" and "ツールバー" in text
            continue
        if any("cut-character" in step for step in row["transform"]):
            text += "\ufffd"  # the truth marks the cut character; we drop it
        if hashlib.sha1(text.encode("utf-8", "surrogatepass")).hexdigest() != row["text_sha1"]:
            wrong.append((row["url"], row["true_enc"], row["transform"]))
    assert checked >= 60
    assert not wrong


def test_every_japanese_page_of_the_dev_sample_is_read_right(shared_data: Path) -> None:
    folder = shared_data / "warc"
    for row, response in pages(folder / "dev-sample.warc.gz", folder / "dev-sample.truth.jsonl.gz"):
        if row["true_lang"] == "ja":
            found = decoded(response)
            assert found.charset == row["true_enc"], row["url"]
            assert found.repairs <= 1, row["url"]


@pytest.mark.parametrize(
    "text", ["①②㈱髙﨑～∥－￠￡￢―", "ｱｲｳｶﾞ", "纊褜鍈銈", "漢字かな交じり文、です。"]
)
@pytest.mark.parametrize("charset", ["shift_jis", "euc-jp", "iso-2022-jp"])
def test_microsoft_characters_survive_every_charset(text: str, charset: str) -> None:
    body = encode_ms(text, charset)
    assert decode.decode_as(body, charset) == (text, 0)


def encode_ms(text: str, charset: str) -> bytes:
    """CP932 bytes, moved to EUC-JP or ISO-2022-JP by row and cell (kana by 8E or ESC ( I)."""
    out = bytearray()
    for char in text:
        pair = char.encode("cp932")
        if charset == "shift_jis":
            out += pair
            continue
        if len(pair) == 1:
            kana = (
                bytes([0x8E, *pair])
                if charset == "euc-jp"
                else b"\x1b(I%c\x1b(B" % (pair[0] & 0x7F)
            )
            out += kana
            continue
        lead = pair[0] - (0x80 if pair[0] <= 0x9F else 0xC0)
        row, trail = lead * 2 - 1, pair[1]
        if trail >= 0x9F:
            row, cell = row + 1, trail - 0x9E
        else:
            cell = trail - (0x3F if trail < 0x7F else 0x40)
        if row > 94:  # IBM rows: their NEC twins in rows 89 to 92 are what EUC uses
            twin = next(
                (a, b)
                for a in range(89, 93)
                for b in range(1, 95)
                if japanese._euc_pair_as_cp932(a + 0xA0, b + 0xA0) == char
            )
            row, cell = twin
        code = bytes([row + 0xA0, cell + 0xA0])
        out += (
            code if charset == "euc-jp" else b"\x1b$B" + bytes(c & 0x7F for c in code) + b"\x1b(B"
        )
    return bytes(out)


@pytest.mark.parametrize("codec", CODECS)
def test_a_wrong_declaration_loses_against_the_bytes(codec: str) -> None:
    text = "これは文字コードの宣言が間違っているページの本文です。かな漢字交じり文。" * 5
    for lie in ("utf-8", "shift_jis", "euc-jp", "iso-8859-1", "gb2312", "windows-1252", "nonsense"):
        body = f'<meta charset="{lie}">'.encode() + text.encode(codec)
        found = decode.decode(body, f"text/html; charset={lie}", gate.evidence(body))
        assert text in found.text and found.repairs == 0, (codec, lie, found.charset)


def test_one_bad_byte_is_one_repair_and_a_cut_character_is_dropped() -> None:
    text = "本文の途中に壊れたバイトがあります。" * 4
    for codec, bad in (("utf-8", b"\xff"), ("cp932", b"\xfc\x20"), ("euc_jp", b"\xff")):
        body = text.encode(codec) + bad + text.encode(codec)
        found = decode.decode(body, "", gate.evidence(body))
        assert found.repairs >= 1 and found.text.startswith(text) and found.text.endswith(text[-8:])
        cut = text.encode(codec) + "漢".encode(codec)[:-1]
        found = decode.decode(cut, "", gate.evidence(cut))
        assert found.text == text and found.repairs == 1, codec


@given(st.text(alphabet=st.sampled_from(KANA + list("漢字東京、。ー「」abc 123\n")), min_size=30))
def test_what_any_codec_writes_is_read_back(text: str) -> None:
    for codec in CODECS:
        try:
            body = text.encode(codec)
        except UnicodeEncodeError:  # a few katakana are in none of the legacy sets
            continue
        evidence = gate.evidence(body)
        if gate.is_candidate(evidence):
            assert decode.decode(body, "", evidence).text == text


@given(st.binary(max_size=600))
def test_no_bytes_crash_the_decoder(body: bytes) -> None:
    evidence = gate.evidence(body)
    decode.decode(body, "text/html; charset=\x00", evidence)
    for charset in ("utf-8", "shift_jis", "euc-jp", "iso-2022-jp"):
        decode.decode_as(body, charset)


@given(st.text(alphabet=st.sampled_from(KANA + list("漢字東京、。ー「」abc 123\n")), min_size=12))
def test_mojibake_of_windows_1252_is_undone(text: str) -> None:
    garbled = text.encode().decode("latin-1")
    assert mojibake.undo(garbled)[0] == text
    garbled = "".join(bytes([b]).decode("cp1252", "ignore") or chr(b) for b in text.encode())
    assert mojibake.undo(garbled)[0] == text


@given(st.text(max_size=300))
def test_undoing_mojibake_never_touches_clean_japanese(text: str) -> None:
    clean = "".join(c for c in text if not 0x80 <= ord(c) <= 0x2122)
    assert mojibake.undo(clean) == (clean, 0) or any(c in clean for c in "縺繧繝")


def test_portuguese_is_no_mojibake() -> None:
    body = "São Paulo, a não ser que então, coração, mãe e pão à mão. ".encode() * 50
    assert gate.evidence(body).mojibake == 0 and not gate.is_candidate(gate.evidence(body))
