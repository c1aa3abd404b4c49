"""Personal data in Japanese text: found, checked, and masked with a typed placeholder.

A finding must look like the thing *and* check: numbering plans for telephones, the check digit for
My Number, Luhn for cards, context for what is only digits. So barcodes, ISBNs, receipt numbers,
floats, dates and article numbers stay as they are.

    find(text)                      findings of one text
    apply(texts, "mask")            a whole Arrow array: detect, mask or drop
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .kernels import personal_signs
from .kernels.classes import CLASS_TABLE
from .signals import slices

PLACEHOLDERS = {
    "phone": "[電話番号]",
    "postal": "[郵便番号]",
    "address": "[住所]",
    "email": "[メールアドレス]",
    "my_number": "[個人番号]",
    "bank_account": "[口座番号]",
    "credit_card": "[カード番号]",
    "passport": "[旅券番号]",
    "licence": "[免許証番号]",
    "ip": "[IPアドレス]",
    "name": "[氏名]",
}
KINDS = tuple(PLACEHOLDERS)
POLICIES = ("detect", "mask", "drop")

DIGIT = "0-9０-９"
DASH = "-‐‑‒–—―−ーｰ－"
KANJI_NUMBER = "〇一二三四五六七八九十百"
TO_ASCII = {0xFF01 + i: 0x21 + i for i in range(94)} | {ord(c): "-" for c in DASH} | {0x3000: " "}

# A run of digits with at most two separators between digits: every number below is inside one.
NUMBER = re.compile(
    rf"(?<![{DIGIT}A-Za-z.,])(?:[+＋][{DIGIT}]|[(（]?[{DIGIT}])"
    rf"(?:[{DASH} \u3000()（）]{{0,2}}[{DIGIT}]){{6,18}}(?![{DIGIT}A-Za-z])"
)
EMAIL = re.compile(
    r"[A-Za-z0-9Ａ-Ｚａ-ｚ０-９][A-Za-z0-9._%+\-Ａ-Ｚａ-ｚ０-９＿．－]{0,63}[@＠]"
    r"(?:[A-Za-z0-9Ａ-Ｚａ-ｚ０-９－-]{1,63}[.．]){1,6}[A-Za-zＡ-Ｚａ-ｚ]{2,24}"
)
IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
PASSPORT = re.compile(
    r"(?:旅券|パスポート|passport)[^\n]{0,20}?(?<![A-Z])([A-Z]{2}\d{7})(?!\d)", re.I
)
YUCHO = re.compile(
    rf"記号[^{DIGIT}\n]{{0,4}}[{DIGIT}]{{5}}[^{DIGIT}\n]{{0,8}}番号[^{DIGIT}\n]{{0,4}}[{DIGIT}]{{6,8}}"
)
BANK_WORDS = re.compile("普通|当座|貯蓄|口座|預金")
POSTAL = re.compile(rf"〒[ \u3000]?[{DIGIT}]{{3}}[{DASH} ]?[{DIGIT}]{{4}}(?![{DIGIT}])")
# The block number of an address: 2丁目, 10番地, 3番5号, 1-2-3.
BLOCK = re.compile(
    rf"(?:[{DIGIT}]{{1,5}}|[{KANJI_NUMBER}]{{1,4}})"
    rf"(?:丁目|番地|番町|番|号|[{DASH}の][{DIGIT}]{{1,5}})"
    # … or a bare number, which counts behind a prefecture only: 埼玉県富士見市大字鶴馬3465
    rf"|(?<=[一-龥々])[{DIGIT}]{{1,5}}(?![{DIGIT}年月日時分秒人円名件個回か箇歳台枚本冊度階％%〜～万億千.,．，A-Za-z])"
)
BLOCK_TAIL = re.compile(
    rf"(?:[ \u3000]?(?:[{DIGIT}]{{1,5}}|[{KANJI_NUMBER}]{{1,4}})?"
    rf"(?:丁目|番地の?|番|号(?:室|棟)?|[{DASH}の][{DIGIT}]{{1,5}}|[{DIGIT}]{{1,5}}))*"
)
PREFECTURE = (  # the 47, complete: a name that only ends in 県 is none
    "北海道|東京都|京都府|大阪府|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|"
    "神奈川県|新潟県|富山県|石川県|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県|滋賀県|兵庫県|奈良県|"
    "和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|"
    "大分県|宮崎県|鹿児島県|沖縄県"
)
PLACE = "一-龥々〆ヶヵケぁ-んァ-ヴー"
# What stands before a block number, up to the municipality, with the prefecture if it is given.
LOCALITY = re.compile(
    rf"(?:{PREFECTURE})[ \u3000]?[{PLACE}]{{1,12}}?[市区町村郡][{PLACE}{DIGIT} \u3000]{{0,24}}$"
)
# Without it, nothing but a name may stand between: 区域を第二条第一項第八号 is no address.
SHORT_LOCALITY = re.compile(
    r"[一-龥々ヶヵケ]{1,6}[市区](?![域間])[一-龥々ヶヵケァ-ヴーのつ0-9０-９]{1,16}(?<![第条項同])$"
)
PREFECTURE_FIRST = re.compile(PREFECTURE)
LOOK_BACK = 44
NAME = re.compile(
    r"(?<![一-龥々ァ-ヴー])(?:[一-龥々ヶ]{2,6}|[一-龥々ヶ]{1,3}[ \u3000][一-龥々ぁ-んァ-ヴ]{1,4})"
    r"(?=[ \u3000]?(?:様|さん|氏|殿|先生)(?![一-龥々]))"
)
NEAR = 60  # characters between a name and other personal data that make it personal data too
PHONE_WORDS = re.compile(
    "電話|ＴＥＬ|TEL|Tel|tel|ＦＡＸ|FAX|Fax|ファ[クッ]|連絡|携帯|℡|☎|フリーダイヤル"
)
MY_NUMBER_WORDS = re.compile("マイナンバー|個人番号|My ?Number")
LICENCE_WORDS = re.compile("免許")
POSTAL_WORDS = re.compile("郵便番号|〒")
CODE_WORDS = re.compile(
    "ISBN|ISSN|JAN|型番|品番|商品|注文|受付|伝票|レシート|管理|登録|会員|法人|整理|製造|No|№|ID|CODE|コード"
)


@dataclass(frozen=True, order=True)
class Finding:
    """Characters text[begin:end] hold personal data of a kind out of KINDS."""

    begin: int
    end: int
    kind: str


def find(text: str, signs: int = personal_signs.EVERY) -> list[Finding]:
    """All findings, in order, none overlapping another (the longer one stays).

    signs: what `kernels.personal_signs` says can be there; all by default.
    """
    found = list(_marked(text, signs))
    if signs & personal_signs.NUMBER:
        found += _numbers(text)
    if signs & personal_signs.ADDRESS:
        found += _addresses(text)
    kept = _disjoint(found)
    if kept:
        kept = _disjoint([*kept, *_names(text, kept)])
    return kept


def mask(text: str, findings: list[Finding]) -> str:
    """The text with every finding replaced by the placeholder of its kind."""
    parts, position = [], 0
    for f in findings:
        parts += [text[position : f.begin], PLACEHOLDERS[f.kind]]
        position = f.end
    return "".join([*parts, text[position:]])


@dataclass(frozen=True)
class Result:
    """texts: as given, or masked; keep bool[n]: false where `drop` drops; counts int32[n, kinds];
    findings: of every document that has any."""

    texts: pa.Array
    keep: np.ndarray
    counts: np.ndarray
    findings: dict[int, list[Finding]]


def apply(texts: pa.Array, policy: str, kinds: frozenset[str] = frozenset(KINDS)) -> Result:
    """Detect, mask or drop the given kinds in every text; columns of `counts` follow KINDS.

    Raises ValueError for an unknown policy or kind.
    """
    if policy not in POLICIES:
        raise ValueError(f"unknown policy {policy!r}; there are {', '.join(POLICIES)}")
    if unknown := sorted(kinds - set(KINDS)):
        raise ValueError(f"unknown kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    documents = texts.to_pylist()
    signs = signs_of(texts)
    counts = np.zeros((len(documents), len(KINDS)), np.int32)
    findings: dict[int, list[Finding]] = {}
    for row, text in enumerate(documents):
        hits = [f for f in find(text or "", int(signs[row])) if f.kind in kinds]
        if hits:
            findings[row] = hits
            for f in hits:
                counts[row, KINDS.index(f.kind)] += 1
            if policy == "mask":
                documents[row] = mask(text, hits)
    keep = np.ones(len(documents), bool)
    if policy == "drop":
        keep[list(findings)] = False
    out = pa.array(documents, texts.type) if policy == "mask" and findings else texts
    return Result(out, keep, counts, findings)


def signs_of(texts: pa.Array) -> np.ndarray:
    """uint8[n]: which kinds of finding each text can hold at all."""
    flags = np.zeros(len(texts), np.uint8)
    row = 0
    for part in slices(texts):
        n = len(part.starts) - 1
        out = flags[row : row + n]
        personal_signs.personal_signs(part.points, part.starts, CLASS_TABLE, out)
        row += n
    return flags


def _numbers(text: str) -> Iterator[Finding]:
    """Telephones, cards, My Number, accounts, licences and bare postal codes."""
    for m in NUMBER.finditer(text):
        begin, end = m.span()
        raw = m.group().translate(TO_ASCII)
        kind = _number_kind(raw, text[max(0, begin - 24) : begin], text[end : end + 6])
        if kind:
            if raw[0] == "(" and raw.count("(") > raw.count(")"):
                begin += 1
            yield Finding(begin, end, kind)


def _number_kind(raw: str, before: str, after: str) -> str | None:
    groups = [g for g in re.split(r"[^0-9]+", raw) if g]
    digits = "".join(groups)
    size = len(digits)
    if after[:1] in (".", "．") and after[1:2].isdigit():
        return None
    if raw[0] == "+":
        return "phone" if raw.startswith("+81") and _dials("0" + digits[2:].lstrip("0")) else None
    if size == 12 and MY_NUMBER_WORDS.search(before) and my_number_checks(digits):
        return "my_number"
    if size == 12 and LICENCE_WORDS.search(before):
        return "licence"
    if size == 12 and len(groups) == 3 and my_number_checks(digits):
        return None if CODE_WORDS.search(before) else "my_number"
    if 14 <= size <= 16 and card_checks(digits) and not CODE_WORDS.search(before[-12:]):
        return "credit_card" if len(groups) in (1, 3, 4) else None
    if size == 7 and len(groups) == 1 and BANK_WORDS.search(before[-12:]):
        return "bank_account"
    if size == 7 and [len(g) for g in groups] == [3, 4]:
        near = POSTAL_WORDS.search(before[-6:]) or PREFECTURE_FIRST.match(after.strip()[:4])
        return "postal" if near else None
    if digits[0] == "0" and _is_phone(groups, digits, before):
        return "phone"
    return None


def _is_phone(groups: list[str], digits: str, before: str) -> bool:
    if not _dials(digits):
        return False
    shape = tuple(len(g) for g in groups)
    if shape in ((2, 4, 4), (3, 3, 4), (4, 2, 4), (5, 1, 4), (3, 4, 4), (4, 3, 3), (4, 3, 4)):
        return not CODE_WORDS.search(before[-6:]) or bool(PHONE_WORDS.search(before))
    called = PHONE_WORDS.search(before[-14:]) is not None
    if len(groups) == 1 and len(digits) == 11:
        return called or not CODE_WORDS.search(before)
    return called


def _dials(digits: str) -> bool:
    """Whether the digits are a Japanese number: 0AB–J, mobile, IP, free and special dial."""
    if re.fullmatch(r"0[5-9]0[1-9]\d{7}|0[789]0\d{8}|0800\d{7}", digits):
        return True
    if re.fullmatch(r"(?:0120|0570|0990|0180)\d{6}", digits):
        return True
    return re.fullmatch(r"0[1-9][1-9]\d{7}|0[1-9]0[1-9]\d{6}|0[36]\d{8}", digits) is not None


def my_number_checks(digits: str) -> bool:
    """Check digit of an individual number (総務省令第85号, 2014, article 5): modulus 11."""
    if len(set(digits)) == 1:
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(digits[10::-1], 1))
    rest = weighted % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def card_checks(digits: str) -> bool:
    """Luhn's check and the number ranges of the card brands."""
    if not re.match(r"4|5[1-5]|2[2-7]|3[47]|35|30[0-5]|3[68]|6[025]", digits):
        return False
    if digits[0] == "3" and digits[1] in "0468":
        if len(digits) != (15 if digits[1] in "47" else 14):
            return False
    elif len(digits) != 16:
        return False
    doubled = (int(d) * 2 for d in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def _addresses(text: str) -> Iterator[Finding]:
    """From the prefecture or municipality to the block number; less is no address."""
    position = 0
    for m in BLOCK.finditer(text):
        if m.start() < position:
            continue
        first = max(position, m.start() - LOOK_BACK)
        before = text[first : m.start()].rpartition("\n")[2]
        first = m.start() - len(before)
        start = LOCALITY.search(before) if PREFECTURE_FIRST.search(before) else None
        if start is None and not (m.group()[-1].isdigit() and m.group().isdigit()):
            start = SHORT_LOCALITY.search(before)
        if start is None:
            continue
        tail = BLOCK_TAIL.match(text, m.end())
        position = tail.end() if tail else m.end()
        yield Finding(first + start.start(), position, "address")


def _marked(text: str, signs: int) -> Iterator[Finding]:
    """What carries its own mark: @, 〒, dots between octets, 旅券, 記号."""
    if signs & personal_signs.EMAIL:
        for m in EMAIL.finditer(text):
            yield Finding(m.start(), m.end(), "email")
    if "〒" in text:
        for m in POSTAL.finditer(text):
            yield Finding(m.start(), m.end(), "postal")
    if "記号" in text:
        for m in YUCHO.finditer(text):
            yield Finding(m.start(), m.end(), "bank_account")
    if "旅券" in text or "パスポート" in text or "assport" in text:
        for m in PASSPORT.finditer(text):
            yield Finding(m.start(1), m.end(1), "passport")
    if signs & personal_signs.IP:
        for m in IP.finditer(text):
            if _is_public(m.group()):
                yield Finding(m.start(), m.end(), "ip")


def _is_public(address: str) -> bool:
    """A routable IPv4 address: version and section numbers are small, private ranges no one's."""
    parts = address.split(".")
    octets = [int(o) for o in parts]
    if not 32 <= max(octets) <= 255 or any(len(o) > 1 and o[0] == "0" for o in parts):
        return False
    a, b = octets[0], octets[1]
    if a in (0, 10, 127) or a >= 224 or (a, b) in ((192, 168), (169, 254)):
        return False
    if a == 172 and 16 <= b < 32:
        return False
    return (a, b, octets[2]) not in ((192, 0, 2), (198, 51, 100), (203, 0, 113))


def _names(text: str, others: list[Finding]) -> Iterator[Finding]:
    """Names with 様, さん, 氏 … near other personal data."""
    for f in others:
        begin, end = max(0, f.begin - NEAR), min(len(text), f.end + NEAR)
        for m in NAME.finditer(text, begin, end):
            yield Finding(m.start(), m.end(), "name")


def _disjoint(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for f in sorted(set(findings), key=lambda f: (f.begin, f.begin - f.end, f.kind)):
        if kept and f.begin < kept[-1].end:
            continue
        kept.append(f)
    return kept
