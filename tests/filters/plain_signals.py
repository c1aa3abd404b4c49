"""The remaining signals in plain Python, one short function a group: the oracle of the kernels."""

from __future__ import annotations

import math
import re
import string
import zlib
from collections import Counter
from itertools import groupby

from plain_swallow import SENTENCE, ratio, repeats

from filters.kernels import charsets, phrase_lists
from filters.kernels.marks import BULLETS, PAIRS, TERMINALS

SPECIAL = {
    chr(p) for s in (charsets.HOJICHAR_SPECIAL, charsets.EMOJI) for p in charsets.code_points(s)
}
FINEWEB_ENDS = tuple(chr(p) for p in charsets.code_points(charsets.FINEWEB_TERMINAL))
BBS = re.compile(
    r"\d{4}[年.\-/] *\d{1,2}[月.\-/] *\d{1,2}日*|コメント|SOLD OUT|レビュー|投稿|ページ"
    r"|\([月火水木金土日]\)|質問|\d+話|楽天市場|-"
)
KANA = re.compile("[ぁ-んァ-ン]")
HIRAGANA, KATAKANA = "[\u3041-\u3096]", "[\u30a1-\u30fa]"
LONG = "[\u309d-\u309f\u30fc-\u30ff\u31f0-\u31ff]"
KANJI = "[々〇〻\u3400-\u9fff\uf900-\ufaff]"


def share_of(pattern: str, text: str, total: float) -> float:
    return ratio(len(re.findall(pattern, text)), total)


def scripts(text: str) -> dict[str, float]:
    n = len(text)
    runs = [len(list(group)) for _, group in groupby(text)]
    out: dict[str, float] = {
        "max_char_run": max(runs, default=0),
        "char_run_share": ratio(sum(r for r in runs if r >= 4), n),
    }
    for name, pattern in {
        "hiragana_share": "[\u3041-\u3096\U0001b000-\U0001b16f]",
        "katakana_share": f"{KATAKANA}|{LONG}|[\U0001aff0-\U0001afff]",
        "kanji_share": f"{KANJI}|[\u2e80-\u2fdf\U00020000-\U0003ffff]",
        "halfwidth_kana_share": "[\uff66-\uff9f]",
        "digit_share": "[0-9０-９]",
        "ascii_symbol_share": f"[{re.escape(string.punctuation)}]",
        "fullwidth_ascii_share": "[０-９Ａ-Ｚａ-ｚ]",
        "hangul_share": "[\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff\uffa0-\uffdc]",
        "broken_share": "[\ue000-\uf8ff\ufff0-\uffff\U000f0000-\U0010ffff]",
    }.items():
        out[name] = share_of(pattern, text, n)
    return out


def lines(text: str) -> dict[str, float]:
    n = len(text)
    every = text.split("\n")
    filled = [line for line in every if line.strip()]
    lengths = sorted((len(line) for line in every), reverse=True)
    pieces, blocks = re.split("\n+", text), re.split("\n{2,}", text.strip())
    kuten = len(re.findall("[。．！？]", text))
    units = sum(2 if ch > "\uffff" else 1 for ch in text if ch != "\n")

    def among_filled(test: object) -> float:
        return ratio(sum(map(test, filled)), len(filled))  # type: ignore[arg-type]

    return {
        "n_lines": len(every),
        "blank_line_share": 1 - len(filled) / len(every),
        "mean_line_length": ratio(sum(map(len, filled)), len(filled)),
        "max_line_length": lengths[0],
        "third_line_length": lengths[2] if len(lengths) > 2 else 0,
        "short_line_share": sum(len(line) <= 10 for line in every) / len(every),
        "short_line_30_share": among_filled(lambda line: len(line) <= 30),
        "line_end_share": among_filled(lambda line: line.endswith(FINEWEB_ENDS)),
        "prose_line_share": among_filled(lambda line: line.strip()[-1] in TERMINALS),
        "bullet_line_share": among_filled(lambda line: line.strip()[0] in BULLETS),
        "ellipsis_line_share": len(re.findall(r"(\.{3}|…)\n", text)) / max(text.count("\n"), 1),
        "kana_line_share": among_filled(lambda line: bool(KANA.search(line))),
        "one_char_line_share": among_filled(lambda line: len(line) <= 2),
        "dup_line_char_share": ratio(repeats(filled)[1], n - text.count("\n")),
        "dup_run_line_share": repeats(pieces)[0] / len(pieces),
        "dup_run_line_char_share": ratio(repeats(pieces)[1], n),
        "dup_block_share": repeats(blocks)[0] / len(blocks),
        "dup_block_char_share": ratio(repeats(blocks)[1], n),
        "kana_at_start": len(KANA.findall(text[:50])),
        "chars_per_maru": (n / text.count("。") if "。" in text else math.inf) if n else 0.0,
        "chars_per_kuten": (n / kuten if kuten else math.inf) if n else 0.0,
        "special_share": ratio(sum(ch in SPECIAL for ch in text), n),
        "utf16_length": units,
        "hiragana_block_share": share_of("[\u3040-\u309f]", text, units),
    }


