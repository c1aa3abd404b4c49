"""An index of earlier crawls: a new one is compared with all of them, and names real partners.

    INDEX/index.json                        the settings that all its signatures share
    INDEX/segments/000001/signatures-00000.parquet …   signatures files, one crawl a segment
    INDEX/segments/000001/members.parquet   documents of clusters that this crawl made or joined
    INDEX/segments/000002/removed.parquet   a takedown: removed ids, and the copy promoted for each

Append-only: a segment is written under another name and renamed, and never changes. A later row
about a document overrules an earlier one. What an index kept stays kept; of a new crawl only what
it does not hold is. Indexes merge by appending the segments of one to the other. A document costs
about 600 bytes on disk (128 permutations).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.keep import NEW, rank_copies
from corpus.dedup.signatures.files import COPIED, DERIVED, fingerprint
from corpus.errors import RunError, UsageError
from corpus.folder.commit import commit_json, commit_parquet
from corpus.settings import DedupSettings

MEMBERS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("cluster", pa.string()),
        pa.field("kept", pa.bool_()),
        pa.field("document", pa.int64()),  # position in the index, all segments in a row
        *(pa.field(k, COPIED[k]) for k in ("url", "source", "n_chars", "date", "captured")),
        *(pa.field(k, DERIVED[k]) for k in ("rights", "canonical", "version", "quality")),
    ]
)
REMOVED = pa.schema(
    [
        pa.field("id", pa.string()),  # taken down
        pa.field("document", pa.int64()),  # its position in the index
        pa.field("cluster", pa.string()),  # null: it had no copies
        pa.field("promoted", pa.int64()),  # position of the copy that is kept instead, or null:
        pa.field("promoted_id", pa.string()),  # it was not kept, or has no other copy
    ]
)


@dataclass(frozen=True)
class Before:
    """What earlier crawls decided, by position in the index.

    pairs: int64[m, 2], links that make up the clusters; dropped: int64[:], what is not kept.
    """

    pairs: np.ndarray
    dropped: np.ndarray


NOTHING_BEFORE = Before(np.empty((0, 2), np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Index:
    """An open index: its folder and the names of its segments, oldest first.

    `segments` are those a crawl is compared with; `every` also has the ones behind them, of which
    only takedowns count: they concern the past.
    """

    path: Path
    segments: tuple[str, ...]
    every: tuple[str, ...] = ()

    def files(self, name: str) -> list[Path]:
        """Files called `name` (a glob) of all segments, oldest segment first."""
        folders = [self.path / "segments" / segment for segment in self.segments]
        return [path for folder in folders for path in sorted(folder.glob(name))]

    @property
    def generation(self) -> int:
        """Number of the newest segment, 0 when there is none."""
        return int(self.segments[-1]) if self.segments else 0

    def takedowns(self) -> list[Path]:
        """Takedown files of all segments, oldest first."""
        folders = [self.path / "segments" / segment for segment in self.every or self.segments]
        return [path for folder in folders for path in sorted(folder.glob("removed.parquet"))]


def is_index(path: Path) -> bool:
    """Whether a folder is an index."""
    return (path / "index.json").is_file()


def open_index(path: Path, settings: DedupSettings, generation: int = 0) -> Index:
    """Open an index, as it was at a generation (0: now); an absent folder becomes a new one.

    Raises UsageError if the folder holds something else or an index of other settings.
    """
    made_with = {"fingerprint": fingerprint(settings), "threshold": settings.threshold}
    file = path / "index.json"
    if not file.exists():
        if path.is_dir() and any(path.iterdir()):
            raise UsageError(f"{path} is no index (no index.json): choose an empty or new folder")
        commit_json(file, made_with)
    try:
        saved = json.loads(file.read_bytes())
    except ValueError as error:
        raise UsageError(f"{file} is not readable: restore it or make a new index") from error
    if saved != made_with:
        raise UsageError(
            f"{path} was made with other settings ({saved} against {made_with}): "
            "use those, or make a new index"
        )
    names = _segments(path)
    upto = [name for name in names if not generation or int(name) <= generation]
    return Index(path, tuple(upto), names)


def _segments(path: Path) -> tuple[str, ...]:
    """Names of all segments of the index at `path`, oldest first."""
    return tuple(sorted(folder.name for folder in (path / "segments").glob("[0-9]*")))


def crawl_digest(signatures: list[Path]) -> str:
    """Names a crawl by the ids in its signatures files, so that it is not appended twice.

    Not by their bytes: a document that is taken out of a crawl loses its signature there.
    """
    digest = hashlib.sha256()
    for path in signatures:
        for batch in pq.ParquetFile(path).iter_batches(columns=["id"]):
            digest.update("\n".join(batch["id"].to_pylist()).encode() + b"\n")
    return digest.hexdigest()


def holds_crawl(index: Index, digest: str) -> bool:
    """Whether the crawl of that digest was appended."""
    return without_crawl(index, digest).segments != index.segments


def without_crawl(index: Index, digest: str) -> Index:
    """The index as it was before the crawl of that digest, for a run that is repeated."""
    for place, segment in enumerate(index.segments):
        note = index.path / "segments" / segment / "segment.json"
        if note.exists() and json.loads(note.read_bytes())["digest"] == digest:
            return Index(index.path, index.segments[:place], index.every)
    return index


def append(
    index: Index, signatures: list[Path], outcome: pa.Table, digest: str, settings: DedupSettings
) -> None:
    """Add a crawl as a segment: its signatures and the clusters it made or joined.

    outcome: corpus.dedup.local.outcome.decide's table over the index and the crawl. Does nothing if
    the crawl is in the index already.
    """
    current = _segments(index.path)
    if holds_crawl(Index(index.path, current), digest):
        return
    if index.segments != current:  # its positions and clusters would be wrong
        raise RunError(f"{index.path} has grown meanwhile: compare with its newest state again")
    # Only clusters with a document of this crawl changed; the segments before hold the others.
    new = pc.unique(outcome.filter(pc.greater_equal(outcome["file"], 0))["cluster"])
    touched = outcome.filter(pc.is_in(outcome["cluster"], new))
    members = touched.append_column("kept", pc.equal(touched["kind"], "kept"))
    with _Segment(index.path) as folder:
        for number, path in enumerate(signatures):
            _link(path, folder / f"signatures-{number:05d}.parquet")
        commit_parquet(
            folder / "members.parquet", MEMBERS, members.select(MEMBERS.names).cast(MEMBERS)
        )
        note = {"digest": digest, "settings": dataclasses.asdict(settings)}
        commit_json(folder / "segment.json", note)


class _Segment:
    """A folder that becomes the next segment when all went well."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self.folder = index / "segments" / f".tmp{os.getpid()}"

    def __enter__(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self.folder

    def __exit__(self, error_type: object, *_: object) -> None:
        if error_type is None:
            os.rename(self.folder, self.folder.with_name(f"{generation_of(self.index) + 1:06d}"))
        shutil.rmtree(self.folder, ignore_errors=True)


def generation_of(path: Path) -> int:
    """Number of the newest segment of the index at `path`; 0 when there is none."""
    return max(map(int, _segments(path)), default=0)


def settings_of(path: Path) -> DedupSettings:
    """The settings of the newest crawl of an index: with its policy a takedown promotes.

    Near the threshold the estimate decides, as an index has no texts. UsageError when it is none.
    """
    for segment in reversed(_segments(path)):
        note = path / "segments" / segment / "segment.json"
        if note.exists():
            saved = json.loads(note.read_bytes())["settings"]
            lists = {k: tuple(v) for k, v in saved.items() if isinstance(v, list)}
            changed = {"verify": "none" if saved["verify"] == "none" else "estimate"}
            return DedupSettings(**{**saved, **lists, **changed, "generation": 0})
    raise UsageError(f"{path} is no index of crawls: `corpus dedup DIR --against … --update`")


def facts(path: Path) -> dict[str, Any]:
    """{generation, documents, clusters, removed, bytes, segments: [{generation, documents,
    removed}]} of an index."""
    index = open_index(path, settings_of(path))
    segments = []
    for name in index.segments:
        segment = Index(path, (name,))
        removed = sum(pq.read_metadata(p).num_rows for p in segment.takedowns())
        entry = {"generation": int(name), "documents": _size(segment), "removed": removed}
        segments.append(entry)
    return {
        "generation": index.generation,
        "documents": _size(index),
        "clusters": len(pc.unique(membership(index)["cluster"])),
        "removed": sum(segment["removed"] for segment in segments),
        "bytes": sum(p.stat().st_size for p in path.rglob("*") if p.is_file()),
        "segments": segments,
    }


def _link(path: Path, target: Path) -> None:
    """The file under a second name: 600 bytes a document are not written twice."""
    try:
        os.link(path, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, target)


def membership(index: Index) -> pa.Table:
    """The newest row of every document of a cluster (MEMBERS), taken-down documents left out."""
    # The newest row of a document: the last of it, in the order of segments.
    table = _read(index.files("members.parquet"), MEMBERS)
    documents = table["document"].to_numpy()
    _, last = np.unique(documents[::-1], return_index=True)
    table = table.take(pa.array(len(documents) - 1 - last))
    # Takedowns overrule every segment: their documents go, and what they promoted is kept, if its
    # segment is among those compared with.
    takedowns = _takedowns(index)
    gone = takedowns["document"].combine_chunks()
    table = table.filter(pc.invert(pc.is_in(table["document"], gone)))
    promoted = takedowns["promoted"].combine_chunks().drop_null()
    promoted = promoted.filter(pc.less(promoted, _size(index)))
    kept = pc.or_(table["kept"], pc.is_in(table["document"], promoted))
    return table.set_column(table.schema.get_field_index("kept"), "kept", kept)


def _takedowns(index: Index) -> pa.Table:
    """Rows of REMOVED about documents of the segments, oldest takedown first."""
    table = _read(index.takedowns(), REMOVED)
    return table.filter(pc.less(table["document"], _size(index)))


def _read(paths: list[Path], schema: pa.Schema) -> pa.Table:
    parts = [pq.read_table(path) for path in paths]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _size(index: Index) -> int:
    """Documents of the segments."""
    return sum(pq.read_metadata(path).num_rows for path in index.files("signatures-*.parquet"))


def before(index: Index) -> Before:
    """What the index says about its documents, for clustering a new crawl with them."""
    table = membership(index)
    documents = table["document"].to_numpy()
    # A cluster of k documents as k - 1 links between neighbours: as good for a union-find as all.
    labels = pc.dictionary_encode(table["cluster"].combine_chunks()).indices.to_numpy()
    order = np.lexsort((documents, labels))
    same = np.flatnonzero(np.diff(labels[order]) == 0)
    pairs = np.stack([documents[order[same]], documents[order[same + 1]]], axis=1)
    copies = documents[~table["kept"].to_numpy()]
    gone = _takedowns(index)["document"].to_numpy()
    return Before(pairs, np.unique(np.concatenate([copies, gone])))


def _positions(index: Index, ids: list[str]) -> dict[str, int]:
    """Positions of documents in the index, by id; the newest where an id occurs twice."""
    wanted = pa.array(ids, pa.string())
    positions: dict[str, int] = {}
    start = 0
    for file in index.files("signatures-*.parquet"):
        column = pq.read_table(file, columns=["id"])["id"]
        rows = np.flatnonzero(pc.is_in(column, wanted).to_numpy())
        names = column.take(pa.array(rows)).to_pylist()
        positions.update(zip(names, (rows + start).tolist(), strict=True))
        start += len(column)
    return positions


def removed_ids(index: Index) -> list[str]:
    """Ids that were taken down."""
    return list(dict.fromkeys(_takedowns(index)["id"].to_pylist()))


def take_down(path: Path, ids: list[str], settings: DedupSettings) -> pa.Table:
    """Remove documents and append that to the index; returns what `preview_takedown` says."""
    table = preview_takedown(open_index(path, settings), ids, settings)
    if table.num_rows:
        with _Segment(path) as folder:
            commit_parquet(folder / "removed.parquet", REMOVED, table)
    return table


def preview_takedown(index: Index, ids: list[str], settings: DedupSettings) -> pa.Table:
    """What removing documents does: where a kept one goes, the best remaining copy is promoted.

    Returns REMOVED, a row for each of `ids` that was not removed before. Raises RunError if one of
    the ids is not in the index.
    """
    # Who goes: an id that was taken down before stays so, and says nothing new.
    gone = set(_takedowns(index)["id"].to_pylist())
    wanted = [name for name in dict.fromkeys(ids) if name not in gone]
    places = _positions(index, wanted)
    missing = [name for name in wanted if name not in places]
    if missing:
        raise RunError(f"{index.path} holds no document {missing[0]} ({len(missing)} unknown ids)")
    # Which clusters lose a member, and who is left in them.
    members = membership(index)
    removed = pc.is_in(members["document"], pa.array(list(places.values()), pa.int64()))
    pairs = members.filter(removed).select(["document", "cluster"]).to_pylist()
    clusters = {pair["document"]: pair["cluster"] for pair in pairs}
    left = members.filter(pc.invert(removed))
    touched = pa.array(sorted(set(clusters.values())), pa.string())
    left = left.filter(pc.is_in(left["cluster"], touched))
    # A cluster that still has a kept copy needs no heir; the others get the best by the policy.
    served = set(left.filter(left["kept"])["cluster"].to_pylist())
    heirs: dict[str, dict[str, Any]] = {}
    for row in left.take(pa.array(_by_policy(left, settings))).to_pylist():
        heirs.setdefault(row["cluster"], row)
    rows = []
    for name in wanted:
        cluster = clusters.get(places[name])
        heir = {} if cluster is None or cluster in served else heirs.get(cluster, {})
        promoted = {"promoted": heir.get("document"), "promoted_id": heir.get("id")}
        rows.append({"id": name, "document": places[name], "cluster": cluster, **promoted})
    return pa.Table.from_pylist(rows, REMOVED)


def _by_policy(members: pa.Table, settings: DedupSettings) -> np.ndarray:
    """Rows (int64[n]) of the members, the best copy of each cluster first."""
    labels = pc.dictionary_encode(members["cluster"].combine_chunks()).indices.cast(pa.int64())
    standing = pa.array(np.full(len(members), NEW, np.int8))
    ranked = members.append_column("label", labels).append_column("standing", standing)
    return rank_copies(ranked, settings)
