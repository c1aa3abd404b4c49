"""The YAML before the English card, by which Hugging Face knows a corpus."""

from __future__ import annotations

import json
from typing import Any

from corpus.answers.card.parts import Lines
from corpus.folder.layout import LEDGER, PARQUET, SHARDS

# The identifiers of Hugging Face's `license` differ from SPDX's in case, and are not all there.
HUB_LICENCES = frozenset(
    f"cc-by{terms}-{version}"
    for terms in ("", "-sa", "-nc", "-nd", "-nc-sa", "-nc-nd")
    for version in ("2.0", "2.5", "3.0", "4.0")
) | {"cc0-1.0"}


def front_matter(facts: dict[str, Any]) -> Lines:
    """The YAML by which `datasets.load_dataset` finds shards and ledger, and the Hub its tags."""
    sources = [str(row[0]) for row in facts["lists"].get("source", [])]
    tags = ["japanese", "pretraining", "inaho", *(f"source:{name}" for name in sources)]
    return [
        "---",
        "language:",
        "- ja",
        *_licence_lines(facts),
        f"pretty_name: {json.dumps(facts['name'], ensure_ascii=False)}",
        "task_categories:",
        "- text-generation",
        "task_ids:",
        "- language-modeling",
        "multilinguality:",
        "- monolingual",
        "language_creators:",
        "- found",
        "annotations_creators:",
        "- no-annotation",
        "source_datasets:",
        "- original",
        f"size_categories:\n- {_size_category(facts['documents'])}",
        "tags:",
        *(f"- {json.dumps(tag, ensure_ascii=False)}" for tag in tags),
        "configs:",
        "- config_name: default",
        "  default: true",
        "  data_files:",
        "  - split: train",
        f"    path: {SHARDS}/{PARQUET}",
        "- config_name: ledger",
        "  data_files:",
        "  - split: train",
        f"    path: {LEDGER}/{PARQUET}",
        "---",
        "",
    ]


def _licence_lines(facts: dict[str, Any]) -> Lines:
    """The licence that all documents have, or that each states its own."""
    found = facts["lists"].get("licence", [])
    name = str(found[0][0]) if len(found) == 1 else "unknown"
    if name.lower() in HUB_LICENCES:
        return [f"license: {name.lower()}"]
    single = name if name != "unknown" else "of each document, in the column licence"
    return ["license: other", f"license_name: {json.dumps(single, ensure_ascii=False)}"]


def _size_category(documents: int) -> str:
    """The classes of Hugging Face's `size_categories`; above 10**9 by powers of ten."""
    classes = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
    for power, name in enumerate(classes, 3):
        if documents < 10**power:
            return name
    return "n>1T" if documents >= 10**12 else "1B<n<10B" if documents < 10**10 else "10B<n<100B"
