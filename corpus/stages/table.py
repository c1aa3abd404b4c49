"""The stages of a build, in the order in which a document meets them.

    harvest ─▶ remove ─▶ dedup ─▶ select ─▶ trim ─▶ decontaminate ─▶ publish

A new stage is one file with `run(job)` and one row here: the build, the card, the funnel, the
fingerprints and the command line read this table.
"""

from __future__ import annotations

from typing import Any

from corpus.folder import layout
from corpus.sources.item import ENDING, FOLDER, REPEATED, UNREADABLE
from corpus.stages.stage import EXAMPLES, Counts, Job, Stage, merged, summed


def _harvest(units: list[Counts]) -> dict[str, Any]:
    """Also truncated: reason → documents; unread: what of the input was not read."""
    return {
        "in": summed(units, "records"),
        "out": summed(units, "documents"),
        "characters": summed(units, "characters"),
        "skipped": merged(units, "skipped"),
        "dropped": merged(units, "dropped"),
        "altered": merged(units, "altered"),  # rule → documents that stay, changed by it
        "truncated": merged(units, "truncated"),
        "unread": _unread(units),
    }


def _unread(units: list[Counts]) -> dict[str, Any]:
    """files: as given, of a known kind; members: of packed files, which are no `files`; unreadable
    and repeated: how many of both; folders that cannot be entered; endings: unknown ending → files;
    examples: rule → file → reason, EXAMPLES of each.
    """
    dropped = merged(units, "dropped")
    examples: dict[str, dict[str, str]] = {}
    for unit in units:
        for rule, files in unit.get("unread", {}).items():
            examples[rule] = dict(list((examples.get(rule, {}) | files).items())[:EXAMPLES])
    unknown, folders = dropped.get(ENDING, 0), dropped.get(FOLDER, 0)
    members = summed(units, "members")
    return {
        "files": summed(units, "files") - unknown - folders - members,
        "members": members,
        "unreadable": dropped.get(UNREADABLE, 0),
        "repeated": dropped.get(REPEATED, 0),
        "folders": folders,
        "endings": merged(units, "endings"),
        "examples": examples,
    }


def _remove(units: list[Counts]) -> dict[str, Any]:
    facts = units[0]
    left = facts["documents"] - facts["removed"]
    return {"in": facts["documents"], "out": left, "dropped": facts["dropped"]}


def _dedup(units: list[Counts]) -> dict[str, Any]:
    facts = units[0]
    return {
        "in": facts["documents"],
        "out": facts["documents"] - facts["removed"],
        "dropped": {kind: facts[kind] for kind in ("exact", "near", "url") if facts.get(kind)},
        "clusters": facts.get("clusters", 0),
    } | {key: facts[key] for key in ("indexed", "generation") if key in facts}


def _select(units: list[Counts]) -> dict[str, Any]:
    """Also sources: source → {profile that decided, in, out}."""
    sources: dict[str, dict[str, Any]] = {}
    for unit in units:
        for source, facts in unit.get("sources", {}).items():
            entry = sources.setdefault(source, {"profile": facts["profile"], "in": 0, "out": 0})
            entry["in"] += facts["input"]
            entry["out"] += facts["kept"]
    return {
        "in": summed(units, "input"),
        "out": summed(units, "kept"),
        "dropped": merged(units, "dropped"),
        "sources": dict(sorted(sources.items())),
    }


def _altering(units: list[Counts]) -> dict[str, Any]:
    return {
        "in": summed(units, "input"),
        "out": summed(units, "kept"),
        "dropped": merged(units, "dropped"),
        "altered": merged(units, "altered"),
    }


def _publish(units: list[Counts]) -> dict[str, Any]:
    documents, dropped = summed(units, "documents"), merged(units, "dropped")
    return {
        "in": documents + sum(dropped.values()),
        "out": documents,
        "dropped": dropped,
        "characters": summed(units, "characters"),
        "bytes": summed(units, "bytes"),
        "shards": len(units),
    }


def _has_removals(job: Job) -> bool:
    from corpus import register

    layout = job.folder.layout
    return layout.taken.exists() or bool(register.obeyed(layout, job.settings))


def _has_passages(job: Job) -> bool:
    return job.settings.dedup.paragraph != "none" or job.settings.dedup.substring > 0


def _has_evaluation_sets(job: Job) -> bool:
    return bool(job.settings.decontaminate.sets)


STAGES = (
    Stage(
        "harvest", "抽出", "corpus.stages.harvest", _harvest,
        # of [rights] only what decides before anything is stored
        sections=("input", "ccindex", "harvest", "normalize", "clean", "rights.drop_noai",
                  "rights.drop_tdm_reservation"),
        owns=(layout.DOCUMENTS,),
        rows=layout.DOCUMENTS,
        help="Stage 1: read the input, extract Japanese text, measure signals.",
    ),
    Stage("remove", "削除依頼", "corpus.stages.remove", _remove, wanted=_has_removals),
    Stage(
        "dedup", "重複除去", "corpus.stages.dedup", _dedup,
        sections=("dedup",),
        owns=(layout.DUPLICATES,),
        help="Stage 2: find duplicates among the documents; keep one copy by a stated policy.",
    ),
    Stage(
        "select", "選別", "corpus.stages.select", _select,
        sections=("select", "rights", "urls"),
        hands_on=True,
        help="Stage 3: decide by a profile from stored signals; no page is read again.",
    ),
    Stage(
        "trim", "反復箇所の除去", "corpus.stages.trim", _altering,
        owns=(layout.PARAGRAPHS,),
        hands_on=True,
        wanted=_has_passages,
    ),
    Stage(
        "decontaminate", "評価データの除去", "corpus.stages.decontaminate", _altering,
        sections=("decontaminate",),
        hands_on=True,
        wanted=_has_evaluation_sets,
    ),
    Stage(
        "publish", "公開", "corpus.stages.publish", _publish,
        sections=("publish",),
        owns=(layout.NEXT,),  # what is published stays until the next publication is whole
        rows=layout.SHARDS,
        help="Stage 4: write the shards, the card, the report and the manifest.",
    ),
)  # fmt: skip


def up_to(name: str, stages: tuple[Stage, ...] = STAGES) -> tuple[Stage, ...]:
    """The stages up to and with `name`."""
    return stages[: [stage.name for stage in stages].index(name) + 1]
