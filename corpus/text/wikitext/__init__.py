"""Wikitext: its tree, the templates that carry words, and an article as blocks."""
