"""What can be held of the CUDA paths on a machine without a GPU: shapes, devices, graphs.

Tensors on the meta device and fake CUDA tensors have no values, so nothing here says that a kernel
computes the right thing: that is in test_gpu.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch._subclasses.fake_tensor import FakeTensorMode
from trainer_helpers import numbered, small

from trainer.model.attention import Varlen, document_mask
from trainer.model.transformer import CausalLM


def half(device: str, family: str) -> CausalLM:
    """The small model in bfloat16; its parameters hold no values."""
    with torch.device("meta"):
        made = CausalLM(small(family, hidden_size=64))
    for module in made.modules():
        for name, p in module._parameters.items():
            if p is not None:
                empty = torch.empty(p.shape, dtype=torch.bfloat16, device=device)
                module._parameters[name] = nn.Parameter(empty)
    return made


def walls(slots: int, length: int, device: str) -> Varlen | None:
    if not slots:
        return None
    return Varlen(torch.zeros(slots + 1, dtype=torch.int32, device=device), length)


def test_varlen_offsets_are_the_document_starts_padded_with_the_end() -> None:
    mask = document_mask(torch.cat([numbered(3, 2), numbered(5)]), "varlen")
    assert isinstance(mask, Varlen)
    assert mask.offsets.tolist() == [0, 3, 5] + [10] * 62
    assert mask.longest == 5


def test_a_batch_of_any_documents_has_one_of_a_few_numbers_of_slots() -> None:
    """A kernel takes 65,535 slots at most, and each number is one more graph to compile."""
    seen = set()
    for every in (1, 2, 3, 7, 64, 2048):
        numbers = (torch.arange(2048) // every).expand(16, 2048)
        mask = document_mask(numbers.contiguous(), "varlen")
        assert isinstance(mask, Varlen) and mask.offsets.dtype == torch.int32
        documents = 16 * -(-2048 // every)
        slots = len(mask.offsets) - 1
        assert documents <= slots < max(65, 2 * documents)
        seen.add(slots)
    assert all(n & (n - 1) == 0 for n in seen)


@pytest.mark.parametrize("family", ["llama", "gpt3", "palm"])
def test_blocks_compile_whole_and_layers_share_their_graphs(family: str) -> None:
    torch._dynamo.reset()
    net = half("meta", family)
    for layer in net.model.layers:
        layer.compile(fullgraph=True, dynamic=False, backend="aot_eager")
    tokens = torch.zeros(2, 64, dtype=torch.int64, device="meta")
    before = counters["stats"]["unique_graphs"]
    for _ in range(2):
        for slots in (0, 64, 128):
            nll = net(tokens, tokens, walls(slots, 64, "meta"))
            nll.sum().backward()
    assert counters["stats"]["unique_graphs"] - before == 3


@pytest.mark.parametrize("family", ["llama", "gpt3", "palm"])
@pytest.mark.parametrize("slots", [0, 64])
def test_everything_of_a_forward_pass_is_on_the_gpu(family: str, slots: int) -> None:
    mode: Any = FakeTensorMode()
    with mode, torch.no_grad():
        net = half("cuda", family)
        tokens = torch.zeros(2, 64, dtype=torch.int64, device="cuda")
        nll = net(tokens, tokens, walls(slots, 64, "cuda"), None, 0, 0.1)
        logits = net(tokens)
    assert nll.device.type == logits.device.type == "cuda"
    assert nll.dtype == torch.float32 and logits.dtype == torch.bfloat16
