"""Near and exact deduplication: signatures, clusters, and which copy is kept."""
