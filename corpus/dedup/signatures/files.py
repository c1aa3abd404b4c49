"""The signatures file: one Parquet file beside each documents file, reusable and self-describing.

Its columns are what clustering and the keep policy need, so a documents file is read once. The
settings that shaped the hashes stand in the file's metadata; files that differ in them are not
compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup import addresses
from corpus.dedup.keep import RIGHTS_OPEN, RIGHTS_RESERVED, RIGHTS_UNKNOWN
from corpus.dedup.signatures.arrow import fixed_binary
from corpus.dedup.signatures.exact import url_keys
from corpus.dedup.signatures.minhash import sign_texts
from corpus.errors import RunError
from corpus.folder.commit import ROWS_PER_GROUP
from corpus.folder.schema import LENT
from corpus.settings import DedupSettings
from corpus.text import views

METADATA = b"inaho.dedup"
DOCUMENTS = b"inaho.documents"  # the documents file, relative to the signatures file
FORMAT = 2  # raise it when the same text gets another hash or signature

# Columns copied from the documents file; one that is missing there is null here.
COPIED: dict[str, pa.DataType] = {
    "id": pa.string(),
    "url": pa.string(),
    "canonical_url": pa.string(),
    "host": pa.string(),
    "source": pa.string(),
    "date": pa.string(),
    "captured": pa.string(),
    "n_chars": pa.int32(),
    "source_file": pa.string(),
    "source_offset": pa.int64(),
}

# Columns worked out here.
DERIVED: dict[str, pa.DataType] = {
    "rights": pa.int8(),  # corpus.dedup.keep.RIGHTS_*
    "quality": pa.float32(),  # the signal that the settings name
    "n_normal": pa.int32(),  # code points after normalisation: 0 never matches
    "exact": pa.binary(16),
    "url_key": pa.uint64(),  # 0: no address, or addresses do not count
}
READ = ("rights", "licence")  # what those are worked out from


def has_near(settings: DedupSettings) -> bool:
    return settings.mode == "near"


def has_url(settings: DedupSettings) -> bool:
    return settings.url or settings.mode == "url"


def fingerprint(settings: DedupSettings) -> dict[str, Any]:
    """The settings that the hashes of a signatures file depend on."""
    made_under: dict[str, Any] = {"format": FORMAT}
    if has_near(settings):
        for key in ("shingle", "ngram", "num_perm", "seed", "mask"):
            made_under[key] = getattr(settings, key)
    return made_under


def signatures_schema(settings: DedupSettings, documents: str = "") -> pa.Schema:
    """Schema of a signatures file under these settings; `documents`: path of its source."""
    fields = [pa.field("row", pa.int32()), *(pa.field(n, t) for n, t in COPIED.items())]
    fields += [pa.field(n, t) for n, t in DERIVED.items()]
    if has_near(settings):
        fields.append(pa.field("signature", pa.binary(4 * settings.num_perm)))
    made_under = json.dumps(fingerprint(settings), sort_keys=True).encode()
    return pa.schema(
        fields,
        metadata={METADATA: made_under, DOCUMENTS: documents.encode("utf-8", "surrogateescape")},
    )


def check(schema: pa.Schema, settings: DedupSettings, path: Path) -> None:
    """RunError if the file's hashes were made under other settings than these."""
    try:
        made_under = json.loads((schema.metadata or {})[METADATA])
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} is no signatures file: sign the documents again") from error
    for key, value in fingerprint(settings).items():
        if made_under.get(key) != value:
            raise RunError(
                f"{path} was signed with {key} = {made_under.get(key)}, not {value}: "
                "sign the documents again or set dedup settings back"
            )


def sign_documents(
    documents: Path, settings: DedupSettings, schema: pa.Schema, moved: Mapping[int, str]
) -> Iterator[pa.RecordBatch]:
    """Batches of the signatures file of one documents file, in its order.

    moved: row → the address at which its page is now, for those that name none.
    """
    with pq.ParquetFile(documents) as file:
        names = set(file.schema_arrow.names)
        if not {"id", "text"} <= names:
            raise RunError(f"{documents} has no columns id and text: it is no documents file")
        wanted = [n for n in (*COPIED, *views.COLUMNS, *READ) if n in names]
        if settings.quality:
            _require_signal(file.schema_arrow, settings.quality, documents)
            wanted.append(f"quality.{settings.quality}")
        row = 0
        for batch in file.iter_batches(ROWS_PER_GROUP, columns=wanted):
            yield _sign_batch(batch, row, settings, schema, moved)
            row += batch.num_rows


def _require_signal(schema: pa.Schema, signal: str, documents: Path) -> None:
    kind = schema.field("quality").type if "quality" in schema.names else None
    if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(signal) < 0:
        raise RunError(
            f"dedup.quality = {signal}: {documents} has no such signal; "
            "choose a field of the column quality"
        )


def _sign_batch(
    batch: pa.RecordBatch,
    row: int,
    settings: DedupSettings,
    schema: pa.Schema,
    moved: Mapping[int, str],
) -> pa.RecordBatch:
    n = batch.num_rows
    signatures, exact, lengths = sign_texts(views.plain_of(batch), settings, has_near(settings))
    columns: dict[str, Any] = {"row": np.arange(row, row + n, dtype=np.int32)}
    for name, kind in COPIED.items():
        columns[name] = batch[name].cast(kind) if name in batch.schema.names else pa.nulls(n, kind)
    if not moved.keys().isdisjoint(range(row, row + n)):
        stated = columns["canonical_url"].to_pylist()
        addresses_now = [moved.get(row + i, address) for i, address in enumerate(stated)]
        columns["canonical_url"] = pa.array(addresses_now, pa.string())
    if "n_chars" not in batch.schema.names:
        columns["n_chars"] = pc.utf8_length(batch["text"]).cast(pa.int32())
    columns["rights"] = _rights(batch)
    columns["quality"] = pa.nulls(n, pa.float32())
    if settings.quality:
        columns["quality"] = pc.struct_field(batch["quality"], settings.quality).cast(pa.float32())
    columns["n_normal"] = np.minimum(lengths, 2**31 - 1).astype(np.int32)
    columns["exact"] = fixed_binary(exact)
    columns["url_key"] = np.zeros(n, np.uint64)
    if has_url(settings):
        columns["url_key"] = url_keys(addresses.own(columns["url"], columns["canonical_url"]))
    if has_near(settings):
        columns["signature"] = fixed_binary(signatures)
    arrays = [pa.array(columns[f.name], f.type) for f in schema]
    return pa.record_batch(arrays, schema=schema)


def _rights(batch: pa.RecordBatch) -> np.ndarray:
    """RIGHTS_* of every document: reserved beats a licence, a licence beats nothing known, and
    what was only lent."""
    ranks = np.full(batch.num_rows, RIGHTS_UNKNOWN, np.int8)
    names = batch.schema.names
    if "licence" in names:
        none = pc.is_in(batch["licence"], pa.array(["", LENT, None]))
        ranks[~none.to_numpy(zero_copy_only=False)] = RIGHTS_OPEN
    if "rights" in names and pa.types.is_struct(batch["rights"].type):
        for flag in ("reserved", "noai", "tdm_reservation"):
            if batch["rights"].type.get_field_index(flag) >= 0:
                raised = pc.fill_null(pc.struct_field(batch["rights"], flag), False)
                ranks[raised.to_numpy(zero_copy_only=False)] = RIGHTS_RESERVED
    return ranks
