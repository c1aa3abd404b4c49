"""The patterns and checks of every class of personal data, each for one place of a text.

Sources: 電気通信番号計画 (MIC notification 6, 2019) for telephones, 総務省令第85号 (2014)
article 5 for My Number, ISO/IEC 7812-1 annex B (Luhn) for cards, RFC 6890 for IPv4 ranges that
are no one's.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from filters.kernels.personal_signs import DASHES, KANJI_DIGITS
from filters.mail_rules import TO_ASCII

DIGIT = "0-9０-９"
DASH, KANJI_NUMBER = DASHES, KANJI_DIGITS

# A run of digits with at most two separators between digits: all numbers but telephones.
NUMBER = re.compile(
    rf"(?<![{DIGIT}A-Za-z,])(?<![{DIGIT}][.])[{DIGIT}]"
    rf"(?:[{DASH} \u3000()（）]{{0,2}}[{DIGIT}]){{6,18}}(?![{DIGIT}A-Za-z])"
)
# A telephone number in ASCII: in two or three groups, without separators, or from abroad. What
# stands behind (hours, an extension) is no part of it.
_SEP = r"(?: - |[-() ]{1,2})"
PHONE = re.compile(
    rf"(?<![0-9,])(?:(?<![A-Za-z])|(?<=TEL)|(?<=FAX)|(?<=[Tt]el)|(?<=[Ff]ax))(?<![0-9][-.])(?:"
    rf"\+81[-() ]{{0,2}}(?:\(?0\)?)?[-() ]{{0,2}}[0-9]{{1,4}}(?:{_SEP}?[0-9]{{1,4}}){{1,3}}"
    rf"|\+[1-9][0-9]{{0,2}}(?:[-() ]{{1,2}}[0-9]{{1,5}}){{2,5}}"
    rf"|\(?0[0-9]{{1,4}}{_SEP}[0-9]{{1,4}}{_SEP}[0-9]{{3,4}}"
    rf"|\(?0[0-9]{{1,4}}{_SEP}[0-9]{{6,8}}|0[0-9]{{9,10}})(?![0-9A-Za-z])(?!-[0-9])"
)
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
POSTAL_END = re.compile(r",?[ \u3000]{0,2}(?:Japan|JAPAN|日本)")
# The block number of an address: 2丁目, 10番地, 3番5号, 1-2-3, 3 - 2 - 1. None begins with 0, so
# that a telephone number behind 電話 or a blank is none.
_PART = rf"(?:(?![0０])[{DIGIT}]{{1,5}}|[{KANJI_NUMBER}]{{1,7}})"
_DASHED = rf"[ \u3000]?[{DASH}のノ][ \u3000]?(?![0０])[{DIGIT}]{{1,5}}(?![{DIGIT}])"
BLOCK = re.compile(
    rf"{_PART}(?:[ \u3000]?(?:丁目|番地|番町|番|号)|{_DASHED})"
    # … or a bare number, which counts behind a prefecture only: 埼玉県富士見市大字鶴馬3465
    rf"|(?:(?<=[一-龥々])|(?<=[町村字通上下][ \u3000]))(?![0０])[{DIGIT}]{{1,5}}"
    rf"(?![{DIGIT}年月日時分秒人円名件個回か箇条歳台枚本冊度階％%〜～万億千.,．，A-Za-z{DASH}/:：])"
)
BLOCK_TAIL = re.compile(
    rf"(?:[ \u3000]?{_PART}[ \u3000]?(?:丁目|番地の?|番(?!号)|号(?:室|棟)?)"
    rf"|(?<=[目地番のノ]){_PART}|{_DASHED}){{0,6}}"
)
PREFECTURE = (  # the 47, complete: a name that only ends in 県 is none
    "北海道|東京都|京都府|大阪府|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|埼玉県|千葉県|"
    "神奈川県|新潟県|富山県|石川県|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県|滋賀県|兵庫県|奈良県|"
    "和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|愛媛県|高知県|福岡県|佐賀県|長崎県|熊本県|"
    "大分県|宮崎県|鹿児島県|沖縄県"
)
PLACE = "一-龥々〆ヶヵケぁ-んァ-ヴー"
# What stands before a block number, up to the municipality, with the prefecture if it is given. One
# line end may stand in it.
LOCALITY = re.compile(
    rf"(?:{PREFECTURE})[ \u3000\n]?[{PLACE}]{{1,12}}?[市区町村郡]"
    rf"(?:[{PLACE}{DIGIT} \u3000]|\n(?=[{PLACE}{DIGIT}])){{0,24}}$"
)
# Without it, nothing but a name may stand between: 区域を第二条第一項第八号 is no address.
SHORT_LOCALITY = re.compile(
    r"[一-龥々ヶヵケ]{1,6}[市区](?![域間])[ \u3000]?"
    r"[一-龥々ヶヵケァ-ヴーのつる0-9０-９]{1,16}[ \u3000\n]?(?<![第条項同])$"
)
# A town alone, before three numbers: 稲穂町1-2-3.
TOWN = re.compile(r"[一-龥々ヶヵケ]{2,8}町$")
TOWN_BLOCK = re.compile(
    rf"[{DIGIT}]{{1,2}}[{DASH}][{DIGIT}]{{1,3}}[{DASH}][{DIGIT}]{{1,3}}(?![{DIGIT}])"
)
# Behind a postal code the municipality and the town are enough.
BEHIND_POSTAL = re.compile(
    rf"[ \u3000\n]{{0,2}}((?:(?:{PREFECTURE})[ \u3000]?)?"
    rf"[一-龥々ヶヵケ]{{1,6}}?[市区郡町村][{PLACE}]{{0,20}})"
)
POSTAL_PLACE = re.compile(
    rf"[ \u3000\n]{{0,2}}(?:{PREFECTURE}|[一-龥々ヶヵケ]{{1,6}}?[市区郡](?![分間域別切画場販立民]))"
)
NO_PLACE = re.compile("電話|連絡|携帯|番号|ファ[クッ]")
PREFECTURE_FIRST = re.compile(PREFECTURE)
NAME = re.compile(
    r"(?<![一-龥々ァ-ヴー])(?:[一-龥々ヶ]{2,6}|[一-龥々ヶ]{1,3}[ \u3000][一-龥々ぁ-んァ-ヴ]{1,4})"
    r"(?=[ \u3000]?(?:様|さま|さん|くん|氏|殿|先生)(?![一-龥々]))"
)
NO_NAME = re.compile(  # words with an honorific that name no one
    "(?:者|員|客|客様|各位|企業|病院|会社|団体|法人|教授|選手|看護師|医師|職人|仲間|家族|家庭|施設|業界|事業主|主|[同仕有多異模各貴])$"
    "|^(?:皆々|学生|生徒|先輩|社長|店長|部長|課長|院長|校長|園児|児童|子供|母親|父親|両親|息子|業者|世間|神仏|仏|神)$"
)
OF_RECORD = re.compile(  # a person of record: holders of public offices
    "(?:大臣|知事|市長|区長|町長|村長|議員|議長|長官|裁判官|判事|首相|総裁|大統領|天皇|選手|監督)"
    "[ \u3000・の]?$"
)
HONORIFIC = re.compile("[様氏殿]|さん|さま|くん|先生")
BESIDE = 8  # characters from a name to other data behind it: 稲穂様（03-…
NEAR = 60  # characters between a name and other personal data that make it personal data too
GROUP = re.compile("[0-9]+")
SIZES = (7, 12, 14, 15, 16)  # digits of postal codes and accounts, My Number and licences, cards
PHONE_WORDS = re.compile(
    "電話|[Pp]hone|PHONE|ＴＥＬ|TEL|Tel|tel|ＦＡＸ|FAX|Fax|ファ[クッ]|連絡|携帯|℡|☎|フリーダイヤル"
)
MY_NUMBER_WORDS = re.compile("マイナンバー|個人番号|My ?Number")
VERSION_BEFORE = re.compile(r"(?:[Vv]er(?:sion)?|[Vv]|バージョン|版|[Rr]elease)[. :：]?$")
VERSION_AFTER = re.compile("以降|以前|以上|より前|未満|版|まで")
LICENCE_WORDS = re.compile("免許")
POSTAL_WORDS = re.compile("郵便番号|〒")
CODE_WORDS = re.compile(
    "ISBN|ISSN|JAN|型番|品番|部品|(?:商品|注文|伝票|レシート|管理|登録|会員|法人|整理|製造|追跡)"
    "(?:番号|ＩＤ|[:： ]*$)|(?:受付|予約)番号|No|№|(?<![A-Za-z])ID|CODE|コード"
)


def phone_kind(text: str, begin: int, end: int) -> bool:
    """Whether text[begin:end], in a form of PHONE, is a telephone number."""
    raw = text[begin:end].translate(TO_ASCII)
    first = begin + (raw[0] == "(")
    before, after = text[max(0, first - 24) : first], text[end : end + 2]
    groups = GROUP.findall(raw)
    digits = "".join(groups)
    if after[:1] in (".", "．") and after[1:2].isdigit():
        return False
    if raw[0] == "+":
        if raw.startswith("+81"):
            return _dials("0" + digits[2:].lstrip("0"))
        return 8 <= len(digits) <= 15 and PHONE_WORDS.search(before) is not None
    if set(raw) <= set("0123456789 ") and re.match(r"[ \u3000][0-9０-９]", after):
        return PHONE_WORDS.search(before[-14:]) is not None and _dials(digits)  # a row of numbers
    return _is_phone(groups, digits, before)


def number_kind(text: str, begin: int, end: int) -> str | None:
    """Class of text[begin:end], a run of digits with its separators, or None. No telephones."""
    raw = text[begin:end]
    groups = GROUP.findall(raw if raw.isascii() else raw.translate(TO_ASCII))
    digits = "".join(groups)
    size = len(digits)
    if size not in SIZES:
        return None
    before, after = text[max(0, begin - 24) : begin], text[end : end + 8]
    if after[:1] in (".", "．") and after[1:2].isdigit():
        return None
    if size == 12:
        return _twelve_digits(text, digits, groups, before)
    if 14 <= size <= 16 and card_checks(digits) and not CODE_WORDS.search(before[-12:]):
        return "credit_card" if len(groups) in (1, 3, 4) else None
    if size == 7 and len(groups) == 1 and BANK_WORDS.search(before[-12:]):
        return "bank_account"
    if size == 7 and [len(g) for g in groups] == [3, 4]:
        if CODE_WORDS.search(before[-8:]) and not POSTAL_WORDS.search(before[-6:]):
            return None
        near = POSTAL_WORDS.search(before[-6:]) or POSTAL_END.match(text, end)
        return "postal" if near or POSTAL_PLACE.match(text, end) else None
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
    called = PHONE_WORDS.search(before[-14:]) is not None
    if shape in ((2, 4, 4), (3, 3, 4), (4, 2, 4), (5, 1, 4), (3, 4, 4), (4, 3, 3), (4, 3, 4)):
        return called or not CODE_WORDS.search(before[-8:])
    if shape in ((11,), (3, 8)):
        return called or not CODE_WORDS.search(before)
    return called


def _dials(digits: str) -> bool:
    """Whether the digits are a Japanese number: 0AB–J, mobile, IP, free and special dial."""
    if re.fullmatch(r"0[5-9]0[1-9]\d{7}|0[789]0\d{8}|0800\d{7}", digits):
        return True
    if re.fullmatch(r"(?:0120|0570|0990|0180)\d{6}", digits):
        return True
    return re.fullmatch(r"0[1-9][1-9]\d{7}|0[1-9]0[1-9]\d{6}|0[36]\d{8}", digits) is not None


@cache
def surnames() -> frozenset[str]:
    """The 2,000 most frequent surnames (lists/surnames.txt)."""
    text = resources.files("filters").joinpath("lists/surnames.txt").read_text("utf-8")
    return frozenset(word for line in text.split("\n") if line[:1] != "#" for word in line.split())


def is_name(words: str, before: str, gap: int) -> bool:
    """Whether words before an honorific name a person; gap: characters to the data behind them.

    A name begins with a surname; any other word must stand beside the data.
    """
    if NO_NAME.search(words) or OF_RECORD.search(before):
        return False
    known = surnames()
    if any(words[:n] in known for n in range(1 if len(words) < 5 else 2, 5)):
        return True
    return 0 <= gap <= BESIDE


def my_number_checks(digits: str) -> bool:
    """Check digit of an individual number (総務省令第85号, 2014, article 5): modulus 11."""
    if len(set(digits)) == 1:
        return False
    weighted = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(digits[10::-1], 1))
    rest = weighted % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def card_checks(digits: str) -> bool:
    """Luhn's check and the number ranges of the card brands."""
    if len(set(digits)) <= 2:  # 4242…, 4111…: numbers for tests
        return False
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


def locality(before: str, block: str) -> int | None:
    """Where the address begins in `before`, what stands in this line and the last one before a
    block number. A bare block number counts behind a prefecture only.
    """
    with_prefecture = any(c in before for c in "都道府県") and PREFECTURE_FIRST.search(before)
    place = LOCALITY.search(before) if with_prefecture else None
    if place is None and not block.isdigit():
        place = SHORT_LOCALITY.search(before)
        if place is None and TOWN_BLOCK.match(block):
            place = TOWN.search(before)
    if place is None or NO_PLACE.search(place.group()):
        return None
    return place.start()


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
