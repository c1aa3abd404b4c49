"""Every setting of a training run, once: frozen dataclasses <- TOML <- `--section.key=value`.

A run is described by one TOML file with a section per dataclass below. Unknown sections and keys
are errors that name the nearest known one, so a typo never trains a different model in silence.
`trainer/configs/NAME.toml` are presets; `load("150m")` finds them by name.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from trainer.config.limits import problem

PRESETS = Path(__file__).parents[1] / "configs"


class ConfigError(ValueError):
    """A mistake in a setting or an argument: one line, exit status 2."""


class TrainError(RuntimeError):
    """A run that cannot go on (disk full, broken checkpoint, no data): one line, exit status 1."""


class StoppedError(TrainError):
    """Another process says why."""


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network, in the names of Hugging Face's LlamaConfig."""

    family: str = "llama"  # llama | gpt3 (learned positions, LayerNorm, GELU) | palm (parallel)
    vocab_size: int = 0  # 0: the tokenizer's, rounded up to a multiple of 64
    hidden_size: int = 256  # width
    intermediate_size: int = 704  # width of the MLP
    num_hidden_layers: int = 4  # blocks
    num_attention_heads: int = 4  # query heads
    num_key_value_heads: int = 0  # 0: as many as attention heads
    head_dim: int = 0  # 0: hidden_size / num_attention_heads
    max_position_embeddings: int = 2048  # longest context, tokens
    rope_theta: float = 10000.0  # base of the rotary angles
    norm_eps: float = 1e-5  # added to the variance in a norm
    tie_word_embeddings: bool = False  # lm_head is the embedding
    initializer_range: float = 0.02  # standard deviation of initial weights

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    def __post_init__(self) -> None:
        if min(self.num_attention_heads, self.kv_heads, self.hidden_size) < 1:
            raise ConfigError("model.hidden_size and the numbers of heads must be at least 1")
        if self.family not in ("llama", "gpt3", "palm"):
            raise ConfigError(f"model.family is {self.family!r}; choose llama, gpt3 or palm")
        if self.num_attention_heads % self.kv_heads:
            raise ConfigError(
                f"model.num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"model.num_key_value_heads ({self.kv_heads})"
            )
        if not self.head_dim and self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"model.hidden_size ({self.hidden_size}) must be a multiple of "
                f"model.num_attention_heads ({self.num_attention_heads}), or set model.head_dim"
            )


@dataclass(frozen=True)
class DataConfig:
    """What is read and in which order. Order depends on nothing but these and train.seed."""

    tokens: str = ""  # folder written by `trainer prepare`
    corpus: str = ""  # instead of tokens: Parquet text, tokenised into OUT/tokens when a run starts
    tokenizer: str = ""  # with corpus: tokenizer folder
    held_out: float = 0.02  # with corpus: share of documents kept for evaluation
    seq_len: int = 2048  # tokens of a row
    attention: str = "causal"  # causal | document (no token sees another document)
    weights: dict[str, float] = field(default_factory=dict)  # source -> share of tokens; {}: as is
    max_epochs: float = 0.0  # refuse a mix that repeats a source more often; 0: no cap
    document_weights: bool = True  # an epoch has a document as often as its `weight` says
    block_tokens: int = 1 << 22  # documents are shuffled inside a block of about this many tokens
    window_blocks: int = 8  # rows are shuffled inside a window of this many blocks


@dataclass(frozen=True)
class TrainConfig:
    """The optimisation: batch, length, schedule, optimiser."""

    seed: int = 1  # of the weights and of the order of data
    steps: int = 0  # optimiser steps; 0: as many as train.tokens asks for
    tokens: int = 0  # training tokens, used when steps is 0
    batch_rows: int = 64  # rows of the global batch, whatever the number of processes
    micro_rows: int = 8  # rows of one forward pass; batch / (processes * micro) accumulates
    ramp: list[list[int]] = field(default_factory=list)  # [[until_step, batch_rows], …]
    optimizer: str = "adamw"  # adamw | muon (matrices; the rest stays on AdamW)
    lr: float = 3e-4  # peak learning rate of AdamW
    muon_lr: float = 0.02  # peak learning rate of Muon
    min_lr_ratio: float = 0.1  # the floor of a decay, as a share of the peak
    schedule: str = "cosine"  # cosine | wsd | constant
    warmup_steps: int = 0  # steps over which the learning rate rises linearly
    decay_steps: int = 0  # wsd: length of the decay at the end
    decay_shape: str = "linear"  # wsd: linear | sqrt | cosine
    beta1: float = 0.9  # AdamW
    beta2: float = 0.95  # AdamW
    eps: float = 1e-8  # AdamW
    weight_decay: float = 0.1  # on matrices; norms, biases and embeddings have none
    clip: float = 1.0  # largest gradient norm; 0: no limit
    z_loss: float = 0.0  # coefficient of the mean squared log-partition (PaLM uses 1e-4)
    spike: float = 0.0  # skip a step whose gradient norm exceeds this many running means; 0: off
    spike_rewind: int = 0  # on a spike go back to the last checkpoint and skip this many batches
    loss_chunk: int = 0  # tokens whose logits exist at once; 0: the whole micro-batch