def patterns(text: str) -> dict[str, float]:
    signs = BBS.findall(text)
    pairs = [(text.count(a), text.count(b)) for a, b in zip(PAIRS[0::2], PAIRS[1::2], strict=True)]
    per_mille = ratio(1000, len(text))
    return {
        "bbs_signs": len(signs) - signs.count("-"),
        "bbs_signs_hyphen": len(signs),
        "bracket_imbalance": ratio(sum(abs(a - b) for a, b in pairs), sum(map(sum, pairs))),
        "kuten_space_share": share_of(
            "[、。][ \t\u3000\r\xa0\u2000-\u200a\u202f\u205f]",
            text,
            len(re.findall("[、。，]", text)),
        ),
        "url_density": len(re.findall(r"https?://|www\.", text)) * per_mille,
        "curly_brackets": text.count("{") + text.count("}"),
    }


def occurrences(text: str, phrase: str) -> int:
    if any(phrase.startswith(phrase[k:]) for k in range(1, len(phrase))):
        return len(re.findall(f"(?={re.escape(phrase)})", text))  # may overlap itself
    return text.count(phrase)


def phrases(text: str) -> dict[str, float]:
    per_mille = ratio(1000, len(text))
    kanji = len(re.findall(KANJI, text))
    out = {
        f"{name}_density": sum(occurrences(text, phrase) for phrase in listed) * per_mille
        for name, listed in phrase_lists.PHRASES.items()
    }
    out["kyujitai_share"] = share_of(f"[{phrase_lists.KYUJITAI}]", text, kanji)
    out["simplified_share"] = share_of(f"[{phrase_lists.SIMPLIFIED}]", text, kanji)
    out["particle_share"] = share_of("[のにはをがとでも]", text, len(text))
    return out


def ngrams(text: str) -> dict[str, float]:
    counts = Counter(text[i : i + 5] for i in range(len(text) - 4))
    frequent = sorted(counts.values(), reverse=True)
    wanted = min(int(math.sqrt(len(counts))), sum(f > 1 for f in frequent))
    return {"frequent_5gram_share": ratio(sum(frequent[:wanted]), sum(frequent))}


def compression(text: str) -> dict[str, float]:
    data = text.encode()
    return {"zlib_ratio": ratio(len(zlib.compress(data, 9)), len(data))}


def signals(text: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for group in (scripts, lines, patterns, phrases, ngrams, compression):
        out |= group(text)
    sentences = [s for line in text.split("\n") for s in SENTENCE.findall(line)]
    out["closed_sentence_share"] = ratio(
        sum(s[-1] in "。．！？!?" for s in sentences), len(sentences)
    )
    out["long_sentence_share"] = ratio(sum(len(s) for s in sentences if len(s) > 200), len(text))
    return out
