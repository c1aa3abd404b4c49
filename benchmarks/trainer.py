"""How fast the trainer is, beside loops that do the same work, in one run.

    python benchmarks/trainer.py [--shape cpu|150m|360m|760m|1.3b] [--steps 20] [--compile]
                                 [--rows N] [--seq-len T] [--dtype float32|bfloat16]
                                 [--tokens DIR]   also: loader and prepare on real token shards

Rivals, same shapes, same tokens a step, same optimiser, same dtype:
    transformers   a bare loop over transformers.LlamaForCausalLM (SDPA, fused AdamW)
    reference      the same Llama written as nanoGPT writes one: plain modules, no FSDP
The loops take turns step by step, so a busy machine slows all alike; the median step counts, and
the spread is printed. Figures of another device belong in another table, with its name.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this file's name hides the package
from trainer.config.load import load  # noqa: E402
from trainer.config.settings import Config, DataConfig, ModelConfig  # noqa: E402
from trainer.plan import flops, peaks  # noqa: E402
from trainer.run import optim, parallel, processes  # noqa: E402

CPU_SHAPE = ModelConfig(
    vocab_size=4096,
    hidden_size=256,
    intermediate_size=704,
    num_hidden_layers=6,
    num_attention_heads=4,
    max_position_embeddings=512,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--seq-len", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16, for all loops")
    parser.add_argument("--document", action="store_true", help="also with document attention")
    parser.add_argument("--tokens", default="", help="token shards: loader and tokenising speed")
    parser.add_argument("--documents", type=int, default=0, help="order of so many documents")
    arguments = parser.parse_args()
    if arguments.documents:
        _print(order_of(arguments.documents))
        return
    if arguments.tokens:
        _print(data_speed(arguments.tokens))
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = arguments.shape or ("150m" if device.type == "cuda" else "cpu")
    config = _config(shape, arguments.rows, arguments.seq_len, arguments.compile)
    config = replace(config, parallel=replace(config.parallel, dtype=arguments.dtype))
    world = processes.start(config.parallel)
    loops = {
        "trainer": ours(config, world),
        "transformers": theirs(config, device),
        "reference": reference(config, device),
    }
    if arguments.document:
        documents = replace(config, data=replace(config.data, attention="document"))
        loops["trainer, document"] = ours(documents, world)
    _print(race(loops, config, device, arguments.steps))
    sys.stdout.flush()
    os._exit(0)


def race(
    loops: dict[str, Callable[[], None]], config: Config, device: torch.device, steps: int
) -> list[dict[str, Any]]:
    """Median seconds a step of each loop over `steps` turns, after 3 to warm up."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    cpu: dict[str, list[float]] = {name: [] for name in loops}
    memory = dict.fromkeys(loops, 0.0)
    for turn in range(steps + 3):
        for name, step in loops.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
            begin, used = time.perf_counter(), time.process_time()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
                memory[name] = torch.cuda.max_memory_allocated() / 2**30
            if turn >= 3:
                times[name].append(time.perf_counter() - begin)
                cpu[name].append(time.process_time() - used)
    tokens = config.train.batch_rows * config.data.seq_len
    dtype = parallel.compute_dtype(config.parallel, device)
    peak, known = peaks.peak(device, dtype)
    per_token = flops.per_token(config.model, config.data.seq_len)
    base = statistics.median(times["transformers"])
    base_cpu = statistics.median(cpu["transformers"])
    rows = []
    for name, mine in times.items():
        median = statistics.median(mine)
        low, _, high = statistics.quantiles(mine, n=4)
        rows.append(
            {
                "loop": name,
                "tokens/s": round(tokens / median),
                "times transformers": round(base / median, 3),
                "step ms": round(1e3 * median, 1),
                "quartiles ms": f"{1e3 * low:.1f}-{1e3 * high:.1f}",
                "CPU s/step": round(statistics.median(cpu[name]), 3),
                "times in CPU": round(base_cpu / statistics.median(cpu[name]), 3),
                "MFU": round(tokens / median * per_token / peak, 4),
                "memory GiB": round(memory[name], 2) if memory[name] else "not measured",
            }
        )
    rows.append({"loop": f"peak {peak / 1e12:.3f} TFLOP/s, {known}"})
    return rows


