"""Decisions of HojiChar, LLM-jp, Uzushio and datatrove in plain Python, from their rules."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import fugashi
from plain_signals import BBS, KANA, SPECIAL, lines, ngrams, ratio, scripts
from plain_swallow import repeats

from filters.kernels.charsets import FINEWEB_PUNCTUATION, FINEWEB_TERMINAL, code_points
from filters.morphemes import STOP_WORDS

TAGGER = fugashi.Tagger("-Owakati")
ENGLISH = {"the", "be", "to", "of", "and", "that", "have", "with"}
SUDACHI: Any = None  # made by the first caller: its dictionary takes a moment
TERMINAL = {chr(p) for p in code_points(FINEWEB_TERMINAL)}
PUNCTUATION = {chr(p) for p in code_points(FINEWEB_PUNCTUATION)}


def word_lines(path: Path) -> list[str]:
    return [w.strip() for w in path.read_text(encoding="utf-8").split("\n") if w]


def any_word(words: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)))


def unconfused(words: list[str]) -> re.Pattern[str]:
    kana = [w for w in words if re.fullmatch("[ァ-ヴー]+", w)]
    others = [w for w in words if w not in set(kana)]
    katakana = "|".join(map(re.escape, kana))
    return re.compile(
        "|".join(map(re.escape, others)) + rf"|(?<![ァ-ヴー])({katakana})(?![ァ-ヴー])"
    )


class HojiChar:
    """Every discarding document filter at its default, in the order of the source file."""

    def __init__(self, folder: Path) -> None:
        def read(name: str) -> list[str]:
            return word_lines(folder / f"hojichar__dict__{name}.txt")

        self.banned = [
            any_word(read(f"{topic}_keywords_ja"))
            for topic in ("adult", "discrimination", "violence")
        ]
        english = "|".join(map(re.escape, read("adult_keywords_en")))
        self.banned.append(re.compile(rf"(?:^| )({english})(?:( |,|\.)|$)", re.IGNORECASE))
        self.ads = any_word(read("advertisement_keywords_ja"))

    def keeps(self, text: str) -> bool:
        shape = lines(text)
        return (
            KANA.search(text[:50]) is not None
            and text.count("。") >= len(text) / 100
            and len(BBS.findall(text)) <= 14
            and len(self.ads.findall(text)) <= 14
            and not any(pattern.search(text) for pattern in self.banned)
            and ngrams(text)["frequent_5gram_share"] < 0.33
            and sum(c in SPECIAL for c in text) <= 0.4 * len(text)
            and scripts(text)["max_char_run"] < 200
            and shape["ellipsis_line_share"] <= 0.7
            and shape["short_line_share"] <= 0.5
            and words(text)["noun_share"] < 0.80
            and words(text)["dup_word_7gram_share"] < 0.40
        )


class LlmJp:
    """ja_cc of llm-jp-corpus without the rule on the domain."""

    def __init__(self, folder: Path, hojichar: Path, strict: bool) -> None:
        self.hits, self.length, self.low = (2, 80, 0.375) if strict else (3, 250, 0.30)
        self.lists = [
            unconfused(word_lines(folder / f"scripts__dict__ja_{topic}_keywords.txt"))
            for topic in ("adult", "discrimination", "violence")
        ]
        self.ads = any_word(word_lines(hojichar / "hojichar__dict__advertisement_keywords_ja.txt"))

    def keeps(self, text: str) -> bool:
        if not text.strip():
            return False
        data = text.encode()
        return (
            KANA.search(text[:50]) is not None
            and len(self.ads.findall(text)) <= 10
            and all(sum(1 for _ in p.finditer(text)) <= self.hits for p in self.lists)
            and text.count("。") >= len(text) / self.length
            and self.low <= len(zlib.compress(data, 9)) / len(data) <= 0.70
        )


def word_types(pattern_words: list[str], text: str) -> int:
    """Different words found by walking on with the longest match, line by line."""
    longest = max(map(len, pattern_words))
    known = set(pattern_words)
    found = set()
    for line in text.split("\n"):
        i = 0
        while i < len(line):
            sizes = range(min(longest, len(line) - i), 0, -1)
            size = next((n for n in sizes if line[i : i + n] in known), 0)
            if size:
                found.add(line[i : i + size])
            i += max(size, 1)
    return len(found)


def words(text: str) -> dict[str, float]:
    """The word signals, with fugashi's own nodes, as HojiChar and datatrove count them."""
    # A node is only valid until the next parse: its facts are taken at once.
    pieces = [
        [(n.surface, n.feature.pos1) for n in TAGGER(text[i : i + 100_000])]
        for i in range(0, len(text), 100_000)
    ]
    surfaces = [surface for piece in pieces for surface, _ in piece]
    content = [w for w in surfaces if any(c not in PUNCTUATION for c in w)]
    kinds = Counter(kind for piece in pieces for _, kind in piece)
    split = text.splitlines()
    out: dict[str, float] = {
        "n_words": len(content),
        "mean_word_length": ratio(sum(map(len, content)), len(content)),
        "alpha_word_share": ratio(sum(any(map(str.isalpha, w)) for w in surfaces), len(surfaces)),
        "stop_words": len(STOP_WORDS & set(surfaces)),
        "line_breaks_per_word": ratio(text.count("\n"), len(surfaces)),
        "hashes_per_word": ratio(text.count("#"), len(surfaces)),
        "ellipses_per_word": ratio(text.count("...") + text.count("…"), len(surfaces)),
        "dash_line_share": ratio(sum(s.lstrip().startswith(("•", "-")) for s in split), len(split)),
        "dots_line_share": ratio(sum(s.rstrip().endswith(("...", "…")) for s in split), len(split)),
        "noun_share": ratio(kinds["名詞"], sum(kinds.values()) - kinds["補助記号"]),
    }
    sevens: Counter[str] = Counter()
    for piece in pieces:
        cut = [surface for surface, _ in piece]
        sevens.update(" ".join(cut[k : k + 7]) for k in range(len(cut) - 6))
    repeated = sum(f for f in sevens.values() if f > 1)
    out["dup_word_7gram_share"] = ratio(repeated, sum(sevens.values()))
    for n in (2, 3, 4):
        grams = Counter(" ".join(surfaces[i : i + n]) for i in range(len(surfaces) - n + 1))
        top = grams.most_common(1)
        out[f"top_word_{n}gram_share"] = ratio(len(top[0][0]) * top[0][1] if top else 0, len(text))
    for n in range(5, 11):
        seen, characters, i = set(), 0, 0
        while i < len(surfaces) - n + 1:
            gram = "".join(surfaces[i : i + n])
            if gram in seen:
                characters += len(gram)
            i += n if gram in seen else 1
            seen.add(gram)
        out[f"dup_word_{n}gram_char_share"] = ratio(characters, len(text))
    return out


