"""Scores of a user's classifier, a column beside the documents of a build.

    DIR/scores/NAME/NNNNNNN.parquet     id, score: row for row as DIR/documents/NNNNNNN.parquet

`corpus classifier score DIR --model MODEL` writes them. A profile names them `score.NAME`, and so
do `corpus sweep` and `corpus compare`; `corpus explain` tells them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.folder.commit import as_array, sha256
from corpus.folder.folder import Folder
from corpus.folder.layout import PARQUET, Layout, index_of
from corpus.folder.layout import SCORES as SCORES_FOLDER
from corpus.folder.removals import taken
from corpus.folder.texts import plain_texts
from filters import signals
from filters.profile import Profile
from filters.quality import Classifier

SCORES = pa.schema([pa.field("id", pa.string()), pa.field("score", pa.float32())])


def score_build(
    folder: Folder, name: str, classifier: Classifier
) -> Iterator[tuple[Path, pa.Array]]:
    """Score every documents file of a build; yields (file, scores) as each is stored.

    The classifier reads plain views. Where scores of that name change, the decisions taken before
    are void: `corpus select` decides anew.
    """
    layout = folder.layout
    with folder.lock():
        before = {path: sha256(path) for path in layout.scores_folder(name).glob(PARQUET)}
        after = {}
        for documents in layout.documents_files():
            ids = as_array(pq.read_table(documents, columns=["id"])["id"])
            values = pa.array(classifier.score(plain_texts(documents)), pa.float32())
            index = index_of(documents)
            scored = pa.Table.from_arrays([ids, values], schema=SCORES)
            scored = without(scored, taken(layout).get(index, np.empty(0)).tolist())
            path = layout.scores(name, index)
            after[path] = folder.commit_parquet(path, SCORES, scored)[0]
            folder.write_receipt(stage_of(name), index, {path: after[path]}, {})
            yield documents, values
        folder.remove(before.keys() - after.keys())
        if before != after:
            folder.remove([layout.fingerprint("select")])


def stage_of(name: str) -> str:
    """Under which name scores have receipts, as the units of a stage have."""
    return f"{SCORES_FOLDER}/{name}"


def without(scored: pa.Table, rows: list[int]) -> pa.Table:
    """Rows of SCORES, without a score in some of them: of documents that were taken out."""
    gone = np.zeros(len(scored), bool)
    gone[rows] = True
    blank = pc.if_else(pa.array(gone), pa.scalar(None, pa.float32()), scored["score"])
    return scored.set_column(1, SCORES.field("score"), blank).combine_chunks()


def is_score(signal: str) -> bool:
    """Whether a signal is `score.NAME`."""
    return signal.startswith(signals.SCORE)


def check(layout: Layout, profile: Profile) -> None:
    """UsageError where the profile names scores that the build does not have."""
    for signal in profile.scores():
        if signal.removeprefix(signals.SCORE) not in layout.scores_names():
            raise UsageError(_missing(layout, signal))


def column(layout: Layout, index: int, signal: str) -> pa.Array:
    """The scores `score.NAME` of a documents file. UsageError where they are missing or stale."""
    path = layout.scores(signal.removeprefix(signals.SCORE), index)
    if not path.is_file():
        raise UsageError(_missing(layout, signal))
    scored = pq.read_table(path).combine_chunks()
    ids = pq.read_table(layout.documents(index), columns=["id"])["id"]
    if not scored["id"].equals(ids):
        raise UsageError(
            f"the scores {signal} in {layout} are of other documents: score them again"
        )
    return as_array(scored["score"])


def sentences(layout: Layout, document: str) -> list[str]:
    """What `corpus explain` says of the scores of a document."""
    said = []
    for name in layout.scores_names():
        for path in sorted(layout.scores_folder(name).glob(PARQUET)):
            rows = pq.read_table(path, filters=pc.field("id") == document)
            said += [f"Classifier {name} gives it {s:.3f}." for s in rows["score"].to_pylist()]
    return said


def _missing(layout: Layout, signal: str) -> str:
    name = signal.removeprefix(signals.SCORE)
    there = layout.scores_names()
    have = f" (there are {', '.join(there)})" if there else ""
    return (
        f"{layout} has no scores {name!r}{have}: run "
        f"`corpus classifier score {layout} --model MODEL --name {name}`"
    )
