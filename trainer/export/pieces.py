"""More pieces for a tokenizer that stands: merges learnt on top of its own cuts, old ids unchanged.

1. The text is encoded; runs of letters (a space may lead) are the words, as lists of old ids.
2. Characters that fall back to bytes become pieces first, the most frequent ones.
3. The most frequent pair of neighbours becomes a piece, again and again (Sennrich et al. 2016).
4. The pieces are written behind the old ones: as merges (BPE) or with log-probabilities (unigram).

Every new piece is thus made of old ones, which is what its first weights are made of.
"""

from __future__ import annotations

import heapq
import json
import math
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.tokens import tokenizer_hf
from trainer.tokens.tokenizer import Tokenizer
from trainer.tokens.tokenizer_hf import SPACE
from trainer.tokens.tokenizer_train import CJK, save

LONGEST = (8, 16)  # characters of a piece with and without a CJK character, as in tokenizer_train
STALE = ("tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt", "training.json")


@dataclass(frozen=True)
class Piece:
    """A new piece: what it is made of (old and new ids), its bytes, its share of all tokens."""

    parts: tuple[int, ...]  # two pieces, or the bytes of a character
    content: bytes
    share: float
    character: bool = False


def learn(tokenizer: Tokenizer, texts: list[str], n: int) -> list[Piece]:
    """Up to n new pieces, as many as the text gives; the i-th has the id vocab_size + i."""
    contents, first = tokenizer.piece_bytes, tokenizer.vocab_size
    pieces: list[Piece] = []
    encoded = tokenizer.encode_batch(texts)
    is_byte = [tokenizer.is_byte(i) for i in range(first)]
    total = sum(map(len, encoded))
    for text, count in _fallen_back(encoded, contents, is_byte).most_common(n // 2):
        parts = tuple(tokenizer.id(f"<0x{b:02X}>") for b in text.encode())
        pieces.append(Piece(parts, text.encode(), count / total, character=True))
    known = {p.content: first + i for i, p in enumerate(pieces)}
    words = _words(encoded, contents, is_byte, known)
    taken = {*contents, *known}
    for left, right, content, count in _merges(words, [*contents, *known], n - len(pieces), taken):
        pieces.append(Piece((left, right), content, count / total))
    return pieces


def made_of(pieces: list[Piece], first: int) -> list[list[int]]:
    """The old ids of each new piece, in order."""
    result: list[list[int]] = []
    for piece in pieces:
        result.append([i for p in piece.parts for i in (result[p - first] if p >= first else [p])])
    return result


def write(tokenizer: Tokenizer, folder: Path, out: Path, pieces: list[Piece]) -> Tokenizer:
    """The extended tokenizer of `folder` in `out`."""
    if tokenizer.file == "tokenizer.model":
        extended = Tokenizer(_with_pieces(tokenizer, pieces))
        if tokenizer.ours:
            save(extended, out, {"extended_from": tokenizer.hash, "pieces": len(pieces)})
            return Tokenizer.load(out)
        content = extended.model
    else:
        content = _with_merges(tokenizer, pieces)
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns(*STALE), dirs_exist_ok=True)
    (out / tokenizer.file).write_bytes(content)
    return Tokenizer.load(out)


def _fallen_back(
    encoded: list[list[int]], contents: list[bytes], is_byte: list[bool]
) -> Counter[str]:
    """How often each letter was written in bytes."""
    seen: Counter[str] = Counter()
    for ids in encoded:
        run = b""
        for i in [*ids, -1]:
            if i >= 0 and is_byte[i]:
                run += contents[i]
            elif run:
                seen.update(c for c in run.decode("utf-8", "ignore") if c.isalpha())
                run = b""
    return Counter({c: k for c, k in sorted(seen.items()) if k > 1})


def _words(
    encoded: list[list[int]], contents: list[bytes], is_byte: list[bool], known: dict[bytes, int]
) -> Counter[tuple[int, ...]]:
    """Runs of letters as ids, and how often each stands; characters that are new in one id."""
    words: Counter[tuple[int, ...]] = Counter()
    leads = [b[:1] == b" " for b in contents]
    letters = [_of_letters(b) for b in contents]
    for ids in encoded:
        word: list[int] = []
        rest = b""
        for i in [*ids, -1]:
            if i >= 0 and is_byte[i]:
                rest += contents[i]
                new = known.get(rest)
                if new is not None:
                    word, rest = [*word, new], b""
                continue
            joins = i >= 0 and letters[i] and not leads[i] and not rest
            if not joins:
                if len(word) > 1:
                    words[tuple(word)] += 1
                word, rest = [], b""
            if i >= 0 and letters[i]:
                word.append(i)
    return words


