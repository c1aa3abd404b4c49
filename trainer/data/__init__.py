"""From Parquet text to batches: tokenizer, token shards, the order of data, the loader."""
