"""The CPU kernels of fused.py and blocked.py against plain torch, in value and gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from trainer_helpers import model, small, tokens

from trainer.model import attention, blocked, fused
from trainer.model.attention import document_mask
from trainer.model.transformer import rotary, token_loss


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()


def results(f: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """The value and the gradients for a fixed random direction."""
    out = f(*inputs)
    direction = drawn(*out.shape, seed=9, dtype=out.dtype).detach()
    wanted = [x for x in inputs if x.requires_grad]
    return [out.detach(), *torch.autograd.grad(out, wanted, direction)]


def plain_rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-b, a], dim=-1) * sin).to(x.dtype)


TABLES = tuple(t.double() for t in rotary(torch.arange(7), 8, 1e4))


def joined(f: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Tensor]:
    return lambda *inputs: torch.cat(f(*inputs), dim=-1)


CASES: list[tuple[str, Callable[..., Tensor], Callable[..., Tensor], tuple[Tensor, ...]]] = [
    (
        "rms_norm",
        lambda x, w: fused.rms_norm(x, w, 1e-5),
        lambda x, w: F.rms_norm(x, (12,), w, 1e-5),
        (drawn(3, 7, 12), drawn(12)),
    ),
    (
        "linears",
        joined(fused.linears),
        joined(lambda x, a, b: (F.linear(x, a), F.linear(x, b))),
        (drawn(3, 7, 12), drawn(5, 12), drawn(8, 12)),
    ),
    (
        "swiglu",
        fused.swiglu,
        lambda g, u: F.silu(g) * u,
        (drawn(3, 7, 12), drawn(3, 7, 12, seed=1)),
    ),
    (
        "rotate",
        lambda x: fused.rotate(x, *TABLES),
        lambda x: plain_rotate(x, *TABLES),
        (drawn(2, 3, 7, 8),),
    ),
]
IDS = [name for name, *_ in CASES]


@pytest.mark.parametrize(("name", "ours", "plain", "inputs"), CASES, ids=IDS)
def test_a_fused_function_is_the_plain_one_in_value_and_gradient(
    name: str, ours: Callable[..., Tensor], plain: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> None:
    torch.testing.assert_close(results(ours, *inputs), results(plain, *inputs))
    assert torch.autograd.gradcheck(ours, inputs)


@pytest.mark.parametrize(("name", "ours", "plain", "inputs"), CASES, ids=IDS)
def test_in_bfloat16_a_fused_function_is_as_near_to_the_truth_as_torch(
    name: str, ours: Callable[..., Tensor], plain: Callable[..., Tensor], inputs: tuple[Tensor, ...]
) -> None:
    truth = results(plain, *inputs)
    short = [x.detach().bfloat16().requires_grad_() for x in inputs]
    for exact, a, b in zip(truth, results(ours, *short), results(plain, *short), strict=True):
        assert a.dtype == torch.bfloat16
        ours_off, torch_off = (float((t.double() - exact).norm()) for t in (a, b))
        assert ours_off <= 1.2 * torch_off + 1e-6


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    vocab=st.integers(2, 50),
    chunk=st.sampled_from([0, 1, 7, 100]),
    z=st.booleans(),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
    seed=st.integers(0, 1000),
)
def test_the_fused_loss_is_the_plain_one(
    n: int, vocab: int, chunk: int, z: bool, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    hidden, weight = drawn(n, 6, seed=seed), drawn(vocab, 6, seed=seed + 1)
    targets = torch.randint(0, vocab, (n,), generator=generator)
    targets[torch.rand(n, generator=generator) < 0.3] = -100
    upstream = drawn(2, n, seed=seed).detach()

    def both(loss: Callable[..., tuple[Tensor, Tensor]]) -> list[Tensor]:
        nll, lse = loss(hidden * scale, weight)
        total = (nll * upstream[0]).sum() + ((lse.square() * upstream[1]).sum() if z else 0)
        kept = [nll, lse] if z else [nll]
        return [*kept, *torch.autograd.grad(total, (hidden, weight))]

    def plain(h: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        logits = h @ w.T
        nll = F.cross_entropy(logits, targets, reduction="none", ignore_index=-100)
        return nll, torch.logsumexp(logits, 1).masked_fill(targets == -100, 0.0)

    got = both(lambda h, w: fused.linear_cross_entropy(h, w, targets, chunk))
    torch.testing.assert_close(got, both(plain), atol=1e-9, rtol=1e-7)
    single = token_loss(hidden.float(), weight.float(), targets, z)[0]
    mine = fused.linear_cross_entropy(hidden.float(), weight.float(), targets, chunk)[0]
    torch.testing.assert_close(mine, single, atol=1e-5, rtol=1e-5)


def test_logits_far_apart_neither_overflow_nor_lose_the_loss() -> None:
    hidden = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0], [0.0]], requires_grad=True)
    nll, lse = fused.linear_cross_entropy(hidden, weight, torch.tensor([1, 1]))
    assert nll.tolist() == [2000.0, 0.0] and lse.tolist() == [1000.0, 1000.0]
    nll.sum().backward()
    assert hidden.grad is not None and hidden.grad.flatten().tolist() == [2.0, 0.0]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", ["llama", "gpt3", "palm"])
@pytest.mark.parametrize("walls", [False, True])
def test_a_model_has_the_same_loss_and_gradients_with_and_without_the_cpu_kernels(
    family: str, tied: bool, walls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = tokens(seed=1)
    targets[0, :5] = -100
    documents = (torch.arange(24) // 9)[None].expand(2, 24).contiguous()
    mask = document_mask(documents) if walls else None
    found = []
    for on in (False, True):
        if not on:
            monkeypatch.setattr(fused, "applies", lambda x: False)
            monkeypatch.setattr(attention, "KEPT", 0)
        net = model(small(family, tie_word_embeddings=tied)).double()
        nll, lse = net(tokens(), targets, mask, None, 0, True)
        (nll.sum() + 0.1 * lse.square().sum()).backward()
        found.append([nll, lse, *(p.grad for p in net.parameters())])
        monkeypatch.undo()
    # Some parts of the plain model are float32 in any case.
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4, check_dtype=False)


@pytest.mark.parametrize("kv_heads", [4, 1])
def test_attention_by_blocks_passes_gradcheck(
    kv_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(blocked.BLOCK, torch.float64, 3)
    inputs = tuple(drawn(1, h, 7, 4, seed=h) for h in (4, kv_heads, kv_heads))
    mask = document_mask((torch.arange(7) // 4)[None])
    for m in (None, mask):
        assert torch.autograd.gradcheck(lambda q, k, v, m=m: blocked.forward(q, k, v, m)[0], inputs)


def test_bfloat16_attention_by_blocks_is_as_exact_as_torchs_flash_kernel() -> None:
    exact = [drawn(2, 300, h, 16, seed=h).transpose(1, 2).detach() for h in (4, 2, 2)]
    exact = [x.bfloat16().double().requires_grad_() for x in exact]
    short = [x.detach().bfloat16().requires_grad_() for x in exact]

    def flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    def ours(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return blocked.blocked_attention(q, k, v, None)

    truth = results(flash, *exact)
    for right, a, b in zip(truth, results(ours, *short), results(flash, *short), strict=True):
        off, theirs = (float((t.double() - right).norm() / right.norm()) for t in (a, b))
        assert off <= 1.5 * theirs


def test_attention_by_blocks_is_one_operator_to_the_compiler() -> None:
    inputs = tuple(drawn(2, h, 90, 8, seed=h, dtype=torch.float32) for h in (2, 1, 1))
    torch.library.opcheck(blocked.forward, (*inputs, None))


@pytest.mark.slow
@pytest.mark.parametrize("plain_loss", [False, True])
@pytest.mark.parametrize("chunk", [0, 20])
def test_a_compiled_model_has_the_same_loss_and_gradients(
    plain_loss: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """plain_loss: the compiled loss of a GPU in place of the CPU's."""
    found = []
    for compiled in (False, True):
        net = model(small())
        if compiled:
            net.compile_parts()
            if plain_loss:
                monkeypatch.setattr(fused, "applies", lambda x: False)
        nll, lse = net(tokens(), tokens(seed=1), None, None, chunk, True)
        (nll.sum() + 0.1 * lse.square().sum()).backward()
        found.append([nll, lse, *(p.grad for p in net.parameters())])
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)
