"""`trainer config`: settings with their meanings, as TOML to start from or Markdown to read."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

from trainer.config.load import toml_value
from trainer.config.settings import INT_MOST, Config, Phase, limits

INTRODUCTION = """# Settings of the trainer

Made by `trainer config --markdown` from the fields in `trainer/config/settings.py`. A run is one
TOML file with a section for each table below; any value can be given as `--section.key=value`.
`trainer config NAME` prints a preset (`trainer/configs/`) with every setting, as a file to start
from. Outside the tables stands `out`, the folder of the run.
"""

# How a reader calls the type of a setting that has no limits.
KINDS = {
    "str": "text",
    "int": "whole number",
    "bool": "true, false",
    "dict": "table",
    "list": "list",
}


def as_commented_toml(config: Config) -> str:
    """The same with the meaning of each section and each setting beside it."""
    lines = [f"out = {toml_value(config.out)}  # {fields(config)[0].metadata['help']}"]
    for name, summary, settings in _sections(config):
        lines += ["", f"# {summary}", name]
        for described in fields(settings):
            value = toml_value(getattr(settings, described.name))
            meaning = described.metadata["help"]
            choices = " | ".join(described.metadata["choices"])
            lines.append(
                f"{described.name} = {value}  # {f'{choices}; ' if choices else ''}{meaning}"
            )
    return "\n".join(lines) + "\n"


def as_markdown() -> str:
    """docs/trainer-settings.md: a table for each section, with defaults and allowed values."""
    lines = [INTRODUCTION]
    phase = " ".join((inspect.getdoc(Phase) or "").split())
    for name, summary, settings in [*_sections(Config()), ("[[phases]]", phase, Phase())]:
        lines += [f"## {name}", "", summary, ""]
        lines += ["| setting | default | values | meaning |", "|---|---|---|---|"]
        for described in fields(settings):
            cells = (
                f"`{described.name}`",
                f"`{toml_value(getattr(settings, described.name))}`",
                allowed(described),
                described.metadata["help"],
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def allowed(described: Field[Any]) -> str:
    """The values a setting may have, for a reader: "above 0", "0 to 1", "cosine, wsd"."""
    choices, ends = described.metadata["choices"], limits(described)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if ends is None:
        return KINDS[str(described.type).partition("[")[0]]
    low, most, included = ends
    if most in (INT_MOST, math.inf):
        return f"{'at least' if included else 'above'} {low:g}"
    return f"{low:g} to {most:.12g}" if included else f"above {low:g}, at most {most:g}"


def _sections(config: Config) -> Iterator[tuple[str, str, Any]]:
    """(its TOML header, what it is, settings) of each section, then of each phase."""
    for section in fields(config):
        settings = getattr(config, section.name)
        if section.name == "phases":
            yield from (("[[phases]]", _summary(Phase), phase) for phase in settings)
        elif section.name != "out":
            yield f"[{section.name}]", _summary(type(settings)), settings


def _summary(settings: type) -> str:
    """The first line of its docstring."""
    return (inspect.getdoc(settings) or "").splitlines()[0]
