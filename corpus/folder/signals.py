"""What a build folder knows of a documents file: its signals by name, and its duplicates.

Only the columns asked for are read. A signal that is not stored (a lazy group, the counts of
published word lists) is measured from the texts, and only then are texts read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.folder import scores
from corpus.folder.commit import as_array
from corpus.folder.hosts import harm_shares
from corpus.folder.layout import Layout
from corpus.folder.removals import taken
from corpus.folder.texts import plain_texts
from corpus.settings import SelectSettings
from filters import signals
from filters.profile import Profile, load
from filters.published_words import check, measure_extra
from filters.words import WordError

OWN = ("language_score", "repairs", "listing")  # columns of a document that count as signals
CLUSTER = "cluster_size"
HOST_HARM = "host_harm_share"
PERSONAL = "personal_"


def signals_of(
    layout: Layout,
    index: int,
    names: Iterable[str],
    lists: str = "",
    rows: np.ndarray | None = None,
) -> dict[str, pa.Array]:
    """The signals `names` of documents file `index`, of all rows or of `rows` (ascending).

    lists: the folder of `[select] word_lists`. UsageError for a signal that the file lacks.
    """
    asked = list(dict.fromkeys(names))
    wanted = list(dict.fromkeys(name for each in asked for name in signals.inputs_of(each)))
    path = layout.documents(index)
    # Stored with the documents: the usual case, and no text is read.
    stored = [n for n in wanted if n in OWN or (n in signals.SIGNALS and not _lazy(n))]
    out = _read(path, stored, rows)
    # Measured from the texts: lazy groups, and words of lists that harvest did not have.
    lazy = frozenset(group for n in wanted if (group := signals.GROUP_OF.get(n)) and _lazy(n))
    folder_has = (*OWN, CLUSTER, HOST_HARM)
    extra = [
        n
        for n in wanted
        if n in signals.EXTRA_SIGNALS and n not in folder_has and not n.startswith(PERSONAL)
    ]
    if lazy or extra:
        texts = plain_texts(path)
        if rows is not None:
            texts = texts.take(pa.array(rows))
        fresh = signals.measure(texts, lazy) if lazy else None
        out |= {n: fresh.field(n) for n in wanted if fresh is not None and _lazy(n)}
        out |= measure_extra(extra, texts, _folder(lists))
    # What other files of the folder say of these documents: hosts, personal data, dedup, scores.
    if HOST_HARM in wanted:
        hosts = pq.read_table(path, columns=["host"])["host"]
        out[HOST_HARM] = _rows(harm_shares(layout, hosts), rows)
    if any(n.startswith(PERSONAL) for n in wanted):
        counts = as_array(pq.read_table(path, columns=["personal"])["personal"])
        out |= {n: _rows(c, rows) for n, c in _personal(counts).items()}
    if CLUSTER in wanted:
        if not layout.receipts("dedup"):
            raise UsageError(
                f"signal {CLUSTER} comes from dedup, which has not run: corpus dedup {layout}"
            )
        ids = pq.read_table(path, columns=["id"])["id"]
        out[CLUSTER] = _rows(duplicates_of(layout, index, ids)[2], rows)
    for name in filter(scores.is_score, wanted):
        out[name] = _rows(scores.column(layout, index, name), rows)
    # Models are sums over the others.
    out |= {n: signals.of_model(n, out) for n in asked if n.startswith(signals.MODEL)}
    return {name: out[name] for name in asked}


def _rows(column: pa.Array, rows: np.ndarray | None) -> pa.Array:
    return column if rows is None else column.take(pa.array(rows))


def _personal(counts: pa.StructArray) -> dict[str, pa.Array]:
    """The signals personal_phone … and personal_all of the column `personal`."""
    columns = {f"{PERSONAL}{f.name}": counts.field(f.name) for f in counts.type}
    total = np.sum([pc.fill_null(c, 0).to_numpy() for c in columns.values()], axis=0)
    return columns | {f"{PERSONAL}all": pa.array(total.astype(np.int32))}


def _lazy(name: str) -> bool:
    """Whether the signal is of a group that harvest does not measure."""
    return name in signals.GROUP_OF and signals.GROUPS[signals.GROUP_OF[name]].lazy


def _read(path: Path, names: list[str], rows: np.ndarray | None) -> dict[str, pa.Array]:
    """Stored signals; a signal that is also a column of its own is read from there."""
    if not names:
        return {}
    with pq.ParquetFile(path) as file:
        quality = file.schema_arrow.field("quality").type
        for name in names:
            if name not in OWN and quality.get_field_index(name) < 0:
                raise UsageError(
                    f"{path}: signal {name} was not measured when this was harvested; "
                    "harvest again with this version"
                )
        table = file.read(columns=[n if n in OWN else f"quality.{n}" for n in names])
    columns = {name: as_array(table[name]) for name in names if name in OWN}
    if "quality" in table.column_names:
        struct = as_array(table["quality"])
        columns |= {name: struct.field(name) for name in names if name not in OWN}
    return {name: _rows(column, rows) for name, column in columns.items()}


def duplicates_of(
    layout: Layout, index: int, ids: pa.ChunkedArray
) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """(removed bool[n], cluster string[n], cluster_size int32[n]) from remove and dedup."""
    removed = np.zeros(len(ids), bool)
    gone = taken(layout).get(index)
    if gone is not None:
        removed[gone] = True
    cluster = as_array(ids)
    size = np.ones(len(ids), np.int32)
    for path in layout.duplicates_files():
        columns = ["kind", "cluster", "cluster_size", "row"]
        part = pq.read_table(path, columns=columns, filters=[("file", "=", index)])
        if not part.num_rows:
            continue
        at = part["row"].to_numpy()
        removed[at] = pc.not_equal(part["kind"], "kept").to_numpy()
        size[at] = part["cluster_size"].to_numpy()
        # `cluster` is the own id, or the name in this file: one take from both in a row.
        choice = np.arange(len(ids))
        choice[at] = len(ids) + np.arange(len(at))
        cluster = pa.concat_arrays([cluster, as_array(part["cluster"])]).take(pa.array(choice))
    return removed, cluster, pa.array(size)


def made_from_of(removed: np.ndarray, cluster: pa.Array, size: pa.Array) -> str:
    """Names what `duplicates_of` says, for the receipt of the unit that select makes from it."""
    digest = hashlib.sha256(np.packbits(removed).tobytes() + size.to_numpy().tobytes())
    for name in cluster.to_pylist():
        digest.update(name.encode() + b"\n")
    return digest.hexdigest()


def made_from(layout: Layout, index: int) -> str:
    """Names what remove and dedup say of a documents file."""
    ids = pq.read_table(layout.documents(index), columns=["id"])["id"]
    return made_from_of(*duplicates_of(layout, index, ids))


def check_profiles(settings: SelectSettings) -> None:
    """UsageError if a profile, or the lists and packages it needs, are unusable."""
    for name in settings.names():
        try:
            profile = load(name)
            signals.check_models(profile.groups())
        except ValueError as error:  # of the profile, or of a model behind its signals
            raise UsageError(str(error)) from error
        check_words(profile, settings.word_lists)


def check_words(profile: Profile, lists: str) -> None:
    """UsageError unless the published word lists that the profile counts are there."""
    try:
        check(profile.extra_signals(), _folder(lists))
    except WordError as error:
        raise UsageError(
            f"profile {profile.name}: {error} (--set select.word_lists=FOLDER)"
        ) from error


def _folder(path: str) -> Path | None:
    return Path(path) if path else None
