"""Optimisers: AdamW for everything, or Muon for the hidden matrices.

State is created at once, not at the first step, so a checkpoint can be loaded into it. All of it
is tensors keyed by parameter name: no pickled object enters or leaves a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from trainer.config.settings import TrainConfig

# Coefficients of the quintic Newton-Schulz iteration of Muon (Jordan et al. 2024).
NS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz (Jordan et al. 2024), for 2-D hidden weights.

    Each matrix is orthogonalised whole by one process, which the others send their rows of it, so
    the update does not depend on their number. The scale is max(1, rows/columns)^0.5, as in the
    author's code.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.0
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if getattr(self, "found_inf", 0):
            return
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            updates = []
            for p in parameters:
                buffer = self.state[p]["momentum_buffer"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                updates.append(p.grad.lerp(buffer, group["momentum"]))
            for p, update in zip(parameters, orthogonal(updates), strict=True):
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(update, alpha=-group["lr"])


def build(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a run, with empty state in place.

    Weight decay applies to matrices; norms, biases and embeddings get none.
    """
    named = dict(model.named_parameters())
    hidden = {n for n, p in named.items() if p.dim() == 2 and ".layers." in n}
    muon = hidden if config.optimizer == "muon" else set()
    decay = [p for n, p in named.items() if n not in muon and (n in hidden or "lm_head" in n)]
    plain = [p for n, p in named.items() if n not in hidden and "lm_head" not in n]
    groups = [
        {"params": decay, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(
        [g for g in groups if g["params"]],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=True,
    )
    optimizers: list[torch.optim.Optimizer] = [adamw]
    if muon:
        matrices = [named[n] for n in sorted(muon)]
        optimizers.append(Muon(matrices, config.muon_lr, decay=config.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
            for p in group["params"]:
                optimizer.state[p] = _empty_state(optimizer, p)
    return optimizers


def state_tensors(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Every tensor of the optimisers under `optim.<parameter>.<key>`; shares memory with them."""
    names: dict[Tensor, str] = {p: n for n, p in model.named_parameters()}
    return {
        f"optim.{names[p]}.{key}": value
        for optimizer in optimizers
        for p, state in optimizer.state.items()
        for key, value in state.items()
    }


def set_lr(optimizers: list[torch.optim.Optimizer], scale: float) -> None:
    """Set every learning rate to its peak times `scale`, see schedule.py."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * scale


def _empty_state(optimizer: torch.optim.Optimizer, p: Tensor) -> dict[str, Tensor]:
    if isinstance(optimizer, Muon):
        return {"momentum_buffer": torch.zeros_like(p)}
    step = torch.zeros((), dtype=torch.float32, device=p.device)
    return {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}


def orthogonal(updates: list[Tensor]) -> Iterator[Tensor]:
    """The orthogonal matrix nearest to each update, scaled; sharded as it is.

    Of as many matrices as there are shards each process takes one: it gets the rows of the others,
    and sends theirs back. What a process computes and sends is 1/shards of all.
    """
    first = next(iter(updates), None)
    if not isinstance(first, DTensor) or first.device_mesh.size(first.device_mesh.ndim - 1) == 1:
        for update in updates:
            if isinstance(update, DTensor):
                whole = _scaled(update.to_local())
                yield DTensor.from_local(whole, update.device_mesh, update.placements)
            else:
                yield _scaled(update)
        return
    shards = first.device_mesh.size(first.device_mesh.ndim - 1)
    for start in range(0, len(updates), shards):
        yield from _share_out(
            [u for u in updates[start : start + shards] if isinstance(u, DTensor)]
        )


def _share_out(updates: list[DTensor]) -> list[DTensor]:
    """At most one matrix a process: matrix i is made orthogonal by process i of the shards."""
    mesh, dim = updates[0].device_mesh, updates[0].device_mesh.ndim - 1
    group, rank, shards = mesh.get_group(dim), mesh.get_local_rank(dim), mesh.size(dim)
    local = [u.to_local() for u in updates]
    to_each = [t.numel() for t in local] + [0] * (shards - len(local))
    from_each = [0] * shards
    if rank < len(updates):  # rows as FSDP cuts them: equal parts, the last ones short or empty
        rows, columns = updates[rank].shape
        part = -(-rows // shards)
        from_each = [columns * max(0, min(part, rows - i * part)) for i in range(shards)]
    flat = torch.cat([t.flatten() for t in local])
    mine = flat.new_empty(sum(from_each))
    dist.all_to_all_single(mine, flat, from_each, to_each, group)
    if rank < len(updates):
        mine = _scaled(mine.view(updates[rank].shape)).flatten()
    dist.all_to_all_single(flat, mine, to_each, from_each, group)
    parts = flat.split([t.numel() for t in local])
    return [
        DTensor.from_local(
            p.view(t.shape), mesh, u.placements, run_check=False, shape=u.shape, stride=u.stride()
        )
        for p, t, u in zip(parts, local, updates, strict=True)
    ]


def _scaled(matrix: Tensor) -> Tensor:
    return newton_schulz(matrix) * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5


def newton_schulz(matrix: Tensor, steps: int = 5) -> Tensor:
    """An approximately orthogonal matrix with the singular vectors of `matrix` [m, n].

    bfloat16 on CUDA, float32 elsewhere; a zero matrix stays zero.
    """
    x = matrix.to(torch.bfloat16) if matrix.is_cuda else matrix.float()
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    x = x / (x.norm() + 1e-7)
    a, b, c = NS
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrix.dtype)
