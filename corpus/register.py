"""A register of takedowns for many builds: one file, append-only, hash-chained, signed if wanted.

    FILE    a line an entry, JSON with sorted keys:
      number    1, 2, 3 …
      time      when it was entered, UTC; asked: the day it was asked for, where that was said
      kind, sha256, host, data    what it names (corpus.folder.removals.Removal)
      sealed    SHA-256 of the line's `private` part
      previous  hash of the entry before, 64 zeros of the first
      hash      SHA-256 of all of the above
      signed    Ed25519 signature of `hash`, with the operator's key
      private   {value, who, reason, salt}: stays with the operator; `export` leaves it out

A changed, dropped or reordered entry breaks the chain, in an export as well. What is cut off at the
end can only be seen by who knows how far the file went: a head that was noted elsewhere, or a
build folder, which keeps the head that it obeyed last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from corpus.errors import RunError, UsageError, one_line
from corpus.folder.commit import bytes_writer, commit
from corpus.folder.layout import Layout
from corpus.folder.removals import Removal, load
from corpus.settings import Settings

START = "0" * 64
CHAINED = ("number", "time", "asked", "kind", "sha256", "host", "data", "sealed", "previous")
MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Request:
    """What is entered: what it names, in the operator's own words, and who asked (a reference)."""

    removal: Removal
    value: str = ""
    who: str = ""
    asked: str = ""  # ISO 8601 date

    def __post_init__(self) -> None:
        try:
            date.fromisoformat(self.asked or "2000-01-01")
        except ValueError as error:
            raise UsageError(f"--asked {self.asked}: write the day as 2026-11-30") from error


def head_of(entries: list[dict[str, Any]]) -> str:
    """The hash of the last entry: it stands for all of them."""
    return str(entries[-1]["hash"]) if entries else START


# reading ------------------------------------------------------------------------------------------


def read(path: Path) -> list[dict[str, Any]]:
    """The entries of a register whose chain is whole.

    RunError for one that is not, or not there: what it names must stay out.
    """
    entries, problems = _parsed(path)
    problems = problems or _broken(entries)
    if problems:
        raise RunError(
            f"the register {path} is damaged: {problems[0]}; `corpus register verify {path}`"
        )
    return entries


def removals_of(path: Path) -> list[Removal]:
    """What a register names, first entry first."""
    out = []
    for entry in read(path):
        reason = entry.get("private", {}).get("reason", "")
        fields = {name: entry.get(name, "") for name in ("kind", "sha256", "host", "data")}
        try:
            out.append(Removal.read(fields | {"reason": reason}))
        except (TypeError, ValueError, UsageError) as error:
            raise RunError(f"{path}, entry {entry['number']}: {one_line(error)}") from error
    return out


def obeyed(layout: Layout, settings: Settings) -> list[Removal]:
    """What a build obeys: its own list, that of the index it is compared with, the registers."""
    index = settings.dedup.against
    removals = load(layout) + (load(Layout(Path(index))) if index else [])
    for name in settings.remove.registers:
        removals += removals_of(Path(name))
    return removals


def heads(settings: Settings) -> dict[str, dict[str, Any]]:
    """Register → {entries, head}, as a receipt keeps them."""
    read_now = {name: read(Path(name)) for name in settings.remove.registers}
    return {n: {"entries": len(e), "head": head_of(e)} for n, e in read_now.items()}


def refuse_shortened(before: dict[str, dict[str, Any]], settings: Settings) -> None:
    """RunError when a register has lost entries that a build obeyed earlier."""
    for name in settings.remove.registers:
        known = before.get(name, {"entries": 0, "head": START})
        entries = read(Path(name))[: known["entries"]]
        if len(entries) < known["entries"] or head_of(entries) != known["head"]:
            raise RunError(
                f"the register {name} is another or was cut: this build obeyed "
                f"{known['entries']} entries that end in {known['head'][:16]}…"
            )


