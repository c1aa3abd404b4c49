"""How every kernel is declared, and names for the columns that kernels fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from numba import njit, types

from filters.kernels.cache import KernelCache
from filters.kernels.linked import linked


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """A compiled function: made at the first call, cached, running without the GIL.

    Python calls it as machine code. Kernels that call it take in its LLVM code, which is made once
    (`_one_form`) and optimised only as a part of them.
    """
    compiled = njit(nogil=True, no_cfunc_wrapper=True)(function)
    compiled._cache = KernelCache(function)
    options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    inner = njit(nogil=True, **options)(function)

    def call_template(args: Iterable[Any], kws: dict[str, Any]) -> Any:
        kws = {name: _one_form(kind) for name, kind in kws.items()}
        with linked():
            return inner.get_call_template(tuple(_one_form(kind) for kind in args), kws)

    compiled.get_call_template, compiled.get_overload = call_template, inner.get_overload
    return compiled


def _one_form(kind: Any) -> Any:
    """The type an argument is passed as between kernels: no literals, signed integers as int64."""
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, types.Integer) and kind.signed else kind


def inlined(function: Callable[..., Any]) -> Any:
    """A kernel that is copied into its callers: for what is called once a character.

    By LLVM (`forceinline`), not by numba (`inline="always"`), which would type it again each time.
    """
    return kernel(function, forceinline=True)


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
