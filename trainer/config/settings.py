"""Every setting of a training run, said once: its default, meaning and limits beside each other.

This module imports nothing of ours. `load.py` reads settings (TOML, `--section.key=value`) and
`write.py` writes them (`trainer config`, docs/trainer-settings.md); both are made from the fields
below. Checks run when a `Config` is built, so no code ever sees a value out of range.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any

# The most of a whole number without a `most` of its own: the product of two fits an int64.
INT_MOST = 2**31 - 1


class ConfigError(ValueError):
    """A mistake in a setting or an argument: one line, exit status 2."""


class TrainError(RuntimeError):
    """A run that cannot go on (disk full, broken checkpoint, no data): one line, exit status 1."""


class StoppedError(TrainError):
    """Another process says why."""


def setting(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with its meaning and the values it may have.

    least, most: ends of the range, taken themselves; above: a lower end that is not. choices: the
    words that are allowed. A dict or list as default is copied for every instance.
    """
    limits = {"least": least, "most": most, "above": above, "choices": choices}
    if isinstance(default, (dict, list)):
        return field(default_factory=default.copy, metadata={"help": help, **limits})
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the network, in the names of Hugging Face's LlamaConfig."""

    family: str = setting(
        "llama",
        "gpt3: learned positions, LayerNorm, GELU; palm: attention and MLP in parallel",
        choices=("llama", "gpt3", "palm"),
    )
    vocab_size: int = setting(0, "0: the tokenizer's, rounded up to a multiple of 64", least=0)
    hidden_size: int = setting(256, "width", least=1)
    intermediate_size: int = setting(704, "width of the MLP", least=1)
    num_hidden_layers: int = setting(4, "blocks", least=1)
    num_attention_heads: int = setting(4, "query heads", least=1)
    num_key_value_heads: int = setting(0, "0: as many as attention heads", least=0)
    head_dim: int = setting(0, "0: hidden_size / num_attention_heads", least=0)
    max_position_embeddings: int = setting(2048, "longest context, tokens", least=1)
    rope_theta: float = setting(10000.0, "base of the rotary angles", above=0)
    rope_scaling: dict[str, Any] = setting(
        {}, "as in Hugging Face: rope_type linear, llama3 or yarn, factor, …; {}: none"
    )
    attention_bias: str = setting(
        "none", "llama family: biases of the projections", choices=("none", "qkv", "all")
    )
    qk_norm: bool = setting(False, "llama family: RMSNorm of each query and key head")
    norm_eps: float = setting(1e-5, "added to the variance in a norm", above=0, most=1)
    tie_word_embeddings: bool = setting(False, "lm_head is the embedding")
    initializer_range: float = setting(0.02, "standard deviation of initial weights", above=0)

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def kv_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    def __post_init__(self) -> None:
        kind = self.rope_scaling.get("rope_type", "none")
        if self.rope_scaling and kind not in ("linear", "llama3", "yarn"):
            raise ConfigError(f"model.rope_scaling.rope_type is {kind!r}: linear, llama3 or yarn")
        if min(self.num_attention_heads, self.kv_heads, self.hidden_size) < 1:
            raise ConfigError("model.hidden_size and the numbers of heads must be at least 1")
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

    tokens: str = setting("", "folder written by `trainer prepare`")
    corpus: str = setting(
        "", "instead of tokens: Parquet text, tokenised into OUT/tokens when a run starts"
    )
    tokenizer: str = setting("", "with corpus: tokenizer folder")
    held_out: float = setting(
        0.02, "with corpus: share of documents kept for evaluation", least=0, most=1
    )
    seq_len: int = setting(2048, "tokens of a row", least=1)
    attention: str = setting(
        "causal", "document: no token sees another document", choices=("causal", "document")
    )
    weights: dict[str, float] = setting({}, "source -> share of tokens; {}: as is")
    max_epochs: float = setting(
        0.0, "refuse a mix that repeats a source more often; 0: no cap", least=0
    )
    document_weights: bool = setting(True, "an epoch has a document as often as its `weight` says")
    block_tokens: int = setting(
        1 << 22, "documents are shuffled inside a block of about this many tokens", least=1
    )
    window_blocks: int = setting(
        8, "rows are shuffled inside a window of this many blocks", least=1
    )


