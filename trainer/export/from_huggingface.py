"""`trainer import`: a folder of Hugging Face becomes a run at step 0.

    RUN/ckpt/step-00000000/  *.safetensors (linked or copied, not converted), train.json, MANIFEST
    RUN/hf/                  config.json, generation_config.json: `trainer export` writes them back
    RUN/tokenizer/           the tokenizer's files as they come
    RUN/config.toml          the settings to start from: trainer train --config RUN --out=NEXT

Every process later reads its own rows of the weights. What the model of `transformer.py` does not
do is refused by the name of its field.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from trainer import files
from trainer.config.load import as_toml, from_dict
from trainer.config.settings import Config, ConfigError, ModelConfig
from trainer.folder.manifest import seal
from trainer.model.transformer import CausalLM
from trainer.tokens.tokenizer import Tokenizer, copy

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
# Our names of the numbers that are taken over as they are.
SAME = {
    **{n: n for n in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")},
    **{n: n for n in ("num_attention_heads", "num_key_value_heads", "max_position_embeddings")},
    **{n: n for n in ("tie_word_embeddings", "initializer_range", "head_dim")},
    "rms_norm_eps": "norm_eps",
}
# Fields that take no part in a forward pass, or that `settings` looks at itself.
KNOWN = re.compile(
    "architectures|model_type|transformers_version|_name_or_path|(torch_)?dtype|use_cache"
    "|(bos|eos|pad)_token_id|rope_(theta|scaling|parameters)|hidden_act|attention_bias"
    "|(use_)?sliding_window|max_window_layers|pretraining_tp|auto_map|return_dict"
    "|output_(attentions|hidden_states)|id2label|label2id|tokenizer_class|unsloth_version"
    "|chunk_size_feed_forward"
)
ROPE = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": (
        *("factor", "original_max_position_embeddings", "attention_factor", "beta_fast"),
        *("beta_slow", "mscale", "mscale_all_dim", "truncate"),
    ),
}
DTYPES = ("F32", "BF16", "F16")


def import_model(source: str | Path, out: str | Path) -> dict[str, Any]:
    """Make the run; returns {"parameters", "model", "tokenizer"}. Raises ConfigError."""
    folder, run = Path(source).resolve(), Path(out)
    if run.exists() and any(run.iterdir()):
        raise ConfigError(f"{run} is not empty: choose another --out")
    config = settings(_json(folder / "config.json"), run)
    shape = config.model
    weights = _weight_files(folder)
    parameters = _check_weights(weights, shape)
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > shape.vocab_size:
        raise ConfigError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} entries, vocab_size is "
            f"{shape.vocab_size}"
        )
    copy(folder, run / "tokenizer")
    for name in ("config.json", "generation_config.json"):
        _copy(folder / name, run / "hf" / name)
    step = run / "ckpt" / "step-00000000.tmp"
    step.mkdir(parents=True)
    for file in weights:
        _link(file, step / file.name)
    describe(config, folder.name)
    return {"parameters": parameters, "model": shape, "tokenizer": tokenizer}


def describe(config: Config, origin: str) -> None:
    """Seal the weights in ckpt/step-00000000.tmp and write what makes a folder a run."""
    run = Path(config.out)
    step = run / "ckpt" / "step-00000000.tmp"
    state = {"step": 0, "chain": "", "first": None, "last": None, "row": 0, "seed": 0}
    files.write(step / "train.json", json.dumps(state).encode())
    seal(step)
    digest = files.sha256(step / "MANIFEST.json")
    step.rename(step.with_suffix(""))
    files.write(run / "config.toml", as_toml(config).encode())
    card = {"imported": origin, "fingerprint": digest, "input": digest}
    files.write(run / "data-card.json", json.dumps(card, indent=1).encode())
    files.write(run / "latest", b"step-00000000")
    identity = {"identity": {"imported": digest}, "config": asdict(config)}
    files.write(run / "run.json", json.dumps(identity, indent=1).encode())


def settings(config: dict[str, Any], run: Path) -> Config:
    """Settings of a run from a config.json. Raises ConfigError with the field that it cannot do."""
    family = config.get("model_type")
    if family not in FAMILIES:
        raise _unsupported("model_type", family, f"one of {', '.join(FAMILIES)}")
    for field, value in config.items():
        full = field == "layer_types" and set(value or ()) <= {"full_attention"}
        empty = value in (None, False, 0, "", [], {}) or full
        if field not in SAME and not KNOWN.fullmatch(field) and not empty:
            raise _unsupported(field, value)
    if config.get("hidden_act", "silu") != "silu":
        raise _unsupported("hidden_act", config["hidden_act"], "silu")
    if family in ("qwen2", "qwen3") and config.get("use_sliding_window"):
        raise _unsupported("use_sliding_window", True)
    model = {
        ours: config[theirs] for theirs, ours in SAME.items() if config.get(theirs) is not None
    }
    missing = {"max_position_embeddings", "hidden_size"} - model.keys()
    if missing or (family != "llama" and "num_key_value_heads" not in model):
        raise ConfigError(f"config.json: {', '.join(missing) or 'num_key_value_heads'} is missing")
    if family == "qwen3":
        model = {"head_dim": 128, **model, "qk_norm": True}
    if family == "mistral" and config.get("sliding_window", 4096):
        # Up to the window all attention is inside it; longer contexts are another computation.
        window = config.get("sliding_window", 4096)
        model["max_position_embeddings"] = min(model["max_position_embeddings"], window)
    bias = "all" if config.get("attention_bias") else "none"
    model["attention_bias"] = "qkv" if family == "qwen2" else bias
    model = {"norm_eps": 1e-6, **model, **_rope(config)}
    table = {"out": str(run), "model": model, "checkpoint": {"load": str(run)}}
    longest = model["max_position_embeddings"]
    table["data"] = {"seq_len": min(2048, longest) if isinstance(longest, int) else 1}
    return from_dict(table, "config.json")


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    """The rotary settings, of transformers 4 (rope_scaling) or 5 (rope_parameters)."""
    field = "rope_parameters" if config.get("rope_parameters") else "rope_scaling"
    given = config.get(field) or {}
    if not isinstance(given, dict):
        raise _unsupported(field, given)
    kind = given.get("rope_type") or given.get("type") or "default"
    if kind not in ROPE:
        raise _unsupported(f"{field}.rope_type", kind, f"one of {', '.join(ROPE)}")
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if name in ROPE[kind] and isinstance(value, (int, float)):
            kept[name] = value
        elif name not in ("type", "rope_type", "rope_theta") and value not in (None, 1.0):
            raise _unsupported(f"{field}.{name}", value)
    for name in ROPE[kind] if kind == "llama3" else ROPE[kind][:1]:
        if name not in kept:
            raise ConfigError(f"config.json: {field}.{name} is missing")
    theta = given.get("rope_theta") or config.get("rope_theta") or 10000.0
    return {"rope_theta": theta, "rope_scaling": {"rope_type": kind, **kept} if kept else {}}


def _weight_files(folder: Path) -> list[Path]:
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.is_file():
        names = sorted(set(_json(index).get("weight_map", {}).values()))
    else:
        names = [whole.name] if whole.is_file() else []
    if not names:
        raise ConfigError(f"{folder}: no model.safetensors (weights in pickles are not opened)")
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise ConfigError(f"{folder}: {name} is missing")
    return [folder / name for name in names]


def _check_weights(weights: list[Path], shape: ModelConfig) -> int:
    """Number of parameters; every tensor of the model must be there, in its shape, and no other."""
    with torch.device("meta"):
        wanted = {n: list(t.shape) for n, t in CausalLM(shape).state_dict().items()}
    there: set[str] = set()
    try:
        for file in weights:
            with safe_open(file, "pt") as handle:
                for name in handle.keys():  # noqa: SIM118 (not a dict)
                    part = handle.get_slice(name)
                    if name not in wanted:
                        if name.endswith("rotary_emb.inv_freq") or name == "lm_head.weight":
                            continue  # made of the settings; a copy of the tied embedding
                        raise ConfigError(f"{file.name}: {name} is not supported")
                    if part.get_dtype() not in DTYPES:
                        raise ConfigError(f"{file.name}: {name} is {part.get_dtype()}")
                    if part.get_shape() != wanted[name]:
                        raise ConfigError(
                            f"{file.name}: {name} is {part.get_shape()}, config.json means "
                            f"{wanted[name]}"
                        )
                    there.add(name)
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{file}: not readable: {error}") from error
    missing = [n for n in wanted if n not in there]
    if missing:
        raise ConfigError(f"{weights[0].parent}: {missing[0]} is missing")
    return sum(int(torch.Size(s).numel()) for s in wanted.values())


def _unsupported(field: str, value: Any, instead: str = "") -> ConfigError:
    text = f"config.json: {field} = {json.dumps(value, ensure_ascii=False)[:80]} is not supported"
    return ConfigError(f"{text}: {instead}" if instead else text)


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable: {error}") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{path}: not an object")
    return read


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    """The same bytes without a second copy where the file system can; else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
