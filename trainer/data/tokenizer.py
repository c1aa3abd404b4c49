"""SentencePiece tokenizers that give every string back, trained in a way that can be repeated.

A tokenizer folder holds `tokenizer.model` (SentencePiece), `tokenizer.json` and
`tokenizer_config.json` (the same tokenizer for Hugging Face, see `tokenizer_hf.py`) and
`training.json` (how it was made). SentencePiece writes a space as U+2581 and so cannot tell the
two apart; `Tokenizer.encode` therefore cuts text at newlines, runs of spaces and literal U+2581
before SentencePiece sees it and puts those pieces in by id.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sentencepiece

from trainer.config.settings import ConfigError
from trainer.data import tokenizer_hf
from trainer.data.tokenizer_hf import CHAT, SPACE, SPECIALS

LONGEST_RUN = 24  # spaces; llm-jp's tokenizers have the same 24 symbols
SYMBOLS = ("\n", "\t", *(SPACE * n for n in range(2, LONGEST_RUN + 1)))
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_CUT = re.compile(rf"([\n\t{SPACE}]| {{2,{LONGEST_RUN}}})")


class Tokenizer:
    """A trained tokenizer. Ids are below `vocab_size`; `bos`, `eos` and `pad` are ids."""

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.vocab_size: int = self._sp.get_piece_size()
        self.bos, self.eos, self.pad = 1, 2, 3
        self.hash = hashlib.sha256(model).hexdigest()
        self._marks: dict[str, list[int]] = {
            s.replace(SPACE, " "): [self._sp.piece_to_id(s)] for s in SYMBOLS
        }
        self._marks[SPACE] = [self._sp.piece_to_id(f"<0x{b:02X}>") for b in SPACE.encode()]

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """The tokenizer of a folder. Raises ConfigError when there is none."""
        path = Path(folder) / "tokenizer.model"
        if not path.is_file():
            raise ConfigError(f"no tokenizer.model in {folder}: make one with `trainer tokenizer`")
        return cls(path.read_bytes())

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without begin and end marks. Raises UnicodeError on lone surrogates."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text. One call into SentencePiece for all, which is what makes it fast."""
        segments: list[str] = []
        cuts = []
        for text in texts:
            parts = _CUT.split(text)
            cuts.append(parts)
            segments += parts[::2]
        encoded = self._sp.encode(segments, num_threads=1)
        result = []
        at = 0
        for parts in cuts:
            ids: list[int] = list(encoded[at])
            at += 1
            for mark in parts[1::2]:
                ids += self._marks[mark]
                ids += encoded[at]
                at += 1
            result.append(ids)
        return result

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; control symbols vanish, broken UTF-8 becomes U+FFFD."""
        return b"".join(self.piece_bytes[i] for i in ids).decode("utf-8", "replace")

    def piece(self, token: int) -> str:
        return self._sp.id_to_piece(token)

    def id(self, piece: str) -> int:
        """The id of a piece or control symbol. Raises ConfigError when there is none."""
        token = self._sp.piece_to_id(piece)
        if token == self._sp.unk_id() and piece != SPECIALS[0]:
            raise ConfigError(f"the tokenizer has no symbol {piece!r}")
        return token

    @property
    def piece_bytes(self) -> list[bytes]:
        """UTF-8 bytes that each id stands for; empty for control symbols."""
        if not hasattr(self, "_bytes"):
            self._bytes = [self._piece_bytes(i) for i in range(self.vocab_size)]
        return self._bytes

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """(bytes, characters) of each id, int64[vocab_size]; sums over a document are exact.

        A character is a code point; a byte token counts one where it starts a code point.
        """
        n_bytes = np.array([len(b) for b in self.piece_bytes], dtype=np.int64)
        chars = [sum((x & 0xC0) != 0x80 for x in b) for b in self.piece_bytes]
        return n_bytes, np.array(chars, dtype=np.int64)

    def _piece_bytes(self, token: int) -> bytes:
        if self._sp.is_control(token) or self._sp.is_unknown(token):
            return b""
        piece = self._sp.id_to_piece(token)
        if self._sp.is_byte(token):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(SPACE, " ").encode()


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
    from trainer.data import parquet

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
