"""A build folder in an object store, worked on in a local folder that mirrors it.

    corpus build INPUT… --out s3://bucket/prefix --work DIR

Every stage reads and writes a local *working folder*; the store holds the truth. What
`corpus.folder.folder` commits is uploaded before it gets its local name, and what it removes is
removed there first, in the same order: so at any moment the store holds what a local build folder
would hold if it were killed then. Whoever opens the folder makes the local one equal to the store.

    WORK/.mirror/remote.json  the address: makes a folder a mirror, for workers on any machine too
    WORK/.mirror/*.log        size, time of change and the store's token of each file that is equal

Hidden names (temporary files, scratch, locks) and the files that a cluster's workers exchange stay
local.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import itertools
import json
import os
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.errors import RunError, UsageError
from corpus.folder import lease
from corpus.folder.commit import sha256
from corpus.folder.layout import EXCHANGE, Layout, is_receipt
from corpus.folder.objects import Entry, Refused, Store, patience

HOME = ".mirror"
MARK = "remote.json"
LOST = "lost"
THREADS = 8  # up- and downloads at once

Known = dict[str, set[tuple[int, int, str]]]  # key → (bytes, time of change in ns, token)


def working_folder(url: str, work: str = "") -> Path:
    """Where a build folder in a store is worked on: `work`, or a folder of the user's cache."""
    if work:
        return Path(work)
    cache = os.environ.get("INAHO_WORK") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "inaho", "work"
    )
    return Path(cache) / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