@dataclass(frozen=True)
class TrainConfig:
    """The optimisation: batch, length, schedule, optimiser."""

    seed: int = setting(1, "of the weights and of the order of data")
    steps: int = setting(0, "optimiser steps; 0: as many as train.tokens asks for", least=0)
    tokens: int = setting(0, "training tokens, used when steps is 0", least=0, most=2**53)
    batch_rows: int = setting(
        64, "rows of the global batch, whatever the number of processes", least=1
    )
    micro_rows: int = setting(
        8, "rows of one forward pass; batch / (processes * micro) accumulates", least=1
    )
    optimizer: str = setting(
        "adamw", "muon: for matrices; the rest stays on AdamW", choices=("adamw", "muon")
    )
    lr: float = setting(3e-4, "peak learning rate of AdamW", least=0)
    muon_lr: float = setting(0.02, "peak learning rate of Muon", least=0)
    min_lr_ratio: float = setting(
        0.1, "the floor of a decay, as a share of the peak", least=0, most=1
    )
    schedule: str = setting(
        "cosine", "of the learning rate after warm-up", choices=("cosine", "wsd", "constant")
    )
    warmup_steps: int = setting(0, "steps over which the learning rate rises linearly", least=0)
    decay_steps: int = setting(0, "wsd: length of the decay at the end", least=0)
    decay_shape: str = setting(
        "linear", "wsd: form of the decay", choices=("linear", "sqrt", "cosine")
    )
    beta1: float = setting(0.9, "AdamW: memory of the mean gradient", least=0, most=0.999999)
    beta2: float = setting(0.95, "AdamW: memory of its square", least=0, most=0.99999999)
    eps: float = setting(1e-8, "AdamW: added to the root of the square", above=0, most=1)
    weight_decay: float = setting(
        0.1, "on matrices; norms, biases and embeddings have none", least=0
    )
    clip: float = setting(1.0, "largest gradient norm; 0: no limit", least=0)
    z_loss: float = setting(
        0.0, "coefficient of the mean squared log-partition (PaLM uses 1e-4)", least=0
    )
    spike: float = setting(
        0.0, "skip a step whose gradient norm exceeds this many running means; 0: off", least=0
    )
    loss_chunk: int = setting(
        0, "tokens whose logits exist at once; 0: the whole micro-batch", least=0
    )


@dataclass(frozen=True)
class ParallelConfig:
    """How the model lies on the devices. None of these changes what is computed."""

    replicate: int = setting(1, "HSDP: number of replicas of the sharded model", least=1)
    dtype: str = setting(
        "auto",
        "auto: bfloat16 on CUDA, float32 on CPU",
        choices=("auto", "bfloat16", "float32"),
    )
    compile: bool = setting(False, "torch.compile, block by block")
    activation_checkpointing: str = setting(
        "none", "none | operator (all but matrix products) | full | every-N (N a number of blocks)"
    )
    reshard_after_forward: bool = setting(
        True, "false: a block's weights stay gathered until its backward pass, in compute dtype"
    )
    float8: bool = setting(False, "matrix products of the blocks in float8 (package torchao)")
    cpu_offload: bool = setting(False, "sharded parameters and optimiser in host memory (GPU only)")
    reduce_every_pass: bool = setting(
        False, "shard gradients after every pass: 4 bytes a parameter less"
    )
    fit: bool = setting(
        False, "on GPUs: choose what else of micro_rows, loss_chunk, recomputation and"
        " reduce_every_pass the memory asks for",
    )  # fmt: skip
    threads: int = setting(0, "CPU threads of a process; 0: torch's default", least=0)


@dataclass(frozen=True)
class CheckpointConfig:
    """When the state is saved and what is kept."""

    every: int = setting(500, "steps", least=1)
    keep_last: int = setting(2, "newest checkpoints that stay", least=1)
    keep_every: int = setting(
        0, "keep for good each checkpoint whose step is a multiple; 0: none", least=0
    )
    asynchronous: bool = setting(False, "write while training goes on")
    ask_every: int = setting(
        10, "several processes: after how many steps all are asked for a stop signal", least=1
    )
    load: str = setting(
        "", "start a new run (step 0) from the weights of this run, e.g. a decay branch"
    )
    load_step: int = setting(
        0, "with load: the step whose full state (optimiser, data order) is taken", least=0
    )


@dataclass(frozen=True)
class EvalConfig:
    """Held-out evaluation, in bits per byte and per character, in total and per source."""

    every: int = setting(250, "steps; 0: only before the first and after the last", least=0)
    rows: int = setting(64, "rows of held-out text; 0: all", least=0)
    micro_rows: int = setting(8, "rows of one forward pass", least=1)
    tasks: str = setting("", "also files of tasks, as `trainer evaluate --tasks`; empty: none")
    task_questions: int = setting(200, "the first questions of each task; 0: all", least=0)


@dataclass(frozen=True)
class LogConfig:
    """Where progress goes. metrics.jsonl is always written."""

    every: int = setting(10, "steps", least=1)
    tensorboard: bool = setting(False, "also OUT/tensorboard (package tensorboard)")
    wandb: str = setting("", "also Weights & Biases: the project's name (package wandb)")
    progress: bool = setting(True, "a line on the terminal")


