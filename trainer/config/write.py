"""`trainer config`: every setting with its meaning, as TOML that `trainer train` reads.

The meanings are the comments of config.py, so each is written once.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass

from trainer.config.settings import Config, toml_value

_FIELD = re.compile(r"^ {4}(\w+): [^#]+?  # (.+)$", re.MULTILINE)


def commented(config: Config) -> str:
    """`config` as TOML: a section for each dataclass, a line with its comment for each setting."""
    lines = [f"out = {toml_value(config.out)}  # folder of the run"]
    for field in fields(config):
        section = getattr(config, field.name)
        if not is_dataclass(section):
            continue
        kind = type(section)
        summary = (inspect.getdoc(kind) or "").splitlines()[0]
        lines += ["", f"# {summary}", f"[{field.name}]"]
        meaning = dict(_FIELD.findall(inspect.getsource(kind)))
        for setting in fields(section):
            line = f"{setting.name} = {toml_value(getattr(section, setting.name))}"
            said = meaning.get(setting.name)
            lines.append(f"{line}  # {said}" if said else line)
    return "\n".join(lines) + "\n"
