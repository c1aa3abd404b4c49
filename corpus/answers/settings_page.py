"""`corpus settings`: every setting with its default, its limits and its meaning.

All of it comes from the fields of corpus/settings.py; docs/settings.md is `corpus settings
--markdown`, and a test holds the two equal.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from corpus import config
from corpus.errors import UsageError
from corpus.settings import Settings


def listed(section: str | None = None) -> list[dict[str, Any]]:
    """[{section, about, settings: [{key, type, default, help, choices, least, above, most}]}]."""
    names = [field.name for field in dataclasses.fields(Settings)]
    if section is not None and section not in names:
        raise UsageError(f"no section {section!r} of settings; there are {', '.join(names)}")
    sections = []
    for name in names if section is None else [section]:
        part = getattr(Settings(), name)
        sections.append(
            {
                "section": name,
                "about": (inspect.getdoc(part) or "").splitlines()[0],
                "settings": [
                    {
                        "key": field.name,
                        "type": str(field.type),
                        "default": getattr(part, field.name),
                        **field.metadata,
                    }
                    for field in dataclasses.fields(part)
                ],
            }
        )
    return sections


def as_toml(section: str | None = None) -> str:
    """The defaults as TOML with a comment each, to start a --config file from."""
    lines = []
    for part in listed(section):
        lines += ["", f"# {part['about']}", f"[{part['section']}]"]
        for entry in part["settings"]:
            limits = _limits(entry)
            lines.append(f"# {entry['help']}{f' ({limits})' if limits else ''}")
            lines.append(f"{entry['key']} = {config.as_toml(entry['default'])}")
    return "\n".join(lines[1:]) + "\n"


def as_markdown(section: str | None = None) -> str:
    """The same as a page of tables."""
    lines = [
        "# Settings",
        "",
        "Made by `corpus settings --markdown` from corpus/settings.py. A setting is given in a",
        "TOML file (`--config FILE`), or as `--set section.key=value`; flags win over the file.",
        "The resolved settings of a build stand in its `corpus.toml`, which `--config` reads too.",
    ]
    for part in listed(section):
        lines += ["", f"## [{part['section']}]", "", part["about"], ""]
        lines += ["| key | default | meaning | values |", "|---|---|---|---|"]
        for entry in part["settings"]:
            cells = (config.as_toml(entry["default"]), entry["help"], _limits(entry))
            default, meaning, limits = (cell.replace("|", "\\|") for cell in cells)
            lines.append(f"| `{entry['key']}` | `{default}` | {meaning} | {limits} |")
    return "\n".join(lines) + "\n"


def _limits(entry: dict[str, Any]) -> str:
    if entry["choices"]:
        return ", ".join(entry["choices"])
    bounds = (("at least", "least"), ("above", "above"), ("at most", "most"))
    return ", ".join(f"{words} {entry[key]:g}" for words, key in bounds if entry[key] is not None)
