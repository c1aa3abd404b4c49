"""Causal attention behind one function, with or without a wall between documents.

Backends for `attention = "document"`: `varlen` (flash kernels, CUDA) and `masked` (SDPA with a
boolean mask, everywhere). Plain causal attention is SDPA, which on Hopper is asked to prefer cuDNN.
A test holds them equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, activate_flash_attention_impl, sdpa_kernel
from torch.nn.attention.varlen import varlen_attn

PREFERRED = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
FLASH3 = "flash_attn_interface"  # the package of FlashAttention 3
VARLEN_GROUPS = "enable_gqa" in signature(varlen_attn).parameters  # not in torch 2.11


def prefer_flash3() -> None:
    """FlashAttention 3, where its package is, before every other kernel (nanochat: +9 % tokens)."""
    if find_spec(FLASH3):
        activate_flash_attention_impl("FA3")
        PREFERRED.sort(key=lambda backend: backend != SDPBackend.FLASH_ATTENTION)


@dataclass(frozen=True)
class Varlen:
    """Documents of a flattened batch: int32[n + 1] offsets, padded with the end; longest: T.

    n is a power of two, so that compiled blocks see a handful of shapes in a whole run. One slot
    a token would be constant, but the kernels start a block for every slot, also an empty one,
    and cannot start more than 65,535.
    """

    offsets: Tensor
    longest: int


Mask = Tensor | Varlen | None


def document_mask(
    documents: Tensor, backend: str = "auto", device: torch.device | None = None
) -> Mask:
    """The mask of `documents` (int[rows, T], equal numbers: same document) for a backend.

    backend: auto | masked | varlen (float16 and bfloat16 only). device: where the mask is
    wanted; from documents on the CPU a GPU's mask is made without waiting for it. Made once a
    batch, outside the compiled blocks.
    """
    device = device or documents.device
    if backend == "auto":
        backend = "varlen" if device.type == "cuda" else "masked"
    length = documents.shape[1]
    if backend == "varlen":
        return Varlen(_to(_offsets(documents), device), length)
    documents = _to(documents, device)
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
    if mask is None:
        if q.is_cuda:
            with sdpa_kernel(PREFERRED, set_priority=True):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    if isinstance(mask, Varlen):
        return _varlen(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=grouped)


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
