"""Scripts and characters: what a document is written with.

Two denominators appear. `n_chars` is every code point, line breaks included, as in Swallow's
`num_letters`. `n_japanese` is hiragana + katakana + kanji + kuten + toten, Swallow's
`num_japanese_letters`; shares over it end in `_ja`.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import classes as c
from filters.kernels.classes import class_of
from filters.kernels.kernel import kernel
from filters.kernels.spec import (
    SWALLOW,
    Bytes,
    Floats,
    Offsets,
    Points,
    Scalar,
    Signal,
    count,
    share,
)

SIGNALS: tuple[Signal, ...] = (
    count("n_chars", "code points", "length of the document, line breaks included", SWALLOW),
    count("n_japanese", "code points", "hiragana, katakana, kanji, kuten and toten", SWALLOW),
    share("japanese_share", "of n_chars", "Japanese letters", SWALLOW),
    share("hiragana_share_ja", "of n_japanese", "hiragana U+3041–3096", SWALLOW),
    share("katakana_share_ja", "of n_japanese", "katakana U+30A1–30FA, without ー", SWALLOW),
    share("kanji_share_ja", "of n_japanese", "kanji in the basic plane, 々〇〻", SWALLOW),
    share("kuten_share_ja", "of n_japanese", "。．！？", SWALLOW),
    share("toten_share_ja", "of n_japanese", "、，", SWALLOW),
    share("hiragana_share", "of n_chars", "hiragana U+3041–3096"),
    share("katakana_share", "of n_chars", "katakana with ー and iteration marks"),
    share("kanji_share", "of n_chars", "kanji of every plane and radicals"),
    share("halfwidth_kana_share", "of n_chars", "half-width katakana U+FF66–FF9F"),
    share("latin_share", "of n_chars", "Latin letters, ASCII, full-width and accented"),
    share("digit_share", "of n_chars", "digits 0–9, ASCII and full-width"),
    share("symbol_share", "of n_chars", "symbols and punctuation other than kuten and toten"),
    share("ascii_symbol_share", "of n_chars", "ASCII punctuation and symbols"),
    share("emoji_share", "of n_chars", "emoji and dingbats"),
    share("space_share", "of n_chars", "spaces, tabs and ideographic spaces, not line breaks"),
    share("fullwidth_ascii_share", "of n_chars", "full-width Latin letters and digits"),
    share("foreign_share", "of n_chars", "Hangul, Greek, Cyrillic and every further script"),
    share("hangul_share", "of n_chars", "Hangul"),
    share("control_share", "of n_chars", "control and invisible format characters"),
    share("broken_share", "of n_chars", "U+FFFD, surrogates and private use: failed decoding"),
    share("letter_share", "of n_chars", "letters of any script (no digit, symbol or space)"),
    count("max_char_run", "code points", "longest run of one character"),
    share("char_run_share", "of n_chars", "characters in runs of four and more of one character"),
)
N_SIGNALS = len(SIGNALS)


@kernel
def measure_scripts(points: Points, starts: Offsets, table: Bytes, out: Floats) -> None:
    """Fills out[n, N_SIGNALS] for n documents; table is CLASS_TABLE."""
    counts = np.zeros(c.N_CLASSES, np.int64)
    for doc in range(len(starts) - 1):
        begin, end = starts[doc], starts[doc + 1]
        counts[:] = 0
        run = max_run = in_runs = 0
        last = np.uint32(0)
        for i in range(begin, end):
            point = points[i]
            kind = class_of(point, table)
            counts[kind] += 1
            if point == last and i > begin:
                run += 1
                if run == 4:
                    in_runs += 4
                elif run > 4:
                    in_runs += 1
            else:
                run = 1
                last = point
            max_run = max(max_run, run)
        n = end - begin
        _shares(counts, n, out[doc])
        out[doc, 24] = max_run
        out[doc, 25] = in_runs / n if n else 0.0


@kernel
def _shares(k: Offsets, n: Scalar, row: Floats) -> None:
    kana = k[c.KATAKANA] + k[c.LONG_VOWEL]
    kanji = k[c.KANJI] + k[c.KANJI_RARE]
    japanese = k[c.HIRAGANA] + k[c.KATAKANA] + k[c.KANJI] + k[c.KUTEN] + k[c.TOTEN]
    latin = k[c.LATIN] + k[c.LATIN_WIDE] + k[c.LATIN_ACCENTED]
    symbols = k[c.ASCII_SYMBOL] + k[c.CJK_SYMBOL] + k[c.WIDE_SYMBOL] + k[c.SYMBOL]
    foreign = k[c.HANGUL] + k[c.GREEK] + k[c.CYRILLIC] + k[c.FOREIGN]
    letters = k[c.HIRAGANA] + k[c.HENTAIGANA] + kana + kanji + k[c.HALF_KANA] + latin + foreign
    row[0] = n
    row[1] = japanese
    row[2:24] = 0.0
    if n:
        row[2] = japanese / n
        row[8] = (k[c.HIRAGANA] + k[c.HENTAIGANA]) / n
        row[9] = kana / n
        row[10] = kanji / n
        row[11] = k[c.HALF_KANA] / n
        row[12] = latin / n
        row[13] = (k[c.DIGIT] + k[c.DIGIT_WIDE]) / n
        row[14] = symbols / n
        row[15] = k[c.ASCII_SYMBOL] / n
        row[16] = k[c.EMOJI] / n
        row[17] = (k[c.SPACE] + k[c.SPACE_WIDE]) / n
        row[18] = (k[c.LATIN_WIDE] + k[c.DIGIT_WIDE]) / n
        row[19] = foreign / n
        row[20] = k[c.HANGUL] / n
        row[21] = (k[c.CONTROL] + k[c.INVISIBLE]) / n
        row[22] = k[c.BROKEN] / n
        row[23] = letters / n
    if japanese:
        row[3] = k[c.HIRAGANA] / japanese
        row[4] = k[c.KATAKANA] / japanese
        row[5] = k[c.KANJI] / japanese
        row[6] = k[c.KUTEN] / japanese
        row[7] = k[c.TOTEN] / japanese
