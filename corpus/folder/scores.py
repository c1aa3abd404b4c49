"""Scores of a user's classifier, a column beside the documents of a build.

    DIR/scores/NAME/NNNNNNN.parquet     id, score: row for row as DIR/documents/NNNNNNN.parquet

`corpus classifier score DIR --model MODEL` writes them. A profile names them `score.NAME`, and so
do `corpus sweep` and `corpus compare`; `corpus explain` tells them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.folder import commit
from filters import signals
from filters.profile import Profile
from filters.quality import Classifier

SCORES = pa.schema([pa.field("id", pa.string()), pa.field("score", pa.float32())])


def score_build(root: Path, name: str, classifier: Classifier) -> Iterator[tuple[Path, pa.Array]]:
    """Score every documents file of a build; yields (file, scores) as each is stored.

    Where scores of that name change, the decisions taken before are void: `corpus select` decides
    anew.
    """
    with commit.lock(root):
        folder = root / "scores" / name
        before = {path.name: commit.sha256(path) for path in sorted(folder.glob("*.parquet"))}
        documents = sorted((root / "documents").glob("*.parquet"))
        after = {}
        for path in documents:
            table = pq.read_table(path, columns=["id", "text"]).combine_chunks()
            found = pa.array(classifier.score(one(table["text"])), pa.float32())
            scored = pa.Table.from_arrays([one(table["id"]), found], schema=SCORES)
            after[path.name] = commit.commit_parquet(folder / path.name, SCORES, scored)[0]
            yield path, found
        for stale in before.keys() - after.keys():
            (folder / stale).unlink()
        if before != after:
            commit.clear(root / "state" / "select", "settings.json")


def is_score(signal: str) -> bool:
    """Whether a signal is `score.NAME`."""
    return signal.startswith(signals.SCORE)


def names(root: Path) -> list[str]:
    """Names of the scores of a build, sorted."""
    return sorted(path.name for path in (root / "scores").glob("*") if path.is_dir())


def check(root: Path, profile: Profile) -> None:
    """UsageError where the profile names scores that the build does not have."""
    for signal in profile.scores():
        if signal.removeprefix(signals.SCORE) not in names(root):
            raise UsageError(_missing(root, signal))


def column(documents: Path, signal: str) -> pa.Array:
    """The scores `score.NAME` of a documents file. UsageError where they are missing or stale."""
    root = documents.parent.parent
    path = root / "scores" / signal.removeprefix(signals.SCORE) / documents.name
    if not path.is_file():
        raise UsageError(_missing(root, signal))
    found = pq.read_table(path).combine_chunks()
    ids = pq.read_table(documents, columns=["id"])["id"]
    if not found["id"].equals(ids):
        raise UsageError(f"the scores {signal} in {root} are of other documents: score them again")
    return one(found["score"])


def sentences(root: Path, document: str) -> list[str]:
    """What `corpus explain` says of the scores of a document."""
    said = []
    for name in names(root):
        for path in sorted((root / "scores" / name).glob("*.parquet")):
            rows = pq.read_table(path, filters=pc.field("id") == document)
            said += [f"Classifier {name} gives it {s:.3f}." for s in rows["score"].to_pylist()]
    return said


def one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def _missing(root: Path, signal: str) -> str:
    name = signal.removeprefix(signals.SCORE)
    there: Sequence[str] = names(root)
    have = f" (there are {', '.join(there)})" if there else ""
    return (
        f"{root} has no scores {name!r}{have}: run `corpus classifier score {root} --model MODEL "
        f"--name {name}`"
    )
