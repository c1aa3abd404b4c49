"""Scripts and characters: what a document is written with.

Two denominators appear. `n_chars` is every code point, line breaks included, as in Swallow's
`num_letters`. `n_japanese` is hiragana + katakana + kanji + kuten + toten, Swallow's
`num_japanese_letters`; shares over it end in `_ja`.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import classes as c
from filters.kernels.classes import class_of
from filters.kernels.kernel import columns, kernel
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
column = columns(s.name for s in SIGNALS)
RUN = 4  # of one character, from which on a run counts


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
                if run == RUN:
                    in_runs += RUN
                elif run > RUN:
                    in_runs += 1
            else:
                run = 1
                last = point
            max_run = max(max_run, run)
        n = end - begin
        _shares(counts, n, out[doc])
        out[doc, column.max_char_run] = max_run
        out[doc, column.char_run_share] = in_runs / n if n else 0.0


@kernel
def _shares(counts: Offsets, n: Scalar, row: Floats) -> None:
    """Signals of a document of n characters, of which counts[kind] are of each class."""
    kana = counts[c.KATAKANA] + counts[c.LONG_VOWEL]
    kanji = counts[c.KANJI] + counts[c.KANJI_RARE]
    japanese = (
        counts[c.HIRAGANA]
        + counts[c.KATAKANA]
        + counts[c.KANJI]
        + counts[c.KUTEN]
        + counts[c.TOTEN]
    )
    latin = counts[c.LATIN] + counts[c.LATIN_WIDE] + counts[c.LATIN_ACCENTED]
    symbols = (
        counts[c.ASCII_SYMBOL] + counts[c.CJK_SYMBOL] + counts[c.WIDE_SYMBOL] + counts[c.SYMBOL]
    )
    foreign = counts[c.HANGUL] + counts[c.GREEK] + counts[c.CYRILLIC] + counts[c.FOREIGN]
    letters = (
        counts[c.HIRAGANA]
        + counts[c.HENTAIGANA]
        + kana
        + kanji
        + counts[c.HALF_KANA]
        + latin
        + foreign
    )
    row[column.n_chars] = n
    row[column.n_japanese] = japanese
    row[column.japanese_share : column.max_char_run] = 0.0
    if n:
        row[column.japanese_share] = japanese / n
        row[column.hiragana_share] = (counts[c.HIRAGANA] + counts[c.HENTAIGANA]) / n
        row[column.katakana_share] = kana / n
        row[column.kanji_share] = kanji / n
        row[column.halfwidth_kana_share] = counts[c.HALF_KANA] / n
        row[column.latin_share] = latin / n
        row[column.digit_share] = (counts[c.DIGIT] + counts[c.DIGIT_WIDE]) / n
        row[column.symbol_share] = symbols / n
        row[column.ascii_symbol_share] = counts[c.ASCII_SYMBOL] / n
        row[column.emoji_share] = counts[c.EMOJI] / n
        row[column.space_share] = (counts[c.SPACE] + counts[c.SPACE_WIDE]) / n
        row[column.fullwidth_ascii_share] = (counts[c.LATIN_WIDE] + counts[c.DIGIT_WIDE]) / n
        row[column.foreign_share] = foreign / n
        row[column.hangul_share] = counts[c.HANGUL] / n
        row[column.control_share] = (counts[c.CONTROL] + counts[c.INVISIBLE]) / n
        row[column.broken_share] = counts[c.BROKEN] / n
        row[column.letter_share] = letters / n
    if japanese:
        row[column.hiragana_share_ja] = counts[c.HIRAGANA] / japanese
        row[column.katakana_share_ja] = counts[c.KATAKANA] / japanese
        row[column.kanji_share_ja] = counts[c.KANJI] / japanese
        row[column.kuten_share_ja] = counts[c.KUTEN] / japanese
        row[column.toten_share_ja] = counts[c.TOTEN] / japanese
