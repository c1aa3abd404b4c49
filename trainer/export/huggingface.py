"""`trainer export`: a folder that `transformers` opens, from a checkpoint of a run.

Llama keeps its names; the GPT-3 family becomes GPT-2's class; PaLM has no class there. Weights are
safetensors only.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainer.config.settings import Config, ConfigError, ModelConfig, TrainError
from trainer.export import card, gguf
from trainer.export.from_huggingface import settings
from trainer.folder.load import load_model
from trainer.folder.run import load_run
from trainer.model.transformer import CausalLM
from trainer.plan import flops
from trainer.tokens.tokenizer import Tokenizer

SHARD_BYTES = 5 << 30
TOKENIZER_CONFIG = "tokenizer_config.json"
CHECK_TEXT = "吾輩は猫である。  名前は\tまだ無い。\n\n𩸽 Where was I born? \u2581<0x41> 2026"


def export(
    run: str | Path,
    out: str | Path,
    step: int | None = None,
    dtype: str = "float32",
    with_gguf: bool = False,
    checked: bool = False,
) -> dict[str, Any]:
    """Write the folder; returns {"step", "parameters", "files", "check", "lossy"}.

    dtype: float32 | bfloat16 | float16. with_gguf: a file for llama.cpp beside the rest.
    checked: compare with transformers afterwards, see `check`. Weights of an earlier export go.
    lossy: llama.cpp will read rare characters as <unk>, see `gguf.loses_rare_characters`.
    Raises ConfigError for a family that has no class there, TrainError when writing or the check
    fails.
    """
    if dtype not in gguf.KINDS:
        raise ConfigError(f"--dtype is {dtype!r}: choose {', '.join(gguf.KINDS)}")
    run, folder = Path(run).resolve(), Path(out)
    config, tokenizer = load_run(run)
    hf_config(config.model, tokenizer, dtype)  # refuses what cannot be exported before reading it
    if with_gguf:
        gguf.check(config.model, tokenizer)
    if folder.resolve() == run:
        raise ConfigError(f"{folder} is the run itself: choose another --out")
    model, config, tokenizer, at = load_model(run, step)
    state = {n: _convert(t, n, dtype) for n, t in model.state_dict().items()}
    tensors = _gpt2_names(state, config.model) if config.model.family == "gpt3" else state
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_weights(folder, run.name)
        files = save_weights(tensors, folder)
        if with_gguf:
            files.append(gguf.write(tensors, config.model, tokenizer, folder, run.name))
        _describe(folder, run, config, tokenizer, dtype)
        (folder / "README.md").write_text(card.text(run, config, at), encoding="utf-8")
        for name in files:  # safetensors are written for their owner alone
            shutil.copymode(folder / "README.md", folder / name)
    except (OSError, SafetensorError) as error:
        raise TrainError(f"{folder}: cannot write: {getattr(error, 'strerror', error)}") from error
    difference = None
    if checked:
        model.load_state_dict(state)  # the weights as exported, rounded to dtype
        difference = check(folder, model, tokenizer)
    size = flops.parameters(config.model)["total"]
    lossy = with_gguf and gguf.loses_rare_characters(tokenizer)
    return {"step": at, "parameters": size, "files": files, "check": difference, "lossy": lossy}


def check(folder: Path, model: CausalLM, tokenizer: Tokenizer) -> float:
    """Largest difference of a logit between `model` and transformers reading `folder`, in float32.

    Asked of up to 256 random tokens. Raises TrainError when the difference is more than rounding
    (1e-3 of the largest logit) or the tokenizers disagree on a line of text.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    context = model.config.max_position_embeddings
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(tokenizer.vocab_size, (1, min(256, context)), generator=generator)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        ours = model(ids)
        difference = float((ours - theirs(ids).logits).abs().max())
    if not difference <= 1e-3 * max(1.0, float(ours.abs().max())):
        raise TrainError(f"{folder}: logits of transformers differ by {difference:.3g}")
    opened = AutoTokenizer.from_pretrained(folder)
    again = opened(CHECK_TEXT, add_special_tokens=tokenizer.ours).input_ids
    if again != [tokenizer.bos] * tokenizer.ours + tokenizer.encode(CHECK_TEXT):
        raise TrainError(f"{folder}: transformers cuts text into other tokens")
    return difference


def _describe(folder: Path, run: Path, config: Config, tokenizer: Tokenizer, dtype: str) -> None:
    """config.json, generation_config.json and the tokenizer's files."""
    ours = hf_config(config.model, tokenizer, dtype)
    if (run / "hf").is_dir():  # imported: the files as they came, but for what training changed
        shutil.copytree(run / "hf", folder, dirs_exist_ok=True)
        _json(folder / "config.json", _as_it_came(run, ours, tokenizer, dtype))
    else:
        _json(folder / "config.json", ours)
        marks = {"bos_token_id": tokenizer.bos, "eos_token_id": sorted(tokenizer.stops)}
        _json(folder / "generation_config.json", {**marks, "pad_token_id": tokenizer.pad})
    for file in (run / "tokenizer").iterdir():
        if file.name != "training.json":
            shutil.copyfile(file, folder / file.name)
    if not tokenizer.ours:
        return
    described = json.loads((run / "tokenizer" / TOKENIZER_CONFIG).read_text(encoding="utf-8"))
    # Without the key, llama.cpp's converter puts a space before every text.
    _json(folder / TOKENIZER_CONFIG, {**described, "add_prefix_space": False})


