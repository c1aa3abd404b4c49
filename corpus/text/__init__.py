"""Texts: which language, and normalisation that loses nothing."""