def _parsed(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines as objects, and what is wrong with them as such."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return [], [f"it is larger than {MAX_BYTES:,} bytes"]
        lines = path.read_bytes().decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return [], [f"it cannot be read ({one_line(error)})"]
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return entries, [f"line {number} is no JSON"]
        if not isinstance(entry, dict) or not isinstance(entry.get("private", {}), dict):
            return entries, [f"line {number} is no entry"]
        entries.append(entry)
    return entries, []


def _broken(entries: list[dict[str, Any]]) -> list[str]:
    """What breaks the chain, a line each."""
    problems, previous = [], START
    for place, entry in enumerate(entries, 1):
        if entry.get("number") != place:
            problems.append(f"entry {place} has the number {entry.get('number')!r}")
        if entry.get("previous") != previous:
            problems.append(f"entry {place} does not follow the one before it")
        if entry.get("hash") != _hash(entry):
            problems.append(f"entry {place} was changed")
        if "private" in entry and entry.get("sealed") != _seal(entry["private"]):
            problems.append(f"the private part of entry {place} was changed")
        previous = entry.get("hash", "")
    return problems


def _hash(entry: dict[str, Any]) -> str:
    return _seal({name: entry[name] for name in CHAINED if name in entry})


def _seal(value: dict[str, Any]) -> str:
    return hashlib.sha256(_line(value)).hexdigest()


def _line(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


# writing ------------------------------------------------------------------------------------------


def append(path: Path, requests: list[Request], key: Path | None = None) -> int:
    """Enter what is not in the register yet; returns how many entries that made.

    The file is written whole and renamed: a reader sees the old chain or the new one.
    """
    sign = _signer(key) if key else None
    with _held(path):
        entries = read(path) if path.exists() else []
        known = {entry["sha256"] for entry in entries}
        before = len(entries)
        for request in requests:
            if request.removal.sha256 not in known:
                known.add(request.removal.sha256)
                entries.append(_entry(request, entries))
                if sign:
                    entries[-1]["signed"] = sign(bytes.fromhex(entries[-1]["hash"])).hex()
        if len(entries) > before:
            commit(path, bytes_writer(b"".join(_line(entry) + b"\n" for entry in entries)))
    return len(entries) - before


def _entry(request: Request, entries: list[dict[str, Any]]) -> dict[str, Any]:
    removal = request.removal
    private = {"value": request.value, "who": request.who, "reason": removal.reason}
    # Salted, so that nobody can guess a name or a reason and compare.
    private["salt"] = secrets.token_hex(16)
    entry: dict[str, Any] = {
        "number": len(entries) + 1,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "kind": removal.kind,
        "sha256": removal.sha256,
        "sealed": _seal(private),
        "previous": head_of(entries),
        "private": private,
    }
    parts = {"asked": request.asked, "host": removal.host, "data": removal.data}
    entry |= {name: value for name, value in parts.items() if value}
    return entry | {"hash": _hash(entry)}


def export(path: Path, out: Path) -> int:
    """Write the register without its private parts; returns its entries. The chain stays whole."""
    entries = read(path)
    public = [{name: v for name, v in entry.items() if name != "private"} for entry in entries]
    commit(out, bytes_writer(b"".join(_line(entry) + b"\n" for entry in public)))
    return len(entries)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Of two that append at once none loses an entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# checking -----------------------------------------------------------------------------------------


def verify(path: Path, head: str = "", public_key: Path | None = None) -> dict[str, Any]:
    """{entries, head, signed, signatures, problems, whole}: of a chain, and of its signatures.

    head: a hash that must be in the chain, noted when the register was seen before; without one,
    entries cut off at the end are not missed. signatures: checked, unchecked or none.
    """
    entries, problems = _parsed(path)
    problems += _broken(entries)
    signed = [entry for entry in entries if "signed" in entry]
    if public_key is not None:
        problems += _unsigned(entries, public_key)
    if head and head not in [START, *(entry.get("hash") for entry in entries)]:
        problems.append(f"no entry has the hash {head[:64]}: entries were cut off or changed")
    checked = "unchecked" if signed else "none"
    return {
        "register": str(path),
        "entries": len(entries),
        "head": head_of(entries) if entries and "hash" in entries[-1] else START,
        "signed": len(signed),
        "signatures": "checked" if public_key else checked,
        "end": "known" if head else "unknown",
        "problems": problems,
        "whole": not problems,
    }


def as_text(facts: dict[str, Any]) -> str:
    """The facts of `verify` for a terminal."""
    lines = [
        f"{facts['register']}: {facts['entries']:,} entries, head {facts['head']}",
        f"signatures: {facts['signed']:,}, {facts['signatures']}"
        + (" (--public-key FILE checks them)" if facts["signatures"] == "unchecked" else ""),
    ]
    if facts["end"] == "unknown":
        lines.append("entries cut off at its end would not be seen: give a known --head")
    lines += [f"  {problem}" for problem in facts["problems"]]
    lines.append("whole" if facts["whole"] else "NOT WHOLE")
    return "\n".join(lines) + "\n"


def _unsigned(entries: list[dict[str, Any]], public_key: Path) -> list[str]:
    """Entries without a good signature by this key, a line each."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise UsageError("--public-key needs cryptography: pip install 'inaho[sign]'") from error

    key = _loaded(public_key, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{public_key} is no Ed25519 public key")
    problems = []
    for place, entry in enumerate(entries, 1):
        try:
            key.verify(bytes.fromhex(entry.get("signed", "")), bytes.fromhex(entry["hash"]))
        except (InvalidSignature, ValueError, KeyError, TypeError):
            problems.append(f"entry {place} is not signed by this key")
    return problems


def _signer(path: Path) -> Any:
    """The function that signs bytes with the key of a PEM file."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise UsageError(
            "--key needs the package cryptography: pip install 'inaho[sign]'"
        ) from error
    key = _loaded(path, lambda data: load_pem_private_key(data, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no Ed25519 key: openssl genpkey -algorithm ed25519")
    return key.sign


def _loaded(path: Path, of: Any) -> Any:
    try:
        return of(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"cannot read the key {path}: {one_line(error)}") from error