@dataclass(frozen=True)
class ParallelConfig:
    """How the model lies on the devices. None of these changes what is computed."""

    replicate: int = 1  # HSDP: number of replicas of the sharded model
    dtype: str = "auto"  # auto (bfloat16 on CUDA, float32 on CPU) | bfloat16 | float32
    compile: bool = False  # torch.compile, block by block
    activation_checkpointing: str = "none"  # none | full | every-N (N a number of blocks)
    cpu_offload: bool = False  # sharded parameters and optimiser in host memory (GPU only)
    reduce_every_pass: bool = False  # shard gradients after every pass: 4 bytes a parameter less
    threads: int = 0  # CPU threads of a process; 0: torch's default


@dataclass(frozen=True)
class CheckpointConfig:
    """When the state is saved and what is kept."""

    every: int = 500  # steps
    keep_last: int = 2  # newest checkpoints that stay
    keep_every: int = 0  # keep for good each checkpoint whose step is a multiple; 0: none
    asynchronous: bool = False  # write while training goes on
    load: str = ""  # start a new run (step 0) from the weights of this run, e.g. a decay branch
    load_step: int = 0  # with load: the step whose full state (optimiser, data order) is taken


@dataclass(frozen=True)
class EvalConfig:
    """Held-out evaluation, in bits per byte and per character, in total and per source."""

    every: int = 250  # 0: only before the first and after the last step
    rows: int = 64  # rows of held-out text; 0: all
    micro_rows: int = 8  # rows of one forward pass


@dataclass(frozen=True)
class LogConfig:
    """Where progress goes. metrics.jsonl is always written."""

    every: int = 10  # steps
    tensorboard: bool = False  # also OUT/tensorboard (package tensorboard)
    wandb: str = ""  # also Weights & Biases: the project's name (package wandb)
    progress: bool = True  # a line on the terminal


@dataclass(frozen=True)
class Config:
    """One run."""

    out: str = "runs/run"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def __post_init__(self) -> None:
        wrong = problem(self)
        if wrong:
            raise ConfigError(wrong)


def load(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read `path` (a TOML file, or the name of a preset) and apply `section.key=value` overrides.

    Raises ConfigError for a missing file, bad TOML, an unknown key or a value of the wrong type.
    """
    file = Path(path)
    if not file.is_file():
        file = PRESETS / f"{path}.toml"
    if not file.is_file():
        names = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise ConfigError(f"no configuration {str(path)!r}: give a TOML file or one of {names}")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    for override in overrides or []:
        key, equals, value = override.removeprefix("--").partition("=")
        if not equals:
            raise ConfigError(f"{override!r}: write an override as --section.key=value")
        *sections, last = key.split(".")
        target = table
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{override!r}: {section!r} is not a section")
        target[last] = _parse(value)
    return from_dict(table, str(file))


def from_dict(table: dict[str, Any], where: str = "config") -> Config:
    """Build a Config from nested dictionaries (a parsed TOML, or the config of a checkpoint)."""
    result = _build(Config, table, where, "")
    assert isinstance(result, Config)
    return result


def to_dict(config: Config) -> dict[str, Any]:
    return asdict(config)


def to_toml(config: Config) -> str:
    """The resolved settings as TOML, readable by `load`."""
    lines: list[str] = []
    for name, value in asdict(config).items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{k} = {toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def with_vocab(config: Config, vocab_size: int) -> Config:
    """`config` with a vocabulary that holds the tokenizer's ids, padded to a multiple of 64."""
    if config.model.vocab_size and config.model.vocab_size < vocab_size:
        raise ConfigError(
            f"model.vocab_size is {config.model.vocab_size} but the tokenizer has {vocab_size} "
            "entries; set it to 0 to follow the tokenizer"
        )
    size = config.model.vocab_size or -(-vocab_size // 64) * 64
    return replace(config, model=replace(config.model, vocab_size=size))


def _build(cls: type, table: dict[str, Any], where: str, prefix: str) -> Any:
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else f"; known: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {prefix}{key}{hint}")
        kind = hints[key]
        if hasattr(kind, "__dataclass_fields__"):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {key} is a section, written as [{key}]")
            values[key] = _build(kind, value, where, f"{prefix}{key}.")
        else:
            values[key] = _check(kind, value, f"{where}: {prefix}{key}")
    return cls(**values)


def _check(kind: Any, value: Any, what: str) -> Any:
    base = getattr(kind, "__origin__", kind)
    if base is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if base is int and isinstance(value, float) and value.is_integer():
        return int(value)  # 1e9 tokens
    if not isinstance(value, base) or (base is int and isinstance(value, bool)):
        raise ConfigError(f"{what} must be {base.__name__}, not {value!r}")
    return value


def _parse(text: str) -> Any:
    """The value of an override: TOML syntax, else a bare string."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def toml_value(value: Any) -> str:
    """A setting in TOML syntax."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value)
