"""Kernels that only other kernels call: LLVM code without machine code of its own.

numba optimises every function by itself, makes machine code of it, and then links what it has
optimised into each of its callers, to be optimised again: a chain of five calls is done five times.
Here what is called is linked as it was written. This reaches into numba's `codegen` module.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable, Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target


class _Whole(JITCodeLibrary):
    """Code with machine code: with it goes what it calls, and what that calls, each once."""

    def finalize(self) -> None:
        called = self._linking_libraries  # type: ignore[has-type]
        self._linking_libraries = list(_reached(called))
        super().finalize()


class _Linked(JITCodeLibrary):
    """Code to be linked into other code: not optimised, nor given to the execution engine."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)
        self._finalize_dynamic_globals()
        self._finalized = True


def _reached(libraries: Iterable[Any]) -> dict[Any, None]:
    """The libraries and, behind each that is only linked, those that it calls."""
    found: dict[Any, None] = {}
    open_ = list(libraries)
    while open_:
        library = open_.pop()
        if library not in found:
            found[library] = None
            if isinstance(library, _Linked):
                open_.extend(library._linking_libraries)
    return found


_waiting: dict[str, Any] = {}  # environments of linked code, by symbol


@contextlib.contextmanager
def linked() -> Iterator[None]:
    """Within: what numba compiles is to be linked only."""
    codegen = cpu_target.target_context.codegen()
    before = codegen._library_class if codegen._library_class is _Linked else _Whole
    codegen._library_class = _Linked
    codegen.set_env = _set_environment
    try:
        yield
    finally:
        codegen._library_class = before


def _set_environment(name: str, environment: Any) -> None:
    """Give code its environment as soon as the engine has code of that name."""
    engine = cpu_target.target_context.codegen()._engine
    _waiting[name] = environment
    for symbol in tuple(_waiting):
        if address := engine.get_global_value_address(symbol):
            held = _waiting.pop(symbol)
            ctypes.c_void_p.from_address(address).value = id(held)
