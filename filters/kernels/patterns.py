"""Patterns of characters: numbers, dates, prices, brackets, bulletin boards, spacing, signs of OCR.

One walk over the text, a small state for each thing. Densities are per 1,000 characters.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels import classes as c
from filters.kernels.classes import class_of
from filters.kernels.kernel import columns, kernel
from filters.kernels.marks import CLOSING, DIGIT, OPENING, PAIRS, Marks, marks_of
from filters.kernels.spec import (
    Bytes,
    Floats,
    Ints,
    Offsets,
    Points,
    Scalar,
    Signal,
    count,
    number,
    share,
)

PER_MILLE = "per 1,000 characters"
HOJICHAR = "HojiChar DiscardBBSComments"

SIGNALS: tuple[Signal, ...] = (
    number("number_density", PER_MILLE, "runs of digits"),
    number("date_density", PER_MILLE, "dates such as 2024年4月1日, 2024/4/1, 四月一日, 令和6年"),
    number("price_density", PER_MILLE, "amounts of money: digits and 円, ¥ and digits"),
    number("url_density", PER_MILLE, "http://, https:// and www."),
    count("bbs_signs", "matches", "dates, コメント, 投稿, レビュー …", HOJICHAR),
    count("bbs_signs_hyphen", "matches", "the same and every other hyphen", f"{HOJICHAR}, code"),
    share("bracket_imbalance", "of brackets", "brackets without a partner of their kind"),
    share("quoted_share", "of n_chars", "characters between 「 and 」 or 『 and 』 of one line"),
    share("spaced_japanese_share", "of spaces", "spaces between two Japanese characters"),
    share("kuten_space_share", "of 。 and 、", "。 or 、 followed by a space"),
    number("script_switch_density", PER_MILLE, "changes between Japanese, Latin letters, digits"),
    share("geta_share", "of n_chars", "〓 ■ □ ◇ within words and vertical forms: signs of OCR"),
    count("curly_brackets", "characters", "{ and }", "C4 (Raffel et al. 2020)"),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)
DENSITIES = (  # counted, then put per 1,000 characters
    column.number_density,
    column.date_density,
    column.price_density,
    column.url_density,
    column.script_switch_density,
)
# Of the last character that has one: its script, for script switches.
NO_SCRIPT, JAPANESE, LATIN, NUMBER = range(4)


def _pair_table() -> Ints:
    table = np.zeros(ch.PLANE, np.int32)
    for kind, (opening, closing) in enumerate(zip(PAIRS[0::2], PAIRS[1::2], strict=True), 1):
        table[ord(opening)] = kind
        table[ord(closing)] = kind
    return table


def _phrase(text: str) -> Points:
    return np.array([ord(ch) for ch in text], np.uint32)


PAIR_TABLE = _pair_table()
N_PAIRS = len(PAIRS) // 2 + 1
BBS_WORDS = ("コメント", "SOLD OUT", "レビュー", "投稿", "ページ", "質問", "楽天市場")
COMMENT, SOLD, REVIEW, POST, PAGE, QUESTION, MARKET = (_phrase(word) for word in BBS_WORDS)
HTTP, HTTPS, WWW = _phrase("http://"), _phrase("https://"), _phrase("www.")
WEEKDAYS = _phrase("月火水木金土日")
KANJI_NUMBERS = _phrase("〇一二三四五六七八九十")
# First characters of these words, of dates, and what stands beside a price or a number.
CO, RE, PE, TO, SHITSU, RAKU = map(ord, "コレペ投質楽")
YEAR, MONTH, DAY, EPISODE = map(ord, "年月日話")
YEN, TEN_THOUSAND, THOUSAND = map(ord, "円万千")
BLACK_SQUARE, WHITE_SQUARE, DIAMOND = map(ord, "■□◇")  # ink that no character was read from
FIRST_VERTICAL, LAST_VERTICAL = 0xFE30, 0xFE4F  # forms of brackets and marks for vertical text


@kernel
def measure_patterns(
    points: Points, starts: Offsets, table: Bytes, marks: Marks, pairs: Ints, out: Floats
) -> None:
    """Fills out[n, N_SIGNALS]; table CLASS_TABLE, marks MARK_TABLE, pairs PAIR_TABLE."""
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        row = out[doc]
        row[:] = 0.0
        _characters(text, table, marks, pairs, row)
        _numbers_and_words(text, marks, row)
        if len(text):
            for density in DENSITIES:
                row[density] *= 1000 / len(text)


@kernel
def _characters(text: Points, table: Bytes, marks: Marks, pairs: Ints, row: Floats) -> None:
    """Signals that look at a character and its neighbours."""
    opened = np.zeros(N_PAIRS, np.int64)
    closed = np.zeros(N_PAIRS, np.int64)
    depth = quoted = pending = spaces = between = stops = spaced_stops = 0
    switches = geta = curly = 0
    script = NO_SCRIPT
    before = c.NEWLINE
    for i in range(len(text)):
        point = text[i]
        kind = class_of(point, table)
        if kind <= c.LATIN_ACCENTED or kind == c.DIGIT or kind == c.DIGIT_WIDE:
            here = NO_SCRIPT
            if kind == c.HIRAGANA or kind == c.KATAKANA or kind == c.KANJI:
                here = JAPANESE
            elif kind >= c.LATIN:
                here = LATIN if kind <= c.LATIN_ACCENTED else NUMBER
            if here != NO_SCRIPT:
                switches += script != NO_SCRIPT and here != script
                script = here
            stops += kind == c.TOTEN or point == ch.KUTEN
        elif kind == c.SPACE or kind == c.SPACE_WIDE:
            spaces += 1
            spaced_stops += i > 0 and (text[i - 1] == ch.TOTEN or text[i - 1] == ch.KUTEN)
            if c.HIRAGANA <= before <= c.LONG_VOWEL and i + 1 < len(text):
                after = class_of(text[i + 1], table)
                between += c.HIRAGANA <= after <= c.KANJI
        elif kind == c.NEWLINE:
            depth = pending = 0
            script = NO_SCRIPT
        else:
            mark = marks_of(point, marks)
            if (mark & (OPENING | CLOSING)) != 0 and point < ch.PLANE:
                if (mark & OPENING) != 0:
                    opened[pairs[point]] += 1
                else:
                    closed[pairs[point]] += 1
                if point == ch.OPEN_CORNER or point == ch.OPEN_DOUBLE_CORNER:
                    depth += 1
                elif (point == ch.CLOSE_CORNER or point == ch.CLOSE_DOUBLE_CORNER) and depth > 0:
                    depth -= 1
                    if depth == 0:
                        quoted += pending + 1
                        pending = 0
            curly += point == ch.OPEN_CURLY or point == ch.CLOSE_CURLY
            geta += point == ch.GETA or FIRST_VERTICAL <= point <= LAST_VERTICAL
            if (point == BLACK_SQUARE or point == WHITE_SQUARE or point == DIAMOND) and i + 1 < len(
                text
            ):
                after = class_of(text[i + 1], table)
                geta += c.HIRAGANA <= before <= c.KANJI and c.HIRAGANA <= after <= c.KANJI
        pending += depth > 0
        before = kind
    total = single = 0
    for pair in range(N_PAIRS):
        total += opened[pair] + closed[pair]
        single += abs(opened[pair] - closed[pair])
    if total:
        row[column.bracket_imbalance] = single / total
    if len(text):
        row[column.quoted_share] = quoted / len(text)
        row[column.geta_share] = geta / len(text)
    if spaces:
        row[column.spaced_japanese_share] = between / spaces
    if stops:
        row[column.kuten_space_share] = spaced_stops / stops
    row[column.script_switch_density] = switches
    row[column.curly_brackets] = curly


@kernel
def _numbers_and_words(text: Points, marks: Marks, row: Floats) -> None:
    """Numbers, dates, prices, addresses of the web, and HojiChar's signs of a bulletin board."""
    numbers = dates = prices = urls = bbs = hyphens = 0
    run_end = 0  # end of the run of digits at i: a long run is walked once
    i = 0
    while i < len(text):
        point = text[i]
        if (marks_of(point, marks) & DIGIT) != 0:
            new_run = i >= run_end
            if new_run:
                run_end = i + 1
                while run_end < len(text) and (marks_of(text[run_end], marks) & DIGIT) != 0:
                    run_end += 1
                numbers += 1
                prices += _priced(text, i, run_end)
            end = _bbs_date(text, i, run_end, marks)
            dates += end > 0 or (new_run and _dated(text, run_end))
            if end == 0 and run_end < len(text) and text[run_end] == EPISODE:
                end = run_end + 1
            if end:
                bbs += 1
                i = end
                continue
            i += 1
            continue
        length = 0
        if point == ch.HYPHEN:
            hyphens += 1
        elif point == ch.OPEN_ROUND:
            if (
                i + 2 < len(text)
                and text[i + 2] == ch.CLOSE_ROUND
                and _among(text[i + 1], WEEKDAYS)
            ):
                length = 3
        elif point == CO:
            length = _match(text, i, COMMENT)
        elif point == RE:
            length = _match(text, i, REVIEW)
        elif point == PE:
            length = _match(text, i, PAGE)
        elif point == TO:
            length = _match(text, i, POST)
        elif point == SHITSU:
            length = _match(text, i, QUESTION)
        elif point == RAKU:
            length = _match(text, i, MARKET)
        elif point == ch.UPPER_S:
            length = _match(text, i, SOLD)
        elif point == ch.LOWER_H:
            urls += _match(text, i, HTTP) > 0 or _match(text, i, HTTPS) > 0
        elif point == ch.LOWER_W:
            urls += _match(text, i, WWW) > 0
        elif point == MONTH and i > 0 and i + 2 < len(text):  # 四月一日
            dates += _among(text[i - 1], KANJI_NUMBERS) and _among(text[i + 1], KANJI_NUMBERS)
        bbs += length > 0
        i += max(length, 1)
    row[column.number_density] = numbers
    row[column.date_density] = dates
    row[column.price_density] = prices
    row[column.url_density] = urls
    row[column.bbs_signs] = bbs
    row[column.bbs_signs_hyphen] = bbs + hyphens


