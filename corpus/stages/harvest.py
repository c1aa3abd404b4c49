"""Harvest: from the records of one unit to documents with text, columns and signals.

    item ─▶ document or reason (corpus.stages.document) ─▶ lines a site repeats ─▶ clean ─▶ signals
              │                                              │                     │
              └ counted as no candidate, or a row of the ledger ───────────────────┘

A document that breaks a step costs one ledger row, never its neighbours.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from corpus.errors import RunError
from corpus.folder.folder import Folder
from corpus.folder.ledger import Ledger
from corpus.folder.schema import DOCUMENT, NOTICE, document_id
from corpus.settings import Settings
from corpus.sources.inputs import SEPARATOR
from corpus.sources.item import ENDING, FOLDER, REPEATED, UNREADABLE, Item, Unit
from corpus.sources.kinds import items_of
from corpus.stages import books, moves, notices
from corpus.stages.clean import clean, error_text, ledger_key, plain_view, set_text
from corpus.stages.document import Reject, document
from corpus.stages.held import HeldRows
from corpus.stages.stage import EXAMPLES, Job
from corpus.text import views
from corpus.text.blocks import to_arrow
from corpus.web.main_text.repeated import MIN_PAGES, Text, site_boilerplate
from corpus.web.rights import sites
from filters import signals

UNREAD = (UNREADABLE, FOLDER, ENDING, REPEATED)
BATCH_ROWS = 512
BATCH_BYTES = 256 << 20  # of text in a batch: Arrow strings end at 2 GiB


def run(job: Job) -> None:
    """Harvest the units that have no receipt yet.

    RunError when nothing of the input could be read; with `job.strict` at the first file.
    """
    receipts = {unit.index: job.folder.receipt("harvest", unit.index) for unit in job.units}
    todo = [unit for unit in job.units if receipts[unit.index] is None]
    if job.strict:
        for unit in job.units:
            _refuse(dict(zip(unit.files, unit.unread, strict=False)).items())
        for receipt in filter(None, receipts.values()):
            _refuse_unread(receipt["counts"])
    function = functools.partial(harvest_unit, settings=job.settings, folder=job.folder)
    with contextlib.closing(job.engine.map(function, todo, "harvest")) as results:
        for _, counts in results:
            if job.strict:
                _refuse_unread(counts)
    lost = books.funnel(job.folder.layout)["harvest"]["unread"]
    if lost["unreadable"] and lost["unreadable"] == lost["files"] + lost["members"]:
        path, reason = next(iter(lost["examples"][UNREADABLE].items()))
        raise RunError(f"nothing in the input can be read: {path}: {reason}")


def _refuse_unread(counts: dict[str, Any]) -> None:
    """RunError when a unit met a file that it could not read."""
    for rule, files in counts["unread"].items():
        _refuse((path, (rule, reason)) for path, reason in files.items())


def _refuse(files: Iterable[tuple[str, tuple[str, str]]]) -> None:
    for path, (rule, reason) in files:
        if rule in (UNREADABLE, FOLDER):
            raise RunError(f"{path} cannot be read: {reason} (--strict stops at the first such)")


def harvest_unit(unit: Unit, settings: Settings, folder: Folder) -> dict[str, Any]:
    """Harvest one unit into its documents file and its ledger file.

    Returns the counts of its receipt: records, documents, ledger, skipped (reason → records),
    dropped (rule → records), altered (rule → documents), truncated (reason → documents),
    characters, files (those that begin in the unit), members (how many of them lie in packed files
    and are of a known kind), unread (rule → file → reason, EXAMPLES of
    each), endings (unknown ending → files).
    """
    harvest = _Harvest(unit, settings)
    layout = folder.layout
    documents = layout.documents(unit.index)
    # The documents file draws the batches through all steps; the ledger is whole only after it.
    outputs = {documents: folder.commit_parquet(documents, DOCUMENT, harvest.batches())[0]}
    outputs |= harvest.ledger.commit(folder, unit.index)
    if harvest.site_files:
        path = layout.sites(unit.index)
        table = pa.Table.from_pylist(harvest.site_files, schema=sites.ROW)
        outputs[path] = folder.commit_parquet(path, sites.ROW, table)[0]
    if harvest.notices:
        path = layout.notices(unit.index)
        table = pa.Table.from_pylist(harvest.notices, schema=NOTICE)
        outputs[path] = folder.commit_parquet(path, NOTICE, table)[0]
    if harvest.moves:
        path = layout.moves(unit.index)
        table = pa.Table.from_pylist(harvest.moves, schema=moves.MOVE)
        outputs[path] = folder.commit_parquet(path, moves.MOVE, table)[0]
    counts = harvest.counts()
    folder.write_receipt("harvest", unit.index, outputs, counts)
    return counts


def documents_of(unit: Unit, settings: Settings) -> Iterator[pa.RecordBatch]:
    """What harvest makes of a unit, in batches of schema.DOCUMENT; nothing is written."""
    return _Harvest(unit, settings).batches()


class _Harvest:
    """The rows of a unit on their way, and what is counted of them."""

    def __init__(self, unit: Unit, settings: Settings) -> None:
        self.unit, self.settings = unit, settings
        self.ledger = Ledger("harvest")
        self.site_files: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.totals = Counter({"records": 0, "documents": 0, "characters": 0})
        self.skipped, self.dropped = Counter[str](), Counter[str]()
        self.altered, self.truncated = Counter[str](), Counter[str]()
        self.unread: dict[str, dict[str, str]] = {}
        self.endings = Counter[str]()
        self.moved: dict[str, str] = {}
        self.moves: list[dict[str, Any]] = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The documents as record batches of schema.DOCUMENT."""
        # Page by page: most records end here, as a count.
        held = HeldRows()
        for item in items_of(self.unit, self.settings):
            if row := self._row(item):
                held.add(row)
        for part in _parts(self._cleaned(held)):
            self.ledger.begin("signals")
            batch, broken = _measured(part, self.ledger)
            self.dropped["error"] += broken
            self.totals["documents"] += batch.num_rows
            self.truncated.update(filter(None, batch["truncated"].to_pylist()))
            self.totals["characters"] += sum(batch["n_chars"].to_pylist())
            yield batch

    def _cleaned(self, held: HeldRows) -> Iterator[dict[str, Any]]:
        """The rows that stay, as they are to be measured and stored."""
        # Over all pages of a host in the unit: what they repeat is no text of any of them.
        cut: dict[int, Text] = {}
        if self.settings.harvest.site_boilerplate:
            cut = _site_boilerplate(held, self.settings.harvest.format == "markdown")
            self.altered["site_boilerplate"] = len(cut)
        numbers = itertools.count()
        for rows in held.packs():
            self.ledger.begin("site")
            for row, number in zip(rows, numbers, strict=False):  # rows first: no number is lost
                # A page whose address moved, before or after it was captured.
                row["canonical_url"] = row["canonical_url"] or self.moved.get(row["url"], "")
                if number in cut:
                    _cut_boilerplate(row, cut[number], self.ledger)
            # Footers and personal data go before signals are measured: of what is kept.
            cleaned = clean(rows, self.settings.clean, self.ledger)
            self.dropped.update(cleaned.dropped)
            self.altered.update(cleaned.altered)
            yield from cleaned.rows

    def counts(self) -> dict[str, Any]:
        return dict(self.totals) | {
            "ledger": len(self.ledger),
            "skipped": dict(sorted(self.skipped.items())),
            "dropped": dict(sorted((+self.dropped).items())),
            "altered": dict(sorted((+self.altered).items())),
            "truncated": dict(sorted(self.truncated.items())),
            "files": len(self.unit.files) if self.unit.start == 0 else 0,
            "members": _members(self.unit) if self.unit.start == 0 else 0,
            "unread": self.unread,
            "endings": dict(sorted(self.endings.items())),
        }

    def _row(self, item: Item) -> dict[str, Any] | None:
        """The document in an item; None for one that is counted, and noted, as none."""
        self.totals["records"] += 1
        result = document(item, self.settings)
        if item.site:
            self.site_files.append(item.site)
        if notice := notices.of_item(item):
            self.notices.append(notice)
        if item.moved_to:
            self.moved[item.url] = item.moved_to
        if move := moves.of_item(item):
            self.moves.append(move)
        if not isinstance(result, Reject):
            return result
        (self.skipped if result.skip else self.dropped)[result.rule] += 1
        if result.rule in UNREAD:
            self._note_unread(item.file, result)
        if not result.skip or self.settings.harvest.ledger == "full":
            self.ledger.add(
                result.rule,
                document_id(item.identity, item.offset, item.part),
                item.url,
                item.file,
                item.place[0],
                action="skip" if result.skip else "drop",
                value=result.value,
                threshold=result.threshold,
                detail=result.detail,
            )
        return None

    def _note_unread(self, file: str, result: Reject) -> None:
        if result.rule == ENDING:
            self.endings[result.detail] += 1
            return
        examples = self.unread.setdefault(result.rule, {})
        if len(examples) < EXAMPLES:
            examples[file] = result.detail


