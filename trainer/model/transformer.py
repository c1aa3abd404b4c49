"""The network: Llama, and the GPT-3 and PaLM families as small variants of the same file.

    llama   RMSNorm, SwiGLU, rotary positions, grouped-query attention
    gpt3    LayerNorm, GELU, learned positions, biases (Brown et al. 2020)
    palm    LayerNorm without bias, attention and MLP in parallel, multi-query (Chowdhery 2022)

Modules carry the names of Hugging Face's Llama, so export needs no key map. Positions are a
function of the configuration, not a buffer: nothing is left uninitialised by a meta-device build.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from trainer.config.settings import ModelConfig
from trainer.model.attention import Mask, attend, causal_mask


@dataclass
class Cache:
    """Keys and values of the tokens seen so far: [rows, kv_heads, capacity, d] for each layer.

    last_only: of the tokens that are put in, only the last one's logits are wanted.
    """

    capacity: int
    last_only: bool = False
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    length: int = 0


class Attention(nn.Module):
    """Multi-head attention with fewer key/value heads where asked."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bias = config.family == "gpt3" or config.attention_bias != "none"
        width, self.head_size = config.hidden_size, config.head_size
        heads, kv_heads = config.num_attention_heads, config.kv_heads
        self.q_proj = nn.Linear(width, heads * self.head_size, bias=bias)
        self.k_proj = nn.Linear(width, kv_heads * self.head_size, bias=bias)
        self.v_proj = nn.Linear(width, kv_heads * self.head_size, bias=bias)
        bias = config.family == "gpt3" or config.attention_bias == "all"
        self.o_proj = nn.Linear(heads * self.head_size, width, bias=bias)
        eps = config.norm_eps
        self.q_norm = nn.RMSNorm(self.head_size, eps=eps) if config.qk_norm else None
        self.k_norm = nn.RMSNorm(self.head_size, eps=eps) if config.qk_norm else None

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor] | None, mask: Mask, past: _Past | None
    ) -> Tensor:
        """x: [rows, T, width], returned in the same shape; rope: (cos, sin), float32[T, d]."""
        rows, length, _ = x.shape
        shape = (rows, length, -1, self.head_size)
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (project(x).view(shape).transpose(1, 2) for project in projections)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = rotate(q, *rope), rotate(k, *rope)
        if past is not None:
            k, v = past.append(k, v)
        out = attend(q, k, v, mask)
        return self.o_proj(out.transpose(1, 2).reshape(rows, length, -1))


class MLP(nn.Module):
    """SwiGLU, or GELU for the GPT-3 family."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bias = config.family == "gpt3"
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(width, inner, bias=False) if not bias else None
        self.up_proj = nn.Linear(width, inner, bias=bias)
        self.down_proj = nn.Linear(inner, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: [rows, T, width], returned in the same shape."""
        if self.gate_proj is None:
            return self.down_proj(F.gelu(self.up_proj(x), approximate="tanh"))
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One layer. `recompute`: what of it is made again in the backward pass."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.parallel = config.family == "palm"
        self.recompute: Literal["nothing", "operator", "all"] = "nothing"
        self.input_layernorm = norm(config)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = None if self.parallel else norm(config)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        rope: tuple[Tensor, Tensor] | None,
        mask: Mask = None,
        past: _Past | None = None,
    ) -> Tensor:
        """x: [rows, T, width], returned in the same shape."""
        if self.recompute != "nothing" and self.training:
            policy: Any = {"context_fn": _keep_products} if self.recompute == "operator" else {}
            out: Tensor = checkpoint(
                self._layer, x, rope, mask, past, use_reentrant=False, **policy
            )
            return out
        return self._layer(x, rope, mask, past)

    def _layer(
        self, x: Tensor, rope: tuple[Tensor, Tensor] | None, mask: Mask, past: _Past | None
    ) -> Tensor:
        h = self.input_layernorm(x)
        if self.post_attention_layernorm is None:
            return x + self.self_attn(h, rope, mask, past) + self.mlp(h)
        x = x + self.self_attn(h, rope, mask, past)
        return x + self.mlp(self.post_attention_layernorm(x))


