"""From Parquet text to token shards: what an INPUT is, tokenizers, and the shards they make."""
