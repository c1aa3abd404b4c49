"""`corpus answer`: for every item of a request what builds and runs have of it; what is unknown.

    request ─▶ search of each build ─▶ fate of each document ─▶ outcome of each item ─▶ document

An item is *present* (a document stands in the published shards), *present as a copy* (it was
dropped as a duplicate of one that does), *taken out*, *reserved* (dropped because page or site
reserve it), *dropped* (by which stage and rule, with the value), *not seen*, or *not answerable*,
with why. The answer holds no time and no path but those that the build has: made again from the
same builds and request it has the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import config, register
from corpus.answers import runs as trained
from corpus.enquiry.fates import LISTED, fates_of
from corpus.enquiry.found import Found, Hit
from corpus.enquiry.phrases import OUTCOMES
from corpus.enquiry.request import Item, Request
from corpus.enquiry.search import search
from corpus.folder import removals
from corpus.folder.commit import sha256
from corpus.folder.layout import Layout
from corpus.settings import Settings
from corpus.stages import books
from corpus.stages.rights import obeyed
from corpus.web.rights.sites import Site, Verdict

ORDER = tuple(OUTCOMES)  # of an item and fates of a document, the weightiest first
IN = ("present", "present_as_copy")
OF_HOST = 5  # documents of a host that are told one by one


def answer(request: Request, layouts: list[Layout], runs: list[Path]) -> dict[str, Any]:
    """{request, builds, runs, items, outcomes, sha256}: see the module; `sha256` is of all else."""
    found = [_of_build(layout, request) for layout in layouts]
    seen = [_of_run(run, found) for run in runs]
    for build in found:  # of a host they are many
        for item in build["items"].values():
            del item["ids"]
    items = []
    for item in request.items:
        rows = [build["items"][item.number] for build in found]
        outcome = "unanswerable" if item.problem else min((r["outcome"] for r in rows), key=_rank)
        about = {"number": item.number, "kind": item.kind, "value": item.value[:300]}
        items.append(about | {"outcome": outcome, "problem": item.problem, "builds": rows})
    outcomes = Counter(str(item["outcome"]) for item in items)
    facts = {
        "request": {
            "reference": request.reference, "asked": request.asked, "sha256": request.sha256,
            "items": len(request.items), "repeated": request.repeated,
        },
        "builds": [build["about"] for build in found],
        "runs": seen,
        "outcomes": dict(sorted(outcomes.items(), key=_by_rank)),
        "items": items,
    }  # fmt: skip
    data = json.dumps(facts, ensure_ascii=False, sort_keys=True)
    return facts | {"sha256": hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()}


def _rank(outcome: str) -> int:
    return ORDER.index(outcome)


def _by_rank(pair: tuple[str, int]) -> int:
    return _rank(pair[0])


# a build ------------------------------------------------------------------------------------------


def _of_build(layout: Layout, request: Request) -> dict[str, Any]:
    """{about, items: number → {build, outcome, ids, documents, by, listed, site}, copies: id → the
    kept copy that is published}."""
    settings, _ = config.of_folder(layout)
    steps = tuple(settings.normalize.steps)
    found = search(layout, request.items, steps, _signed(layout, settings))
    ids = pa.array(sorted({name for hits in found.hits.values() for name in hits}), pa.string())
    fates = fates_of(layout, settings, ids, found.places)
    about = _about(layout, settings, found.inputs) | {"texts_by": found.texts_by}
    sites = [row for path in layout.sites_files() for row in pq.read_table(path).to_pylist()]
    site = Site.load(sites, settings.rights.agents) if sites else None
    items = {}
    for item in request.items:
        own = _of_item(item, found, fates, about["obeyed"])
        items[item.number] = own | {"build": about["name"]}
        if item.kind == "url" and site:
            said = filter(None, map(site.lookup, _addresses(item)))
            items[item.number]["site"] = _site(next(said, None))
    copies = {n: f["kept_id"] for n, f in fates.items() if f["fate"] == "present_as_copy"}
    return {"about": about, "items": items, "copies": copies}


def _addresses(item: Item) -> list[str]:
    """An address as it was given, and with the other scheme: sites answer to both, mostly."""
    _, _, rest = item.value.rpartition("://")
    first = item.value if "://" in item.value else f"https://{rest}"
    return [first, f"https://{rest}", f"http://{rest}"]


def _signed(layout: Layout, settings: Settings) -> Any:
    """The settings of the build's signatures, None where it has none."""
    signed = settings.dedup.mode == "near" and layout.signatures_made_from.exists()
    return settings.dedup if signed else None