def _keep_products() -> Any:
    """For `checkpoint`: matrix products and attention are kept, norms and activations are not."""
    aten = torch.ops.aten
    return create_selective_checkpoint_contexts(
        [
            aten.mm.default,
            aten.addmm.default,
            aten._scaled_mm.default,
            aten._scaled_dot_product_cudnn_attention.default,
            aten._scaled_dot_product_flash_attention.default,
            aten._scaled_dot_product_flash_attention_for_cpu.default,
            aten._scaled_dot_product_efficient_attention.default,
            torch.ops.torch_attn._varlen_attn.default,
        ]
    )


class Decoder(nn.Module):
    """Embedding, layers, final norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        learned = config.family == "gpt3"
        self.embed_positions = (
            nn.Embedding(config.max_position_embeddings, config.hidden_size) if learned else None
        )
        self.layers = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = norm(config)


class CausalLM(nn.Module):
    """A language model. `lm_head` is absent when the embedding is tied."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.token_loss = token_loss
        tied = config.tie_word_embeddings
        self.lm_head = (
            None if tied else nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        )

    def compile_parts(self) -> None:
        """torch.compile for each layer and for the loss; the shapes must not change."""
        for layer in self.model.layers:
            layer.compile(fullgraph=True, dynamic=False)
        self.token_loss = torch.compile(token_loss, fullgraph=True, dynamic=False)

    def forward(
        self,
        tokens: Tensor,
        targets: Tensor | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
        chunk: int = 0,
        z: float = 0.0,
    ) -> Tensor:
        """tokens: int64[rows, T]. Returns logits[rows, T, vocab].

        With targets (int64[rows, T], -100 for none): the loss of each in nats, float32[rows, T], 0
        where there is no target. `chunk` limits how many tokens' logits exist at once; z: see
        token_loss.
        """
        hidden = self._hidden(tokens, mask, cache)
        if cache and cache.last_only:
            hidden = hidden[:, -1:]
        # Used as a tensor: the parameters of FSDP's root are whole here.
        weight = (self.model.embed_tokens if self.lm_head is None else self.lm_head).weight
        if targets is None:
            return F.linear(hidden, weight)
        nll = self._losses(hidden.flatten(0, 1), weight, targets.flatten(), chunk, z)
        return nll.view(targets.shape).clone()  # FSDP's hooks must not see a view as output

    def _losses(
        self, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, z: float
    ) -> Tensor:
        if not chunk or len(hidden) <= chunk:
            return self.token_loss(hidden, weight, targets, z)
        parts = []
        for h, t in zip(hidden.split(chunk), targets.split(chunk), strict=True):
            if self.training:
                again = checkpoint(self.token_loss, h, weight, t, z, use_reentrant=False)
                parts.append(again)
            else:
                parts.append(self.token_loss(h, weight, t, z))
        return torch.cat(parts)

    def _hidden(self, tokens: Tensor, mask: Mask, cache: Cache | None) -> Tensor:
        start = cache.length if cache else 0
        length = tokens.shape[1]
        positions = torch.arange(start, start + length, device=tokens.device)
        x = self.model.embed_tokens(tokens)
        rope = None
        if self.model.embed_positions is not None:
            x = x + self.model.embed_positions(positions)
        else:
            rope = rotary(positions, self.config)
        if cache and start and mask is None:
            mask = causal_mask(length, start + length, tokens.device)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, rope, mask, _Past(cache, i) if cache else None)
        if cache:
            cache.length += length
        out: Tensor = self.model.norm(x)
        return out


