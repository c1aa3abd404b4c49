"""Writes docs/commands.md from the two commands: python docs/commands.py > docs/commands.md"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

# Widths of a terminal and the reader's own settings must not reach the page.
os.environ["COLUMNS"] = "100"

HEAD = """# Commands

Made from the programs (`python docs/commands.py > docs/commands.md`): what `--help` says. Settings
that are no flags stand in [settings.md](settings.md) (`--set section.key=value`) and
[trainer-settings.md](trainer-settings.md) (`--section.key=value`, where noted).
"""


def page() -> str:
    """The page: every verb of `corpus` and `trainer`, in the order of --help."""
    import typer

    from corpus.cli.app import app as corpus
    from trainer.cli.app import app as trainer

    parts = [HEAD]
    for name, app in (("corpus", corpus), ("trainer", trainer)):
        command = typer.main.get_command(app)
        parts += [f"## {name}\n", f"{command.help}\n"]
        for words, verb in verbs(command, name):
            parts += _verb(words, verb)
    return "\n".join(parts)


def verbs(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(words, verb) of every verb below a command, depth first."""
    for word, verb in command.commands.items():
        if hasattr(verb, "commands"):
            yield from verbs(verb, f"{name} {word}")
        else:
            yield f"{name} {word}", verb


def _verb(words: str, verb: Any) -> list[str]:
    shown = [p for p in verb.params if p.name not in ("help", "install_completion")]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option" and not p.hidden]
    names = "".join(f" {_argument(p)}" for p in arguments)
    parts = [f"### {words}\n", f"    {words}{names}{' [OPTIONS]' * bool(options)}\n"]
    parts += [f"{verb.help.replace(chr(8), '').strip()}\n"]
    if verb.context_settings.get("ignore_unknown_options"):
        parts.append("Takes `--section.key=value` for any setting.\n")
    if shown:
        rows = [(f"`{_argument(p)}`", p) for p in arguments] + [(_flags(p), p) for p in options]
        parts += ["| | default | |", "|---|---|---|"]
        parts += [f"| {left} | {_default(p)} | {_cell(p.help or '')} |" for left, p in rows]
        parts.append("")
    return parts


def _argument(parameter: Any) -> str:
    said = (parameter.metavar or parameter.name.upper().rstrip("_")).strip("{}[]")
    more = parameter.nargs == -1 and "…" not in said
    return f"{said}{'…' * more}" if parameter.required else f"[{said}{'…' * more}]"


def _flags(parameter: Any) -> str:
    value = "" if parameter.is_flag else f" {parameter.metavar or _kind(parameter)}"
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{_cell(name + value)}`" for name in names)


def _kind(parameter: Any) -> str:
    said = str(parameter.type_descriptor.annotation)
    names = {"Path": "PATH", "int": "N", "float": "X"}
    return next((name for kind, name in names.items() if kind in said), "TEXT")


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if callable(value) or getattr(parameter, "is_flag", False) or value in (None, "", (), []):
        return ""
    return f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(page(), end="")
