"""The ledger: one row for every candidate that does not reach the corpus, and why."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.folder.folder import Folder
from corpus.folder.schema import LEDGER


class Ledger:
    """Rows of schema.LEDGER, collected by a unit and committed as one file."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._tables: list[pa.Table] = []
        self._rows: list[dict[str, Any]] = []
        self._steps = {"": self._rows}

    def __len__(self) -> int:
        return sum(map(len, (*self._steps.values(), *self._tables)))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The single rows, as they will stand."""
        return list(itertools.chain.from_iterable(self._steps.values()))

    def begin(self, step: str) -> None:
        """What is added from now on stands with the other rows of this step, behind those of the
        steps that began before it: so a unit worked off in parts has the ledger of one in a whole.
        """
        self._rows = self._steps.setdefault(step, [])

    def add_table(self, table: pa.Table) -> None:
        """Many rows at once, with the columns of schema.LEDGER; they come before single ones."""
        self._tables.append(table.select(LEDGER.names).cast(LEDGER))

    def add(
        self,
        rule: str,
        id: str,
        url: str,
        source_file: str,
        source_offset: int,
        *,
        action: str = "drop",
        value: float | None = None,
        threshold: float | None = None,
        kept_id: str = "",
        detail: str = "",
    ) -> None:
        """Record that `rule` dropped (or altered, or skipped) something."""
        self._rows.append(
            {
                "stage": self.stage,
                "rule": rule,
                "action": action,
                "id": id,
                "url": url,
                "source_file": source_file,
                "source_offset": source_offset,
                "value": value,
                "threshold": threshold,
                "kept_id": kept_id,
                "detail": detail,
            }
        )

    def commit(self, folder: Folder, index: int) -> dict[Path, str]:
        """Write the rows of unit `index`; return the file and its SHA-256."""
        rows = pa.Table.from_pylist(self.rows, schema=LEDGER)
        table = pa.concat_tables([*self._tables, rows]).combine_chunks()
        path = folder.layout.ledger(self.stage, index)
        return {path: folder.commit_parquet(path, LEDGER, table)[0]}
