"""The main text of a page: features, boosted trees, lines that are never text."""