def token_loss(hidden: Tensor, weight: Tensor, targets: Tensor, z: float) -> Tensor:
    """Nats of each target under logits hidden @ weightᵀ, float32[n]; 0 where the target is -100.

    z: coefficient of the squared log-partition (PaLM), which joins the gradient, not the value.
    """
    logits = F.linear(hidden, weight).float()
    nll = F.cross_entropy(logits, targets, reduction="none", ignore_index=-100)
    if not z:
        return nll
    penalty = z * torch.logsumexp(logits, dim=-1).masked_fill(targets == -100, 0.0).square()
    return nll + (penalty - penalty.detach())


def norm(config: ModelConfig) -> nn.Module:
    """The normalisation of the family."""
    if config.family == "llama":
        return nn.RMSNorm(config.hidden_size, eps=config.norm_eps)
    return nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.family == "gpt3")


def rotary(positions: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """(cos, sin), float32[T, d], in the half-split layout of Hugging Face's Llama."""
    size = config.head_size
    exponent = torch.arange(0, size, 2, dtype=torch.float32, device=positions.device) / size
    frequencies, factor = scaled(1.0 / config.rope_theta**exponent, config)
    angles = torch.outer(positions.float(), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos() * factor, angles.sin() * factor


def scaled(frequencies: Tensor, config: ModelConfig) -> tuple[Tensor, float]:
    """Rotary frequencies (float32[d / 2]) for a longer context, and the factor of cos and sin."""
    scaling = config.rope_scaling
    kind, factor = scaling.get("rope_type"), float(scaling.get("factor", 1.0))
    before = scaling.get("original_max_position_embeddings") or config.max_position_embeddings
    if kind == "llama3":  # slow waves are stretched, fast ones kept, those between blended
        low, high = float(scaling["low_freq_factor"]), float(scaling["high_freq_factor"])
        turns = before * frequencies / (2 * math.pi)
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return frequencies / factor * (1 - kept) + frequencies * kept, 1.0
    if kind == "yarn":  # Peng et al. 2023: the same by the index of the wave
        return _yarn(frequencies, factor, before, config)
    return frequencies / factor, 1.0


def _yarn(
    frequencies: Tensor, factor: float, before: float, config: ModelConfig
) -> tuple[Tensor, float]:
    scaling, size = config.rope_scaling, config.head_size

    def index(turns: float) -> float:
        """The wave that makes so many turns in the original context."""
        return size * math.log(before / (turns * 2 * math.pi)) / (2 * math.log(config.rope_theta))

    low = index(scaling.get("beta_fast") or 32.0)
    high = index(scaling.get("beta_slow") or 1.0)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, size - 1)
    wave = torch.arange(size // 2, dtype=torch.float32, device=frequencies.device)
    ramp = ((wave - low) / max(high - low, 0.001)).clamp(0, 1)

    def strength(mscale: float) -> float:
        return 0.1 * mscale * math.log(factor) + 1.0 if factor > 1 else 1.0

    m, m_all = scaling.get("mscale"), scaling.get("mscale_all_dim")
    usual = strength(m) / strength(m_all) if m and m_all else strength(1.0)
    attention = float(scaling.get("attention_factor") or usual)
    return frequencies / factor * ramp + frequencies * (1 - ramp), attention


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [rows, heads, T, d] (Su et al. 2021), in float32."""
    a, b = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-b, a], dim=-1) * sin).to(x.dtype)


class _Past:
    """One layer's view of the cache."""

    def __init__(self, cache: Cache, layer: int) -> None:
        self.cache, self.layer = cache, layer

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if len(self.cache.keys) == self.layer:  # the first tokens say device and dtype
            shape = (*k.shape[:2], self.cache.capacity, k.shape[3])
            self.cache.keys.append(k.new_zeros(shape))
            self.cache.values.append(v.new_zeros(shape))
        start, stop = self.cache.length, self.cache.length + k.shape[2]
        keys, values = self.cache.keys[self.layer], self.cache.values[self.layer]
        keys[:, :, start:stop] = k
        values[:, :, start:stop] = v
        return keys[:, :, :stop], values[:, :, :stop]