@dataclass(frozen=True)
class Phase:
    """A part of a run. With phases train.steps and train.tokens stay 0: a run is as long as they.

    A phase goes on with weights, optimiser and data: every document is read before one is read
    again, whatever the length of rows, the mix or the blocks. What is not set is that of the run.
    """

    tokens: int = setting(0, "training tokens, rounded up to a step", least=1, most=2**53)
    folders: list[str] = setting([], "folders of tokens it reads; []: data.tokens")
    weights: dict[str, float] = setting(
        {}, "source, or one of its folders -> share of tokens; {}: data.weights"
    )
    seq_len: int = setting(0, "tokens of a row; 0: data.seq_len", least=0)
    block_tokens: int = setting(0, "as data.block_tokens; 0: that", least=0)
    batch_rows: int = setting(0, "as train.batch_rows; 0: that", least=0)
    micro_rows: int = setting(0, "as train.micro_rows; 0: that", least=0)
    rope_theta: float = setting(0.0, "base of the rotary angles; 0: model.rope_theta", least=0)
    lr_start: float = setting(
        -1.0, "share of the peak that the learning rate sets out from; -1: the one before", least=-1
    )
    lr_end: float = setting(
        -1.0, "the one of its last step; -1: lr_start, and without that train.schedule", least=-1
    )
    lr_shape: str = setting("linear", "between them", choices=("linear", "sqrt", "cosine"))


@dataclass(frozen=True)
class Config:
    """One run."""

    out: str = setting("runs/run", "folder of the run")
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    log: LogConfig = field(default_factory=LogConfig)
    phases: list[Phase] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, described, value in values(self):
            wrong = out_of_range(name, described, value)
            if wrong:
                raise ConfigError(wrong)
        wrong = contradiction(self)
        if wrong:
            raise ConfigError(wrong)


def values(config: Config) -> list[tuple[str, Field[Any], Any]]:
    """(section.key, its field, its value) of every setting, in the order of the dataclasses."""
    sections = [
        (f.name, getattr(config, f.name)) for f in fields(config) if f.name not in ("out", "phases")
    ]
    sections += [(f"phases[{i}]", phase) for i, phase in enumerate(config.phases)]
    return [
        (f"{name}.{described.name}", described, getattr(settings, described.name))
        for name, settings in sections
        for described in fields(settings)
    ]


def limits(described: Field[Any]) -> tuple[float, float, bool] | None:
    """(lower end, most, whether the lower end itself may be taken) of a number; None: no limits."""
    least, above, most = (described.metadata[key] for key in ("least", "above", "most"))
    if least is None and above is None:
        return None
    if most is None:
        most = INT_MOST if type(described.default) is int else math.inf
    return (above, most, False) if least is None else (least, most, True)


def out_of_range(name: str, described: Field[Any], value: Any) -> str:
    """What is wrong with one value, in one line; empty if nothing is."""
    choices, ends = described.metadata["choices"], limits(described)
    if choices and value not in choices:
        return f"{name} is {value!r}; choose one of {', '.join(choices)}"
    if ends is None:
        return ""
    low, most, included = ends
    high_enough = value >= low if included else value > low
    if high_enough and value <= most and math.isfinite(value):
        return ""
    bound = f"at least {low:g}" if included else f"above {low:g}"
    upper = f" and at most {most:g}" if math.isfinite(most) else ""
    return f"{name} is {value}: it must be {bound}{upper}"


def contradiction(config: Config) -> str:
    """What is wrong with settings that depend on each other or hold lists; empty if nothing is."""
    longest = config.model.max_position_embeddings
    lengths = {"data.seq_len": config.data.seq_len}
    lengths |= {f"phases[{i}].seq_len": p.seq_len for i, p in enumerate(config.phases)}
    for name, length in lengths.items():
        if length > longest:
            return f"{name} ({length}) exceeds model.max_position_embeddings ({longest})"
    mixes = {"data.weights": config.data.weights}
    mixes |= {f"phases[{i}].weights": p.weights for i, p in enumerate(config.phases)}
    for name, source, share in ((n, s, x) for n, mix in mixes.items() for s, x in mix.items()):
        number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not number or not 0 <= share < math.inf:
            return f"{name}: {source!r} has {share!r}: give a share of at least 0"
    if wrong := _wrong_phases(config):
        return wrong
    if config.model.head_size % 2 and config.model.family != "gpt3":
        return f"the size of a head ({config.model.head_size}) must be even for rotary positions"
    return ""


def _wrong_phases(config: Config) -> str:
    train = config.train
    if config.phases and (train.steps or train.tokens):
        return "with phases train.steps and train.tokens stay unset: each phase has its own tokens"
    for i, phase in enumerate(config.phases):
        if not all(isinstance(f, str) and f for f in phase.folders):
            return f"phases[{i}].folders has {phase.folders!r}: give names of folders"
        if len(set(phase.folders)) < len(phase.folders):
            return f"phases[{i}].folders names a folder twice: give it a larger share in weights"
    return ""
