"""Swallow v1's quality rules in plain Python, written from their description as an oracle.

Slow and literal on purpose: strings, slices and counters, no arrays.
"""

from __future__ import annotations

import re
from collections import Counter

SENTENCE = re.compile("[^。．！？!?]+[。．！？!?]?")
BLANK_SENSITIVE = {"dup_paragraph_blank_share", "dup_paragraph_blank_char_share"}


def repeats(items: list[str]) -> tuple[int, int]:
    """(items, characters) that stand after an equal item."""
    counts = Counter(items)
    return sum(f - 1 for f in counts.values()), sum(len(s) * (f - 1) for s, f in counts.items())


def ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def signals(text: str) -> dict[str, float]:
    """The signals of Swallow's `quality.py` under Inaho's names."""
    cut = [SENTENCE.findall(line) for line in text.split("\n")]
    paragraphs = ["".join(c) for c in cut]
    sentences = [s for c in cut for s in c]
    filled = [p for p in paragraphs if p.strip()]
    out: dict[str, float] = {"n_chars": len(text), "n_sentences": len(sentences)}
    out["n_paragraphs"] = len(filled)
    for name, items in (
        ("dup_paragraph_blank", paragraphs),
        ("dup_paragraph", filled),
        ("dup_sentence", sentences),
    ):
        count, characters = repeats(items)
        out[f"{name}_share"] = ratio(count, len(items))
        out[f"{name}_char_share"] = ratio(characters, sum(map(len, items)))
    for n in range(2, 11):
        grams = Counter(text[i : i + n] for i in range(len(text) - n + 1))
        total = sum(grams.values())
        repeated = [f for f in grams.values() if f > 1]
        if n <= 4:
            out[f"top_{n}gram_share"] = ratio(max(grams.values(), default=0), total)
        else:
            out[f"dup_{n}gram_type_share"] = ratio(len(repeated), len(grams))
            out[f"dup_{n}gram_share"] = ratio(sum(repeated), total)
    kinds = Counter(kind(ch) for ch in text)
    japanese = sum(v for k, v in kinds.items() if k)
    out["n_japanese"] = japanese
    out["japanese_share"] = ratio(japanese, len(text))
    for k in ("hiragana", "katakana", "kanji", "kuten", "toten"):
        out[f"{k}_share_ja"] = ratio(kinds[k], japanese)
    lengths = [len(s) for s in sentences]
    out["mean_sentence_length"] = ratio(sum(lengths), len(lengths))
    out["max_sentence_length"] = max(lengths, default=0)
    ends = sum(s.strip().endswith(("・", "…")) for s in sentences)
    out["ellipsis_sentence_share"] = ratio(ends, len(sentences))
    return out


def kind(character: str) -> str:
    if "ぁ" <= character <= "ゖ":
        return "hiragana"
    if "ァ" <= character <= "ヺ":
        return "katakana"
    if character in "、，":
        return "toten"
    if character in "。．！？":
        return "kuten"
    if (
        character in "々〇〻"
        or "\u3400" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
    ):
        return "kanji"
    return ""


def keeps(s: dict[str, float]) -> bool:
    """Swallow's `apply_v1` on the signals of a text; an error of the original rejects."""
    tops = {2: 0.20, 3: 0.18, 4: 0.16}
    dups = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
    return (
        s["n_chars"] >= 400
        and s["n_japanese"] >= 400
        and s["dup_paragraph_blank_share"] <= 0.30
        and s["dup_sentence_share"] <= 0.30
        and s["dup_paragraph_blank_char_share"] <= 0.20
        and s["dup_sentence_char_share"] <= 0.20
        and all(s[f"top_{n}gram_share"] <= t for n, t in tops.items())
        and all(s[f"dup_{n}gram_type_share"] <= t for n, t in dups.items())
        and s["hiragana_share_ja"] >= 0.2
        and s["katakana_share_ja"] <= 0.5
        and s["japanese_share"] >= 0.5
        and 20 <= s["mean_sentence_length"] <= 90
        and s["max_sentence_length"] <= 200
        and s["ellipsis_sentence_share"] <= 0.2
    )
