"""The recipe that turns a model into a sharded one.

`fully_shard` is always called, also for one process: mixed precision and a single code path come
with it, for 2 % of a step of 2,048 tokens on a CPU. The order is: build on the meta device,
recompute, compile, shard, allocate, initialise. Weights are drawn from (seed, name, chunk), so any
number of processes starts from the same model.
"""

from __future__ import annotations

import hashlib
import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)

from trainer.config.settings import Config, ConfigError, ModelConfig, ParallelConfig
from trainer.folder.load import local_rows
from trainer.model.transformer import Block, CausalLM
from trainer.run.processes import World

INIT_CHUNK = 1 << 20  # elements drawn from one seed


def compute_dtype(config: ParallelConfig, device: torch.device) -> torch.dtype:
    """The dtype of matrix products; weights and optimiser state are float32 in any case."""
    if config.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if config.dtype == "bfloat16" else torch.float32


def build(config: Config, world: World) -> CausalLM:
    """The sharded, initialised model of a run, in training mode."""
    with torch.device("meta"):
        model = CausalLM(config.model)
    if config.parallel.float8:
        use_float8(model, world.device)
    _recompute(model, config.parallel.activation_checkpointing)
    if config.parallel.compile:
        # One graph for each shape: rows of training and evaluation, numbers of documents.
        torch._dynamo.config.recompile_limit = 64
        model.compile_parts()
    shard(model, config.parallel, world)
    model.to_empty(device="cpu" if config.parallel.cpu_offload else world.device)
    initialise(model, config.model, config.train.seed)
    return model.train()


def shard(model: CausalLM, config: ParallelConfig, world: World) -> None:
    """FSDP2: a group for each block, one for an untied embedding, the rest in the root."""
    dtype = compute_dtype(config, world.device)
    reduced = dtype != torch.float32
    precision = MixedPrecisionPolicy(
        param_dtype=dtype if reduced else None,
        reduce_dtype=torch.float32 if reduced else None,
        cast_forward_inputs=False,  # rotary tables stay float32
    )
    if config.cpu_offload and world.device.type != "cuda":
        raise ConfigError("parallel.cpu_offload needs a GPU to offload from")
    offload = CPUOffloadPolicy() if config.cpu_offload else OffloadPolicy()
    alone = world.mesh.size(world.mesh.ndim - 1) == 1  # nothing to free: gather once, not twice

    def group(module: nn.Module, free: bool) -> None:
        fully_shard(
            module,
            mesh=world.mesh,
            mp_policy=precision,
            offload_policy=offload,
            reshard_after_forward=free,
        )

    for layer in model.model.layers:
        group(layer, config.reshard_after_forward and not alone)
    if model.lm_head is not None:
        group(model.model.embed_tokens, True)
        embedding = cast(FSDPModule, model.model.embed_tokens)
        embedding.set_unshard_in_backward(False)  # its gradient needs the token ids alone
    group(model, False)
    assert isinstance(model, FSDPModule)
    if world.size == 1:
        return  # one process divides by nothing; asked for a factor, torch makes a pass to apply it
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # The loss is already divided by the global number of targets: gradients are summed.
            # Gloo has no PREMUL_SUM, hence the second call.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def initialise(model: CausalLM, config: ModelConfig, seed: int) -> None:
    """Normal(0, initializer_range); projections into the residual stream by 1/√(2 layers)."""
    scaled = config.initializer_range / math.sqrt(2 * config.num_hidden_layers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                local_rows(parameter)[0].fill_(1.0)
            elif name.endswith("bias"):
                local_rows(parameter)[0].zero_()
            else:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                _fill_normal(
                    parameter, scaled if residual else config.initializer_range, seed, name
                )


def _fill_normal(parameter: Tensor, std: float, seed: int, name: str) -> None:
    """Draw this process's rows of a parameter; a chunk of rows has its own seed."""
    local, first = local_rows(parameter)
    width = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
    rows = max(1, INIT_CHUNK // width)
    stop_row = first + local.shape[0]
    for chunk in range(first // rows, -(-stop_row // rows)):
        low, high = chunk * rows, min((chunk + 1) * rows, parameter.shape[0])
        key = hashlib.blake2b(f"{seed}\0{name}\0{chunk}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key, "big") >> 1)
        drawn = torch.randn(high - low, *parameter.shape[1:], generator=generator) * std
        start, stop = max(low, first), min(high, stop_row)
        local[start - first : stop - first].copy_(drawn[start - low : stop - low])


def _recompute(model: CausalLM, mode: str) -> None:
    every = 1 if mode in ("full", "operator") else 0
    if mode.startswith("every-") and mode[6:].isdigit() and int(mode[6:]):
        every = int(mode[6:])
    elif mode not in ("none", "operator", "full"):
        raise ConfigError(
            f"parallel.activation_checkpointing is {mode!r}: use none, operator, full or every-2, "
            "every-3, …"
        )
    for i, layer in enumerate(model.model.layers):
        assert isinstance(layer, Block)
        if every and i % every == 0:
            layer.recompute = "operator" if mode == "operator" else "all"


def sync_gradients(model: nn.Module, last: bool, every_pass: bool = False) -> None:
    """What the next backward pass does with gradients: the last one of a step reduces them.

    every_pass: each shards them; summing over the replicas of HSDP is left to the last in any case.
    """
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last or every_pass)
        model.set_requires_all_reduce(last)


def use_float8(model: CausalLM, device: torch.device) -> None:
    """Matrix products of the blocks in float8 with a scale a tensor (torchao); the parameters stay
    what they are. Where there is no GPU it is computed in float32 with float8 values."""
    try:
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
    except ImportError as error:
        raise ConfigError("parallel.float8 needs the package torchao") from error

    def fits(module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Linear) and not any(n % 16 for n in module.weight.shape)

    config = Float8LinearConfig(emulate=device.type != "cuda")
    for layer in model.model.layers:
        convert_to_float8_training(layer, module_filter_fn=fits, config=config)
