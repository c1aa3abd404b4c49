"""What a run keeps in the memory of one GPU, part by part."""

from __future__ import annotations

from trainer.config.settings import Config
from trainer.data.steps import micro_rows
from trainer.plan import flops


def memory(config: Config, gpus: int) -> dict[str, float]:
    """GB (1e9 bytes) on one GPU at the peak under FSDP2 in bfloat16, by part. An upper estimate:

    * state: float32 weight, gradient and moments (AdamW 16 bytes a parameter, Muon's matrices 12),
      sharded over gpus / parallel.replicate;
    * accumulation: float32 gradients stay whole on each GPU from one micro-batch to the next;
    * gathered: bfloat16 weights of two blocks; weight and gradient of the root group (head, tied
      embedding). One shard keeps every copy;
    * activations: what attention and MLP keep for the backward pass, in bfloat16;
    * transient: the largest of the logits (log-probabilities and two gradients in float32, 12
      bytes a token and entry), of a block's arrival buffer, gradient and its float32 copy to be
      reduced (8 bytes a parameter) and of the root's float32 copy (4). They follow each other.
    """
    model, length = config.model, config.data.seq_len
    counts = flops.parameters(model)
    shards = max(1, gpus // config.parallel.replicate)
    rows, passes = passes_of(config, gpus)
    sums = not config.parallel.reduce_every_pass
    state = 0.0 if config.parallel.cpu_offload else optimiser_bytes(config) / shards
    whole = 4 * counts["total"] * (1 - 1 / shards) if passes > 1 and sums else 0.0
    block = counts["layers"] / model.num_hidden_layers
    root = counts["head"] or counts["embedding"]
    gathered = 4 * block + 4 * root if shards > 1 else 2 * counts["total"] + 2 * root
    token = layer_bytes(config, config.parallel.activation_checkpointing == "operator")
    share = recomputed(config)
    kept = share * 2 * model.hidden_size + (1 - share) * token
    again = token if share else 0  # the layer that is being recomputed
    chunk = min(config.train.loss_chunk or rows * length, rows * length)
    logits = (16 if config.train.z_loss else 12) * chunk * model.vocab_size
    parts = {
        "state": state,
        "accumulation": whole,
        "gathered": gathered,
        "activations": rows * length * (model.num_hidden_layers * kept + again),
        "transient": max(logits, 8 * block, 4 * root),
    }
    return {k: v / 1e9 for k, v in parts.items()} | {"total": sum(parts.values()) / 1e9}


def recomputed(config: Config) -> float:
    """The share of blocks whose forward pass is made again whole."""
    mode = config.parallel.activation_checkpointing
    if mode in ("none", "operator", "full"):
        return float(mode == "full")
    return 1 / int(mode.removeprefix("every-"))


def passes_of(config: Config, gpus: int) -> tuple[int, int]:
    """(rows of a forward pass, passes of a step) on each GPU."""
    rows = micro_rows(config.train, config.train.batch_rows, gpus)
    return rows, -(-config.train.batch_rows // (gpus * rows))


def layer_bytes(config: Config, products: bool = False) -> int:
    """Bytes a layer keeps for each token in bfloat16 where nothing is recomputed.

    Inputs of both norms and of both groups of matrices; query, key, value, what attention gives;
    gate, up, the activation and the product (or, in the GPT-3 family, before and after GELU).
    products: only its input, and what matrix products and attention give.
    """
    model = config.model
    heads, kv = model.num_attention_heads * model.head_size, model.kv_heads * model.head_size
    residual = 2 if model.family == "palm" else 4
    inner = 2 if model.family == "gpt3" else 4
    if products:
        residual, inner = 3, inner // 2
    return 2 * (residual * model.hidden_size + 2 * heads + 2 * kv + inner * model.intermediate_size)


def optimiser_bytes(config: Config) -> float:
    """Weights, gradients and moments of the whole model, in float32."""
    counts = flops.parameters(config.model)
    muon = counts["layers"] if config.train.optimizer == "muon" else 0
    return 16 * counts["total"] - 4 * muon
