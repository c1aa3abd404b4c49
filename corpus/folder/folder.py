"""A build folder: where it is, how files get into it whole, who may write to it.

    folder = open_folder("s3://bucket/corpus", work="")       or open_folder("out")
    with folder.lock():                                       one build writes at a time
        digest, rows = folder.commit_parquet(folder.layout.documents(3), DOCUMENT, batches)
        folder.write_receipt("harvest", 3, {path: digest}, counts)

A unit of work is done when its *receipt* exists: a small JSON file with the size and SHA-256 of
every output, committed after them. Killing the process at any moment therefore loses at most the
units in flight. A `Folder` is small and picklable, so that workers commit as the driver does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from corpus.errors import RunError, UsageError
from corpus.folder import swap
from corpus.folder.commit import (
    ROWS_PER_GROUP,
    Batches,
    ParquetWriter,
    bytes_writer,
    is_sealed,
    json_bytes,
    sealed,
    sha256,
)
from corpus.folder.commit import commit as commit_file
from corpus.folder.layout import Layout, damaged
from corpus.folder.mirror import Mirror, attach, mirror_of


@dataclass(frozen=True)
class Folder:
    """A local folder, or (mirror) the working folder of one in an object store."""

    path: Path
    mirror: Mirror | None = None

    @property
    def layout(self) -> Layout:
        return Layout(self.path, self.mirror.url if self.mirror else "")

    @property
    def staged(self) -> Folder:
        """Where the next publication is made: a small build folder inside this one."""
        return Folder(self.layout.staged.root, self.mirror)

    def __str__(self) -> str:
        """The name that users know: its address where it is a mirror."""
        return self.mirror.url if self.mirror else str(self.path)

    # files ----------------------------------------------------------------------------------------

    def commit(self, path: Path, write: Callable[[IO[bytes]], None]) -> str:
        """`commit.commit`; in a mirror uploaded first: what has its name here is there."""
        if self.mirror is None:
            return commit_file(path, write)
        put = self.mirror.put
        return commit_file(path, write, lambda data: put(data, path))

    def commit_bytes(self, path: Path, data: bytes) -> str:
        return self.commit(path, bytes_writer(data))

    def commit_json(self, path: Path, value: Any) -> str:
        return self.commit(path, bytes_writer(json_bytes(value)))

    def commit_parquet(
        self, path: Path, schema: pa.Schema, batches: Batches, rows: int = ROWS_PER_GROUP
    ) -> tuple[str, int]:
        """(SHA-256, rows) of a Parquet file, written as `commit.commit_parquet` does."""
        write = ParquetWriter(schema, batches, rows)
        return self.commit(path, write), write.rows

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files, in the object store first; nothing where there is none."""
        gone = list(paths)
        if self.mirror is not None:
            self.mirror.remove(gone)
        for path in gone:
            path.unlink(missing_ok=True)

    # receipts -------------------------------------------------------------------------------------

    def write_receipt(
        self, stage: str, index: int, outputs: dict[Path, str], counts: dict[str, Any]
    ) -> None:
        """Commit the receipt of a unit: its outputs (path → SHA-256) and its counts."""
        files = {
            str(file.relative_to(self.path)): {"bytes": file.stat().st_size, "sha256": digest}
            for file, digest in outputs.items()
        }
        receipt = sealed({"outputs": files, "counts": counts})
        self.commit_json(self.layout.receipt(stage, index), receipt)

    def receipt(self, stage: str, index: int = 0) -> dict[str, Any] | None:
        """The receipt of a unit if it is whole and every output has the recorded size, else None.

        {outputs: {path: {bytes, sha256}}, counts}. While an output is being replaced it also has
        `before`, the size and hash until then: a kill leaves one of the two.
        """
        try:
            receipt: dict[str, Any] = json.loads(self.layout.receipt(stage, index).read_bytes())
            for name, facts in receipt["outputs"].items():
                sizes = (facts["bytes"], facts.get("before", facts)["bytes"])
                if (self.path / name).stat().st_size not in sizes:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return receipt

    def replace(
        self, stage: str, index: int, outputs: dict[Path, Callable[[IO[bytes]], None]]
    ) -> None:
        """Write outputs of a done unit anew; whenever this is killed, the unit stays done.

        The receipt names the new bytes before they get their name, and the old ones until then.
        """
        receipt = self.receipt(stage, index)
        if receipt is None:
            raise RunError(damaged(self.layout, self.layout.receipt(stage, index)))
        for path, write in outputs.items():
            name = str(path.relative_to(self.path))

            def publish(data: Path, path: Path = path, name: str = name) -> None:
                facts = {"bytes": data.stat().st_size, "sha256": sha256(data)}
                receipt["outputs"][name] = facts | {"before": self._as_recorded(path, receipt)}
                self.commit_json(self.layout.receipt(stage, index), sealed(receipt))
                if self.mirror is not None:
                    self.mirror.put(data, path)

            commit_file(path, write, publish)
        for facts in receipt["outputs"].values():
            facts.pop("before", None)
        self.commit_json(self.layout.receipt(stage, index), sealed(receipt))

    def _as_recorded(self, path: Path, receipt: dict[str, Any]) -> dict[str, Any]:
        """Size and hash of an output as it is; RunError when its receipt says otherwise."""
        recorded = receipt["outputs"][str(path.relative_to(self.path))]
        there = {"bytes": path.stat().st_size, "sha256": sha256(path)}
        if there["sha256"] not in (recorded["sha256"], recorded.get("before", recorded)["sha256"]):
            raise RunError(damaged(self.layout, path))
        return there

    def refuse_damaged(self, stage: str, known: Collection[str] = ()) -> None:
        """RunError when an output of a done unit, or its receipt, has other bytes than it had.

        Sizes are compared, and hashes where a file was touched after its receipt was written. An
        output that is missing is no damage: its unit is done anew. known: names to pass over.
        """
        for path in self.layout.receipts(stage):
            written = path.stat().st_mtime_ns
            try:
                receipt = json.loads(path.read_bytes())
            except ValueError:
                receipt = None
            if not is_sealed(receipt):
                raise RunError(damaged(self.layout, path))
            for name, facts in receipt["outputs"].items():
                either = (facts, facts.get("before", facts))
                try:
                    found = (self.path / name).stat()
                except FileNotFoundError:
                    continue
                same = found.st_size in [each["bytes"] for each in either]
                if same and found.st_mtime_ns > written:
                    same = sha256(self.path / name) in [each["sha256"] for each in either]
                if not same and name not in known:
                    raise RunError(damaged(self.layout, self.path / name))

    def is_made_from(self, stage: str, index: int, made_from: str) -> bool:
        """Whether a unit is done, and was made from what has this name."""
        receipt = self.receipt(stage, index)
        return receipt is not None and receipt["counts"].get("made_from") == made_from

    # one writer -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; UsageError when another build holds it.

        In a mirror the store is held too, the working folder is made equal to it first, and the
        store to the folder at the end.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.layout.lock, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(
                    f"another build is writing to {self}: wait for it or choose another --out"
                ) from error
            with self.mirror.held() if self.mirror else contextlib.nullcontext():
                swap.finish(self.layout, self.mirror)  # of a run that was killed
                yield

    def sweep(self) -> None:
        """Remove the temporary files that a killed run left behind. Only under the lock."""
        for path in self.path.rglob(".*.tmp*"):
            path.unlink(missing_ok=True)


def open_folder(name: str | Path, work: str = "") -> Folder:
    """The folder that a path or an address (s3://…) names.

    work: the local folder for one in a store; else one below the user's cache. UsageError when the
    store does not let us in, RunError when it does not answer.
    """
    text = str(name)
    if "://" in text and not text.startswith("file://"):
        mirror = attach(text, work)
        return Folder(mirror.root, mirror)
    if work:
        raise UsageError(f"--work is for builds in an object store, and {text} is a folder")
    path = Path(text.removeprefix("file://"))
    return Folder(path, mirror_of(path))
