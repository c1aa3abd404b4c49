"""From token shards to batches: documents, blocks, the order of data, steps, the loader."""
