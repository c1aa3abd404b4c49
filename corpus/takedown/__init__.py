"""Documents taken out for good: of a build, of an index of crawls, of token shards.

named     what flags and list files name
builds    `corpus remove` of a build folder, brought up to date
crawls    the same of an index of crawls that builds are compared with
words     what a terminal is told
"""

from corpus.takedown.builds import copies_that_stay, from_build, from_tokens, obeys
from corpus.takedown.crawls import from_index, merge_indexes
from corpus.takedown.named import requests
from corpus.takedown.words import as_text, copies_lines

__all__ = [
    "as_text", "copies_lines", "copies_that_stay", "from_build", "from_index", "from_tokens",
    "merge_indexes", "obeys", "requests",
]  # fmt: skip
