"""How answers are scored, as llm-jp-eval does it."""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np


def said(text: str) -> str:
    """What counts of a generated text: up to the first empty line, in NFKC."""
    return unicodedata.normalize("NFKC", text.split("\n\n")[0].strip())


def score(metric: str, answers: list[str], right: list[str]) -> tuple[float, float]:
    """(score, standard error) of answers (`said`) by one of the metrics of prompts.py."""
    right = [unicodedata.normalize("NFKC", r) for r in right]
    if metric == "Pearson":
        r = correlation([number(a) for a in answers], [float(r) for r in right])
        return r, (1 - r * r) / math.sqrt(max(1, len(answers) - 2))
    single = exact if metric == "exact match" else characters
    values = [single(a, r) for a, r in zip(answers, right, strict=True)]
    mean = sum(values) / len(values)
    spread = sum((v - mean) ** 2 for v in values) / len(values)
    return mean, math.sqrt(spread / len(values))


def exact(answer: str, right: str) -> float:
    return float(answer == right)


def characters(answer: str, right: str) -> float:
    """fuzzywuzzy's token_sort_ratio over python-Levenshtein, which llm-jp-eval calls char_f1.

    Words in order of their code points; twice the longest common subsequence by both lengths,
    rounded to hundredths.
    """
    a, b = (" ".join(sorted(re.sub(r"(?u)\W", " ", _plain(t)).split())) for t in (answer, right))
    if a == b:
        return 1.0
    return round(100 * 2 * _common(a, b) / (len(a) + len(b))) / 100 if a and b else 0.0


def _plain(text: str) -> str:
    """In lower case, without U+0080 to U+00FF, which fuzzywuzzy drops first."""
    return re.sub("[\x80-\xff]", "", text).lower()


def _common(a: str, b: str) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            above = row[j]
            row[j] = before + 1 if x == y else max(row[j], row[j - 1])
            before = above
    return row[-1]


def number(text: str) -> float:
    """The digits and points of an answer as a number; -2 where they are none."""
    try:
        return float(re.sub(r"[^0-9.]", "", text))
    except ValueError:
        return -2.0


def correlation(a: list[float], b: list[float]) -> float:
    """Pearson's; 0 where one side is constant."""
    x, y = np.array(a) - np.mean(a), np.array(b) - np.mean(b)
    size = math.sqrt(float((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 0 else 0.0


def ranks(values: list[float]) -> list[float]:
    """Ranks from 1, equal values the mean of theirs: Spearman's is the correlation of ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return list(((2 * last - counts + 1) / 2)[inverse])
