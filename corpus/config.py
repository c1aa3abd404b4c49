"""Settings: frozen dataclasses, filled from a TOML file and from flags.

Order: defaults, then `--config FILE`, then `--set section.key=value` and the named flags. A key
that does not exist is an error that names the nearest one. Only what changes the bytes of the
corpus lives here; the number of workers and the engine do not, so they are no settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from corpus.dedup.settings import DecontaminateSettings, DedupSettings
from corpus.errors import UsageError
from corpus.sources.settings import CcindexSettings, FetchSettings
from corpus.stages.clean import CleanSettings
from corpus.text.normalize import STEPS
from corpus.web.rights.page import KNOWN_DIRECTIVES
from corpus.web.rights.robots import AI_CRAWLERS

MIB = 1 << 20
TABLES = {("input", "sources"), ("select", "profiles"), ("clean", "personal_classes")}


@dataclass(frozen=True)
class InputSettings:
    """What is read and how its parts are called."""

    kind: str = "auto"  # auto, or a name of corpus.sources.KINDS
    name: str = ""  # value of the column `source`; empty: web or files
    sources: dict[str, str] = field(default_factory=dict)  # source → glob of its files, before name
    licence: str = ""  # licence class of the whole collection, e.g. PDL-1.0
    text_column: str = "text"
    url_column: str = "url"
    title_column: str = "title"
    date_column: str = "date"
    unit_mib: int = 64  # a larger file is split into units of about this many MiB

    def source_of(self, file: str) -> str:
        """The source whose glob fits a file (its whole name, or its end from a / on), or `name`."""
        for source, pattern in sorted(self.sources.items()):
            if fnmatchcase(file, pattern) or fnmatchcase(file, f"*/{pattern}"):
                return source
        return self.name


@dataclass(frozen=True)
class HarvestSettings:
    """Limits and policies of reading and extraction."""

    max_body_mib: int = 8  # a longer body is cut there (Common Crawl itself cuts at 1 MiB)
    max_ratio: int = 1000  # a body that unpacks to more than this multiple is a bomb
    min_chars: int = 1  # shorter texts are dropped as empty
    ruby: str = "drop"  # drop, inline, keep: what happens to furigana
    site_boilerplate: bool = True  # remove lines that most pages of a host in a unit repeat
    gate: bool = True  # look for Japanese bytes before parsing
    language: str = "ja"
    min_language_score: float = 0.5
    drop_noai: bool = True  # drop pages with an explicit noai directive
    drop_tdm_reservation: bool = True
    ledger: str = "candidates"  # candidates, or full: also a row for every record that is none


@dataclass(frozen=True)
class RightsSettings:
    """What is done with what pages and robots.txt say. All of it is recorded in any case."""

    agents: tuple[str, ...] = AI_CRAWLERS  # whose robots.txt rules are looked up
    obey_robots_txt: bool = False  # drop pages that robots.txt or ai.txt forbids any of the agents
    obey_usage: bool = False  # drop pages whose robots.txt refuses training (Content-Signal)
    drop_directives: tuple[str, ...] = ()  # robots directives that drop a page, e.g. noarchive
    drop_reserved: bool = False  # drop pages with a phrase such as 無断転載を禁ず

    def __post_init__(self) -> None:
        unknown = [name for name in self.drop_directives if name not in KNOWN_DIRECTIVES]
        if unknown:
            known = ", ".join(sorted(KNOWN_DIRECTIVES))
            raise ValueError(f"no robots directive {unknown[0]!r}; there are {known}")


@dataclass(frozen=True)
class UrlSettings:
    """Lists of URLs that are kept out: hosts, suffixes, paths (forms: filters/urls/rules.py)."""

    block: tuple[str, ...] = ()  # files, folders or tar archives in UT1 layout
    allow: tuple[str, ...] = ()  # lists whose entries win where they are more specific
    categories: tuple[str, ...] = ()  # of UT1 lists; empty: all; "swallow": those of Swallow v1


@dataclass(frozen=True)
class NormalizeSettings:
    """Which steps of corpus/text/normalize.py are applied to every text."""

    steps: tuple[str, ...] = tuple(STEPS)

    def __post_init__(self) -> None:
        unknown = [step for step in self.steps if step not in STEPS]
        if unknown:
            raise ValueError(f"no step {unknown[0]!r}; there are {', '.join(STEPS)}")


@dataclass(frozen=True)
class SelectSettings:
    """Which profile decides on the documents of which source."""

    profile: str = "web"
    profiles: dict[str, str] = field(default_factory=dict)  # source → its profile, others: profile
    word_lists: str = ""  # folder with the published word lists that some -compat profiles count

    def names(self) -> list[str]:
        """The profiles that decide, each once."""
        chosen = (name for _, name in sorted(self.profiles.items()))
        return list(dict.fromkeys([self.profile, *chosen]))

    def profile_of(self, source: str) -> str:
        """The profile of a value of the column `source`."""
        return self.profiles.get(source, self.profile)


@dataclass(frozen=True)
class PublishSettings:
    """The shape of the published shards."""

    name: str = "japanese-corpus"  # title of the data card
    shard_mib: int = 256  # UTF-8 text per shard before compression


@dataclass(frozen=True)
class Settings:
    """All settings of a build."""

    input: InputSettings = field(default_factory=InputSettings)
    ccindex: CcindexSettings = field(default_factory=CcindexSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    harvest: HarvestSettings = field(default_factory=HarvestSettings)
    normalize: NormalizeSettings = field(default_factory=NormalizeSettings)
    clean: CleanSettings = field(default_factory=CleanSettings)
    rights: RightsSettings = field(default_factory=RightsSettings)
    urls: UrlSettings = field(default_factory=UrlSettings)
    dedup: DedupSettings = field(default_factory=DedupSettings)
    select: SelectSettings = field(default_factory=SelectSettings)
    decontaminate: DecontaminateSettings = field(default_factory=DecontaminateSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)


CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("harvest", "ruby"): ("drop", "inline", "keep"),
    ("harvest", "ledger"): ("candidates", "full"),
}
MINIMUM: dict[tuple[str, str], float] = {
    ("input", "unit_mib"): 1,
    ("ccindex", "unit_records"): 1,
    ("fetch", "connections"): 1,
    ("fetch", "gap_kib"): 0,
    ("fetch", "attempts"): 1,
    ("fetch", "backoff_s"): 0,
    ("fetch", "timeout_s"): 0.1,
    ("fetch", "max_skip_mib"): 0,
    ("fetch", "max_failed"): 0,
    ("harvest", "max_body_mib"): 1,
    ("harvest", "max_ratio"): 1,
    ("publish", "shard_mib"): 1,
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
        if (section, key.partition(".")[0]) in TABLES and "." in key:
            key, _, entry = key.partition(".")  # one entry: select.profiles.SOURCE=NAME
            table = getattr(getattr(settings, section), key)
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
    """A copy of `settings` with one key changed; checks name, type, choice and minimum."""
    _check_name(section, _sections(), f"section ({where})")
    part = getattr(settings, section)
    hints = typing.get_type_hints(type(part))
    _check_name(key, list(hints), f"key in [{section}] ({where})")
    value = _convert(value, hints[key], f"{section}.{key} ({where})")
    choices = CHOICES.get((section, key))
    if choices and value not in choices:
        raise UsageError(f"{section}.{key} = {value!r}: choose one of {', '.join(choices)}")
    least = MINIMUM.get((section, key))
    if least is not None and value < least:
        raise UsageError(f"{section}.{key} = {value}: must be at least {least:g}")
    try:
        changed = replace(part, **{key: value})
    except ValueError as error:  # a section may check itself in __post_init__
        raise UsageError(f"{section}.{key} = {value!r}: {error}") from error
    return replace(settings, **{section: changed})


def to_toml(settings: Settings, inputs: list[str]) -> str:
    """The resolved settings as TOML; build.load_settings reads it back."""
    lines = ["# The resolved settings of this corpus, written by `corpus build`."]
    for section in dataclasses.fields(settings):
        lines += ["", f"[{section.name}]"]
        part = getattr(settings, section.name)
        lines += [f"{f.name} = {_toml(getattr(part, f.name))}" for f in dataclasses.fields(part)]
    lines += ["", "[inputs]", f"files = {_toml(inputs)}", ""]
    return "\n".join(lines)


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


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        items = ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in sorted(value.items()))
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
