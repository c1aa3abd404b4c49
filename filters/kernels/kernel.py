"""How every kernel is declared, and names for the columns that kernels fill."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from numba import njit

# Compiled at the first call and cached beside the source; runs without the GIL.
kernel = njit(cache=True, nogil=True)
# The same, and copied into its callers: for what is called once a character.
inlined = njit(cache=True, nogil=True, inline="always")


def columns(names: Iterable[str]) -> Any:
    """Each name with its place in `names`: `columns(("a", "b")).b` is 1.

    So the order of a table's columns is said once, and a kernel writes `row[column.b]`. numba sees
    the attributes of a module as constants: neither the code nor the time to compile it differs
    from `row[1]` (a named tuple of 140 columns took six times as long). Raises ValueError for a
    name that occurs twice.
    """
    listed = tuple(names)
    if len(set(listed)) < len(listed):
        raise ValueError(f"columns of one name: {', '.join(sorted(listed))}")
    numbers = ModuleType("columns")
    vars(numbers).update({name: place for place, name in enumerate(listed)})
    return numbers