def _about(layout: Layout, settings: Settings, inputs: Counter[tuple[str, str]]) -> dict[str, Any]:
    """What the build read, of which days, and by which digests it is known."""
    funnel = books.funnel(layout)
    harvest = funnel["harvest"]
    archives = _archives(layout, inputs)
    days = sorted(day for row in archives for day in row["captured"])
    return {
        "name": layout.root.name,
        "manifest": sha256(layout.manifest) if layout.manifest.exists() else "",
        "records": harvest["in"],
        "documents": harvest["out"],
        "published": funnel.get("publish", {}).get("out", 0),
        "only_counted": sum(harvest["skipped"].values()),
        "counted": harvest["skipped"],
        "dropped": {
            stage: dict(sorted(entry["dropped"].items()))
            for stage, entry in funnel.items()
            if sum(entry.get("dropped", {}).values())
        },
        "obeyed": obeyed(settings.rights),
        "captured": [days[0], days[-1]] if days else [],
        "archives": archives,
        "registers": {Path(n).name: head for n, head in register.heads(settings).items()},
        "removals": len(removals.load(layout)),
    }


def _archives(layout: Layout, inputs: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """[{file, identity, documents, captured: first and last day}] of the inputs, in their order.

    inputs: (file, day) → documents.
    """
    documents: Counter[str] = Counter()
    days: dict[str, set[str]] = {}
    for (file, day), count in inputs.items():
        documents[file] += count
        if re.fullmatch(r"\d{4}-\d\d-\d\d", day):  # a WARC-Date may say anything
            days.setdefault(file, set()).add(day)
    # As corpus.sources.plan.as_planned, which loads a reader for every kind of file.
    units = json.loads(layout.plan.read_bytes())["units"]
    files = {
        file: identity
        for unit in units
        for file, identity in zip_longest(unit["files"], unit["identities"], fillvalue="")
    }
    return [
        {
            "file": file,
            "identity": identity,
            "documents": documents[file],
            "captured": sorted({min(days[file]), max(days[file])}) if file in days else [],
        }
        for file, identity in files.items()
    ]


def _of_item(
    item: Item, found: Found, fates: dict[str, dict[str, Any]], obeyed: dict[str, bool]
) -> dict[str, Any]:
    """The outcome of an item in a build, and its documents, the weightiest fate first."""
    hits = found.hits.get(item.number, {})
    rows = [_told(fates[name], hit, obeyed) for name, hit in hits.items() if name in fates]
    rows.sort(key=lambda row: (_rank(row["fate"]), -row["share"], row["id"]))
    by = Counter(row["fate"] for row in rows)
    return {
        "outcome": rows[0]["fate"] if rows else "not_seen",
        "ids": [row["id"] for row in rows],
        "documents": len(rows),
        "by": dict(sorted(by.items(), key=_by_rank)),
        "listed": rows[: OF_HOST if item.kind == "host" else LISTED],
        "site": None,
    }


def _told(fate: dict[str, Any], hit: Hit, obeyed: dict[str, bool]) -> dict[str, Any]:
    """A document's fate, how it was found, and the refusals on record that the build disregards."""
    said = fate.get("rights") or {} if fate["fate"] in IN else {}
    refuses = said | {"robots_usage": any(u.endswith("=no") for u in said.get("robots_usage", ()))}
    ignored = [rule for rule, yes in obeyed.items() if not yes and refuses.get(rule)]
    return {**fate, "not_obeyed": ignored, "how": hit.how, "share": round(hit.share, 3)}


def _site(verdict: Verdict | None) -> dict[str, Any] | None:
    """What robots.txt, ai.txt and tdmrep.json in the archives say of an address."""
    if verdict is None:
        return None
    return {
        "disallowed": verdict.disallowed,
        "usage": verdict.usage,
        "tdm_reserved": verdict.tdm_reserved,
        "captured": max(verdict.robots_captured, verdict.ai_captured, verdict.tdm_captured)[:10],
    }


# runs ---------------------------------------------------------------------------------------------


def _of_run(run: Path, found: list[dict[str, Any]]) -> dict[str, Any]:
    """What a run is; what it did with the documents that were found goes into `runs` of the items
    and of the documents that are listed."""
    ids = {name for build in found for item in build["items"].values() for name in item["ids"]}
    ids.update(kept for build in found for kept in build["copies"].values())
    facts = trained.of_documents(run, sorted(ids))
    seen = trained.seen(facts)
    for build in found:
        copies = build["copies"]
        for item in build["items"].values():
            for row in item["listed"]:
                copy = _seen(seen, copies[row["id"]]) if row["id"] in copies else None
                about = {"run": run.name, "reached": facts["reached"], "copy": copy}
                row.setdefault("runs", []).append(about | _seen(seen, row["id"]))
            used = [_seen(seen, n)["steps"] or _seen(seen, copies.get(n, ""))["steps"]
                    for n in item["ids"]]  # fmt: skip
            steps = [step for own in used for step in own]
            item.setdefault("runs", []).append(
                {
                    "run": run.name,
                    "trained": sum(map(bool, used)),
                    "first": min(steps, default=0),
                    "last": max(steps, default=0),
                }
            )
    keys = ("reached", "steps", "fingerprint", "checkpoints")
    return {"name": run.name} | {key: facts[key] for key in keys}


def _seen(seen: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return seen.get(name, trained.UNSEEN)
