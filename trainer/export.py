"""`trainer export`: a folder that `transformers` opens, from a checkpoint of a run.

Llama keeps its names; the GPT-3 family becomes GPT-2's class; PaLM has no class there. Weights are
safetensors only. The card says what the model was trained on, from the run's own records.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from trainer import flops
from trainer.config import Config, ConfigError, ModelConfig, TrainError
from trainer.runs import load_model
from trainer.tokenizer import Tokenizer

SHARD_BYTES = 5 << 30
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json")


def export(
    run: str | Path, out: str | Path, step: int | None = None, dtype: str = "float32"
) -> dict[str, Any]:
    """Write the folder; returns {"step", "parameters", "files"}.

    dtype: float32 | bfloat16. Raises ConfigError for a family that has no class in transformers.
    """
    if dtype not in ("float32", "bfloat16"):
        raise ConfigError(f"--dtype is {dtype!r}: choose float32 or bfloat16")
    model, config, tokenizer, at = load_model(run, step)
    described = hf_config(config.model, tokenizer, dtype)
    tensors = {n: t.to(getattr(torch, dtype)).contiguous() for n, t in model.state_dict().items()}
    if config.model.family == "gpt3":
        tensors = _gpt2_names(tensors, config.model)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = _save(tensors, folder)
        _json(folder / "config.json", described)
        stops = [tokenizer.eos, tokenizer.id("<|end|>")]
        marks = {"bos_token_id": tokenizer.bos, "eos_token_id": stops}
        _json(folder / "generation_config.json", {**marks, "pad_token_id": tokenizer.pad})
        for name in TOKENIZER_FILES:
            shutil.copyfile(Path(run) / "tokenizer" / name, folder / name)
        (folder / "README.md").write_text(_card(Path(run), config, at), encoding="utf-8")
    except OSError as error:
        raise TrainError(f"{folder}: cannot write: {error.strerror or error}") from error
    return {"step": at, "parameters": flops.parameters(config.model)["total"], "files": files}


def hf_config(m: ModelConfig, tokenizer: Tokenizer, dtype: str) -> dict[str, Any]:
    """config.json of the model. Raises ConfigError where transformers has no such class."""
    common = {
        "vocab_size": m.vocab_size,
        "tie_word_embeddings": m.tie_word_embeddings,
        "initializer_range": m.initializer_range,
        "bos_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.eos,
        "pad_token_id": tokenizer.pad,
        "dtype": dtype,
        "torch_dtype": dtype,  # the name before transformers 5
    }
    if m.family == "llama":
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": m.hidden_size,
            "intermediate_size": m.intermediate_size,
            "num_hidden_layers": m.num_hidden_layers,
            "num_attention_heads": m.num_attention_heads,
            "num_key_value_heads": m.kv_heads,
            "head_dim": m.head_size,
            "max_position_embeddings": m.max_position_embeddings,
            "rope_theta": m.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": m.rope_theta},
            "rms_norm_eps": m.norm_eps,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            **common,
        }
    square = m.kv_heads * m.head_size == m.hidden_size == m.num_attention_heads * m.head_size
    if m.family == "gpt3" and square:
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": m.hidden_size,
            "n_inner": m.intermediate_size,
            "n_layer": m.num_hidden_layers,
            "n_head": m.num_attention_heads,
            "n_positions": m.max_position_embeddings,
            "layer_norm_epsilon": m.norm_eps,
            "activation_function": "gelu_new",
            **common,
        }
    raise ConfigError(
        f"transformers has no class for model.family = {m.family!r} in this shape: "
        "train the llama family to export it"
    )


def _gpt2_names(tensors: dict[str, Tensor], m: ModelConfig) -> dict[str, Tensor]:
    """Our names -> GPT-2's, whose linear layers are stored input-first."""
    out = {
        "transformer.wte.weight": tensors["model.embed_tokens.weight"],
        "transformer.wpe.weight": tensors["model.embed_positions.weight"],
        "transformer.ln_f.weight": tensors["model.norm.weight"],
        "transformer.ln_f.bias": tensors["model.norm.bias"],
    }
    if not m.tie_word_embeddings:
        out["lm_head.weight"] = tensors["lm_head.weight"]
    pairs = {
        "input_layernorm": "ln_1",
        "post_attention_layernorm": "ln_2",
        "self_attn.o_proj": "attn.c_proj",
        "mlp.up_proj": "mlp.c_fc",
        "mlp.down_proj": "mlp.c_proj",
    }
    for i in range(m.num_hidden_layers):
        ours, theirs = f"model.layers.{i}.", f"transformer.h.{i}."
        for part in ("weight", "bias"):
            qkv = [tensors[f"{ours}self_attn.{x}_proj.{part}"] for x in "qkv"]
            joined = torch.cat(qkv)
            out[f"{theirs}attn.c_attn.{part}"] = joined.T if part == "weight" else joined
            for a, b in pairs.items():
                tensor = tensors[f"{ours}{a}.{part}"]
                linear = part == "weight" and "norm" not in a
                out[f"{theirs}{b}.{part}"] = tensor.T if linear else tensor
    return {n: t.contiguous() for n, t in out.items()}


def _save(tensors: dict[str, Tensor], folder: Path) -> list[str]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        n_bytes = tensor.numel() * tensor.element_size()
        if size and size + n_bytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += n_bytes
    if len(shards) == 1:
        save_file(shards[0], folder / "model.safetensors", metadata={"format": "pt"})
        return ["model.safetensors"]
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    where: dict[str, str] = {}
    for file, shard in zip(names, shards, strict=True):
        save_file(shard, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(shard, file)
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    _json(
        folder / "model.safetensors.index.json",
        {"metadata": {"total_size": total}, "weight_map": where},
    )
    return names


def _card(run: Path, config: Config, step: int) -> str:
    data = json.loads((run / "data-card.json").read_text(encoding="utf-8"))
    path = run / "ckpt" / f"step-{step:08d}" / "train.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    last = state.get("last") or {}
    rate = f"{last['bpb']:.4f} bits per byte, {last['bpc']:.4f} per character" if last else "none"
    m = config.model
    count = flops.parameters(m)["total"]
    return f"""---
language: ja
library_name: transformers
pipeline_tag: text-generation
---
# {run.name}

A {m.family} model of {count:,} parameters ({m.num_hidden_layers} layers, width {m.hidden_size},
vocabulary {m.vocab_size:,}), trained by Inaho's `trainer`.

| | |
|---|---|
| checkpoint | step {step:,}, {state["row"]:,} rows of {config.data.seq_len:,} tokens |
| last held-out evaluation saved with it | {rate} |
| training text | {data["train"]["rows"]:,} documents, {data["train"]["tokens"]:,} tokens |
| fingerprint of the token shards | `{data["fingerprint"]}` |
| fingerprint of their input | `{data["input"]}` |
| rolling hash of all batches | `{state["chain"]}` |
| seed | {state["seed"]} |

`trainer trace RUN --step N` names the documents, URLs and archive offsets behind any step.
"""


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
