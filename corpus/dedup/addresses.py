"""What the addresses of copies say about which is the original, and which of a host the newest."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from filters.urls.canonical import canonical_url

CANONICAL, SILENT, ELSEWHERE = range(3)  # standing of a copy, best first

# A version as a part of a path, in dots or behind a v: /3.12/, /v2/, /ja/2.4.1/.
_VERSION = re.compile(r"/(?:v(\d{1,4})|v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?)(?=/|$)", re.I)
MAY_HAVE_VERSION = r"(?i)/(v[0-9]|[0-9]{1,4}\.[0-9])"  # what that needs, for RE2
_PARTS = 10_000  # values of a part of a version
CURRENT = _PARTS**3  # of an address without a version: the newest


def standings(
    label: np.ndarray, urls: Iterable[str | None], stated: Iterable[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """(standing int8[n], outdated bool[n]) of copies.

    label: int64[n], the cluster of each; urls: their addresses; stated: those that they name as
    their own. CANONICAL: a copy of the cluster (perhaps this one) names its host; SILENT: it names
    no address; ELSEWHERE: it names one of another host. Outdated: a copy of its host in the
    cluster is of a higher version, or this one names another address of its host and that does not.
    """
    standing, outdated = np.full(len(label), SILENT, np.int8), np.zeros(len(label), np.bool_)
    ours, named = ([canonical_url(url or "") for url in column] for column in (urls, stated))
    hosts, there = ([(k, _host(name)) for k, name in _keyed(label, x)] for x in (ours, named))
    known = set(there)
    best: dict[tuple[int, str], tuple[bool, int]] = {}
    scores = []
    for i, (own, address) in enumerate(zip(ours, named, strict=True)):
        if own and hosts[i] in known:
            standing[i] = CANONICAL
        elif own and address:
            standing[i] = ELSEWHERE
        is_named = not address or address == own or there[i] != hosts[i]
        scores.append((is_named, version(own)))
        best[hosts[i]] = max(best.get(hosts[i], (False, 0)), scores[i])
    for i, own in enumerate(ours):
        outdated[i] = own != "" and scores[i] < best[hosts[i]]
    return standing, outdated


def version(name: str) -> int:
    """The first version in the path of a canonical address, as a number; CURRENT without one."""
    found = _VERSION.search(name.partition("?")[0])
    if not found:
        return CURRENT
    major, minor, patch = found[1] or found[2], found[3] or 0, found[4] or 0
    return (int(major) * _PARTS + int(minor)) * _PARTS + int(patch)


def own(urls: pa.Array, stated: pa.Array | None) -> pa.Array:
    """The addresses by which copies count as one page: the named one, else where it was found."""
    if stated is None:
        return urls
    pairs = zip(urls.to_pylist(), stated.to_pylist(), strict=True)
    return pa.array([address or url for url, address in pairs], pa.string())


def _keyed(label: np.ndarray, names: list[str]) -> Iterable[tuple[int, str]]:
    return zip(label.tolist(), names, strict=True)


def _host(name: str) -> str:
    return re.split("[/?]", name, maxsplit=1)[0]