def ours(config: Config, world: processes.World) -> Callable[[], None]:
    """The trainer's own step: FSDP2, its optimiser, its clipping."""
    from trainer.model.attention import document_mask

    model = parallel.build(config, world)
    optimizers = optim.build(model, config.train)
    tokens, targets = _batch(config, world.device)
    mask = None
    if config.data.attention == "document":
        length = tokens.shape[1]
        numbers = (torch.arange(length, device=world.device) * 4 // length)[None]
        mask = document_mask(numbers.expand(len(tokens), length).contiguous())

    def step() -> None:
        nll = model(tokens, targets, mask, None, config.train.loss_chunk)
        (nll.sum() / targets.numel()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def theirs(config: Config, device: torch.device) -> Callable[[], None]:
    """A bare loop over transformers' Llama."""
    from transformers import LlamaConfig, LlamaForCausalLM

    m = config.model
    settings = LlamaConfig(
        vocab_size=m.vocab_size,
        hidden_size=m.hidden_size,
        intermediate_size=m.intermediate_size,
        num_hidden_layers=m.num_hidden_layers,
        num_attention_heads=m.num_attention_heads,
        num_key_value_heads=m.kv_heads,
        max_position_embeddings=m.max_position_embeddings,
        tie_word_embeddings=m.tie_word_embeddings,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(settings).to(device)
    if config.parallel.compile:
        model.compile()

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        out: Tensor = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        return out

    return _plain_step(model, loss, config, device)


def reference(config: Config, device: torch.device) -> Callable[[], None]:
    """The same network in plain modules, as nanoGPT writes a model."""
    model = PlainLlama(config.model).to(device)
    if config.parallel.compile:
        model.compile()

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        logits = model(tokens)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    return _plain_step(model, loss, config, device)


class PlainLlama(nn.Module):
    """Llama without any of the trainer's code."""

    def __init__(self, m: ModelConfig) -> None:
        super().__init__()
        self.m = m
        self.embed = nn.Embedding(m.vocab_size, m.hidden_size)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "n1": nn.RMSNorm(m.hidden_size, m.norm_eps),
                    "qkv": nn.Linear(
                        m.hidden_size,
                        (m.num_attention_heads + 2 * m.kv_heads) * m.head_size,
                        bias=False,
                    ),
                    "o": nn.Linear(m.num_attention_heads * m.head_size, m.hidden_size, bias=False),
                    "n2": nn.RMSNorm(m.hidden_size, m.norm_eps),
                    "gate": nn.Linear(m.hidden_size, m.intermediate_size, bias=False),
                    "up": nn.Linear(m.hidden_size, m.intermediate_size, bias=False),
                    "down": nn.Linear(m.intermediate_size, m.hidden_size, bias=False),
                }
            )
            for _ in range(m.num_hidden_layers)
        )
        self.norm = nn.RMSNorm(m.hidden_size, m.norm_eps)
        self.head = nn.Linear(m.hidden_size, m.vocab_size, bias=False)
        if m.tie_word_embeddings:
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        m, (rows, length) = self.m, tokens.shape
        x = self.embed(tokens)
        half = torch.arange(0, m.head_size, 2, device=x.device) / m.head_size
        angles = torch.arange(length, device=x.device)[:, None] / m.rope_theta ** half[None]
        turn = torch.polar(torch.ones_like(angles), angles)
        for layer in self.layers:
            heads = (m.num_attention_heads, m.kv_heads, m.kv_heads)
            qkv = layer["qkv"](layer["n1"](x))  # type: ignore[index]
            parts = qkv.view(rows, length, -1, m.head_size).split(heads, dim=2)
            q, k, v = (p.transpose(1, 2) for p in parts)
            q, k = (
                torch.view_as_real(
                    torch.view_as_complex(p.float().reshape(*p.shape[:-1], -1, 2)) * turn
                )
                .flatten(-2)
                .to(p.dtype)
                for p in (q, k)
            )
            gqa = m.kv_heads != m.num_attention_heads
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa)
            x = x + layer["o"](out.transpose(1, 2).reshape(rows, length, -1))  # type: ignore[index]
            h = layer["n2"](x)  # type: ignore[index]
            x = x + layer["down"](F.silu(layer["gate"](h)) * layer["up"](h))  # type: ignore[index]
        result: Tensor = self.head(self.norm(x))
        return result


def data_speed(folder: str) -> list[dict[str, Any]]:
    """What a process works for its rows, and characters/s of tokenising beside SentencePiece."""
    import numpy as np

    from trainer.tokens.documents import Documents
    from trainer.tokens.tokenizer import Tokenizer

    rows = [_loading(folder, size) for size in (1, 8, 64)]
    tokenizer = Tokenizer.load(Path(folder) / "tokenizer")
    documents = Documents(folder)
    some = np.arange(min(len(documents), 3000), dtype=np.int64)
    texts = [tokenizer.decode(ids.tolist()) for ids in documents.tokens(some)]
    chars = sum(map(len, texts))
    import sentencepiece

    bare = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    for name, encode in {
        "tokenising as in prepare, one core": tokenizer.encode_batch,
        "bare SentencePiece, one core": lambda t: bare.encode(t, num_threads=1),
    }.items():
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()  # of this process: other work on the machine does not count
            encode(texts)
            best = min(best, time.process_time() - begin)
        rows.append({"what": name, "per second": f"{chars / best:,.0f} characters"})
    return rows


