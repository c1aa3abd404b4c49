"""`trainer fertility`: what a tokenizer costs, for each source, beside others.

Characters and bytes for each token, tokens for each word (fertility; words by fugashi, where it
is installed) and the share of byte-fallback tokens. Others are folders of Hugging Face or
SentencePiece; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from trainer.tokens import parquet
from trainer.tokens.tokenizer import Tokenizer


def report(source: str, tokenizers: list[str], max_documents: int = 2000) -> list[dict[str, Any]]:
    """A row for each tokenizer and source (and "all"), in the order given."""
    texts = _sample(source, max_documents)
    count_words = _word_counter()
    words = {n: [count_words(t) for t in ts] for n, ts in texts.items()} if count_words else {}
    rows = []
    for name in tokenizers:
        tokenizer = Tokenizer.load(name)
        falls_back = any(map(tokenizer.is_byte, range(tokenizer.vocab_size)))
        totals = {"tokens": 0, "chars": 0, "bytes": 0, "words": 0, "fallback": 0}
        for label, mine in texts.items():
            sums = dict.fromkeys(totals, 0)
            for ids in tokenizer.encode_batch(mine):
                sums["tokens"] += len(ids)
                sums["fallback"] += sum(map(tokenizer.is_byte, ids))
            sums["chars"] = sum(map(len, mine))
            sums["bytes"] = sum(len(t.encode()) for t in mine)
            sums["words"] = sum(words.get(label, []))
            rows.append(_row(name, tokenizer.vocab_size, label, sums, falls_back))
            totals = {k: totals[k] + sums[k] for k in totals}
        if len(texts) > 1:
            rows.append(_row(name, tokenizer.vocab_size, "all", totals, falls_back))
    return rows


def _row(
    name: str, size: int, label: str, sums: dict[str, int], falls_back: bool
) -> dict[str, Any]:
    tokens = max(1, sums["tokens"])
    return {
        "tokenizer": name,
        "vocabulary": size,
        "source": label,
        "characters": sums["chars"],
        "characters/token": round(sums["chars"] / tokens, 3),
        "bytes/token": round(sums["bytes"] / tokens, 3),
        "tokens/word": round(tokens / sums["words"], 3) if sums["words"] else None,
        # None for byte-level BPE: its pieces are strings of bytes, none is a fallback
        "byte fallback": round(sums["fallback"] / tokens, 4) if falls_back else None,
    }


def _sample(source: str, max_documents: int) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for name, text in islice(parquet.texts(source), max_documents):
        texts.setdefault(name, []).append(text)
    return dict(sorted(texts.items()))


def _word_counter() -> Callable[[str], int] | None:
    try:
        import fugashi

        tagger = fugashi.Tagger("-O wakati")
    except (ImportError, RuntimeError):
        return None
    # MeCab takes no line above its buffer: count line by line, in pieces.
    return lambda text: sum(
        len(tagger(line[i : i + 5000]))
        for line in text.splitlines()
        for i in range(0, len(line), 5000)
    )
