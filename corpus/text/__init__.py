"""Texts: which language, and normalisation in named steps."""
