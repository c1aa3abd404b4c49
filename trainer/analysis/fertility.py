"""`trainer fertility`: what a tokenizer costs, for each source, beside others.

Characters and bytes for each token, tokens for each word (fertility; words by fugashi, where it
is installed) and the share of byte-fallback tokens. Others are Hugging Face folders or installed
SentencePiece files; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.config.settings import ConfigError
from trainer.data import parquet
from trainer.data.tokenizer import Tokenizer


def report(source: str, tokenizers: list[str], max_documents: int = 2000) -> list[dict[str, Any]]:
    """A row for each tokenizer and source (and "all"), in the order given."""
    texts = _sample(source, max_documents)
    count_words = _word_counter()
    words = {n: [count_words(t) for t in ts] for n, ts in texts.items()} if count_words else {}
    rows = []
    for name in tokenizers:
        encode, is_byte, size = _open(name)
        totals = {"tokens": 0, "chars": 0, "bytes": 0, "words": 0, "fallback": 0}
        for label, mine in texts.items():
            sums = dict.fromkeys(totals, 0)
            for ids in encode(mine):
                sums["tokens"] += len(ids)
                sums["fallback"] += sum(map(is_byte, ids)) if is_byte else 0
            sums["chars"] = sum(map(len, mine))
            sums["bytes"] = sum(len(t.encode()) for t in mine)
            sums["words"] = sum(words.get(label, []))
            rows.append(_row(name, size, label, sums, bool(is_byte)))
            totals = {k: totals[k] + sums[k] for k in totals}
        if len(texts) > 1:
            rows.append(_row(name, size, "all", totals, bool(is_byte)))
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
    left = max_documents
    for unit in parquet.units(parquet.input_files(source)):
        for batch in parquet.read(unit):
            pairs = zip(
                batch.column("source").to_pylist(), batch.column("text").to_pylist(), strict=True
            )
            for name, text in pairs:
                if text and left > 0:
                    texts.setdefault(name or "", []).append(text)
                    left -= 1
    if not texts:
        raise ConfigError(f"no text in {source}")
    return dict(sorted(texts.items()))


Encode = Callable[[list[str]], list[list[int]]]


def _open(name: str) -> tuple[Encode, Callable[[int], bool] | None, int]:
    """(encode a list, is an id a byte or None, vocabulary) of a tokenizer folder or file."""
    path = Path(name)
    model = path if path.suffix == ".model" else path / "tokenizer.model"
    if (path / "training.json").is_file() and model.is_file():
        ours = Tokenizer.load(path)
        is_byte = [ours.piece(i).startswith("<0x") for i in range(ours.vocab_size)]
        return ours.encode_batch, is_byte.__getitem__, ours.vocab_size
    if (path / "tokenizer.json").is_file():
        from tokenizers import Tokenizer as Fast

        fast = Fast.from_file(str(path / "tokenizer.json"))
        pieces = {i: p for p, i in fast.get_vocab().items()}

        def encode(texts: list[str]) -> list[list[int]]:
            return [e.ids for e in fast.encode_batch(texts, add_special_tokens=False)]

        bytes_ = {i for i, p in pieces.items() if p.startswith("<0x")}
        return encode, bytes_.__contains__ if bytes_ else None, len(pieces)
    if model.is_file():
        import sentencepiece

        sp = sentencepiece.SentencePieceProcessor(model_file=str(model))
        return lambda texts: sp.encode(texts, num_threads=1), sp.is_byte, sp.get_piece_size()
    raise ConfigError(f"{name} is no tokenizer: no tokenizer.model and no tokenizer.json")


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
