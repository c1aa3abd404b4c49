"""Optimisers: AdamW for everything, or Muon for the hidden matrices.

State is created at once, not at the first step, so a checkpoint can be loaded into it. All of it
is tensors keyed by parameter name: no pickled object enters or leaves a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from trainer.config.settings import TrainConfig

# Coefficients of the quintic Newton-Schulz iteration of Muon (Jordan et al. 2024).
NS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz (Jordan et al. 2024), for 2-D hidden weights.

    Each step the sharded momentum of a matrix is gathered, orthogonalised whole and sharded
    again, so the update does not depend on the number of processes. The scale is
    max(1, rows/columns)^0.5, as in the author's code.
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
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p]["momentum_buffer"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"])
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(_orthogonal(update), alpha=-group["lr"])


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


def _orthogonal(update: Tensor) -> Tensor:
    full = update.full_tensor() if isinstance(update, DTensor) else update
    result = newton_schulz(full) * max(1.0, full.shape[0] / full.shape[1]) ** 0.5
    if not isinstance(update, DTensor):
        return result
    return distribute_tensor(result, update.device_mesh, update.placements, src_data_rank=None)


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
