"""Parts of a training step on CPU with backward passes written by hand.

Plain torch differentiates these by their parts and writes every intermediate to fresh memory: for
a small model that is a fifth of a step. On a GPU, and wherever torch.compile sees the code, the
plain forms of model.py are used: there the compiler fuses them. Both are equal but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LOGITS = 1 << 19  # logits at a time: 2 MiB


def applies(x: Tensor) -> bool:
    """Whether the functions of this file are used for x."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / √(mean x² + eps) · weight over the last axis (Zhang and Sennrich 2019)."""
    out: Tensor = _RMSNorm.apply(x, weight, eps)
    return out


class _RMSNorm(torch.autograd.Function):
    """torch has a fused forward pass on CPU, but differentiates it by its ten parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.eps = eps
        return F.rms_norm(x, weight.shape, weight, eps)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        width = len(weight)
        wide = _wide(x.dtype)
        flat, grad = (t.reshape(-1, width).to(wide) for t in (x, grads[0]))
        scale = weight.to(wide)
        norm = torch.linalg.vector_norm(flat, dim=-1, keepdim=True)
        r = norm.square_().div_(width).add_(ctx.eps).rsqrt_()
        product = grad * flat
        dweight = torch.mv(product.T, r[:, 0])
        along = torch.mv(product, scale)[:, None] * r.pow(3).div_(-width)
        dx = torch.mul(grad, scale, out=product).mul_(r).addcmul_(flat, along)
        return dx.to(x.dtype).view(x.shape), dweight.to(weight.dtype), None


def linears(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
    """x @ wᵀ for each w; the gradients for x are summed by the matrix products themselves."""
    out: tuple[Tensor, ...] = _Linears.apply(x, *weights)
    return out


class _Linears(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, *weights)
        return tuple(F.linear(x, w) for w in weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        x, *weights = ctx.saved_tensors
        flat, *parts = (t.reshape(-1, t.shape[-1]) for t in (x, *grads))
        dx = parts[0] @ weights[0]
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            torch.addmm(dx, part, weight, out=dx)  # in place, seen by FLOP counters
        return dx.view(x.shape), *(part.T @ flat for part in parts)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) · up (Shazeer 2020)."""
    out: Tensor = _SwiGLU.apply(gate, up)
    return out


class _SwiGLU(torch.autograd.Function):
    """Computes silu again in the backward pass: cheaper than the memory it would be kept in."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dgate = grads[0] * up
        torch.ops.aten.silu_backward(dgate, gate, grad_input=dgate)
        return dgate, F.silu(gate).mul_(grads[0])


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [rows, heads, T, d] by tables [T, d], as `model.rotate`."""
    out: Tensor = _Rotate.apply(x, cos, sin)
    return out


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grads[0], cos, sin, 1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    half = x.shape[-1] // 2
    out = x * cos  # in the tables' dtype
    sin = sin[:, :half]
    out[..., :half].addcmul_(x[..., half:], sin, value=sign)
    out[..., half:].addcmul_(x[..., :half], sin, value=-sign)
    return out.to(x.dtype)


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = 0
) -> tuple[Tensor, Tensor]:
    """(nll, logsumexp) of logits hidden @ weightᵀ: float32[n] each, in nats.

    hidden [n, width], weight [vocab, width], targets int64[n], -100 for none (both results 0).
    The softmax replaces the logits in place and is kept for the backward pass, which needs no
    further pass over it. With `chunk` no more than `chunk` tokens' logits exist at once and the
    backward pass computes them again.
    """
    nll, lse = _LinearCrossEntropy.apply(hidden, weight, targets, chunk)
    return nll, lse


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int
    ) -> tuple[Tensor, Tensor]:
        n, wide = len(hidden), _wide(hidden.dtype)
        none = targets == -100
        wanted = targets.masked_fill(none, 0)[:, None]
        nll, lse = (torch.empty(n, dtype=wide) for _ in range(2))
        keep = any(ctx.needs_input_grad) and (not chunk or n <= chunk)
        kept = hidden.new_empty(n if keep else 0, len(weight))
        for s in _slices(n, len(weight), chunk):
            to = kept[s] if keep else None
            lse[s], nll[s], _ = _errors(hidden[s], weight, wanted[s], to)
        ctx.save_for_backward(hidden, weight, wanted, none, kept)
        ctx.chunk = 0 if keep else chunk
        return nll.masked_fill_(none, 0.0), lse.masked_fill_(none, 0.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        hidden, weight, wanted, none, kept = ctx.saved_tensors
        by_nll, by_lse = (g.masked_fill(none, 0.0) for g in grads)
        # d nll = p - 1[target] = error, d lse = p = error + 1[target]: no pass over the errors,
        # the rows they are multiplied with are scaled.
        factor = (by_nll + by_lse)[:, None].to(hidden.dtype)
        scaled = hidden * factor
        if not ctx.chunk:
            dhidden, dweight = (kept @ weight).mul_(factor), kept.T @ scaled
        else:
            dhidden, dweight = torch.empty_like(hidden), torch.zeros_like(weight)
            for s in _slices(len(hidden), len(weight), ctx.chunk):
                error = _errors(hidden[s], weight, wanted[s], None)[2]
                torch.mm(error, weight, out=dhidden[s]).mul_(factor[s])
                torch.addmm(dweight, error.T, scaled[s], out=dweight)
        if bool(by_lse.any()):
            at, extra = wanted[:, 0], by_lse[:, None].to(hidden.dtype)
            dhidden.addcmul_(weight[at], extra)
            dweight.index_add_(0, at, hidden * extra)
        return dhidden, dweight, None, None


def _errors(
    hidden: Tensor, weight: Tensor, wanted: Tensor, to: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """(logsumexp, nll, error) of a slice: error = softmax less 1 at the target, in `to` if given.

    torch.softmax is one pass and does not tell its sum, but the largest probability is 1 / sum.
    """
    logits = torch.mm(hidden, weight.T, out=to)
    p = logits.to(_wide(logits.dtype))
    at = p.gather(1, wanted)
    lse = p.amax(1, keepdim=True)
    torch.softmax(p, dim=1, out=p)
    lse -= p.amax(1, keepdim=True).log()
    p.scatter_add_(1, wanted, torch.full_like(at, -1.0))
    if p.dtype != logits.dtype:
        logits.copy_(p)
    return lse[:, 0], (lse - at)[:, 0], logits


def _slices(n: int, vocab: int, chunk: int) -> Iterator[slice]:
    step = max(1, LOGITS // vocab)
    step = min(step, chunk or step)
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def _wide(dtype: torch.dtype) -> torch.dtype:
    """float32 for the halves; float64 stays, for tests."""
    return torch.promote_types(dtype, torch.float32)
