"""After a run: which documents a step read, likelihood tasks, tokenizers and corpora compared."""