def _members(unit: Unit) -> int:
    """How many of a unit's files are members of packed files, of a known kind."""
    named = itertools.zip_longest(unit.files, unit.unread, fillvalue=("", ""))
    return sum(SEPARATOR in file and rule != ENDING for file, (rule, _) in named)


def _site_boilerplate(held: HeldRows, signed: bool) -> dict[int, Text]:
    """Row number → its text and blocks without what most pages of its host in this unit repeat
    (corpus/web/main_text/repeated.py), where that changes it. signed: the texts are Markdown."""
    places, hosts, texts, spans = [], [], [], []
    if any(host and pages >= MIN_PAGES for host, pages in held.hosts.items()):
        rows = (row for pack in held.packs() for row in pack)
        for number, row in enumerate(rows):
            if row["host"] and held.hosts[row["host"]] >= MIN_PAGES:
                places.append(number)
                hosts.append(row["host"])
                texts.append(row["text"])
                spans.append(row["blocks"])
    cleaned = site_boilerplate(hosts, texts, spans, signed)
    pages = zip(places, texts, cleaned, strict=True)
    return {number: new for number, text, new in pages if new[0] != text}


def _cut_boilerplate(row: dict[str, Any], new: Text, ledger: Ledger) -> None:
    """Give a row its text without what its site repeats, and the ledger a row that says so."""
    text, blocks = new
    gone = row["n_chars"] - len(text)
    detail = f"{gone} characters in lines that most pages of {row['host']} repeat"
    ledger.add("site_boilerplate", *ledger_key(row), action="alter", value=gone, detail=detail)
    set_text(row, text, blocks)