@kernel
def _match(text: Points, i: Scalar, phrase: Points) -> Scalar:
    """Length of the phrase if it stands at i, else 0."""
    if i + len(phrase) > len(text):
        return 0
    for k in range(len(phrase)):
        if text[i + k] != phrase[k]:
            return 0
    return len(phrase)


@kernel
def _among(point: Scalar, phrase: Points) -> bool:
    for other in phrase:  # noqa: SIM110 (numba compiles loops, not generators)
        if point == other:
            return True
    return False


@kernel
def _dated(text: Points, end: Scalar) -> bool:
    """Whether the number that ends at `end` is the year of a date, or the day of 4月1日."""
    if end + 1 >= len(text):
        return False
    after = text[end + 1]
    follows_digit = ch.ZERO <= after <= ch.NINE or ch.WIDE_ZERO <= after <= ch.WIDE_NINE
    if text[end] == MONTH or text[end] == YEAR:  # one count a date, at its month
        return follows_digit and text[end] == MONTH
    if text[end] != ch.SLASH and text[end] != ch.HYPHEN and text[end] != ch.FULL_STOP:
        return False
    if not follows_digit or end < 4:
        return False
    for k in range(end - 4, end):
        if not ch.ZERO <= text[k] <= ch.NINE:
            return False
    return text[end - 4] == ch.ONE or text[end - 4] == ch.TWO


