"""The same tokenizer as a Hugging Face fast tokenizer (`tokenizer.json`), id for id.

Pieces are written with plain spaces instead of U+2581, so a literal U+2581 falls back to bytes
and comes back; newline and space runs are added tokens, cut out before the model as in
`Tokenizer.encode`. Byte pieces get a score no path can prefer, so the text "<0x41>" stays text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import AddedToken, decoders, models, processors
from tokenizers import Tokenizer as FastTokenizer

SPACE = "\u2581"
SPECIALS = ("<unk>", "<s>", "</s>", "<pad>")  # ids 0, 1, 2, 3
CHAT = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")  # never made from plain text
NEVER = -1000.0  # log-probability below any path over real pieces

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}{{ message['content'] }}{{ '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def parse(serialized: bytes) -> Any:
    """The protocol buffer of a SentencePiece model: .pieces, .trainer_spec."""
    model = proto.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(serialized)
    return model


def fast_tokenizer(serialized: bytes) -> FastTokenizer:
    """A `tokenizers.Tokenizer` equal to the SentencePiece model; adds <s> unless told not to."""
    model = parse(serialized)
    pieces = [p.piece.replace(SPACE, " ") for p in model.pieces]
    normal = [p.type == p.NORMAL for p in model.pieces]
    if model.trainer_spec.model_type == model.trainer_spec.UNIGRAM:
        scores = [p.score if n else NEVER for p, n in zip(model.pieces, normal, strict=True)]
        vocab = list(zip(pieces, scores, strict=True))
        fast = FastTokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=True))
    else:
        fast = FastTokenizer(_bpe(model, pieces, normal))
    added = [p.piece.replace(SPACE, " ") for p in model.pieces if p.type == p.USER_DEFINED]
    fast.add_tokens([AddedToken(piece, normalized=False) for piece in added])
    special = [*SPECIALS, *CHAT]
    fast.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in special])
    fast.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    fast.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", SPECIALS.index("<s>"))]
    )
    return fast


def write(serialized: bytes, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, which AutoTokenizer opens."""
    fast_tokenizer(serialized).save(str(folder / "tokenizer.json"), pretty=False)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _bpe(model: Any, pieces: list[str], normal: list[bool]) -> models.BPE:
    """Merges in the order of SentencePiece's scores: a pair merges where its union is a piece."""
    vocab = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for i, piece in enumerate(pieces):
        if not normal[i]:
            continue
        for cut in range(1, len(piece)):
            left, right = vocab.get(piece[:cut]), vocab.get(piece[cut:])
            if left is not None and right is not None and normal[left] and normal[right]:
                merges.append((-model.pieces[i].score, left, right))
    pairs = [(pieces[left], pieces[right]) for _, left, right in sorted(merges)]
    return models.BPE(vocab, pairs, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
