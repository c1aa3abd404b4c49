"""Whose contact data it is, by the words around it: a public office's, an organisation's, no one's.

What is a public office's, a service number's (toll-free, information, emergency) or an example's is
no finding. What is an organisation's for certain is one that `clean.organisations` decides about;
everything else counts as a person's.
"""

from __future__ import annotations

import re

from filters.mail_rules import TO_ASCII

BEFORE, AFTER = 100, 30  # characters on each side that are looked at
SAMPLE_REACH = 16  # from 例 to what it is an example of
LINES = 4  # and lines before

# A word of an office or a public building, at the end of its name: what follows is a department
# (総務課), a bracket or the data itself, and no particle (市役所から徒歩5分).
PUBLIC = re.compile(
    r"(?:[市区都県道府](?:役所|庁|庁舎)|[町村]?役場|支庁|振興局|総合庁舎|合同庁舎|議事堂|議員会館|"
    r"(?<![一-龥])(?:総務|法務|外務|財務|文部科学|厚生労働|農林水産|経済産業|国土交通|環境|防衛)省|"
    r"内閣(?:府|官房)|(?:警察|消防|財務|文化|特許|気象|国税|観光|金融|デジタル|消費者|海上保安|林野|水産|"
    r"中小企業|スポーツ|公安調査|宮内|検察|復興|出入国在留管理)庁|審査第[一二三四1-4]部|"
    r"警察(?:署|本部)|警視庁|交番|駐在所|消防(?:署|本部|局)|税務署|税関|国税局|裁判所|検察庁|法務局|労働局|"
    r"労働基準監督署|ハローワーク|公共職業安定所|年金事務所|保健(?:所|センター)|児童相談所|福祉事務所|"
    r"教育委員会|選挙管理委員会|消費生活センター|地方整備局|運輸(?:局|支局)|国道事務所|大使館|総?領事館|"
    r"(?<!商)(?<!業)(?:市民|区民|町民|村民|県民|文化|勤労福祉)(?:会館|センター|ホール|プラザ|交流館)|公会堂|公民館|"
    r"図書館|博物館|美術館|資料館|記念館|文学館|科学館|動物園|植物園|水族館|児童館|集会所|自治会館|福祉(?:会館|センター)|"
    r"(?:市民活動|産業振興|青少年|ふれあい|農村環境改善|学術総合)(?:支援)?センター|産業会館|科学未来館|"
    r"観光案内所|登記所|刑務所|拘置所|少年院|気象台|測候所|浄水場|清掃工場|体育館|武道館|競技場|"
    r"コミュニティ(?:ー)?センター|国際(?:展示場|会議場|会議センター|フォーラム)|ビッグサイト|メッセ|アリーナ|スタジアム|球場|地区センター|生涯学習センター|男女共同参画センター|(?<!天)(?<!大)公園|道の駅|空港)"
    r"(?=[一-龥ぁ-んァ-ヴー・\d]{0,14}?(?:[\s：:（）()「」『』、,，/／|｜・【】［］\[\]<＜〒]|$|代表|電話|TEL|℡))"
    r"(?![一-龥]{0,3}(?:から|より|前|裏|横|隣|そば|近く|徒歩|方面|行き|を|に|で|は|が|と|へ))"
)
SECTION = re.compile(
    r"(?:危機管理|市民|住民|戸籍|福祉|税務|収納|都市計画|農政|環境保全|水道|下水道|学校教育|生涯学習)課"
)
# … named in front of the data, not at the end of a name.
NAMED = re.compile(
    r"(警察|緊急通報|ホットライン|いのちの電話|名称(?:及び|および|・)位置|の位置は|文化財|史跡|名勝|"
    r"位置(?=[ 　\t\n：:]{1,3}\Z)|駅(?=[ 　]?[（(]))[^\n。]{0,20}\Z"
)
PRIVATE = re.compile(
    "自宅|実家|在住|本人|氏名|個人|携帯|様|さん|氏[ 　（(:：]"
)  # between office and data
ORGANISATION = re.compile(
    r"株式会社|[（(]株[)）]|㈱|有限会社|[（(]有[)）]|㈲|合同会社|合資会社|社団|財団|法人|協会|組合|商工会|連盟|連合会|"
    r"大学|学院|学園|学校|高校|幼稚園|保育園|こども園|病院|医院|クリニック|診療所|薬局|歯科|接骨院|整骨院|鍼灸|"
    r"店|ホテル|旅館|民宿|支店|営業所|本社|本店|工場|研究室|研究所|研究部|スタジオ|ビル|サロン|塾|教室|寺|神社|教会|"
    r"事務局|事務所|実行委員会|社名|屋号|ショップ|ストア|カフェ|レストラン|部活|同窓会|サークル|"
    r"\b(?:Inc|LLC|Corp|Ltd|GmbH|University|Co\.)"
)
BUSINESS = re.compile(
    r"会社概要|会社情報|営業時間|定休日|受付時間|営業日|事業内容|資本金|設立|代表(?:者|取締役)|お問い?合わ?せ|"
    r"ご予約|店舗|アクセス|特定商取引|FAX|ＦＡＸ|Fax|ファ[クッ]"
)
# Of a state body (00001…) or a local government (00002…): 法人番号指定基準, 国税庁.
PUBLIC_CORPORATE_NUMBER = re.compile(r"(?<!\d)[1-9]0000[12]\d{7}(?!\d)")
GOVERNMENT_QUARTER = re.compile(
    r"千代田区[ \u3000]?(?:霞[がヶケ]関[ \u3000]?[12１２一二]|永田町[ \u3000]?[12１２一二])"
)
AREA_BEHIND = re.compile(r"(?:地先|先|地内)?(?:から|まで|に至る|の区間)")  # of a statute
QUARTER_BEHIND = re.compile("[でに]|付近|周辺|一帯|交差点")  # of news: a quarter, no address
KANJI_NUMBER_END = re.compile(r"[〇一二三四五六七八九十百千](?:番地?|号|番地の[一-十])?$")
SAMPLE_BEFORE = re.compile(
    r"(?:例|記入例|入力例|見本|サンプル|たとえば|例えば|[eE]\.g\.|[eE]xample|[pP]laceholder=[\"']?)"
    r"[)）】］\]：:、,. 　]*$"
)
# 0120, 0800, 0570, 0990, 0180, 0170 …: numbers of services, never of persons.
SERVICE_NUMBER = re.compile(r"0(?:120|800|570|990|180|170)")


