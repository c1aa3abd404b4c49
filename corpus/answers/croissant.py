"""Croissant 1.1 (mlcommons.org/croissant): shards and columns for programs, and their origin.

Every field of the shards' schema is declared, with what lies in structs and lists, so that
`mlcroissant` loads every record. The responsible-AI (rai:) and provenance (prov:, W3C PROV-O)
properties state what card and receipts state: measured facts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import __version__
from corpus.answers.facts import citation
from corpus.folder.layout import PARQUET, SHARDS, Layout
from corpus.folder.schema import SHARD

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract"),
            *("field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray"),
            *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
            *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source"),
            *("subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
RECORDS = "documents"


def metadata(layout: Layout, facts: dict[str, Any]) -> dict[str, Any]:
    """The content of croissant.json. facts: of `corpus.answers.facts`."""
    shards = layout.shards()
    schema = pq.read_schema(shards[0]) if shards else SHARD
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": facts["name"],
        "description": f"Japanese corpus of {facts['documents']} documents, built by Inaho.",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "inLanguage": "ja",
        "license": licence_text(facts),
        "citeAs": citation(facts),
        **_publication(facts),
        **_responsible(facts),
        **_provenance(facts),
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": "shards",
                "name": "shards",
                "encodingFormat": "application/x-parquet",
                "includes": f"{SHARDS}/{PARQUET}",
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": RECORDS,
                "name": RECORDS,
                "key": {"@id": f"{RECORDS}/id"},
                "field": [_column(field) for field in schema],
            }
        ],
    }


def _publication(facts: dict[str, Any]) -> dict[str, str]:
    """Version and date, if the publisher states them: a build knows neither."""
    stated = {"version": facts["version"], "datePublished": facts["date"]}
    return {name: value for name, value in stated.items() if value}


def licence_text(facts: dict[str, Any]) -> str:
    """One licence if all documents have it, else where the licence of a document stands."""
    found = facts["lists"].get("licence", [])
    if len(found) == 1 and found[0][0] != "unknown":
        return str(found[0][0])
    known = ", ".join(f"{name}: {documents}" for name, documents, _ in found)
    return "of each document, in the column licence" + (f" ({known})" if known else "")


# fields -------------------------------------------------------------------------------------------


def _column(field: pa.Field) -> dict[str, Any]:
    """A column: a field of its own, or one with the fields of its structs."""
    path = f"{RECORDS}/{field.name}"
    is_list = pa.types.is_list(field.type)
    value = field.type.value_type if is_list else field.type
    declared = _declared(path, field, is_list)
    if pa.types.is_struct(value):
        declared["subField"] = [_part(path, field.name, part) for part in value]
        return declared
    return declared | {"dataType": _data_type(value), "source": _source(field.name)}


def _part(parent: str, column: str, field: pa.Field) -> dict[str, Any]:
    """A field of a struct, which a JSONPath takes out of the column's value."""
    is_list = pa.types.is_list(field.type)
    value = field.type.value_type if is_list else field.type
    return _declared(f"{parent}/{field.name}", field, is_list) | {
        "dataType": _data_type(value),
        "source": _source(column) | {"transform": {"jsonPath": f"$.{field.name}"}},
    }


def _declared(path: str, field: pa.Field, is_list: bool) -> dict[str, Any]:
    declared = {"@type": "cr:Field", "@id": path, "name": field.name}
    meaning = (field.metadata or {}).get(b"description", b"").decode()
    if meaning:
        declared["description"] = meaning
    return declared | ({"isArray": True, "arrayShape": "-1"} if is_list else {})


def _source(column: str) -> dict[str, Any]:
    return {"fileSet": {"@id": "shards"}, "extract": {"column": column}}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


# what is stated -----------------------------------------------------------------------------------


def _responsible(facts: dict[str, Any]) -> dict[str, Any]:
    """Properties of Croissant RAI 1.0."""
    funnel = facts["funnel"]
    harvest = funnel["harvest"]
    rights = facts["rights"]
    said: dict[str, Any] = {
        "rai:dataCollection": f"{harvest['in']} records of given archives and files were read; "
        "nothing was asked of a person.",
        "rai:dataUseCases": ["pre-training of language models"],
        "rai:dataPreprocessingProtocol": [_step(name, entry) for name, entry in funnel.items()],
        "rai:dataReleaseMaintenancePlan": "`corpus remove` takes documents out for good and "
        "publishes what is left; removals.json holds hashes of what went.",
    }
    period = [day for day in facts.get("captured", ()) if _is_date(day)]
    if period:
        said["rai:dataCollectionTimeFrame"] = period
    missing = [f"{rights['truncated']} documents may end early"] if rights.get("truncated") else []
    unread = harvest.get("unread", {})
    if unread.get("unreadable"):
        missing.append(f"{unread['unreadable']} files could not be read")
    if missing:
        said["rai:dataCollectionMissingData"] = "; ".join(missing)
    if rights:
        known = {name: count for name, count, _ in facts["lists"]["licence"]}
        said["rai:dataLimitations"] = [
            f"{known.get('unknown', 0)} of {facts['documents']} documents state no known licence",
            f"{rights['reserved_phrase']} carry a phrase that reserves rights",
        ]
    if facts.get("personal"):
        said["rai:personalSensitiveInformation"] = [
            f"{name}: {entry['policy']}, {entry['places']} places in {entry['documents']} documents"
            for name, entry in facts["personal"].items()
        ]
    return said


def _step(name: str, entry: dict[str, Any]) -> str:
    reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
    words = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return f"{name}: {entry['in']} in, {entry['out']} out" + (f" ({words})" if words else "")


def _provenance(facts: dict[str, Any]) -> dict[str, Any]:
    """Properties of W3C PROV-O: from which collections, by which activity and program."""
    collections = [
        {"@type": "prov:Entity", "prov:label": name, "description": f"{documents} documents"}
        for name, documents, _ in facts["lists"].get("source", ())
    ]
    activity = {
        "@type": "prov:Activity",
        "prov:label": " → ".join(facts["funnel"]),
        "prov:wasAssociatedWith": {
            "@type": "prov:SoftwareAgent",
            "prov:label": f"Inaho {__version__}",
        },
    }
    derived = {"prov:wasDerivedFrom": collections} if collections else {}
    return derived | {"prov:wasGeneratedBy": activity}


def _is_date(text: str) -> bool:
    """WARC-Date is whatever an archive says."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
