"""Causal attention on CPU, by blocks of queries, each against the keys up to its last query.

torch's CPU flash kernel multiplies seven times for a block (two forward, five backward, the scores
twice) on tiles that are small for the matrix library. Here the probabilities are kept, which
leaves six, and a block of queries of all heads of a row is one product. What is computed is the
same but for rounding; see the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Queries at a time. Not a power of two in float32: rows of 512 or 1,024 floats fall on the same
# lines of the cache, and products with the transposed probabilities ran at 70 for 92 GFLOP/s.
BLOCK = {torch.float32: 80, torch.bfloat16: 128}
SCORES = 1 << 19  # scores of the heads that are worked on together


def blocked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(q kᵀ / √d) v, causal, with gradients. See `attention.attend` for shapes.

    mask: bool[rows, 1, T, T], causal, or None.
    """
    out: Tensor = forward(q, k, v, mask)[0]
    return out


# Operators of their own: torch.compile calls them as they are instead of unrolling the loops.
@torch.library.custom_op("trainer::blocked_forward", mutates_args=())
def forward(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """(attention, probabilities of each part in q's dtype for `backward`)."""
    rows, heads, length, size = q.shape
    kv_heads, wide = k.shape[1], torch.promote_types(q.dtype, torch.float32)
    group = heads // kv_heads
    out = q.new_empty(rows, length, heads, size).transpose(1, 2)
    block = _block(q)
    future = torch.full((block, block), float("-inf"), dtype=wide).triu(1)
    kept = []
    for row, own, all_ in _parts(rows, kv_heads, group, length, block):
        keys, values = k[row, own].to(wide).mT, v[row, own]
        n_kv = len(values)
        queries = (q[row, all_].to(wide) * size**-0.5).view(n_kv, group, length, size)
        to = out[row, all_].unflatten(0, (n_kv, group))
        kept.append(q.new_empty(_count(n_kv * group, length, block)))
        for start, stop, chance in _blocks(kept[-1], n_kv, group, length, block):
            n = stop - start
            query = queries[:, :, start:stop].reshape(n_kv, group * n, size)
            # Scores and softmax are float32 in any case, as in flash kernels.
            scores = chance if q.dtype == wide else chance.to(wide)
            torch.bmm(query, keys[:, :, :stop], out=scores)
            square = scores.view(n_kv, group, n, stop)
            if mask is None:
                square[..., start:] += future[:n, :n]
            else:
                square.masked_fill_(~mask[row, :, None, start:stop, :stop], float("-inf"))
            torch.softmax(scores, dim=-1, out=scores)
            if scores is not chance:
                chance.copy_(scores)
            part = torch.bmm(chance, values[:, :stop])
            to[:, :, start:stop] = part.view(n_kv, group, n, size)
    return out, kept


@torch.library.custom_op("trainer::blocked_backward", mutates_args=())
def backward(
    q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor], grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients for q, k and v. Those of k and v are summed over blocks in float32."""
    rows, heads, length, size = q.shape
    kv_heads, wide = k.shape[1], torch.promote_types(q.dtype, torch.float32)
    group, scale = heads // kv_heads, size**-0.5
    block = _block(q)
    dq = q.new_empty(rows, length, heads, size).transpose(1, 2)
    dk, dv = (x.new_empty(x.shape) for x in (k, v))
    for at, (row, own, all_) in enumerate(_parts(rows, kv_heads, group, length, block)):
        keys, values, dkeys, dvalues = (x[row, own] for x in (k, v, dk, dv))
        if q.dtype != wide:
            dkeys, dvalues = (x.new_empty(x.shape, dtype=wide) for x in (keys, values))
        n_kv = len(keys)
        queries, grads, to = (x[row, all_].unflatten(0, (n_kv, group)) for x in (q, grad, dq))
        # From the last block, which sees every key: it writes what the others add to.
        for start, stop, chance in reversed(list(_blocks(kept[at], n_kv, group, length, block))):
            shape = (n_kv, group * (stop - start), size)
            query, part = (x[:, :, start:stop].reshape(shape) for x in (queries, grads))
            last = stop == length
            _add_product(dvalues[:, :stop], chance.mT, part, last)
            dchance = torch.bmm(part, values[:, :stop].mT)
            dscores = torch.ops.aten._softmax_backward_data(dchance, chance, -1, chance.dtype)
            _add_product(dkeys[:, :stop], dscores.mT, query, last, scale)
            out = torch.bmm(dscores, keys[:, :stop]).mul_(scale)
            to[:, :, start:stop] = out.view(n_kv, group, stop - start, size)
        if q.dtype != wide:
            dk[row, own], dv[row, own] = dkeys.mul_(scale), dvalues
    return dq, dk, dv


@forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    rows, heads, length, size = q.shape
    parts = _parts(rows, k.shape[1], heads // k.shape[1], length, _block(q))
    kept = [q.new_empty(_count(len(range(heads)[all_]), length, _block(q))) for *_, all_ in parts]
    return q.new_empty(rows, length, heads, size).transpose(1, 2), kept


@backward.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor], grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    dq = q.new_empty(q.transpose(1, 2).shape).transpose(1, 2)
    return dq, k.new_empty(k.shape), v.new_empty(v.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, list[Tensor]]) -> None:
    ctx.set_materialize_grads(False)  # nothing flows into the probabilities
    ctx.save_for_backward(*inputs[:3], *output[1])


def _differentiate(ctx: Any, grad: Tensor | None, _: Any) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None, None, None
    q, k, v, *kept = ctx.saved_tensors
    return (*backward(q, k, v, kept, grad), None)


forward.register_autograd(_differentiate, setup_context=_keep)


def _add_product(to: Tensor, a: Tensor, b: Tensor, first: bool, scale: float = 1.0) -> None:
    """to += scale a b; `to` is overwritten where `first`. In the halves the caller scales."""
    if to.dtype == a.dtype:
        to.baddbmm_(a, b, beta=int(not first), alpha=scale)
    elif first:
        to.copy_(torch.bmm(a, b))
    else:
        to.add_(torch.bmm(a, b))


def _block(q: Tensor) -> int:
    return BLOCK.get(q.dtype, 80)


def _parts(
    rows: int, kv_heads: int, group: int, length: int, block: int
) -> Iterator[tuple[int, slice, slice]]:
    """(row, key/value heads, query heads) that are worked on together."""
    fit = max(1, SCORES // (group * block * length))
    n = -(-kv_heads // -(-kv_heads // fit))  # as even as can be
    for row in range(rows):
        for first in range(0, kv_heads, n):
            last = min(first + n, kv_heads)
            yield row, slice(first, last), slice(first * group, last * group)


def _blocks(
    kept: Tensor, kv_heads: int, group: int, length: int, block: int
) -> Iterator[tuple[int, int, Tensor]]:
    """(first query, last + 1, probabilities[kv_heads, group · queries, keys]) of each block."""
    at = 0
    for start in range(0, length, block):
        stop = min(start + block, length)
        shape = (kv_heads, group * (stop - start), stop)
        count = shape[0] * shape[1] * shape[2]
        yield start, stop, kept[at : at + count].view(shape)
        at += count


def _count(heads: int, length: int, block: int) -> int:
    """Elements of the probabilities of one part."""
    stops = [min(start + block, length) for start in range(0, length, block)]
    return heads * sum((stop - i * block) * stop for i, stop in enumerate(stops))
