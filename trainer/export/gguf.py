"""A GGUF file of an exported Llama model, for llama.cpp and what is built on it.

Tensors and metadata are those of llama.cpp's own converter (`convert_hf_to_gguf.py`). Three things
it does not find in the folder are written as well: text gets no leading space, newline and runs of
spaces are user-defined symbols, and <|end|> ends an answer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.config.settings import ConfigError, ModelConfig
from trainer.tokens.tokenizer import Tokenizer
from trainer.tokens.tokenizer_hf import CHAT_TEMPLATE, SPACE, parse

KINDS = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
UNUSED_SCORE = -10000.0  # of the rows that pad the embedding; the converter's value


def check(shape: ModelConfig, tokenizer: Tokenizer) -> None:
    """Raise ConfigError where no GGUF file can be written, before anything is."""
    if shape.family != "llama":
        raise ConfigError(f"--gguf knows the llama family, and this run is {shape.family}")
    if shape.rope_scaling or shape.qk_norm or shape.attention_bias != "none" or not tokenizer.ours:
        raise ConfigError(
            "--gguf writes Llama without rope_scaling, biases and qk_norm, with our own tokenizer: "
            "use llama.cpp's converter on the exported folder"
        )
    _package()


def write(
    tensors: dict[str, Tensor], shape: ModelConfig, tokenizer: Tokenizer, folder: Path, run: str
) -> str:
    """Write `tensors` (names and layout of transformers' Llama) to a file of `folder`; its name.

    The file appears whole or not at all. Vectors stay float32, as llama.cpp wants them.
    """
    gguf = _package()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, shape.num_hidden_layers)
    matrices = KINDS[str(tensors["model.embed_tokens.weight"].dtype).removeprefix("torch.")]
    path = folder / f"{run}-{matrices}.gguf"
    partial = path.with_name(path.name + ".tmp")
    writer = gguf.GGUFWriter(partial, "llama")
    try:
        size = sum(t.numel() for t in tensors.values())
        _describe(writer, shape, run, matrices, gguf.size_label(size, 0, 0, 0))
        _write_tokenizer(writer, tokenizer, shape.vocab_size)
        for name, tensor in tensors.items():
            gguf_name = names.get_name(name, (".weight",))
            kind = gguf.GGMLQuantizationType["F32" if tensor.dim() == 1 else matrices]
            n_bytes = tensor.numel() * (4 if kind == gguf.GGMLQuantizationType.F32 else 2)
            writer.add_tensor_info(gguf_name, tensor.shape, np.dtype(np.float32), n_bytes, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, tensor in tensors.items():  # one at a time: no second copy of the model
            stored = tensor.float() if tensor.dim() == 1 else interleaved(tensor, name, shape)
            writer.write_tensor_data(stored.contiguous().view(torch.uint8).numpy())
        writer.close()
        os.replace(partial, path)
    finally:
        writer.close()
        partial.unlink(missing_ok=True)
    return path.name


def interleaved(tensor: Tensor, name: str, shape: ModelConfig) -> Tensor:
    """Rows of q and k in the order of llama.cpp, which rotates neighbours: 0, d/2, 1, d/2+1, …

    transformers (and our model) rotate the halves of a head against each other. Other tensors
    come back as they are.
    """
    heads = {"q_proj": shape.num_attention_heads, "k_proj": shape.kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return tensor
    rows, width = tensor.shape
    return tensor.view(heads, 2, rows // heads // 2, width).transpose(1, 2).reshape(rows, width)


def vocabulary(tokenizer: Tokenizer, size: int) -> tuple[list[bytes], list[float], list[int]]:
    """(text, score, kind) of every id below `size`; llama.cpp counts kinds as SentencePiece does.

    User-defined symbols are cut out of the raw text, so theirs are written with plain spaces.
    """
    model = parse(tokenizer.model)
    tokens, scores, kinds = [], [], []
    for piece in model.pieces:
        own = piece.type == piece.USER_DEFINED
        tokens.append((piece.piece.replace(SPACE, " ") if own else piece.piece).encode())
        scores.append(piece.score)
        kinds.append(piece.type)
    unused = range(len(tokens), size)
    tokens += [f"[PAD{i}]".encode() for i in unused]
    scores += [UNUSED_SCORE for _ in unused]
    kinds += [model.SentencePiece.UNUSED for _ in unused]
    return tokens, scores, kinds


def loses_rare_characters(tokenizer: Tokenizer) -> bool:
    """Whether llama.cpp reads a character without a piece of its own as <unk>: with unigram.

    Its "llama" tokenizer merges greedily, which is SentencePiece's BPE; its "t5" tokenizer finds
    unigram's best path but knows no byte fallback. Greedy merging of unigram pieces would make
    30 % more tokens (docs/benchmarks.md).
    """
    model = parse(tokenizer.model)
    return bool(model.trainer_spec.model_type == model.trainer_spec.UNIGRAM)


def _describe(writer: Any, shape: ModelConfig, name: str, kind: str, size_label: str) -> None:
    gguf = _package()
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_size_label(size_label)
    writer.add_languages(["ja"])
    file_type = "ALL_F32" if kind == "F32" else f"MOSTLY_{kind}"
    writer.add_file_type(gguf.LlamaFileType[file_type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.vocab_size)


def _write_tokenizer(writer: Any, tokenizer: Tokenizer, size: int) -> None:
    tokens, scores, kinds = vocabulary(tokenizer, size)
    writer.add_tokenizer_model("t5" if loses_rare_characters(tokenizer) else "llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(tokenizer.bos)
    writer.add_eos_token_id(tokenizer.eos)
    writer.add_eot_token_id(tokenizer.id("<|end|>"))
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(tokenizer.pad)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_remove_extra_whitespaces(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _package() -> Any:
    try:
        import gguf
    except ImportError as error:
        raise ConfigError("--gguf needs the package gguf: pip install gguf") from error
    return gguf
