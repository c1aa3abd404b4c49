"""Any string, its place: an index of all substrings of a build, over its shards and documents."""

from corpus.index.query import Hit, Index, Span

__all__ = ["Hit", "Index", "Span"]