def _as_it_came(
    run: Path, ours: dict[str, Any], tokenizer: Tokenizer, dtype: str
) -> dict[str, Any]:
    """The config.json of an imported model, with what has changed in the model since."""
    came: dict[str, Any] = json.loads((run / "hf" / "config.json").read_text(encoding="utf-8"))
    before = hf_config(settings(came, run).model, tokenizer, dtype)
    changed = {k: v for k, v in ours.items() if before.get(k) != v}
    named = [k for k in ("dtype", "torch_dtype") if k in came] or ["dtype"]
    return {**came, **changed, **dict.fromkeys(named, dtype)}


def _convert(tensor: Tensor, name: str, dtype: str) -> Tensor:
    converted = tensor.to(getattr(torch, dtype)).contiguous()
    if dtype == "float16" and not bool(converted.isfinite().all()):
        raise ConfigError(f"{name} does not fit float16: use --dtype bfloat16")
    return converted


def _remove_weights(folder: Path, name: str) -> None:
    """Shards of an earlier export: a folder with two models in it is read by chance."""
    shards = folder.glob("model-*-of-*.safetensors")
    whole = [folder / f for f in ("model.safetensors", "model.safetensors.index.json")]
    for path in (*shards, *whole, *(folder / f"{name}-{k}.gguf" for k in gguf.KINDS.values())):
        path.unlink(missing_ok=True)


def hf_config(shape: ModelConfig, tokenizer: Tokenizer, dtype: str) -> dict[str, Any]:
    """config.json of the model. Raises ConfigError where transformers has no such class."""
    common = {
        "vocab_size": shape.vocab_size,
        "tie_word_embeddings": shape.tie_word_embeddings,
        "initializer_range": shape.initializer_range,
        "bos_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.eos,
        "pad_token_id": tokenizer.pad,
        "dtype": dtype,
        "torch_dtype": dtype,  # the name before transformers 5
    }
    if shape.family == "llama":
        kind, name = _class(shape)
        return {
            "architectures": [f"{name}ForCausalLM"],
            "model_type": kind,
            "hidden_size": shape.hidden_size,
            "intermediate_size": shape.intermediate_size,
            "num_hidden_layers": shape.num_hidden_layers,
            "num_attention_heads": shape.num_attention_heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_size,
            "max_position_embeddings": shape.max_position_embeddings,
            "rope_theta": shape.rope_theta,
            "rope_parameters": {
                **{"rope_type": "default", "rope_theta": shape.rope_theta},
                **shape.rope_scaling,
            },
            "rms_norm_eps": shape.norm_eps,
            "hidden_act": "silu",
            "attention_bias": shape.attention_bias == "all",
            "mlp_bias": False,
            **common,
        }
    square = (
        shape.kv_heads * shape.head_size
        == shape.hidden_size
        == shape.num_attention_heads * shape.head_size
    )
    if shape.family == "gpt3" and square:
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": shape.hidden_size,
            "n_inner": shape.intermediate_size,
            "n_layer": shape.num_hidden_layers,
            "n_head": shape.num_attention_heads,
            "n_positions": shape.max_position_embeddings,
            "layer_norm_epsilon": shape.norm_eps,
            "activation_function": "gelu_new",
            **common,
        }
    raise ConfigError(
        f"transformers has no class for model.family = {shape.family!r} in this shape: "
        "train the llama family to export it"
    )


def _class(shape: ModelConfig) -> tuple[str, str]:
    """(model_type, name of the class) of a model of the llama family."""
    if shape.qk_norm and shape.attention_bias != "qkv":
        return "qwen3", "Qwen3"
    if shape.attention_bias != "qkv":
        return "llama", "Llama"
    square = shape.head_size * shape.num_attention_heads == shape.hidden_size
    if shape.qk_norm or not square:
        raise ConfigError("transformers has no class with attention_bias = qkv in this shape")
    return "qwen2", "Qwen2"


def _gpt2_names(tensors: dict[str, Tensor], shape: ModelConfig) -> dict[str, Tensor]:
    """Our names -> GPT-2's, whose linear layers are stored input-first."""
    out = {
        "transformer.wte.weight": tensors["model.embed_tokens.weight"],
        "transformer.wpe.weight": tensors["model.embed_positions.weight"],
        "transformer.ln_f.weight": tensors["model.norm.weight"],
        "transformer.ln_f.bias": tensors["model.norm.bias"],
    }
    if not shape.tie_word_embeddings:
        out["lm_head.weight"] = tensors["lm_head.weight"]
    pairs = {
        "input_layernorm": "ln_1",
        "post_attention_layernorm": "ln_2",
        "self_attn.o_proj": "attn.c_proj",
        "mlp.up_proj": "mlp.c_fc",
        "mlp.down_proj": "mlp.c_proj",
    }
    for i in range(shape.num_hidden_layers):
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


def save_weights(tensors: dict[str, Tensor], folder: Path) -> list[str]:
    """Safetensors of at most SHARD_BYTES, with an index where there are several; their names."""
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


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