def order_of(count: int) -> list[dict[str, Any]]:
    """Time and own memory of a process that puts `count` mapped documents in order."""
    import tempfile

    import numpy as np

    from trainer.data.order import Order

    with tempfile.TemporaryDirectory() as name:
        arrays = {}
        for key, kind in {"lengths": np.uint32, "source": np.uint16, "weights": np.float32}.items():
            path = Path(name) / f"{key}.npy"
            array = np.lib.format.open_memmap(path, "w+", kind, (count,))
            rng = np.random.default_rng(1)
            for low in range(0, count, 1 << 22):
                part = array[low : low + (1 << 22)]
                drawn = {
                    "lengths": rng.integers(100, 1900, len(part)),
                    "source": (low >> 22) % 5,
                    "weights": rng.choice([1.0, 1.5, 2.0], len(part), p=[0.8, 0.1, 0.1]),
                }
                part[:] = drawn[key]
            array.flush()
            del array, part
            arrays[key] = np.load(path, mmap_mode="r")
        rows = []
        for what, weights in {"": None, ", with weights": arrays["weights"]}.items():
            begin, before = time.process_time(), _own_memory()
            names, data = [f"s{i}" for i in range(5)], DataConfig()
            order = Order(arrays["lengths"], arrays["source"], names, data, 1, weights)
            made = time.process_time() - begin
            order.extend(1)
            block = time.process_time()
            for one in order.blocks:
                order.documents_of(one)
            took = 1e3 * (time.process_time() - block) / len(order.blocks)
            said = (
                f"{made:.1f} s, {_own_memory() - before:.2f} GB of its own, {took:.1f} ms a block"
            )
            rows.append({"what": f"order of {count:,} documents{what}", "per second": said})
        return rows


def _own_memory() -> float:
    """GB that this process shares with no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith("RssAnon")) / 1e6


def _loading(folder: str, size: int) -> dict[str, Any]:
    """CPU time of one process of `size` for its rows of every batch of an epoch, order, counts,
    reading and digest included: the slowest of four processes bounds the run."""
    from trainer.data.loader import Loader

    config = load("150m")
    data = replace(config.data, tokens=folder, seq_len=2048, block_tokens=1 << 22)
    config = replace(config, data=data, train=replace(config.train, batch_rows=512))
    loader = Loader(config)
    steps = loader.epoch_rows() // 512
    loader.extend(steps * 512)
    times = []
    for rank in sorted({0, size // 3, 2 * size // 3, size - 1}):
        loader = Loader(config)
        begin = time.process_time()
        for step in range(steps):
            loader.batch(step, rank, size)
        times.append(time.process_time() - begin)
    tokens = steps * 512 * 2048
    return {
        "what": f"loader, slowest process of {size}",
        "per second": f"{tokens / max(times):,.0f} tokens of the batch, "
        f"{1e9 * max(times) / tokens:.2f} ns each",
    }


def _plain_step(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    config: Config,
    device: torch.device,
) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    tokens, targets = _batch(config, device)
    dtype = parallel.compute_dtype(config.parallel, device)

    def step() -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            value = loss(tokens, targets)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _batch(config: Config, device: torch.device) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (config.train.batch_rows, config.data.seq_len)
    tokens = torch.randint(0, config.model.vocab_size, shape, generator=generator).to(device)
    return tokens, tokens.roll(-1, dims=1)


def _config(shape: str, rows: int, seq_len: int, compiled: bool) -> Config:
    if shape == "cpu":
        config = Config(model=CPU_SHAPE, data=DataConfig(seq_len=512))
        rows = rows or 4
    else:
        config = load(shape)
        rows = rows or config.train.micro_rows
    if seq_len:
        longest = max(seq_len, config.model.max_position_embeddings)
        data = replace(config.data, seq_len=seq_len)
        model = replace(config.model, max_position_embeddings=longest)
        config = replace(config, data=data, model=model)
    settings = replace(config.train, batch_rows=rows, micro_rows=rows)
    return replace(config, train=settings, parallel=replace(config.parallel, compile=compiled))


def _print(rows: list[dict[str, Any]]) -> None:
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine()
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if not cuda:
        print("GPU: not measured (none on this machine)")
    keys = list(rows[0])
    print("| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(str(row.get(k, "")) for k in keys) + " |")
    print(json.dumps(rows), file=sys.stderr)


if __name__ == "__main__":
    main()