def _parts(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, at most BATCH_ROWS and about BATCH_BYTES at a time."""
    part: list[dict[str, Any]] = []
    held = 0
    for row in rows:
        if part and (len(part) == BATCH_ROWS or held + row["n_bytes"] > BATCH_BYTES):
            yield part
            part, held = [], 0
        part.append(row)
        held += row["n_bytes"]
    if part:
        yield part


def _measured(rows: list[dict[str, Any]], ledger: Ledger) -> tuple[pa.RecordBatch, int]:
    """The rows with their signals, and how many broke a filter; those have a ledger row each."""
    try:
        return _batch(rows), 0
    except Exception:  # one of them: measure each alone
        good: list[dict[str, Any]] = []
        for row in rows:
            try:
                _batch([row])
                good.append(row)
            except Exception as error:
                ledger.add("error", *ledger_key(row), detail=error_text(error))
        return _batch(good), len(rows) - len(good)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = {
        field.name: pa.array([row[field.name] for row in rows], field.type)
        for field in DOCUMENT
        if field.name not in ("blocks", "quality")
    }
    columns["blocks"] = to_arrow([row["blocks"] for row in rows])
    seen = pa.array([plain_view(row) for row in rows], pa.string())
    prose = views.prose_beside(seen, columns["text"], columns["blocks"], columns["format"])
    columns["quality"] = signals.measure(seen, prose=prose)
    return pa.RecordBatch.from_arrays([columns[name] for name in DOCUMENT.names], schema=DOCUMENT)
