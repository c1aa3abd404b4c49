"""Where compiled kernels are kept, so that a process loads what another one compiled.

The first of these that can be written: the folder in NUMBA_CACHE_DIR, `__pycache__` beside the
sources, the user's cache folder, a folder of the user's own among the temporary ones. Where none
can, each process compiles for itself. What is beside the sources is read in any case: an image that
was built warm (`corpus doctor --warm`) stays warm where it may not be written.

A kernel is compiled again when its file changes or one that this imports. Many processes may share
a folder, on NFS too: files are renamed into place, and no two processes write one of the same name.
What cannot be read is compiled again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    UserProvidedCacheLocator,
)
from numba.core.registry import cpu_target

ROOT = Path(__file__).resolve().parents[2]  # of the packages
BESIDE = "__pycache__"
_IMPORT = re.compile(
    r"^(?:from|import) ((?:corpus|filters|trainer)[\w.]*)(?: import (\([^)]*\)|[^#\n]*))?", re.M
)
_PROCESS = uuid.uuid4().hex[:12]  # in the names of the files that this process writes


@functools.cache
def folder() -> Path | None:
    """Where kernels are written, or None: in `__pycache__` beside the source of each."""
    beside = Path(__file__).parent / BESIDE
    for path in _folders(beside):
        if _writable(path):
            return None if path == beside else path
    return None


def _folders(beside: Path) -> Iterator[Path]:
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(given)
    yield beside
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if user.is_absolute():
        yield user / "inaho"
    # Anybody can make a folder there before us, and what is read from the cache is run.
    temporary = Path(tempfile.gettempdir()) / f"inaho-{os.getuid()}"
    with contextlib.suppress(OSError):
        temporary.mkdir(mode=0o700, exist_ok=True)
        found = temporary.lstat()
        if found.st_uid == os.getuid() and not found.st_mode & 0o022 and temporary.is_dir():
            yield temporary


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        return False
    return True


@functools.cache
def stamp(source: Path) -> str:
    """Digest of a source file and of all files of the packages that it imports."""
    text = source.read_text("utf-8")
    digest = hashlib.sha256(text.encode())
    for module, names in _IMPORT.findall(text):
        base = ROOT.joinpath(*module.split("."))
        parts = [base / name.split()[0] for name in names.strip("()").split(",") if name.strip()]
        for path in (part.with_suffix(".py") for part in (base, *parts)):
            if path != source and path.is_file():
                digest.update(stamp(path).encode())
    return digest.hexdigest()


class _Locator(UserProvidedCacheLocator):
    """The folder of a kernel's files. numba's own makes a file there to see whether it can."""

    def __init__(self, function: Any, file: str) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno
        self.beside = os.path.join(os.path.dirname(file), BESIDE)
        base = folder()
        subpath = self.get_suitable_cache_subpath(file)
        self._cache_path = self.beside if base is None else os.path.join(base, subpath)

    @classmethod
    def from_function(cls, function: Any, file: str) -> _Locator:
        return cls(function, file)

    def ensure_cache_path(self) -> None:
        os.makedirs(self._cache_path, exist_ok=True)

    def get_source_stamp(self) -> str:
        return stamp(Path(self._py_file).resolve())


class _Impl(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class KernelCache(FunctionCache):
    """The files of one kernel: read where they are written, and beside the source."""

    _impl_class = _Impl

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        locator, name = self._impl.locator, self._impl.filename_base
        files = [
            IndexDataCacheFile(path, name, locator.get_source_stamp())
            for path in dict.fromkeys((locator.get_cache_path(), locator.beside))
        ]
        for file in files:
            # Two processes that save two forms at once would both call theirs number 1.
            file._data_name_pattern = f"{name}.{_PROCESS}.{{number:d}}.nbc"
        self._cache_file, self._files = files[0], files

    def holds(self) -> bool:
        """Whether the kernel is compiled for this processor already, in any form."""
        machine = cpu_target.target_context.codegen().magic_tuple()
        with contextlib.suppress(Exception):
            return any(key[1] == machine for file in self._files for key in file._load_index())
        return False

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The kernel compiled for these types, or None."""
        try:
            for file in self._files:
                self._cache_file = file
                # A file cut off by a full disk, or of another release of a library.
                with contextlib.suppress(Exception):
                    if (found := super().load_overload(signature, target)) is not None:
                        return found
            return None
        finally:
            self._cache_file = self._files[0]

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a kernel for other processes, if that can be."""
        with contextlib.suppress(OSError):  # a full disk, a read-only image: it runs all the same
            try:
                super().save_overload(signature, compiled)
            except (EOFError, pickle.UnpicklingError):  # an index that was cut off
                self.flush()
                super().save_overload(signature, compiled)
