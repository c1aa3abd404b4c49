"""Inaho's data side: from web archives and files to a Japanese pre-training corpus."""

__version__ = "0.1.0"