MOBILE = re.compile(r"\(?0[5-9]0|\+81[-() ]*0?[)]?[- ]?[5-9]0")
# In code, what is somebody's: a name and <…>, or a line that says so.
OWNED_LINE = re.compile(
    r"author|maintain|copyright|©|\(c\)|signed-off|co-authored|reported-by|contact|mail|作者|著者|"
    r"連絡|問い?合|TEL|ＴＥＬ|電話|FAX|住所|所在地",
    re.I,
)
NAME_BEFORE = re.compile(r"[^\W\d_]['\"）)]? ?[<＜(（]$")


def is_example_number(digits: str) -> bool:
    """Whether a telephone number is one that is written where none is meant.

    All zeros or nines, the same digits throughout, 1234-5678 and the like.
    """
    last = digits[-8:]
    subscriber = digits[-4:]
    return (
        len(set(last)) == 1
        or (last[:4] == last[:1] * 4 and last[4:] == last[4:5] * 4)
        or last in ("12345678", "23456789", "98765432", "87654321", "01234567")
        or digits[-7:] in ("1234567", "0000000", "2345678")
        or digits[-6:] in ("000000", "123456")
        or digits[-5:] == "12345"
        or (subscriber == "0000" and digits[-6:-4] in ("00", "99"))
    )


def is_mobile(number: str) -> bool:
    """Whether a telephone number is a mobile's or of the internet (050)."""
    return MOBILE.match(number.translate(TO_ASCII)) is not None


def is_nobodys(text: str, begin: int, end: int, kind: str) -> bool:
    """Whether a phone, postal code, address or mail address is a public office's or an example."""
    if kind != "postal" and SAMPLE_BEFORE.search(text, max(0, begin - SAMPLE_REACH), begin):
        return True
    if kind == "email":
        return False
    own = text[begin:end]
    if kind == "phone":
        digits = re.sub("[^0-9]", "", own.translate(TO_ASCII))
        digits = "0" + digits[2:] if own[0] in "+＋" and digits.startswith("81") else digits
        if SERVICE_NUMBER.match(digits) or is_example_number(digits):
            return True
        if is_mobile(own):
            return False
    elif kind == "address":
        if GOVERNMENT_QUARTER.search(own):
            return True
        if KANJI_NUMBER_END.search(own) and AREA_BEHIND.match(text, end):
            return True
        if own.endswith("丁目") and QUARTER_BEHIND.match(text, end):
            return True
    before = _before(text, begin)
    if PUBLIC_CORPORATE_NUMBER.search(before.rpartition("\n")[2]):
        return True
    return _is_public(before, text[end : end + AFTER].partition("\n")[0], kind)


def is_organisations(text: str, begin: int, end: int, kind: str) -> bool:
    """Whether a company, shop, school … publishes it of itself, as far as its words say."""
    own = text[begin:end]
    around = text[max(0, begin - BEFORE) : begin] + text[end : end + AFTER]
    if kind == "phone" and is_mobile(own):
        return False  # may be a person's even there
    return bool(ORGANISATION.search(around) or BUSINESS.search(around))


def is_owned_in_code(text: str, begin: int, end: int) -> bool:
    """Whether data in a code block is somebody's and no part of an example: by its line."""
    line = text.rfind("\n", 0, begin) + 1
    before, after = text[line:begin], text[end : end + AFTER].partition("\n")[0]
    return bool(NAME_BEFORE.search(before) or OWNED_LINE.search(f"{before} {after}"))


def _before(text: str, begin: int) -> str:
    """The end of the text before, of at most LINES lines."""
    return "\n".join(text[max(0, begin - BEFORE) : begin].split("\n")[-LINES:])


def _is_public(before: str, after: str, kind: str) -> bool:
    """Whether the nearest name before (or the building behind an address) is a public one."""
    office = [m.end() for m in PUBLIC.finditer(before)]
    office += [m.end() for m in SECTION.finditer(before)]
    office += [m.end(1) for m in NAMED.finditer(before)]
    if office:
        others = [m.end() for m in ORGANISATION.finditer(before)]
        near = max(office)
        return near >= max(others, default=-1) and not PRIVATE.search(before, near)
    building = PUBLIC.search(after) if kind == "address" else None
    return building is not None and not ORGANISATION.search(after, 0, building.start())
