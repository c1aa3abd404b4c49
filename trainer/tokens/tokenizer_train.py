"""Training a SentencePiece tokenizer that can be repeated: the same texts give the same bytes.

Pieces are kept to a length by script, digits stand alone, every byte has a piece. The folder that
`save` writes is described in tokenizer.py.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import sentencepiece

from trainer.config.settings import ConfigError
from trainer.tokens import parquet, tokenizer_hf
from trainer.tokens.tokenizer import SYMBOLS, Tokenizer
from trainer.tokens.tokenizer_hf import CHAT, SPACE

CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def train(
    texts: Iterable[str],
    vocab_size: int,
    model: str = "unigram",
    max_chars: tuple[int, int] = (8, 16),
    presegment: bool = False,
) -> Tokenizer:
    """Train on `texts`: one thread, so the same texts give the same bytes.

    max_chars: longest piece with a CJK character, and without. presegment: no piece crosses a
    word border of fugashi (unigram only; the tokenizer itself needs no analyser).
    Raises ConfigError when the text is too small for `vocab_size`.
    """
    lines = list(_training_lines(texts, presegment))
    if not lines:
        raise ConfigError("no text to train a tokenizer on")
    wanted = vocab_size
    for _ in range(4):
        trained = tokenizer_hf.parse(_train_once(lines, wanted, model, max(max_chars), presegment))
        long = [i for i, p in enumerate(trained.pieces) if _too_long(p, max_chars)]
        if len(trained.pieces) - len(long) >= vocab_size:
            break
        wanted = vocab_size + len(long) + len(long) // 4 + 1
    # From the least likely on, pieces of several characters go until vocab_size is met.
    drop = set(long)
    spare = [
        (p.score, -i, i)
        for i, p in enumerate(trained.pieces)
        if i not in drop and p.type == p.NORMAL and len(p.piece) > 1
    ]
    surplus = max(0, len(trained.pieces) - len(drop) - vocab_size)
    drop |= {i for _, _, i in sorted(spare)[:surplus]}
    kept = [p for i, p in enumerate(trained.pieces) if i not in drop]
    del trained.pieces[:]
    trained.pieces.extend(kept)
    trained.trainer_spec.vocab_size = len(kept)
    return Tokenizer(trained.SerializeToString(deterministic=True))


def sample(files: list[Path], max_bytes: int) -> list[str]:
    """Texts of at most about `max_bytes` UTF-8 bytes, chosen by hash of id, in input order."""
    total = parquet.text_bytes(files)
    share = min(1.0, max_bytes / max(1, total))
    texts: list[str] = []
    for unit in parquet.units(files):
        for batch in parquet.read(unit):
            mask = parquet.in_sample(batch.column("id").to_pylist(), share, "tokenizer")
            texts += batch.column("text").filter(pa.array(mask)).to_pylist()
    return texts


def save(tokenizer: Tokenizer, folder: str | Path, training: dict[str, Any]) -> None:
    """Write the tokenizer folder: SentencePiece and Hugging Face files, and how it was made."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.model").write_bytes(tokenizer.model)
    tokenizer_hf.write(tokenizer.model, out)
    training = {**training, "vocab_size": tokenizer.vocab_size, "sha256": tokenizer.hash}
    (out / "training.json").write_text(json.dumps(training, indent=1, ensure_ascii=False) + "\n")


def _train_once(
    lines: list[str], vocab_size: int, model: str, longest: int, presegment: bool
) -> bytes:
    out = io.BytesIO()
    options: dict[str, Any] = {"pretokenization_delimiter": "\0"} if presegment else {}
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=out,
            model_type=model,
            vocab_size=vocab_size,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            character_coverage=0.9995,
            allow_whitespace_only_pieces=False,
            max_sentencepiece_length=longest,
            max_sentence_length=1 << 20,
            num_threads=1,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            control_symbols=list(CHAT),
            user_defined_symbols=list(SYMBOLS),
            # Printable ASCII is always a piece: the text "<0x41>" must never need a byte piece.
            required_chars="".join(map(chr, range(33, 127))),
            minloglevel=2,
            **options,
        )
    except (RuntimeError, OSError) as error:
        detail = " ".join(str(error).split())
        limit = re.search(r"value <= (\d+)", detail)
        if limit:
            raise ConfigError(
                f"the text supports at most {limit[1]} pieces: lower --vocab-size ({vocab_size})"
            ) from error
        raise ConfigError(f"the tokenizer could not be trained: {detail[:300]}") from error
    return out.getvalue()


def _training_lines(texts: Iterable[str], presegment: bool) -> Iterator[str]:
    """Lines of at most 2,000 characters, without the symbols that are never learnt."""
    words = _fugashi_words() if presegment else None
    for text in texts:
        for line in re.split(rf"[\n\t\0{SPACE}]+| {{2,}}", text):
            for start in range(0, len(line), 2000):
                part = line[start : start + 2000]
                yield "\0".join(words(part)) if words else part


def _fugashi_words() -> Any:
    try:
        import fugashi
    except ImportError as error:
        raise ConfigError("--presegment needs fugashi and unidic-lite: pip install both") from error
    tagger = fugashi.Tagger("-O wakati")

    def words(line: str) -> list[str]:
        return [(w.white_space or "") + w.surface for w in tagger(line)]

    return words


def _too_long(piece: Any, max_chars: tuple[int, int]) -> bool:
    limit = max_chars[0] if CJK.search(piece.piece) else max_chars[1]
    return bool(piece.type == piece.NORMAL and len(piece.piece) > limit)
