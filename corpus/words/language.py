"""Which language a command speaks: `--lang en`, `--lang ja`, or what the locale says."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH, JAPANESE = "en", "ja"
LANGUAGES = (ENGLISH, JAPANESE)
FLAG = "--lang"
_chosen = ENGLISH


def current() -> str:
    """The language of this process: that of the last `use`."""
    return _chosen


def use(language: str) -> None:
    """Speak `language` from now on."""
    global _chosen
    _chosen = language


def of_locale(environ: Mapping[str, str]) -> str:
    """The language of the first locale variable that is set (POSIX 8.2: LC_ALL goes first)."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "")
    return JAPANESE if locale.partition("_")[0].partition(".")[0] == "ja" else ENGLISH


def taken_from(arguments: list[str]) -> str | None:
    """The value of `--lang`, which may stand anywhere; it is taken out of `arguments`.

    None where there is none; "" where its value is missing.
    """
    for at, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument == FLAG:
            value = arguments[at + 1] if at + 1 < len(arguments) else ""
            del arguments[at : at + 2]
            return value
        if argument.startswith(f"{FLAG}="):
            del arguments[at]
            return argument.partition("=")[2]
    return None
