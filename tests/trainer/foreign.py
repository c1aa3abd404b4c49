"""Models and tokenizers of others, made here: tiny weights by transformers, pieces of our texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from trainer_helpers import texts
from transformers import AutoConfig, AutoModelForCausalLM

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# How Qwen cuts text before its pieces; transformers puts it in whatever tokenizer.json says.
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0}
LLAMA3 |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}
YARN |= {"original_max_position_embeddings": 16}
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama-2": ("llama", {"rms_norm_eps": 1e-5, "num_key_value_heads": 4}),
    "llama-3": ("llama", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}),
    "llama-bias": ("llama", {"attention_bias": True, "head_dim": 16}),
    "llm-jp-3": ("llama", {"rms_norm_eps": 1e-5, "num_key_value_heads": 4, "rope_theta": 1e4}),
    "qwen-2.5": ("qwen2", {"tie_word_embeddings": True, "rms_norm_eps": 1e-6}),
    "qwen-3": ("qwen3", {"head_dim": 16, "rope_parameters": YARN}),
    "mistral": ("mistral", {"sliding_window": None, "rms_norm_eps": 1e-5}),
    "mistral-window": ("mistral", {"sliding_window": 32}),
}


def bpe(folder: Path, size: int = 600, template: str = CHATML) -> Path:
    """A byte-level BPE as Qwen's: no begin mark, symbols of a chat, end and padding by name."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    cut = pre_tokenizers.Split(Regex(QWEN), behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([cut, bytes_])
    made.decoder = decoders.ByteLevel()
    symbols = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=symbols,
            initial_alphabet=alphabet,
            max_token_length=8,
            show_progress=False,
        ),
    )
    return write(made, folder, {"eos_token": symbols[0], "chat_template": template})


def write(made: Tokenizer, folder: Path, described: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", **described}
    (folder / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def weights(folder: Path, shape: str, vocab_size: int, **more: Any) -> Path:
    """A model of random weights as transformers saves it, config.json and safetensors."""
    kind, changes = SHAPES[shape]
    config = AutoConfig.for_model(
        kind, **{**SMALL, "vocab_size": vocab_size, "initializer_range": 0.2, **changes, **more}
    )
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name:  # transformers begins with zeros and ones
            torch.nn.init.normal_(parameter, float("norm" in name), 0.2)
    model.save_pretrained(folder, max_shard_size="60KB")
    return folder
