"""Causal attention behind one function, with or without a wall between documents.

Backends for `attention = "document"`: `varlen` (flash kernels, CUDA), `flex` (block-sparse
Triton kernel, CUDA) and `masked` (SDPA with a boolean mask, everywhere; the only one of the three
with a backward pass on CPU). Plain causal attention is SDPA, which on Hopper is asked to prefer
cuDNN. A test holds them equal.

Training on CPU has an exact kernel of its own, `Blocked`: torch's CPU flash kernel computes the
upper triangle too and the scores a second time in its backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.varlen import varlen_attn

PREFERRED = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
VARLEN_GROUPS = "enable_gqa" in signature(varlen_attn).parameters  # not in torch 2.11


@dataclass(frozen=True)
class Varlen:
    """Documents of a flattened batch: int32[n + 1] offsets, padded with the end; longest: T.

    n is a power of two, so that compiled blocks see a handful of shapes in a whole run. One slot
    a token would be constant, but the kernels start a block for every slot, also an empty one,
    and cannot start more than 65,535.
    """

    offsets: Tensor
    longest: int


# `Blocked` keeps the probabilities for the backward pass: up to this many bytes a layer.
KEPT = 64 << 20
BLOCK = 64  # queries at a time; of 64, 128 and 256 the fastest at T = 512 and 1024

Mask = Tensor | Varlen | Any | None  # Any: flex's BlockMask


def document_mask(
    documents: Tensor, backend: str = "auto", device: torch.device | None = None
) -> Mask:
    """The mask of `documents` (int[rows, T], equal numbers: same document) for a backend.

    backend: auto | masked | flex | varlen (float16 and bfloat16 only). device: where the mask is
    wanted; from documents on the CPU a GPU's mask is made without waiting for it. Made once a
    batch, outside the compiled blocks.
    """
    device = device or documents.device
    if backend == "auto":
        backend = "varlen" if device.type == "cuda" else "masked"
    rows, length = documents.shape
    if backend == "varlen":
        return Varlen(_to(_offsets(documents), device), length)
    documents = _to(documents, device)
    if backend == "flex":
        from torch.nn.attention.flex_attention import create_block_mask

        def same(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            return (q >= k) & (documents[b, q] == documents[b, k])

        return create_block_mask(same, rows, None, length, length, device=str(device))
    same_document = documents[:, None, :, None] == documents[:, None, None, :]
    return same_document & causal_mask(length, length, device)


def _offsets(documents: Tensor) -> Tensor:
    start = torch.ones_like(documents, dtype=torch.bool)
    start[:, 1:] = documents[:, 1:] != documents[:, :-1]
    first = start.flatten().nonzero().flatten().int()
    slots = max(64, min(1 << (len(first) - 1).bit_length(), 65535))
    full, device = documents.numel(), documents.device
    offsets = torch.full((slots + 1,), full, dtype=torch.int32, device=device)
    offsets[: len(first)] = first
    return offsets


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def causal_mask(queries: int, keys: int, device: torch.device) -> Tensor:
    """bool[queries, keys]: the last query sees every key."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    """softmax(q kᵀ / √d) v. q: [rows, heads, T, d]; k, v: [rows, kv_heads, S, d].

    mask None: causal (T == S). Returns [rows, heads, T, d].
    """
    grouped = q.shape[1] != k.shape[1]
    if _fits_blocked(q, k, mask):
        out: Tensor = Blocked.apply(q, k, v, mask)
        return out
    if mask is None:
        if q.is_cuda:
            with sdpa_kernel(PREFERRED, set_priority=True):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    if isinstance(mask, Tensor):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=grouped)
    if isinstance(mask, Varlen):
        return _varlen(q, k, v, mask)
    result = _flex(q.is_cuda)(q, k, v, block_mask=mask, enable_gqa=grouped)
    assert isinstance(result, Tensor)
    return result


class Blocked(torch.autograd.Function):
    """Causal attention by blocks of queries, each against the keys up to its last query.

    Four matrix products a block in the backward pass instead of five, on about half of the square.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        rows, heads, length, size = q.shape
        kv_heads = k.shape[1]
        group = heads // kv_heads
        # Heads that share keys stand one after another: one product serves them all.
        grouped = (q * size**-0.5).view(rows, kv_heads, group, length, size)
        k, v = (x.reshape(rows * kv_heads, length, size) for x in (k, v))
        future = torch.full((BLOCK, BLOCK), float("-inf"), dtype=q.dtype).triu(1)
        out = torch.empty_like(grouped)
        kept = []
        for start in range(0, length, BLOCK):
            stop = min(start + BLOCK, length)
            n = stop - start
            query = grouped[:, :, :, start:stop].reshape(rows * kv_heads, group * n, size)
            scores = torch.bmm(query, k[:, :stop].mT)
            square = scores.view(rows, kv_heads * group, n, stop)
            if mask is None:
                square[..., start:] += future[:n, :n]
            else:
                square.masked_fill_(~mask[:, :, start:stop, :stop], float("-inf"))
            chance = torch.softmax(scores, dim=-1)
            part = torch.bmm(chance, v[:, :stop])
            out[:, :, :, start:stop] = part.view(rows, kv_heads, group, n, size)
            kept += [query, chance]
        ctx.save_for_backward(k, v, *kept)
        return out.view(rows, heads, length, size)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        k, v, *kept = ctx.saved_tensors
        rows, heads, length, size = grads[0].shape
        kv_heads = len(k) // rows
        grad = grads[0].reshape(rows, kv_heads, heads // kv_heads, length, size)
        dq, dk, dv = torch.empty_like(grad), torch.zeros_like(k), torch.zeros_like(v)
        for i, start in enumerate(range(0, length, BLOCK)):
            query, chance = kept[2 * i : 2 * i + 2]
            stop = min(start + BLOCK, length)
            part = grad[:, :, :, start:stop].reshape(query.shape)
            dv[:, :stop].baddbmm_(chance.mT, part)
            dchance = torch.bmm(part, v[:, :stop].mT)
            dscores = torch.ops.aten._softmax_backward_data(dchance, chance, -1, chance.dtype)
            dq[:, :, :, start:stop] = torch.bmm(dscores, k[:, :stop]).view(
                rows, kv_heads, -1, stop - start, size
            )
            dk[:, :stop].baddbmm_(dscores.mT, query)
        shape = (rows, kv_heads, length, size)
        return (dq.view(grads[0].shape) * size**-0.5), dk.view(shape), dv.view(shape), None


def _fits_blocked(q: Tensor, k: Tensor, mask: Mask) -> bool:
    """Whether `Blocked` applies: float32 training on CPU, rows short enough for KEPT."""
    rows, heads, length, _ = q.shape
    return (
        q.device.type == "cpu"
        and q.dtype == torch.float32
        and torch.is_grad_enabled()
        and q.requires_grad
        and length == k.shape[2]
        and (mask is None or isinstance(mask, Tensor))
        and rows * heads * length * (length + BLOCK) * 2 <= KEPT
    )


def _varlen(q: Tensor, k: Tensor, v: Tensor, mask: Varlen) -> Tensor:
    rows, heads, length, size = q.shape
    grouped: dict[str, Any] = {}
    if k.shape[1] != heads:
        if VARLEN_GROUPS:
            grouped = {"enable_gqa": True}
        else:
            k, v = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (k, v))
    q, k, v = (x.transpose(1, 2).reshape(rows * length, -1, size) for x in (q, k, v))
    bounds, longest = mask.offsets, mask.longest
    out = varlen_attn(q, k, v, bounds, bounds, longest, longest, window_size=(-1, 0), **grouped)
    assert isinstance(out, Tensor)
    return out.view(rows, length, heads, size).transpose(1, 2)


@lru_cache(maxsize=2)
def _flex(compiled: bool) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False) if compiled else flex_attention