def _of_letters(content: bytes) -> bool:
    """Letters after at most one space; parts of characters count as letters."""
    text = content.decode("utf-8", "ignore")
    text = text.removeprefix(" ")
    return bool(content) and (text.isalpha() or not text)


def _merges(
    words: Counter[tuple[int, ...]], contents: list[bytes], n: int, taken: set[bytes]
) -> list[tuple[int, int, bytes, int]]:
    """(left, right, bytes, count) of up to n pairs, the most frequent first at its time."""
    sequences = [list(w) for w in words]
    counts = list(words.values())
    pairs: Counter[tuple[int, int]] = Counter()
    where: dict[tuple[int, int], set[int]] = defaultdict(set)
    for w, sequence in enumerate(sequences):
        for pair in zip(sequence, sequence[1:], strict=False):
            pairs[pair] += counts[w]
            where[pair].add(w)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    made: list[tuple[int, int, bytes, int]] = []
    contents = list(contents)
    while heap and len(made) < n:
        count, pair = heapq.heappop(heap)
        if pairs[pair] != -count or -count < 2:  # counted anew since, or too rare
            continue
        content = contents[pair[0]] + contents[pair[1]]
        text = content.decode("utf-8", "ignore")
        longest = LONGEST[0] if CJK.search(text) else LONGEST[1]
        if content in taken or not _of_letters(content) or len(text) > longest:
            continue
        made.append((*pair, content, -count))
        taken.add(content)
        contents.append(content)
        touched = set()
        for w in sorted(where.pop(pair)):
            before, after = sequences[w], _replaced(sequences[w], pair, len(contents) - 1)
            for old in zip(before, before[1:], strict=False):
                pairs[old] -= counts[w]
                touched.add(old)
            for new in zip(after, after[1:], strict=False):
                pairs[new] += counts[w]
                where[new].add(w)
                touched.add(new)
            sequences[w] = after
        for changed in touched:
            heapq.heappush(heap, (-pairs[changed], changed))
    return made


def _replaced(sequence: list[int], pair: tuple[int, int], new: int) -> list[int]:
    out: list[int] = []
    i = 0
    while i < len(sequence):
        if tuple(sequence[i : i + 2]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(sequence[i])
            i += 1
    return out


def _with_pieces(tokenizer: Tokenizer, pieces: list[Piece]) -> bytes:
    """A SentencePiece model with more pieces; its BPE merges in the order of scores."""
    model = tokenizer_hf.parse(tokenizer.model)
    scores = [p.score for p in model.pieces]
    unigram = model.trainer_spec.model_type == model.trainer_spec.UNIGRAM
    for piece in pieces:
        scores.append(_score(piece, scores) if unigram else min(scores) - 1)
        text = piece.content.decode().replace(" ", SPACE)
        model.pieces.add(piece=text, score=scores[-1], type=1)  # NORMAL
    model.trainer_spec.vocab_size = len(model.pieces)
    return bytes(model.SerializeToString(deterministic=True))


def _with_merges(tokenizer: Tokenizer, pieces: list[Piece]) -> bytes:
    """A tokenizer.json with more pieces."""
    described: dict[str, Any] = json.loads(tokenizer.model)
    model, first = described["model"], tokenizer.vocab_size
    names = [tokenizer.piece(i) for i in range(first)]
    for piece in pieces:
        made = "".join(names[p] for p in piece.parts)
        names.append(piece.content.decode() if piece.character else made)
    if model["type"] == "BPE":
        # Symbols that stand outside the vocabulary would otherwise be numbered behind the pieces.
        model["vocab"] |= {t["content"]: t["id"] for t in described["added_tokens"]}
        model["vocab"] |= {name: i for i, name in enumerate(names[first:], first)}
        pairs = [[names[p] for p in piece.parts] for piece in pieces if not piece.character]
        in_one = bool(model["merges"]) and isinstance(model["merges"][0], str)  # older files
        model["merges"] += [" ".join(pair) for pair in pairs] if in_one else pairs
    else:
        lowest = min(score for _, score in model["vocab"])
        outside = range(len(model["vocab"]), first)
        model["vocab"] += [[names[i], lowest - 100] for i in outside]
        scores = [score for _, score in model["vocab"]]
        for piece in pieces:
            scores.append(_score(piece, scores))
            model["vocab"].append([names[len(scores) - 1], scores[-1]])
    return json.dumps(described, ensure_ascii=False).encode()


def _score(piece: Piece, scores: list[float]) -> float:
    """Log-probability of a piece: by its share, but never below the path over its parts."""
    share = math.log(piece.share)
    return share if piece.character else max(share, sum(scores[p] for p in piece.parts) + 0.01)
