"""The network: equal backends, no leaks between documents, exact losses, the right sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from trainer_helpers import model, numbered, small, tokens

from trainer.config.load import PRESETS, load
from trainer.model.attention import attend, document_mask
from trainer.model.transformer import Cache, CausalLM, token_loss
from trainer.plan import flops
from trainer.run import parallel

FAMILIES = ["llama", "gpt3", "palm"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_later_token_never_changes_an_earlier_logit(family: str) -> None:
    net = model(small(family)).eval()
    one, two = tokens(), tokens()
    two[:, 12:] = (two[:, 12:] + 5) % 96
    with torch.no_grad():
        a, b = net(one), net(two)
    assert torch.equal(a[:, :12], b[:, :12])
    assert not torch.allclose(a[:, 12:], b[:, 12:])


@pytest.mark.parametrize("family", FAMILIES)
def test_no_token_sees_another_document(family: str) -> None:
    """Changing document A leaves every logit of documents B and C as it was."""
    net = model(small(family)).eval()
    documents = numbered(9, 8, 7)
    mask = document_mask(documents)
    one, two = tokens(1), tokens(1)
    two[:, :9] = (two[:, :9] + 7) % 96
    with torch.no_grad():
        a, b = net(one, mask=mask), net(two, mask=mask)
    assert torch.equal(a[:, 9:], b[:, 9:])
    assert not torch.allclose(a[:, :9], b[:, :9])


def test_a_document_in_a_packed_row_has_the_logits_it_has_alone() -> None:
    """Rotary attention is relative, so packing changes nothing but rounding."""
    net = model(small()).eval()
    row = tokens(1)
    with torch.no_grad():
        packed = net(row, mask=document_mask(numbered(9, 15)))
        alone = net(row[:, 9:])
    torch.testing.assert_close(packed[:, 9:], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_behind_walls_equals_the_definition(kv_heads: int) -> None:
    generator = torch.Generator().manual_seed(3)
    q = torch.randn(2, 4, 32, 16, generator=generator)
    k, v = (torch.randn(2, kv_heads, 32, 16, generator=generator) for _ in range(2))
    documents = torch.cat([numbered(10, 22), numbered(32)])
    got = attend(q, k, v, document_mask(documents))
    keys, values = (x.repeat_interleave(4 // kv_heads, 1) for x in (k, v))
    score = q @ keys.mT / 16**0.5
    seen = (documents[:, :, None] == documents[:, None]) & torch.ones(32, 32).tril().bool()
    expected = score.masked_fill(~seen[:, None], -torch.inf).softmax(-1) @ values
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cache_gives_the_logits_of_the_whole_row(family: str) -> None:
    config = small(family)
    net = model(config).eval()
    row = tokens(1, 20)
    cache = Cache(20)
    with torch.no_grad():
        parts = [net(row[:, a:b], cache=cache) for a, b in [(0, 7), (7, 8), (8, 13), (13, 20)]]
        torch.testing.assert_close(torch.cat(parts, 1), net(row), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("z", [0.0, 0.1])
def test_a_chunked_loss_has_the_same_value_and_gradients(z: float) -> None:
    targets = tokens(seed=1)
    targets[0, :5] = -100
    results = []
    for chunk in (0, 7):
        net = model(small())
        nll = net(tokens(), targets, None, None, chunk, z)
        nll.sum().backward()
        results.append((nll, [p.grad for p in net.parameters()]))
    torch.testing.assert_close(results[0], results[1])
    assert bool((results[0][0][0, :5] == 0).all())
    if z:  # in the gradient, not in the value
        net = model(small())
        logits = net(tokens())
        there = targets != -100
        nll = torch.nn.functional.cross_entropy(logits[there], targets[there], reduction="sum")
        (nll + z * logits[there].logsumexp(-1).square().sum()).backward()
        torch.testing.assert_close(results[0][0].sum(), nll)
        torch.testing.assert_close(results[0][1], [p.grad for p in net.parameters()])


@pytest.mark.parametrize("mode", ["operator", "full", "every-2"])
def test_recomputation_changes_no_gradient(mode: str) -> None:
    grads = []
    for how in ("none", mode):
        net = model(small())
        parallel._recompute(net, how)
        net(tokens(), tokens(seed=1)).sum().backward()
        grads.append([p.grad for p in net.parameters()])
    torch.testing.assert_close(grads[0], grads[1], atol=0, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
def test_parameter_counts_are_those_of_the_modules(family: str, tied: bool) -> None:
    config = small(family, tie_word_embeddings=tied)
    counted = sum(p.numel() for p in CausalLM(config).parameters())
    assert flops.parameters(config)["total"] == counted


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
def test_flops_equal_those_counted_by_torch(family: str, tied: bool) -> None:
    config = small(family, tie_word_embeddings=tied)
    net, row = model(config), tokens(2, 32)
    # FlopCounterMode counts the mathematical form: full attention, as `mfu` does.
    with (
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        net(row, tokens(2, 32, seed=1)).sum().backward()
    expected = flops.per_token(config, 32) * row.numel()
    # The gradient for the input of the first layer's projections is needed (embedding): exact.
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-6)


def test_presets_build_on_the_meta_device_with_the_sizes_they_are_named_after() -> None:
    sizes = {"150m": 0.11e9, "360m": 0.41e9, "760m": 0.88e9, "1.3b": 1.48e9, "3.7b": 3.8e9}
    sizes |= {"7b": 7.3e9, "13b": 13.7e9, "gpt3-175b": 174.6e9, "phases": 1.48e9}
    for name, expected in sizes.items():
        config = load(name)
        with torch.device("meta"):
            counted = sum(p.numel() for p in CausalLM(config.model).parameters())
        assert counted == flops.parameters(config.model)["total"]
        assert counted == pytest.approx(expected, rel=0.03), name
    assert {p.stem for p in PRESETS.glob("*.toml")} == {*sizes, "demo", "tiny-cpu"}


def test_initial_weights_depend_on_seed_and_name_alone() -> None:
    one, two, other = model(small()), model(small()), model(small(), seed=2)
    for a, b, c in zip(one.parameters(), two.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() == 1 or not torch.equal(a, c)
    deeper = model(small(num_hidden_layers=3))
    assert torch.equal(deeper.model.embed_tokens.weight, one.model.embed_tokens.weight)
    std = one.model.embed_tokens.weight.std()
    assert float(std.detach()) == pytest.approx(0.02, rel=0.05)


def test_one_batch_can_be_learnt_by_heart() -> None:
    torch.set_num_threads(1)
    net = model(small())
    row, targets = tokens(), tokens(seed=1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for _ in range(150):
        loss = net(row, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert isinstance(net.lm_head, nn.Linear)


def test_logits_far_apart_neither_overflow_nor_lose_the_loss() -> None:
    hidden = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0], [0.0]], requires_grad=True)
    nll = token_loss(hidden, weight, torch.tensor([1, 1]), 0.0)
    assert nll.tolist() == token_loss(hidden, weight, torch.tensor([1, 1]), 1e-4).tolist()
    assert nll.tolist() == [2000.0, 0.0]
    nll.sum().backward()
    assert hidden.grad is not None and hidden.grad.flatten().tolist() == [2.0, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 20])
def test_a_compiled_model_has_the_same_loss_and_gradients(chunk: int) -> None:
    results = []
    for compiled in (False, True):
        net = model(small())
        if compiled:
            net.compile_parts()
        nll = net(tokens(), tokens(seed=1), None, None, chunk, 0.1)
        nll.sum().backward()
        results.append([nll, *(p.grad for p in net.parameters())])
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-4)
