"""Exact kinds of duplicates: the same normalised text, the same canonical address.

The text hash is MurmurHash3_x64_128 of the normalised text
(corpus.dedup.signatures.minhash.sign_texts); two texts that differ only in width, case, punctuation
or white space are the same. 128 bits make an accidental collision among 10**11 documents a matter
of 10**-17.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from filters.buffers import Texts
from filters.urls.canonical import canonical_url


def url_keys(urls: Texts) -> np.ndarray:
    """A 64-bit key (uint64[n]) of each canonical address; 0, which matches none, without."""
    keys = np.zeros(len(urls), np.uint64)
    if isinstance(urls, pa.ChunkedArray):
        urls = urls.combine_chunks()
    for i, url in enumerate(urls.to_pylist()):
        name = canonical_url(url) if url else ""
        if name:
            digest = hashlib.blake2b(name.encode("ascii"), digest_size=8).digest()
            keys[i] = int.from_bytes(digest, "little") or 1
    return keys
