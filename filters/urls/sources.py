"""Where lists of hosts and URLs come from: UT1 folders and archives, plain files, the settings.

UT1 (Université Toulouse Capitole, dsi.ut-capitole.fr/blacklists, CC BY-SA 4.0) is a folder with
one folder a category, each with files `domains` and `urls`, published as blacklists.tar.gz and as
one .tar.gz a category. Nothing is downloaded here and no archive is unpacked to disk.
"""

from __future__ import annotations

import difflib
import gzip
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

CHUNK = 8 << 20  # bytes read at a time
_FILES = {"domains": False, "domains.gz": False, "urls": True, "urls.gz": True}
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class UrlListError(ValueError):
    """A list that cannot be loaded: one line that says which and what to do."""


@dataclass(frozen=True)
class Source:
    """One list. `path` is a UT1 folder or tar archive, or a plain file (.gz too).

    `categories` chooses categories of a UT1 source, in order of priority; None takes all, by name.
    A plain file is one category: the single name in `categories`, or the file's name without its
    ending. `entries` are lines given directly instead of a path.
    """

    path: Path | None = None
    categories: tuple[str, ...] | None = None
    allow: bool = False
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """One file of one category; `pieces()` reads its bytes anew, unpacked. `file` holds them on
    disk, under the name `inner` if it is an archive."""

    source: str
    category: str
    allow: bool
    urls: bool
    pieces: Callable[[], Iterator[bytes]]
    file: Path | None = None
    inner: str = ""


def contents(files: Iterable[Member]) -> Iterator[bytes]:
    """Raw bytes of every file behind these members, each file once: what a cache depends on."""
    seen: set[Path] = set()
    for member in files:
        if member.file is None:
            yield from member.pieces()
        elif member.file not in seen:
            seen.add(member.file)
            with open(member.file, "rb") as stream:
                yield from _pieces(stream)


def members(sources: Iterable[Source]) -> Iterator[Member]:
    """The files to read, in order of priority; raises UrlListError."""
    for source in sources:
        if source.path is None:
            yield _given(source)
        elif not source.path.exists():
            raise UrlListError(f"URL list {source.path}: no such file or folder")
        elif has_categories(source.path):
            files = _folders if source.path.is_dir() else _archived
            yield from _chosen(source, source.path, files(source.path))
        else:
            yield _plain(source, source.path)


def has_categories(path: Path) -> bool:
    """Whether a list is a UT1 folder or archive; a plain list is one category."""
    return path.is_dir() or path.name.endswith(_TAR)


def check(sources: Iterable[Source]) -> None:
    """Raise UrlListError as reading these lists would, for what is missing; lines are not read."""
    for _ in members(sources):
        pass


def _given(source: Source) -> Member:
    text = "\n".join(source.entries).encode("utf-8", "replace")
    name = source.categories[0] if source.categories else "custom"
    return Member("settings", name, source.allow, False, lambda: iter((text,)))


def _plain(source: Source, path: Path) -> Member:
    names = source.categories or (path.name.removesuffix(".gz").rpartition(".")[0] or path.name,)
    if len(names) != 1:
        raise UrlListError(
            f"URL list {path}: a plain list is one category, not {len(names)}; "
            "give a folder of the UT1 form for several"
        )
    return Member(path.name, names[0], source.allow, False, lambda: _read(path), path)


# by category: (whether it is of the form `urls`, reader, file on disk, name in the archive)
Files = dict[str, list[tuple[bool, Callable[[], Iterator[bytes]], Path, str]]]


def _chosen(source: Source, path: Path, files: Files) -> Iterator[Member]:
    """The wanted categories of a UT1 source."""
    if not files:
        raise UrlListError(f"URL list {path}: no CATEGORY/domains or CATEGORY/urls in it")
    for category in sorted(files) if source.categories is None else source.categories:
        if category not in files:
            near = difflib.get_close_matches(category, files, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(files))}"
            raise UrlListError(f"URL list {path}: no category {category}; {hint}")
        for urls, pieces, file, inner in files[category]:
            yield Member(path.name, category, source.allow, urls, pieces, file, inner)


def _folders(path: Path) -> Files:
    files: Files = {}
    for folder in [path, *sorted(path.iterdir())]:
        for name, urls in _FILES.items():
            file = folder / name
            if file.is_file():
                files.setdefault(folder.name, []).append((urls, _reader(file), file, ""))
    return files


def _reader(file: Path) -> Callable[[], Iterator[bytes]]:
    return lambda: _read(file)


def _read(file: Path) -> Iterator[bytes]:
    try:
        with open(file, "rb") as raw:
            yield from _pieces(_unpacked(raw, file.name))
    except (OSError, EOFError) as error:
        raise UrlListError(f"URL list {file}: {error}") from None


def _archived(path: Path) -> Files:
    """Members of a tar archive: [blacklists/]CATEGORY/domains. A link to a folder is a category
    of its own, as ads → publicite in UT1."""
    files: Files = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                folder, _, name = info.name.rpartition("/")
                category = folder.rpartition("/")[2]
                if info.isfile() and name in _FILES and category:
                    entry = (_FILES[name], _member(path, info.name), path, info.name)
                    files.setdefault(category, []).append(entry)
                elif info.issym():
                    links[name] = info.linkname.rstrip("/").rpartition("/")[2]
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UrlListError(f"URL list {path}: {error}") from None
    for category in files:
        files[category].sort(key=lambda pair: pair[0])
    return files | {new: files[old] for new, old in links.items() if old in files}


def _member(path: Path, name: str) -> Callable[[], Iterator[bytes]]:
    def read() -> Iterator[bytes]:
        try:
            with tarfile.open(path) as archive:
                stream = archive.extractfile(name)
                if stream is not None:
                    yield from _pieces(_unpacked(stream, name))
        except (OSError, EOFError, tarfile.TarError) as error:
            raise UrlListError(f"URL list {path}, {name}: {error}") from None

    return read


def _unpacked(stream: IO[bytes], name: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if name.endswith(".gz") else stream


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(CHUNK):
        yield piece
