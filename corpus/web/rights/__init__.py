"""What pages and sites say about use: read here, decided in corpus.stages.rights."""
