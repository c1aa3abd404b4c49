"""From a TOML file, from flags and from a build folder to `corpus.settings.Settings`.

Order: defaults, then `--config FILE`, then `--set section.key=value` and the named flags. A key
that does not exist is an error that names the nearest one; one that moved names its new place.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

from corpus.errors import RunError, UsageError
from corpus.folder.layout import Layout
from corpus.settings import Settings
from filters.placeholders import KINDS, POLICIES

# Keys of earlier versions → where they are now. Nothing reads the old ones.
MOVED = {
    "input.text_column": "input.columns.text",
    "input.url_column": "input.columns.url",
    "input.title_column": "input.columns.title",
    "input.date_column": "input.columns.date",
    "harvest.drop_noai": "rights.drop_noai",
    "harvest.drop_tdm_reservation": "rights.drop_tdm_reservation",
}


def load(config_file: str | None = None, overrides: list[str] | None = None) -> Settings:
    """Settings from a TOML file and `section.key=value` overrides; UsageError on any mistake."""
    settings = Settings()
    if config_file:
        try:
            table = tomllib.loads(Path(config_file).read_text("utf-8"))
        except FileNotFoundError as error:
            raise UsageError(f"no such settings file: {config_file}") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{config_file} is not readable TOML: {error}") from error
        table.pop("inputs", None)  # a build's corpus.toml also names its inputs
        for section, keys in table.items():
            _check_name(section, _sections(), f"section in {config_file}")
            if not isinstance(keys, dict):
                raise UsageError(f"{config_file}: [{section}] must be a table of keys")
            for key, value in keys.items():
                settings = set_key(settings, section, key, value, config_file)
    return override_keys(settings, overrides or [])


def override_keys(settings: Settings, overrides: list[str]) -> Settings:
    """A copy of `settings` with `section.key=value` texts applied in order."""
    for override in overrides:
        name, equals, text = override.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot):
            raise UsageError(f"--set {override}: write it as section.key=value")
        value: Any = text
        name, _, entry = key.partition(".")
        table = getattr(getattr(settings, section, None), name, None)
        if entry and isinstance(table, dict):  # one of a table: select.profiles.SOURCE=NAME
            key = name
            value = {k: v for k, v in table.items() if k != entry} | ({entry: text} if text else {})
        settings = set_key(settings, section, key, value, f"--set {override}")
    return settings


def set_profiles(settings: Settings, text: str, where: str) -> Settings:
    """A copy of `settings` with the profiles of `web,law=law,aozora=literature`.

    The name without a source is the profile of all other sources; without one it stays.
    """
    items = [item.strip() for item in text.split(",") if item.strip()]
    plain = [item for item in items if "=" not in item or "/" in item.partition("=")[0]]
    if len(plain) > 1:
        raise UsageError(
            f"{where} {text}: {plain[0]} and {plain[1]} cannot both decide: give one profile, "
            "and SOURCE=PROFILE for single sources"
        )
    sources = ",".join(item for item in items if item not in plain)
    settings = set_key(settings, "select", "profiles", sources, where)
    return set_key(settings, "select", "profile", plain[0], where) if plain else settings


def set_key(settings: Settings, section: str, key: str, value: Any, where: str) -> Settings:
    """A copy of `settings` with one key changed; UsageError for a wrong name, type or value."""
    _check_name(section, _sections(), f"section ({where})")
    if f"{section}.{key}" in MOVED:
        raise UsageError(f"{where}: {section}.{key} is now {MOVED[f'{section}.{key}']}")
    part = getattr(settings, section)
    section_type: Any = type(part)
    hints = _hints(section_type)
    _check_name(key, list(hints), f"key in [{section}] ({where})")
    value = _convert(value, hints[key], f"{section}.{key} ({where})")
    try:
        changed = dataclasses.replace(part, **{key: value})
    except ValueError as error:  # a section checks itself when it is made
        named = str(error).startswith(f"{key} = ")
        name = f"{section}." if named else f"{section}.{key} = {value!r}: "
        raise UsageError(f"{name}{error}") from error
    if (section, key) == ("clean", "personal_classes"):
        _check_classes(value)
    return dataclasses.replace(settings, **{section: changed})


@functools.cache
def _hints(section: Any) -> dict[str, Any]:
    """The types of a section's keys: found anew for every key, they take most of a file's time."""
    return typing.get_type_hints(section)


def obeying(settings: Settings, *registers: str) -> Settings:
    """A copy of `settings` that names these registers of takedowns as well."""
    named = tuple(dict.fromkeys((*settings.remove.registers, *registers)))
    section = dataclasses.replace(settings.remove, registers=named)
    return dataclasses.replace(settings, remove=section)


def to_toml(settings: Settings, inputs: list[str]) -> str:
    """The resolved settings as TOML; `of_folder` reads it back."""
    lines = ["# The resolved settings of this corpus, written by `corpus build`."]
    for section in dataclasses.fields(settings):
        lines += ["", f"[{section.name}]"]
        part = getattr(settings, section.name)
        lines += [f"{f.name} = {as_toml(getattr(part, f.name))}" for f in dataclasses.fields(part)]
    lines += ["", "[inputs]", f"files = {as_toml(inputs)}", ""]
    return "\n".join(lines)


def of_folder(layout: Layout) -> tuple[Settings, tuple[str, ...]]:
    """Settings and inputs of an existing build folder; UsageError when it is none."""
    require_build(layout)
    try:
        text = layout.settings.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise RunError(f"{layout.shown(layout.settings)} is damaged: {error}") from error
    return from_toml(text, layout.shown(layout.settings), str(layout))


def from_toml(text: str, where: str, build: str = "") -> tuple[Settings, tuple[str, ...]]:
    """Settings and inputs as `to_toml` writes them; where: the file, build: the folder it is of."""
    try:
        table = tomllib.loads(text)
    except ValueError as error:
        raise RunError(f"{where} is damaged: {error}") from error
    inputs = tuple(table.pop("inputs", {}).get("files", ()))
    settings = Settings()
    for section, keys in table.items():
        for key, value in keys.items():
            if moved := MOVED.get(f"{section}.{key}"):
                raise UsageError(
                    f"{build or where} was built by an earlier version ({section}.{key} is now "
                    f"{moved}): build into another folder, or remove this one"
                )
            settings = set_key(settings, section, key, value, where)
    return settings, inputs


def flat(settings: Settings) -> dict[str, Any]:
    """`section.key` → value of all settings."""
    return {
        f"{section.name}.{field.name}": getattr(getattr(settings, section.name), field.name)
        for section in dataclasses.fields(settings)
        for field in dataclasses.fields(getattr(settings, section.name))
    }


def require_build(layout: Layout) -> None:
    """UsageError when a folder is no build folder."""
    try:
        if layout.settings.is_file():
            return
    except OSError as error:  # a name too long, a folder that may not be entered
        raise UsageError(f"{layout} cannot be opened: {error.strerror or error}") from error
    raise UsageError(f"{layout} is no build folder (it has no {layout.settings.name})")


def _check_classes(policies: dict[str, str]) -> None:
    """UsageError for a class of personal data, or a policy, that there is none of."""
    for kind, policy in policies.items():
        if kind not in KINDS:
            raise UsageError(
                f"clean.personal_classes: no class {kind!r}; there are {', '.join(KINDS)}"
            )
        if policy not in POLICIES:
            known = ", ".join(POLICIES)
            raise UsageError(f"clean.personal_classes: {kind} = {policy!r}: choose one of {known}")


def _sections() -> list[str]:
    return [f.name for f in dataclasses.fields(Settings)]


def _check_name(name: str, known: list[str], what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1, 0.4)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise UsageError(f"unknown {what}: {name}; {hint}")


def _convert(value: Any, kind: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    try:
        if kind is bool:
            if isinstance(value, bool):
                return value
            return {"true": True, "false": False}[str(value).lower()]
        if kind is int:
            if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
                raise ValueError
            return int(value)
        if kind is float:
            number = float(value)
            if number != number:
                raise ValueError
            return number
        if origin is dict:
            return _assignments(value)
        if origin is tuple:
            items = value if isinstance(value, list) else str(value).split(",")
            return tuple(str(item).strip() for item in items if str(item).strip())
        if origin in (typing.Union, types.UnionType):
            return None if value is None else str(value)
        if not isinstance(value, str):
            raise ValueError
        return value
    except (ValueError, KeyError) as error:
        wanted = "NAME=VALUE,…" if origin is dict else getattr(kind, "__name__", str(kind))
        raise UsageError(f"{where}: {value!r} is no {wanted}") from error


def _assignments(value: Any) -> dict[str, str]:
    """A TOML table of texts, or `name=value,name=value`; ValueError for anything else."""
    if isinstance(value, str):
        items = [item.partition("=") for item in value.split(",") if item.strip()]
        if not all(equals for _, equals, _ in items):
            raise ValueError
        value = {name.strip(): text.strip() for name, _, text in items}
    if not isinstance(value, dict) or not all(isinstance(v, str) and v for v in value.values()):
        raise ValueError
    return dict(sorted(value.items()))


def as_toml(value: Any) -> str:
    """A value of a setting in TOML syntax."""
    if isinstance(value, dict):
        items = ", ".join(f"{as_toml(k)} = {as_toml(v)}" for k, v in sorted(value.items()))
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
