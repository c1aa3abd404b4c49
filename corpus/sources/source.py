"""What a source is: a kind of input, how its files are known, cut and read.

A new kind is one file with `SOURCE = Source(…)` and one line in `corpus.sources.kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus.folder.folder import Folder
from corpus.settings import InputSettings, Settings
from corpus.sources.item import Item, Unit

WEB_ARCHIVES = ("warc", "ccindex")  # kinds whose records a crawler took; WET and ARC too
PACKINGS = ("", ".gz", ".zst", ".zstd", ".bz2", ".xz")


def packed(*endings: str) -> tuple[str, ...]:
    """The endings, and each with those of packed files, which `rows.unpacked` undoes."""
    return tuple(ending + packing for ending in endings for packing in PACKINGS)


def uncut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """One unit, however large the file is."""
    return [(0, -1)]


def even_cuts(total: int, size: int) -> list[tuple[int, int]]:
    """Byte ranges of about `size` of `total` bytes; up to one and a half of that is one unit."""
    if total <= size + size // 2:
        return [(0, -1)]
    count = max(1, round(total / size))
    cuts = [total * i // count for i in range(count + 1)]
    return list(zip(cuts, cuts[1:], strict=False))


@dataclass(frozen=True)
class Source:
    """A kind of input.

    endings: of file names, lower case; none: it must be asked for. read: the items of a unit.
    cut: (file, its bytes, bytes a unit) → ranges that `read` understands, (0, -1) for the whole;
    they depend on the file and the size alone. bundled: small files, many of which make a unit.
    knows: whether the first bytes of a file, unpacked, are of this kind.
    check: (file, names of columns): a look at its head when the build is planned; UnreadableError
    for a file without the column that holds the text.
    plan: (inputs, settings, folder of the build) → the units of all inputs, where a source does not
    cut file by file.
    """

    kind: str
    endings: tuple[str, ...]
    read: Callable[[Unit, Settings], Iterator[Item]]
    cut: Callable[[str, int, int], list[tuple[int, int]]] = uncut
    bundled: bool = False
    knows: Callable[[bytes], bool] | None = None
    check: Callable[[str, InputSettings], object] | None = None
    plan: Callable[[list[str], Settings, Folder | None], list[Unit]] | None = None
