"""The patterns and checks of every class of personal data, each for one place of a text.

Sources: 電気通信番号計画 (MIC notification 6, 2019) for telephones, 総務省令第85号 (2014)
article 5 for My Number, ISO/IEC 7812-1 annex B (Luhn) for cards, RFC 6890 for IPv4 ranges that
are no one's.
"""

from __future__ import annotations

import re

from filters.kernels.characters import WIDE
from filters.kernels.personal_signs import DASHES, KANJI_DIGITS

DIGIT = "0-9０-９"
DASH, KANJI_NUMBER = DASHES, KANJI_DIGITS
TO_ASCII: dict[int, int | str] = {
    **{point + WIDE: point for point in range(ord("!"), ord("~") + 1)},
    **dict.fromkeys(map(ord, DASHES), "-"),
    ord("\u3000"): " ",
}

# A run of digits with at most two separators between digits: every number below is inside one.
NUMBER = re.compile(
    rf"(?<![{DIGIT}A-Za-z,])(?<![{DIGIT}][.])(?:[+＋][{DIGIT}]|[(（]?[{DIGIT}])"
    rf"(?:[{DASH} \u3000()（）]{{0,2}}[{DIGIT}]){{6,18}}(?![{DIGIT}A-Za-z])"
)
EMAIL = re.compile(
    r"[A-Za-z0-9Ａ-Ｚａ-ｚ０-９][A-Za-z0-9._%+\-Ａ-Ｚａ-ｚ０-９＿．－]{0,63}[@＠]"
    r"(?:[A-Za-z0-9Ａ-Ｚａ-ｚ０-９－-]{1,63}[.．]){1,6}[A-Za-zＡ-Ｚａ-ｚ]{2,24}"
)
NO_MAIL = re.compile("/|:[A-Za-z0-9/~._-]")  # a login in a URL or of scp goes on like this
DOTTED_PHONE = re.compile(r"(?<![0-9.])0[0-9]{1,3}\.[0-9]{2,4}\.[0-9]{4}(?![0-9.A-Za-z])")
IP = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
PASSPORT = re.compile(
    r"(?:旅券|パスポート|passport)[^\n]{0,20}?(?<![A-Z])([A-Z]{2}[0-9]{7})(?![0-9])", re.I
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
    rf"|(?<=[一-龥々])[{DIGIT}]{{1,5}}(?![{DIGIT}年月日時分秒人円名件個回か箇条歳台枚本冊度階％%〜～万億千.,．，A-Za-z])"
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
    r"[一-龥々ヶヵケ]{1,6}[市区](?![域間])[一-龥々ヶヵケァ-ヴーのつる0-9０-９]{1,16}(?<![第条項同])$"
)
PREFECTURE_FIRST = re.compile(PREFECTURE)
NAME = re.compile(
    r"(?<![一-龥々ァ-ヴー])(?:[一-龥々ヶ]{2,6}|[一-龥々ヶ]{1,3}[ \u3000][一-龥々ぁ-んァ-ヴ]{1,4})"
    r"(?=[ \u3000]?(?:様|さん|氏|殿|先生)(?![一-龥々]))"
)
NO_NAME = re.compile(  # words with an honorific that name no one
    "(?:者|員|客|各位|企業|病院|会社|団体|教授|選手|看護師|医師|職人)$"
    "|^(?:皆々|学生|生徒|先輩|社長|店長|部長|課長|院長|校長|園児|児童|子供|母親|父親|両親|息子|業者)$"
)
HONORIFIC = re.compile("[様氏殿]|さん|先生")
NEAR = 60  # characters between a name and other personal data that make it personal data too
PHONE_WORDS = re.compile(
    "電話|ＴＥＬ|TEL|Tel|tel|ＦＡＸ|FAX|Fax|ファ[クッ]|連絡|携帯|℡|☎|フリーダイヤル"
)
MY_NUMBER_WORDS = re.compile("マイナンバー|個人番号|My ?Number")
VERSION_BEFORE = re.compile(r"(?:[Vv]er(?:sion)?|[Vv]|バージョン|版|[Rr]elease)[. :：]?$")
VERSION_AFTER = re.compile("以降|以前|以上|より前|未満|版|まで")
LICENCE_WORDS = re.compile("免許")
POSTAL_WORDS = re.compile("郵便番号|〒")
CODE_WORDS = re.compile(
    "ISBN|ISSN|JAN|型番|品番|商品|注文|受付|伝票|レシート|管理|登録|会員|法人|整理|製造|No|№|ID|CODE|コード"
)


def number_kind(text: str, begin: int, end: int) -> str | None:
    """Class of text[begin:end], a run of digits with its separators, or None."""
    before, after = text[max(0, begin - 24) : begin], text[end : end + 6]
    ascii_raw = text[begin:end].translate(TO_ASCII)
    groups = [g for g in re.split(r"[^0-9]+", ascii_raw) if g]
    digits = "".join(groups)
    size = len(digits)
    if after[:1] in (".", "．") and after[1:2].isdigit():
        return None
    if ascii_raw[0] == "+":
        called = ascii_raw.startswith("+81") and _dials("0" + digits[2:].lstrip("0"))
        return "phone" if called else None
    if size == 12:
        return _twelve_digits(text, digits, groups, before)
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


def _twelve_digits(text: str, digits: str, groups: list[str], before: str) -> str | None:
    """My Number (checked, and named nearby or, in fours, anywhere) or a driving licence (named)."""
    if my_number_checks(digits):
        if MY_NUMBER_WORDS.search(before):
            return "my_number"
        in_fours = [len(g) for g in groups] == [4, 4, 4] and not CODE_WORDS.search(before)
        if in_fours and MY_NUMBER_WORDS.search(text):
            return "my_number"
    if LICENCE_WORDS.search(before):
        return "licence"
    return None


def is_dotted_phone(text: str, begin: int, end: int) -> bool:
    """Whether text[begin:end] is a number written with full stops: 03.3581.0123."""
    digits = text[begin:end].replace(".", "")
    named_code = CODE_WORDS.search(text, max(0, begin - 8), begin)
    return bool(DOTTED_PHONE.fullmatch(text, begin, end)) and _dials(digits) and not named_code


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
    if digits[0] == "3" and digits[1] in "04678":
        if len(digits) != (15 if digits[1] in "47" else 14):
            return False
    elif len(digits) != 16:
        return False
    doubled = (int(d) * 2 for d in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def locality(before: str, bare: bool) -> int | None:
    """Where the address begins in `before`, what stands in the line before a block number.

    bare: the block number is nothing but digits, which counts behind a prefecture only.
    """
    with_prefecture = any(c in before for c in "都道府県") and PREFECTURE_FIRST.search(before)
    place = LOCALITY.search(before) if with_prefecture else None
    if place is None and not bare:
        place = SHORT_LOCALITY.search(before)
    return place.start() if place else None


def is_public(address: str, before: str = "", after: str = "") -> bool:
    """A routable IPv4 address: version and section numbers are small, private ranges no one's."""
    if VERSION_BEFORE.search(before) or VERSION_AFTER.match(after):
        return False
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
