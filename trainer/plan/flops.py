"""Parameters and floating-point operations: the arithmetic behind MFU and the planner.

Convention, printed with every figure: a multiply-add is 2 operations, backward is twice forward,
every matrix product counts (also lm_head), the embedding look-up does not. `mfu` takes attention
as full (12·L·heads·d·T a token), as nearly all published figures do; `mfu_causal` takes half.
"""

from __future__ import annotations

from trainer.config.settings import ModelConfig


def parameters(shape: ModelConfig) -> dict[str, int]:
    """Counts of parameters: embedding, positions, layers, norms, head, total and matmul."""
    width, heads = shape.hidden_size, shape.num_attention_heads * shape.head_size
    kv, inner = shape.kv_heads * shape.head_size, shape.intermediate_size
    bias = shape.family == "gpt3"
    qkv, out = bias or shape.attention_bias != "none", bias or shape.attention_bias == "all"
    gates = 2 if bias else 3
    matrices = width * (2 * heads + 2 * kv) + gates * width * inner
    biases = (heads + 2 * kv) * qkv + width * out + (inner + width) * bias
    per_norm = width * (2 if bias else 1)
    norms = (1 if shape.family == "palm" else 2) * shape.num_hidden_layers + 1
    embedding = shape.vocab_size * width
    head = 0 if shape.tie_word_embeddings else embedding
    positions = shape.max_position_embeddings * width if bias else 0
    layers = shape.num_hidden_layers * (matrices + biases)
    heads_norms = 2 * shape.head_size * shape.num_hidden_layers * shape.qk_norm
    total = embedding + positions + layers + norms * per_norm + heads_norms + head
    return {
        "embedding": embedding,
        "positions": positions,
        "layers": layers,
        "norms": norms * per_norm + heads_norms,
        "head": head,
        "total": total,
        # The head multiplies, tied or not.
        "matmul": shape.num_hidden_layers * matrices + embedding,
    }


def per_token(shape: ModelConfig, seq_len: int, causal: bool = False) -> float:
    """Training FLOP per token (forward and backward, no recomputation)."""
    attention = 12 * shape.num_hidden_layers * shape.num_attention_heads * shape.head_size * seq_len
    return 6 * parameters(shape)["matmul"] + attention * (0.5 if causal else 1.0)


def utilisation(
    shape: ModelConfig, seq_len: int, tokens_per_s: float, peak: float
) -> dict[str, float]:
    """{"mfu", "mfu_causal"} of a rate on devices that have `peak` FLOP/s together."""
    full, half = (per_token(shape, seq_len, causal) for causal in (False, True))
    return {"mfu": tokens_per_s * full / peak, "mfu_causal": tokens_per_s * half / peak}
