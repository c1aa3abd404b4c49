"""Select: a profile's rules over stored signals decide which documents stay.

One unit per documents file, and no text is read: changing a threshold takes seconds.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import storage
from corpus.config import SelectSettings, Settings, UrlSettings
from corpus.errors import UsageError
from corpus.ledger import Ledger
from corpus.web.rights import directives_for_all
from corpus.web.sites import Site, Verdict
from filters import signals, urls
from filters.profile import Decisions, Profile, ProfileError, load
from filters.published_words import check, measure_extra
from filters.words import WordError

SELECTED = pa.schema(
    [
        pa.field("row", pa.int32(), metadata={"description": "row in the documents file"}),
        pa.field("n_bytes", pa.int32()),
        pa.field("cluster", pa.string()),
        pa.field("cluster_size", pa.int32()),
        pa.field("robots_txt", pa.list_(pa.string())),
        pa.field("robots_usage", pa.list_(pa.string())),
    ]
)
ABOUT = ("id", "url", "source_file", "source_offset")
COLUMNS = (*ABOUT, "n_bytes", "n_chars", "language_score", "repairs", "quality")


def select_unit(index: int, settings: Settings, root: Path) -> dict[str, Any]:
    """Decide on documents file `index`; write state/select and the ledger rows of what is dropped.

    Returns {input, kept, ledger, dropped: rule → documents, bytes}.
    """
    documents = root / "documents" / f"{index:07d}.parquet"
    table = pq.read_table(documents, columns=list(COLUMNS)).combine_chunks()
    removed, cluster, size = duplicates_of(root, index, table.num_rows, table["id"])
    profile = load(settings.select.profile)
    decisions = decide(profile, table, documents, settings.select.word_lists)
    candidates = ~removed
    ledger = Ledger("select")
    dropped = _note(ledger, profile, decisions, table, np.flatnonzero(candidates & ~decisions.keep))
    verdicts = site_verdicts(root, table["url"], settings)
    said = _page_rights(documents, settings)
    refused = _refuse(ledger, table, candidates & decisions.keep, verdicts, said, settings, dropped)
    keep = candidates & decisions.keep & ~refused
    keep &= ~_blocked(ledger, table, keep, settings, root, dropped)
    rows = np.flatnonzero(keep).astype(np.int32)
    selected = pa.Table.from_arrays(
        [
            pa.array(rows),
            table["n_bytes"].take(pa.array(rows)),
            cluster.take(pa.array(rows)),
            size.take(pa.array(rows)),
            *robots_columns(verdicts, rows),
        ],
        schema=SELECTED,
    )
    kept_file = root / "state" / "select" / f"{index:07d}.parquet"
    ledger_file = root / "ledger" / f"select-{index:07d}.parquet"
    outputs = {kept_file: storage.commit_parquet(kept_file, SELECTED, selected)[0]}
    outputs[ledger_file] = ledger.commit(ledger_file)
    counts = {
        "input": int(candidates.sum()),
        "kept": len(rows),
        "ledger": len(ledger),
        "dropped": dict(sorted(dropped.items())),
        "bytes": int(np.asarray(selected["n_bytes"]).sum(dtype=np.int64)) if len(rows) else 0,
    }
    receipt = root / "state" / "select" / f"{index:07d}.json"
    storage.write_receipt(receipt, root, outputs, counts)
    return counts


def decide(profile: Profile, table: pa.Table, documents: Path, word_lists: str = "") -> Decisions:
    """The profile's decisions on rows with the columns of a documents file.

    Signals of lazy groups and counts of published word lists are not stored: where the profile
    asks for some, texts are read again. word_lists: the folder of `[select] word_lists`.
    """
    chunks = _one(table["quality"])
    extra = {name: _one(table[name]) for name in ("language_score", "n_chars", "repairs")}
    lazy = frozenset(g for g in profile.groups() if signals.GROUPS[g].lazy)
    missing = [name for name in profile.extra_signals() if name not in extra]
    texts = pa.array([], pa.string())
    if (lazy or missing) and table.num_rows:
        texts = _one(pq.read_table(documents, columns=["text"])["text"])
    extra |= measure_extra(missing, texts, _folder(word_lists))
    if lazy and table.num_rows:
        fresh = signals.measure(texts, lazy)
        fields = list(chunks.type)
        measured = [
            fresh.field(f.name) if signals.GROUP_OF[f.name] in lazy else chunks.field(f.name)
            for f in fields
        ]
        chunks = pa.StructArray.from_arrays(measured, fields=fields)
    return profile.decide(chunks, extra)


def check_profile(settings: SelectSettings) -> Profile:
    """The profile; UsageError if it or the lists and packages it needs are unusable."""
    try:
        profile = load(settings.profile)
        check(profile.extra_signals(), _folder(settings.word_lists))
    except ProfileError as error:
        raise UsageError(str(error)) from error
    except WordError as error:
        raise UsageError(
            f"profile {settings.profile}: {error} (--set select.word_lists=FOLDER)"
        ) from error
    return profile


def _folder(path: str) -> Path | None:
    return Path(path) if path else None


def _one(column: Any) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def site_verdicts(root: Path, urls: pa.ChunkedArray, settings: Settings) -> list[Verdict | None]:
    """What robots.txt and ai.txt of the archive say about each URL; None where there is no file."""
    site = _site(root, settings.rights.agents)
    return [site.lookup(url) if site else None for url in urls.to_pylist()]


@functools.lru_cache(maxsize=1)
def _site(root: Path, agents: tuple[str, ...]) -> Site | None:
    """The robots.txt and ai.txt files of the whole harvest, read once a process."""
    found = sorted((root / "state" / "harvest").glob("sites-*.parquet"))
    rows = [row for path in found for row in pq.read_table(path).to_pylist()]
    return Site.load(rows, agents) if rows else None


def robots_columns(verdicts: list[Verdict | None], rows: np.ndarray) -> list[pa.Array]:
    """Columns robots_txt and robots_usage of the given rows."""
    chosen = [verdicts[row] for row in rows.tolist()]
    usage = [
        [f"{label}={'yes' if yes else 'no'}" for label, yes in v.usage.items()] if v else []
        for v in chosen
    ]
    kind = pa.list_(pa.string())
    return [pa.array([v.disallowed if v else [] for v in chosen], kind), pa.array(usage, kind)]


def _refuse(
    ledger: Ledger, table: pa.Table, kept: np.ndarray, verdicts: list[Verdict | None],
    said: list[dict[str, Any]] | None, settings: Settings, dropped: Counter[str],
) -> np.ndarray:  # fmt: skip
    """Rows that the rights policy drops, with their ledger rows."""
    refused = np.zeros(len(kept), bool)
    for row in np.flatnonzero(kept).tolist():
        why = _site_refusal(verdicts[row], settings) or _page_refusal(said, row, settings)
        if why is None:
            continue
        refused[row] = True
        dropped[why[0]] += 1
        about = {name: table[name][row].as_py() for name in ABOUT}
        ledger.add(why[0], *about.values(), detail=why[1])
    return refused


def _site_refusal(verdict: Verdict | None, settings: Settings) -> tuple[str, str] | None:
    """(rule, reason) where a file of the site drops the page."""
    if verdict is None:
        return None
    copy = f"({verdict.robots_captured or verdict.ai_captured})"
    if settings.harvest.drop_tdm_reservation and verdict.tdm_reserved:
        policy = f" {verdict.tdm_policy}" if verdict.tdm_policy else ""
        return "tdm_reservation", f"tdmrep.json reserves it{policy} ({verdict.tdm_captured})"
    if settings.rights.obey_robots_txt and verdict.disallowed:
        return "robots_txt", f"disallowed for {', '.join(verdict.disallowed[:5])} {copy}"
    if settings.rights.obey_usage and verdict.trains is False:
        return "robots_usage", f"robots.txt refuses training {copy}"
    return None


def _page_rights(documents: Path, settings: Settings) -> list[dict[str, Any]] | None:
    """Column `rights` of a documents file, where the policy asks for it."""
    if not settings.rights.drop_directives and not settings.rights.drop_reserved:
        return None
    rows: list[dict[str, Any]] = pq.read_table(documents, columns=["rights"])["rights"].to_pylist()
    return rows


def _page_refusal(
    said: list[dict[str, Any]] | None, row: int, settings: Settings
) -> tuple[str, str] | None:
    """(rule, reason) where the page itself, or its headers, drop it."""
    if said is None:
        return None
    stated = directives_for_all(said[row]["robots"])
    named = [name for name in settings.rights.drop_directives if name in stated]
    if named:
        return "robots_directive", f"robots directive {named[0]}: {', '.join(said[row]['robots'])}"
    if settings.rights.drop_reserved and said[row]["reserved"]:
        return "reserved", "a phrase on the page reserves all rights"
    return None


def _blocked(
    ledger: Ledger, table: pa.Table, kept: np.ndarray, settings: Settings, root: Path,
    dropped: Counter[str],
) -> np.ndarray:  # fmt: skip
    """Rows whose URL stands on a block list, with their ledger rows."""
    blocked = np.zeros(len(kept), bool)
    rules = url_rules(settings.urls, root / "state" / "urls")
    if rules is None or not len(kept):
        return blocked
    found = rules.classify(_one(table["url"])).is_valid().to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(found & kept).tolist():
        about = {name: table[name][row].as_py() for name in ABOUT}
        match = rules.category(about["url"])
        entry = f"{match.category}: {match.entry} ({match.source})" if match else ""
        ledger.add("url_list", *about.values(), detail=entry)
        dropped["url_list"] += 1
        blocked[row] = True
    return blocked


@functools.lru_cache(maxsize=2)
def url_rules(settings: UrlSettings, cache: Path) -> urls.Rules | None:
    """The URL lists of the settings, loaded once a process; UsageError names a bad list."""
    if not settings.block:
        return None
    try:
        return urls.load(_url_sources(settings), cache)
    except urls.UrlListError as error:
        raise UsageError(str(error)) from error


def check_url_lists(settings: UrlSettings) -> None:
    """UsageError for a missing list or an unknown category, before hours of harvest."""
    try:
        urls.check(_url_sources(settings))
    except urls.UrlListError as error:
        raise UsageError(str(error)) from error


def _url_sources(settings: UrlSettings) -> list[urls.Source]:
    """The lists of the settings; their categories choose among those of UT1 forms only."""
    categories = settings.categories or None
    if settings.categories == ("swallow",):
        categories = tuple(urls.SWALLOW_CATEGORIES)
    return [
        urls.Source(path, categories if urls.has_categories(path) else None)
        for path in map(Path, settings.block)
    ] + [urls.Source(Path(path), None, allow=True) for path in settings.allow]


def duplicates_of(
    root: Path, index: int, rows: int, ids: pa.ChunkedArray
) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """(removed bool[rows], cluster, cluster_size) of a documents file, from the dedup stage."""
    removed = np.zeros(rows, bool)
    cluster = np.array(ids.to_pylist(), dtype=object)
    size = np.ones(rows, np.int32)
    for path in sorted((root / "duplicates").glob("*.parquet")):
        part = pq.read_table(path, filters=[("file", "=", index)])
        at = part["row"].to_numpy()
        removed[at] = np.array(part["id"].to_pylist(), object) != np.array(
            part["kept_id"].to_pylist(), object
        )
        cluster[at] = np.array(part["cluster"].to_pylist(), object)
        size[at] = part["cluster_size"].to_numpy()
    return removed, pa.array(cluster, pa.string()), pa.array(size)


def _note(
    ledger: Ledger, profile: Profile, decisions: Decisions, table: pa.Table, rows: np.ndarray
) -> Counter[str]:
    dropped: Counter[str] = Counter()
    if not len(rows):
        return dropped
    about = table.select(list(ABOUT)).take(pa.array(rows))
    for row, facts in zip(rows.tolist(), about.to_pylist(), strict=True):
        failing = [profile.rules[i].name for i in np.flatnonzero(decisions.failures[row])]
        rule = profile.rules[int(decisions.rule[row])]
        dropped[rule.name] += 1
        others = f"; also fails {', '.join(failing[1:])}" if len(failing) > 1 else ""
        ledger.add(
            rule.name, facts["id"], facts["url"], facts["source_file"], facts["source_offset"],
            value=float(decisions.value[row]), threshold=float(decisions.threshold[row]),
            detail=f"profile {profile.name} wants {rule.bounds()}{others}",
        )  # fmt: skip
    return dropped
