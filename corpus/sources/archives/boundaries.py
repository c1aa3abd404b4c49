"""The first record of a byte range, also where archives lie inside archives.

A crawl holds downloaded `.warc.gz` files, and packing leaves such bytes as they are: in the middle
of a member there stand members that look like any other. Whoever starts reading there must not take
them for records of this file, or the output would depend on where the file was cut. So the reader
starts a little before the range and follows the members into it.
"""

from __future__ import annotations

from collections.abc import Callable

LOOK_BACK = 2 << 20  # bytes; an archive inside an archive is seen through up to this length


def range_start(
    start: int, end: int, find: Callable[[int, int], int], behind: Callable[[int], int]
) -> int:
    """Offset of the first member that starts in [start, end), else `end` or more.

    `find(a, b)` gives the first thing in [a, b) that looks like a member, else b; `behind(offset)`
    the offset behind the one that starts there, -1 when it is damaged.
    """
    position = find(max(0, start - LOOK_BACK), start)
    while position < start:
        after = behind(position)
        if after >= start:
            return find(after, end) if after < end else after
        position = find(after if after > position else position + 1, start)
    return find(start, end)