class Datatrove:
    """GopherRepetitionFilter, FineWebQualityFilter and GopherQualityFilter on given words."""

    def __init__(self, japanese: bool) -> None:
        """japanese: FineWeb-2's jpn_Jpan.yml; otherwise Gopher's two filters at their defaults."""
        self.japanese = japanese
        self.top = (0.239, 0.196, 0.172) if japanese else (0.20, 0.18, 0.16)
        self.dup = (
            (0.243, 0.225, 0.207, 0.19, 0.175, 0.159)
            if japanese
            else (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
        )

    def keeps(self, text: str, cut: list[str]) -> bool:
        if not text or not cut:
            return False  # the original divides by zero
        lines = re.split("\n+", text)
        repeated, characters = repeats(lines)
        if repeated / len(lines) > (0.328 if self.japanese else 0.3):
            return False
        blocks = re.split("\n{2,}", text.strip())
        if not self.japanese and (
            characters / len(text) > 0.2
            or repeats(blocks)[0] / len(blocks) > 0.3
            or repeats(blocks)[1] / len(text) > 0.2
        ):
            return False
        return (
            self._repetition(text, cut)
            and (not self.japanese or self._fineweb(text, cut))
            and self._quality(text, cut)
        )

    def _repetition(self, text: str, cut: list[str]) -> bool:
        for n, limit in enumerate(self.top, 2):
            grams = Counter(" ".join(cut[i : i + n]) for i in range(len(cut) - n + 1))
            if grams:
                gram, count = grams.most_common(1)[0]
                if len(gram) * count / len(text) > limit:
                    return False
        for n, limit in enumerate(self.dup, 5):
            seen: set[str] = set()
            characters = i = 0
            while i + n <= len(cut):
                gram = "".join(cut[i : i + n])
                characters += len(gram) if gram in seen else 0
                i += n if gram in seen else 1
                seen.add(gram)
            if characters / len(text) > limit:
                return False
        return True

    def _fineweb(self, text: str, cut: list[str]) -> bool:
        filled = [line for line in text.split("\n") if line.strip()]
        ends = sum(line[-1] in TERMINAL for line in filled) / len(filled)
        repeated = repeats(filled)[1] / len(text.replace("\n", ""))
        return ends >= 0.096 and repeated <= 0.1 and text.count("\n") / len(cut) <= 0.13

    def _quality(self, text: str, cut: list[str]) -> bool:
        shortest, longest, letters = (1, 6, 0.759) if self.japanese else (3, 10, 0.8)
        stops = (
            STOP_WORDS
            if self.japanese
            else set(["the", "be", "to", "of", "and", "that", "have", "with"])
        )
        content = [w for w in cut if any(c not in PUNCTUATION for c in w)]
        lines = text.splitlines()
        bullets = sum(line.lstrip()[:1] in ("•", "-") for line in lines if line.strip())
        dots = sum(line.rstrip().endswith(("...", "…")) for line in lines)
        return (
            50 <= len(content) <= 100_000
            and shortest <= sum(map(len, content)) / len(content) <= longest
            and text.count("#") / len(cut) <= 0.1
            and (text.count("...") + text.count("…")) / len(cut) <= 0.1
            and bullets / len(lines) <= 0.9
            and dots / len(lines) <= 0.3
            and sum(any(map(str.isalpha, w)) for w in cut) / len(cut) >= letters
            and len(stops & set(cut)) >= 2
        )


def sudachi(text: str, piece: int = 40_000) -> list[str]:
    """Sudachi's words without white space; texts of more than `piece` bytes are not for this."""
    import sudachipy

    global SUDACHI
    if SUDACHI is None:
        dictionary = sudachipy.Dictionary(dict="core")
        SUDACHI = getattr(dictionary, "tokenizer", dictionary.create)(sudachipy.SplitMode.A)
    assert len(text.encode()) < piece
    return [m.surface() for m in SUDACHI.tokenize(text) if m.surface().strip()]
