"""What the addresses of copies say about which is the original, and which the newest."""

from __future__ import annotations

import re
from itertools import repeat

import numpy as np
import pyarrow as pa

from filters.urls.canonical import canonical_url

# Standing of a copy by the address it names as its own, best first.
OWN, SILENT, SAME_HOST, OTHER_HOST = range(4)

# A version as a part of a path, in dots or behind a v: /3.12/, /v2/, /ja/2.4.1/.
_VERSION = re.compile(r"/(?:v(\d{1,4})|v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?)(?=/|$)", re.I)
_PARTS = 10_000  # values of a part of a version
CURRENT = np.iinfo(np.int64).max


def standing(urls: pa.Array, stated: pa.Array | None) -> np.ndarray:
    """int8[n]: OWN where a copy names its own address, SILENT where it names none, SAME_HOST where
    it names another of its host, OTHER_HOST where it names one elsewhere (it is the mirror)."""
    out = np.full(len(urls), SILENT, np.int8)
    for i, (url, address) in enumerate(_pairs(urls, stated)):
        if not address:
            continue
        named = canonical_url(address)
        ours = named if url == address else canonical_url(url)
        if not ours or not named:
            continue
        if ours == named:
            out[i] = OWN
        else:
            out[i] = SAME_HOST if _host(ours) == _host(named) else OTHER_HOST
    return out


def own(urls: pa.Array, stated: pa.Array | None) -> pa.Array:
    """The addresses by which copies count as one page: the named one, else where it was found."""
    return pa.array([address or url for url, address in _pairs(urls, stated)], pa.string())


def versions(urls: pa.Array) -> np.ndarray:
    """int64[n]: the first version in the path, comparable as a number; CURRENT without one."""
    out = np.full(len(urls), CURRENT, np.int64)
    for i, url in enumerate(urls.to_pylist()):
        found = _VERSION.search(url.partition("?")[0].partition("://")[2]) if url else None
        if found:
            major, minor, patch = found[1] or found[2], found[3] or 0, found[4] or 0
            out[i] = (int(major) * _PARTS + int(minor)) * _PARTS + int(patch)
    return out


def _pairs(urls: pa.Array, stated: pa.Array | None) -> zip[tuple[str, str]]:
    named = repeat("") if stated is None else (name or "" for name in stated.to_pylist())
    return zip((url or "" for url in urls.to_pylist()), named, strict=False)


def _host(name: str) -> str:
    return re.split("[/?]", name, maxsplit=1)[0]
