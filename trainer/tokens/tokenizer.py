"""Tokenizers: our own, which give every string back, and any of Hugging Face or SentencePiece.

A folder of our own (`tokenizer_train.py`) holds `tokenizer.model` (SentencePiece), `tokenizer.json`
and `tokenizer_config.json` (the same for Hugging Face, see `tokenizer_hf.py`) and `training.json`.
SentencePiece writes a space as U+2581 and so cannot tell the two apart; our own therefore cut text
at newlines, runs of spaces and literal U+2581 before SentencePiece sees it and put those pieces in
by id.

Others are used as they come: `tokenizer.json` (BPE, byte-level BPE, unigram), else a SentencePiece
`tokenizer.model`; names of begin, end and padding from `tokenizer_config.json`. One that loses
newlines, tabs or double spaces is refused when it is opened.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from numpy.typing import NDArray
from tokenizers import Tokenizer as Fast

from trainer.config.settings import ConfigError
from trainer.tokens.tokenizer_hf import CHAT, SPACE, SPECIALS

LONGEST_RUN = 24  # spaces; llm-jp's tokenizers have the same 24 symbols
SYMBOLS = ("\n", "\t", *(SPACE * n for n in range(2, LONGEST_RUN + 1)))
_CUT = re.compile(rf"([\n\t{SPACE}]| {{2,{LONGEST_RUN}}})")
# What is written for conversations where a tokenizer brings no template: llm-jp-3's, "### 応答:".
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '\n\n### 指示:\n' + message['content'] }}"
    "{% else %}{{ '\n\n### 応答:\n' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n\n### 応答:\n' }}{% endif %}"
)
# What a tokenizer consists of; a folder of Hugging Face has weights beside it.
FILES = (
    *("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.jinja", "generation_config.json", "training.json"),
    *("vocab.json", "merges.txt"),
)


@dataclass(frozen=True)
class Sizes:
    """What each id stands for: int64[vocab_size]; sums over a document are exact.

    A character is a code point; a byte token counts one where it starts a code point. `extra` of
    both stand in the first token after `bos`: the space that some tokenizers put before a text.
    """

    bytes: np.ndarray
    chars: np.ndarray
    bos: int = -1
    extra: int = 0


class Tokenizer:
    """A SentencePiece tokenizer. Ids are below `vocab_size`; `bos`, `eos`, `pad` are ids.

    ours: it has our symbols, so every string comes back. stops: ids that end a generated text.
    template: how conversations are written (Jinja); empty for ours, see conversations.py.
    """

    file = "tokenizer.model"

    def __init__(self, model: bytes) -> None:
        self.model = model
        self.hash = hashlib.sha256(model).hexdigest()
        try:
            self._sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ConfigError("tokenizer.model is no SentencePiece model") from error
        self.vocab_size: int = self._sp.get_piece_size()
        names = (*SPECIALS, *CHAT, *SYMBOLS)
        first = [self._sp.id_to_piece(i) for i in range(min(len(names), self.vocab_size))]
        self.ours = first == list(names)
        self.template, self.marks = "", dict.fromkeys(("bos_token", "eos_token", "pad_token"), "")
        self._bytes: list[bytes] = []
        if self.ours:
            self.bos, self.eos, self.pad = 1, 2, 3
            self.stops = frozenset({self.eos, self.id("<|end|>")})
            self._marks: dict[str, list[int]] = {
                s.replace(SPACE, " "): [self._sp.piece_to_id(s)] for s in SYMBOLS
            }
            self._marks[SPACE] = [self._sp.piece_to_id(f"<0x{b:02X}>") for b in SPACE.encode()]

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """The tokenizer of a folder. Raises ConfigError when there is none that keeps text."""
        path = Path(folder)
        model, fast = path / "tokenizer.model", path / "tokenizer.json"
        made: Tokenizer | None = None
        if model.is_file():
            try:
                made = cls(model.read_bytes())
            except ConfigError:  # a tiktoken file, which Meta calls the same
                if not fast.is_file():
                    raise
        if made is not None and made.ours:
            return made
        if fast.is_file():
            made = FastTokenizer(fast.read_bytes())
        if made is None:
            raise ConfigError(
                f"no tokenizer.model or tokenizer.json in {folder}: make one with "
                "`trainer tokenizer`"
            )
        made._describe(path)
        return made

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without begin and end marks. Raises UnicodeError on lone surrogates."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text."""
        ids, ends = self.encode_flat(texts)
        return [part.tolist() for part in np.split(ids, ends[:-1])]

    def encode_flat(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids of all texts one after another, and where each text ends in them.

        One call into SentencePiece for all, each segment once.
        """
        if not self.ours:
            encoded = self._encode(texts)
            return _flat(encoded), np.cumsum([len(e) for e in encoded], dtype=np.int64)
        parts = [_segments(text) for text in texts]
        # A quarter of the segments are empty, a quarter of the others stand there before.
        marks = list(self._marks)
        segments = list(dict.fromkeys(chain.from_iterable(p[::2] for p in parts)))
        encoded = [*self._sp.encode(segments, num_threads=1), *self._marks.values()]
        number = dict(zip([*segments, *marks], range(len(encoded)), strict=True))
        order = np.fromiter(map(number.__getitem__, chain.from_iterable(parts)), np.int64)
        lengths = np.array([len(e) for e in encoded], dtype=np.int64)
        starts, taken = np.cumsum(lengths) - lengths, lengths[order]
        ends = np.cumsum(taken)
        places = np.repeat(starts[order] - (ends - taken), taken) + np.arange(taken.sum())
        last = np.cumsum([len(p) for p in parts], dtype=np.int64) - 1
        return _flat(encoded)[places], ends[last]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        encoded: list[list[int]] = self._sp.encode(texts, num_threads=1)
        return encoded

    def encode_symbols(self, text: str) -> list[int]:
        """Ids of `text` in which the names of control symbols are those symbols."""
        names = [self.piece(i) for i in range(self.vocab_size) if self._sp.is_control(i)]
        parts = re.split(f"({'|'.join(map(re.escape, names))})", text)
        symbols = [[self.id(name)] for name in parts[1::2]] + [[]]
        return [i for t, s in zip(parts[::2], symbols, strict=True) for i in self.encode(t) + s]

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
        return int(token)

    @property
    def piece_bytes(self) -> list[bytes]:
        """UTF-8 bytes that each id stands for; empty for control symbols."""
        if not self._bytes:
            self._bytes = [self._piece_bytes(i) for i in range(self.vocab_size)]
        return self._bytes

    def is_byte(self, token: int) -> bool:
        """Whether an id is a byte for want of a piece (byte fallback)."""
        return bool(self._sp.is_byte(token))

    def sizes(self) -> Sizes:
        """Bytes and characters of each id."""
        n_bytes = np.array([len(b) for b in self.piece_bytes], dtype=np.int64)
        chars = [sum((x & 0xC0) != 0x80 for x in b) for b in self.piece_bytes]
        extra = int(n_bytes[self.encode("a")].sum()) - 1
        return Sizes(n_bytes, np.array(chars, dtype=np.int64), self.bos, max(0, extra))

    def _piece_bytes(self, token: int) -> bytes:
        if self._sp.is_control(token) or self._sp.is_unknown(token):
            return b""
        piece = self._sp.id_to_piece(token)
        if self._sp.is_byte(token):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(SPACE, " ").encode()

    def _describe(self, folder: Path) -> None:
        """Marks and template of a tokenizer that is not ours, from the files beside it."""
        described = {**_json(folder, "special_tokens_map"), **_json(folder, "tokenizer_config")}
        for key in self.marks:
            mark = described.get(key)
            self.marks[key] = str((mark.get("content") if isinstance(mark, dict) else mark) or "")
        ids = [self.id(m) if m else self._mark_id(k) for k, m in self.marks.items()]
        if ids[1] < 0:
            raise ConfigError(f"{folder}: tokenizer_config.json names no eos_token")
        self.eos = ids[1]
        self.marks = {
            k: m or (self.piece(i) if i >= 0 else "")
            for (k, m), i in zip(self.marks.items(), ids, strict=True)
        }
        # Qwen begins a document with the mark that ends the one before; Llama pads with nothing.
        self.bos, self.pad = (i if i >= 0 else self.eos for i in (ids[0], ids[2]))
        stops = _json(folder, "generation_config").get("eos_token_id", self.eos)
        self.stops = frozenset({self.eos, *(stops if isinstance(stops, list) else [stops])})
        template = described.get("chat_template")
        if isinstance(template, list):  # several, by name
            template = {t.get("name"): t.get("template") for t in template}.get("default")
        file = folder / "chat_template.jinja"
        self.template = file.read_text("utf-8") if file.is_file() else template or PLAIN_TEMPLATE
        lost = [name for name, s in LOST.items() if s not in self.decode(self.encode(f"a{s}b"))]
        if lost:
            raise ConfigError(f"{folder}/{self.file} cannot write {', '.join(lost)}: text is lost")

    def _mark_id(self, name: str) -> int:
        ids = {"bos_token": self._sp.bos_id, "eos_token": self._sp.eos_id}
        return int(ids.get(name, self._sp.pad_id)())


class FastTokenizer(Tokenizer):
    """A `tokenizer.json` of Hugging Face, as it comes."""

    file = "tokenizer.json"
    ours = False

    def __init__(self, model: bytes) -> None:
        self.model, self.hash = model, hashlib.sha256(model).hexdigest()
        try:
            self._fast = Fast.from_buffer(model)
            described = json.loads(model)
            kind = described["model"]["type"]
        except Exception as error:  # tokenizers raises plain Exception
            raise ConfigError(f"tokenizer.json: {' '.join(str(error).split())[:200]}") from error
        if kind not in ("BPE", "Unigram"):
            raise ConfigError(f"tokenizer.json: model.type {kind!r} is not supported")
        self._fast.encode_special_tokens = True  # the name of a symbol is text
        self.marks = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "")
        self._pieces = {i: p for p, i in self._fast.get_vocab().items()}
        self.vocab_size = max(self._pieces) + 1
        self._added = {t["id"]: b"" if t["special"] else t["content"].encode()
                       for t in described["added_tokens"]}  # fmt: skip
        around = json.dumps([described.get(k) for k in ("decoder", "pre_tokenizer", "normalizer")])
        self._byte_level = '"ByteLevel"' in around
        self._space = SPACE if json.dumps(SPACE) in around else " "
        self._fallback = bool(described["model"].get("byte_fallback"))
        self._bytes = []

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self._fast.encode_batch(texts, add_special_tokens=False)]

    def encode_symbols(self, text: str) -> list[int]:
        self._fast.encode_special_tokens = False
        ids: list[int] = self._fast.encode(text, add_special_tokens=False).ids
        self._fast.encode_special_tokens = True
        return ids

    def piece(self, token: int) -> str:
        return self._pieces.get(token, "")

    def id(self, piece: str) -> int:
        token = self._fast.token_to_id(piece)
        if token is None:
            raise ConfigError(f"the tokenizer has no symbol {piece!r}")
        return int(token)

    def is_byte(self, token: int) -> bool:
        return self._fallback and bool(BYTE.fullmatch(self.piece(token)))

    def _piece_bytes(self, token: int) -> bytes:
        piece = self.piece(token)
        if token in self._added:
            return self._added[token]
        if self._byte_level:
            return bytes(BYTE_LEVEL.get(c, 0x3F) for c in piece)
        if self.is_byte(token):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(self._space, " ").encode()

    def _mark_id(self, name: str) -> int:
        return -1


def _segments(text: str) -> list[str]:
    """`text` cut at our symbols, which have the odd places."""
    if "\t" in text or SPACE in text or "  " in text:
        return _CUT.split(text)
    lines = text.split("\n")  # three in four texts have no other: a tenth of the time
    parts = ["\n"] * (2 * len(lines) - 1)
    parts[::2] = lines
    return parts


def _flat(lists: list[list[int]]) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(lists), np.int64, sum(map(len, lists)))


def copy(folder: str | Path, out: Path) -> None:
    """Copy a tokenizer's files, and no others, to another folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (Path(folder) / name).is_file():
            shutil.copyfile(Path(folder) / name, out / name)


def _json(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}.json"
    try:
        read = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: not readable: {error}") from error
    return read if isinstance(read, dict) else {}


def _byte_level() -> dict[str, int]:
    """Character -> byte of byte-level BPE (Radford et al. 2019); printable ones stay."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


BYTE_LEVEL = _byte_level()
BYTE = re.compile("<0x[0-9A-F]{2}>")
LOST = {"newlines": "\n", "tabs": "\t", "double spaces": "  "}
