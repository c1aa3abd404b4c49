"""Settings from TOML and the command line, and back: `load("150m", ["--train.lr=1e-3"])`.

A run is described by one TOML file with a section per dataclass of settings.py. Unknown sections
and keys are errors that name the nearest known one, so a typo never trains a different model in
silence. `trainer/configs/NAME.toml` are presets; `load` finds them by name.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_type_hints

from trainer.config.settings import Config, ConfigError

PRESETS = Path(__file__).parents[1] / "configs"
# What there was once, and what does its work.
RETIRED = {
    "train.spike_rewind": "train.spike skips the step of a spike",
    "train.ramp": "write [[phases]] with batch_rows of their own",
}


def preset_names() -> list[str]:
    return sorted(file.stem for file in PRESETS.glob("*.toml"))


def load(path: str | Path, overrides: list[str] | None = None) -> Config:
    """Read `path` (a TOML file, or the name of a preset) and apply `section.key=value` overrides.

    Raises ConfigError for a missing file, bad TOML, an unknown key or a value of the wrong type.
    """
    file = Path(path)
    if (file / "config.toml").is_file():  # a run, or what `trainer import` made
        file = file / "config.toml"
    if not file.is_file():
        file = PRESETS / f"{path}.toml"
    if not file.is_file():
        names = ", ".join(preset_names())
        raise ConfigError(f"no configuration {str(path)!r}: give a TOML file or one of {names}")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error
    return from_dict(override(table, overrides or []), str(file))


def override(table: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """`table` with `[--]section.key=value` arguments written into it, in place."""
    for argument in overrides:
        key, equals, value = argument.removeprefix("--").partition("=")
        if not equals:
            raise ConfigError(f"{argument!r}: write an override as --section.key=value")
        *sections, last = key.split(".")
        target = table
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{argument!r}: {section!r} is not a section")
        target[last] = _parse(value)
    return table


def from_dict(table: dict[str, Any], where: str = "config") -> Config:
    """Build a Config from nested dictionaries (a parsed TOML, or the config of a checkpoint)."""
    result = _build(Config, table, where, "")
    assert isinstance(result, Config)
    return result


def as_toml(config: Config) -> str:
    """The resolved settings as TOML, readable by `load`."""
    lines: list[str] = []
    for name, value in asdict(config).items():
        tables = [(f"[{name}]", value)] if isinstance(value, dict) else []
        tables = [(f"[[{name}]]", phase) for phase in value] if name == "phases" else tables
        if tables or name == "phases":
            for head, table in tables:
                lines += ["", head, *(f"{k} = {toml_value(v)}" for k, v in table.items())]
        else:
            lines.append(f"{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A setting in TOML syntax."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value)


def _build(kind: type, table: dict[str, Any], where: str, prefix: str) -> Any:
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if f"{prefix}{key}" in RETIRED:
            if value:
                raise ConfigError(f"{where}: {prefix}{key} is gone: {RETIRED[prefix + key]}")
            continue  # 0 or [] in the files of earlier runs
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else f"; known: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {prefix}{key}{hint}")
        inner: Any = next(iter(getattr(hints[key], "__args__", ())), None)  # list[Phase]
        if hasattr(inner, "__dataclass_fields__"):
            if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                raise ConfigError(f"{where}: {key} is a list of tables, each written as [[{key}]]")
            values[key] = [
                _build(inner, v, where, f"{prefix}{key}[{i}].") for i, v in enumerate(value)
            ]
        elif hasattr(hints[key], "__dataclass_fields__"):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {key} is a section, written as [{key}]")
            values[key] = _build(hints[key], value, where, f"{prefix}{key}.")
        else:
            values[key] = _typed(hints[key], value, f"{where}: {prefix}{key}")
    return kind(**values)


def _typed(kind: Any, value: Any, name: str) -> Any:
    """`value` as a setting of type `kind`; whole numbers and floats stand in for each other."""
    base = getattr(kind, "__origin__", kind)
    if base is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if base is int and isinstance(value, float) and value.is_integer():
        return int(value)  # 1e9 tokens
    if not isinstance(value, base) or (base is int and isinstance(value, bool)):
        raise ConfigError(f"{name} must be {base.__name__}, not {value!r}")
    return value


def _parse(text: str) -> Any:
    """The value of an override: TOML syntax, else a bare string."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