def attach(url: str, work: str = "") -> Mirror:
    """The working folder of `url`, made equal to the store.

    UsageError when the store does not let us in; RunError when it does not answer.
    """
    if any(sign in url for sign in "*?[]"):
        raise UsageError(f"{url} holds *, ? or brackets: name one folder")
    # Never mix two builds: a folder is ours if it is empty or says that it mirrors this address.
    facts = {"url": url.rstrip("/")} | patience()
    root = working_folder(url, work).absolute()
    mark = root / HOME / MARK
    there = _read_json(mark).get("url")
    if there not in (None, facts["url"]):
        raise UsageError(f"{root} mirrors {there}: choose another --work for {url}")
    lock = Layout(root).lock
    if there is None and any(n not in (HOME, lock.name) for n in _names(root)):
        raise UsageError(f"{root} is no mirror of {url} and not empty: choose another --work")
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps(facts))
    except OSError as error:
        raise UsageError(f"cannot work in {root}: {error.strerror or error}") from error
    # Only under the folder's lock: what another build of this machine writes is not to be undone.
    mirror = Mirror(root, **facts)
    with open(lock, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # a build runs here: what is local is what it has committed
            return mirror
        try:
            mirror.pull(repair=False)
        except Refused as error:
            if there is None:  # a mistyped address does not keep the folder
                mark.unlink()
            raise UsageError(str(error)) from error
    return mirror


def mirror_of(root: Path) -> Mirror | None:
    """The mirror that a working folder is, as its mark says; None for other folders."""
    mark = root / HOME / MARK
    if not mark.exists():
        return None
    facts = _read_json(mark)
    try:
        return Mirror(
            root.absolute(), *(facts[k] for k in ("url", "attempts", "timeout", "backoff"))
        )
    except KeyError as error:
        raise RunError(f"{mark} is damaged: remove {root}") from error


@dataclass(frozen=True)
class Mirror:
    """A working folder and its store; small and picklable, each process opens its own store."""

    root: Path  # absolute
    url: str
    attempts: int
    timeout: float
    backoff: float

    @property
    def store(self) -> Store:
        """The store, with the connections of this process."""
        return _store(self.url, self.attempts, self.timeout, self.backoff, os.getpid())

    @property
    def home(self) -> Path:
        """The folder of the mark and the logs."""
        return self.root / HOME

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Write to the store alone; the caller holds the local lock."""
        lost = self.home / LOST
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lease.held(self.store, lost.touch))
            except Refused as error:
                raise UsageError(str(error)) from error
            # Now nobody else writes: start equal to the store, end with the store equal to here.
            lost.unlink(missing_ok=True)
            self.pull(repair=True)
            yield
            self.settle()

    def put(self, data: Path, path: Path) -> None:
        """Upload the file `data` as what is to be `path`, unless that stays local."""
        key = self._key(path)
        if _is_mirrored(key):
            self._upload(data, key)

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove from the store what is to be removed here."""
        self.drop(filter(_is_mirrored, map(self._key, paths)))

    def copy(self, moves: Iterable[tuple[Path, Path]]) -> None:
        """Copy objects inside the store: (file here, what is to be its name), one after another.

        A file that the store does not have yet is uploaded.
        """
        if (self.home / LOST).exists():
            raise RunError(f"another build took {self.url} over: this one has ended")
        for path, target in moves:
            entry = self.store.copy(self._key(path), self._key(target), path)
            self._note(self._key(target), path, entry)

    def _key(self, path: Path) -> str:
        return path.absolute().relative_to(self.root).as_posix()

    def _upload(self, data: Path, key: str) -> None:
        if (self.home / LOST).exists():
            raise RunError(f"another build took {self.url} over: this one has ended")
        self._note(key, data, self.store.put(data, key))

    def drop(self, keys: Iterable[str]) -> None:
        """Delete objects from the store, whether they are there or not."""
        with ThreadPoolExecutor(THREADS) as threads:
            for _ in threads.map(self.store.delete, keys):
                pass

    def pull(self, repair: bool) -> None:
        """Make the folder equal to the store.

        A file is fetched unless it is known to be equal: same size, and unchanged since it was up-
        or downloaded under the token that the store has now. A receipt one of whose outputs came
        with other bytes than it says is dropped if `repair`, so that its unit is done anew.
        """
        # What is only here was never committed; what is known to be equal is not fetched again.
        there, known, local = self._compare()
        for key in sorted(local - there.keys()):  # a build died before it had uploaded it
            (self.root / key).unlink(missing_ok=True)
        equal = {key for key in local & there.keys() if self._is_equal(key, there[key], known)}
        self._compact({key: there[key] for key in equal})
        # Eight at once; each gets its name when it is whole and on disk.
        fresh = sorted(there.keys() - equal)
        with ThreadPoolExecutor(THREADS) as threads:
            for _ in threads.map(self._fetch, fresh, [there[key] for key in fresh]):
                pass
        for receipt, output in self._damaged(set(fresh)):
            os.utime(self.root / output)  # it is not known to be equal any more
            if repair:
                self.drop([receipt])
                (self.root / receipt).unlink(missing_ok=True)

    def _compare(self) -> tuple[dict[str, Entry], Known, set[str]]:
        """(objects of the store by key, what is known of them, files of the folder)."""
        there = {key: entry for key, entry in self.store.list().items() if _is_mirrored(key)}
        return there, self._known(), set(self._files())

    def settle(self) -> None:
        """Make the store equal to the folder: what was not committed through the folder."""
        # Receipts go first and come last: a kill between leaves outputs without a receipt, which
        # are made anew, and never a receipt without its outputs.
        there, known, local = self._compare()
        gone = there.keys() - local
        self.drop(filter(is_receipt, gone))
        self.drop(itertools.filterfalse(is_receipt, gone))
        for key in sorted(local, key=lambda key: (is_receipt(key), key)):
            if key not in there or not self._is_equal(key, there[key], known):
                self._upload(self.root / key, key)

    def _fetch(self, key: str, entry: Entry) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
        try:
            self.store.get(key, temporary, entry.size)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            temporary.unlink(missing_ok=True)
        self._note(key, path, entry)

    def _files(self) -> Iterator[str]:
        """Keys of the files here that the store is to hold as well."""
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if _is_mirrored(key):
                    yield key

    def _note(self, key: str, file: Path, entry: Entry) -> None:
        """Write down that a file is equal to an object; one log a process, a line at once."""
        facts = file.stat()
        line = json.dumps([key, facts.st_size, facts.st_mtime_ns, entry.token]) + "\n"
        log = self.home / f"{socket.gethostname()}-{os.getpid()}.log"
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def _known(self) -> Known:
        """Key → states of the file that were equal to an object, from the logs of all processes."""
        known: Known = {}
        for log in self.home.glob("*.log"):
            for line in log.read_bytes().splitlines():
                try:
                    key, size, time, token = json.loads(line)
                except ValueError:  # cut by a kill
                    continue
                known.setdefault(key, set()).add((size, time, token))
        return known

    def _is_equal(self, key: str, entry: Entry, known: Known) -> bool:
        facts = (self.root / key).stat()
        state = (facts.st_size, facts.st_mtime_ns, entry.token)
        return facts.st_size == entry.size and state in known.get(key, ())

    def _compact(self, equal: dict[str, Entry]) -> None:
        """One log in place of those of dead processes. Only under the folder's lock."""
        old = list(self.home.glob("*.log"))  # before the new one gets its name, which is *.log
        lines = []
        for key, entry in sorted(equal.items()):
            facts = (self.root / key).stat()
            lines.append(json.dumps([key, facts.st_size, facts.st_mtime_ns, entry.token]) + "\n")
        temporary = self.home / "all.tmp"
        temporary.write_text("".join(lines))
        for log in old:
            log.unlink()
        os.replace(temporary, self.home / "all.log")

    def _damaged(self, fresh: set[str]) -> list[tuple[str, str]]:
        """(receipt, output) where a fetched output has other bytes than the receipt says."""
        damaged, layout = [], Layout(self.root)
        for path in sorted(layout.state.rglob("[0-9]*.json")):
            for name, facts in (_read_json(path).get("outputs") or {}).items():
                name = (layout.folder_of(path) / name).relative_to(self.root).as_posix()
                file = self.root / name
                if name not in fresh or not file.exists():
                    continue
                if sha256(file) not in (facts["sha256"], facts.get("before", facts)["sha256"]):
                    damaged.append((path.relative_to(self.root).as_posix(), name))
        return damaged


@functools.lru_cache(maxsize=4)
def _store(url: str, attempts: int, timeout: float, backoff: float, process: int) -> Store:
    """A store's connections serve one process: a forked one opens its own."""
    return Store(url, attempts, timeout, backoff)


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _is_mirrored(key: str) -> bool:
    hidden = any(part.startswith(".") for part in key.split("/"))
    return not hidden and not key.endswith("/") and not key.startswith(f"{EXCHANGE}/")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