@kernel
def _priced(text: Points, begin: Scalar, end: Scalar) -> bool:
    """Whether the number is an amount of money: 円 or 万円 behind it, ¥ or ￥ before it."""
    if begin > 0 and (text[begin - 1] == ch.YEN_SIGN or text[begin - 1] == ch.WIDE_YEN):
        return True
    if end < len(text) and text[end] == YEN:
        return True
    wide = end + 1 < len(text) and (text[end] == TEN_THOUSAND or text[end] == THOUSAND)
    return wide and text[end + 1] == YEN


@kernel
def _bbs_date(text: Points, i: Scalar, run_end: Scalar, marks: Marks) -> Scalar:
    r"""End of \\d{4}[年.\\-/][ ]*\\d{1,2}[月.\\-/][ ]*\\d{1,2}[日]* at i, else 0."""
    if run_end - i != 4:
        return 0
    at = _separated(text, run_end, YEAR)
    if at == 0:
        return 0
    month = _digits(text, at, marks)
    if month == at:
        return 0
    at = _separated(text, month, MONTH)
    if at == 0:
        return 0
    end = _digits(text, at, marks)
    if end == at:
        return 0
    while end < len(text) and text[end] == DAY:
        end += 1
    return end


@kernel
def _separated(text: Points, i: Scalar, kanji: Scalar) -> Scalar:
    """Position behind one of `kanji` . - / and any spaces, else 0."""
    if i >= len(text) or not (
        text[i] == kanji or text[i] == ch.HYPHEN or text[i] == ch.FULL_STOP or text[i] == ch.SLASH
    ):
        return 0
    i += 1
    while i < len(text) and text[i] == ch.SPACE:
        i += 1
    return i


@kernel
def _digits(text: Points, i: Scalar, marks: Marks) -> Scalar:
    """Position behind one or two digits at i."""
    end = i
    while end < len(text) and end - i < 2 and (marks_of(text[end], marks) & DIGIT) != 0:
        end += 1
    return end
