"""Personal data in Japanese text: found, checked, and masked with a typed placeholder.

A finding must look like the thing *and* check: numbering plans for telephones, the check digit for
My Number, Luhn for cards, context for what is only digits. So barcodes, ISBNs, receipt numbers,
floats, dates and article numbers stay as they are. A kernel names the places to look at; the
patterns of `personal_rules` decide there.

    find(text)                           findings of one text
    apply(texts, policies("mask"))       a whole Arrow array: detect, mask or drop, class by class
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from filters import mail_rules, owners
from filters import personal_rules as rules
from filters.kernels import personal_signs as signs
from filters.placeholders import KINDS, PLACEHOLDERS, POLICIES
from filters.signals import slices

CONTACTS = ("phone", "postal", "address", "email")
NEXT = 40  # characters from an office's address to its telephone number, at most

Place = tuple[int, int, int]  # kind of kernels.personal_signs, begin, end


@dataclass(frozen=True, order=True)
class Finding:
    """Characters text[begin:end] hold personal data of a kind out of KINDS.

    organisation: a company, shop, school … publishes it of itself, for certain.
    """

    begin: int
    end: int
    kind: str
    organisation: bool = False


def find(text: str) -> list[Finding]:
    """All findings, in order, none overlapping another (the longer one stays)."""
    clean = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate becomes "?"
    return _find(clean, _places(pa.array([clean])).get(0, ()))


def mask(text: str, findings: Sequence[Finding]) -> str:
    """The text with every finding replaced by the placeholder of its kind."""
    parts, position = [], 0
    for f in findings:
        parts += [text[position : f.begin], PLACEHOLDERS[f.kind]]
        position = f.end
    return "".join([*parts, text[position:]])


def policies(default: str, classes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Policy of every kind: `default`, or what `classes` says. ValueError for an unknown one."""
    policy_of = dict.fromkeys(KINDS, default) | dict(classes or {})
    for kind, policy in policy_of.items():
        if kind not in PLACEHOLDERS:
            raise ValueError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}; there are {', '.join(POLICIES)}")
    return policy_of


@dataclass(frozen=True)
class Result:
    """texts: as given, or masked; keep bool[n]: false where a kind under `drop` was found; counts
    int32[n, kinds], columns as KINDS; findings: of every document that has any, kinds under `off`
    left out, spans in the text as given."""

    texts: pa.Array
    keep: np.ndarray
    counts: np.ndarray
    findings: dict[int, list[Finding]]


def apply(texts: pa.Array, policy: str | Mapping[str, str]) -> Result:
    """Detect, mask or drop in every text: one policy for all kinds, or one a kind (`policies`)."""
    policy_of = policies(policy) if isinstance(policy, str) else policies("off", policy)
    counts = np.zeros((len(texts), len(KINDS)), np.int32)
    keep = np.ones(len(texts), bool)
    findings = find_all(texts, policy_of)
    # Of the few documents with a finding: counts, whether it stays, and its text with placeholders.
    masked: dict[int, str] = {}
    for row, hits in findings.items():
        for f in hits:
            counts[row, KINDS.index(f.kind)] += 1
            keep[row] &= policy_of[f.kind] != "drop"
        hidden = [f for f in hits if policy_of[f.kind] == "mask"]
        if hidden:
            masked[row] = mask(texts[row].as_py(), hidden)
    if masked:
        documents = texts.to_pylist()
        for row, text in masked.items():
            documents[row] = text
        texts = pa.array(documents, texts.type)
    return Result(texts, keep, counts, findings)


def find_all(texts: pa.Array, policy_of: Mapping[str, str]) -> dict[int, list[Finding]]:
    """Row → findings, of the rows that have some; kinds whose policy is `off` are left out.

    texts: string or large_string; policy_of: the policy of every kind (`policies`).
    """
    if set(policy_of.values()) == {"off"}:
        return {}
    out = {}
    for row, places in _places(texts).items():
        hits = [f for f in _find(texts[row].as_py(), places) if policy_of[f.kind] != "off"]
        if hits:
            out[row] = hits
    return out


def _places(texts: pa.Array) -> dict[int, list[Place]]:
    """Row → the places at which its text can hold personal data; rows without any are left out."""
    out: dict[int, list[Place]] = {}
    row = 0
    room = np.empty((4096, signs.PLACE_COLUMNS), np.int64)
    for part in slices(texts):
        n = signs.places(part.points, part.starts, signs.TABLE, room)
        if n > len(room):
            room = np.empty((n, signs.PLACE_COLUMNS), np.int64)
            n = signs.places(part.points, part.starts, signs.TABLE, room)
        for document, kind, begin, end in room[:n].tolist():
            out.setdefault(row + document, []).append((kind, begin, end))
        row += len(part.starts) - 1
    return out


def _find(text: str, places: Sequence[Place]) -> list[Finding]:
    kept = _owned(text, _disjoint(_seen(text, places)))
    names = list(_names(text, kept))
    return _disjoint([*kept, *names]) if names else kept


def _seen(text: str, places: Sequence[Place]) -> list[Finding]:
    """What looks like personal data and checks, whoever's it is; names are not looked for."""
    findings: list[Finding] = []
    block_end = address_end = 0
    for kind, begin, end in places:
        if kind == signs.NUMBER:
            findings += _numbers(text, begin, end)
        elif kind == signs.ADDRESS:
            if begin >= block_end:
                block_end, address = _address(text, begin, address_end)
                if address:
                    block_end = address_end = address.end
                    findings.append(address)
        elif kind == signs.EMAIL:
            mail = mail_rules.address(text, begin, end)
            if mail:
                findings.append(Finding(begin, mail[0], "email", organisation=mail[1]))
        elif kind == signs.MARK:
            findings += _marked(text, begin)
        elif rules.IP.fullmatch(text, begin, end):
            if rules.is_public(
                text[begin:end], text[max(0, begin - 10) : begin], text[end : end + 3]
            ):
                findings.append(Finding(begin, end, "ip"))
        elif rules.is_dotted_phone(text, begin, end):
            findings.append(Finding(begin, end, "phone"))
    return findings


def _owned(text: str, findings: list[Finding]) -> list[Finding]:
    """The findings without those that are a public office's or an example; organisations marked.

    Data of one kind of owner stand together: what follows a public office's address within NEXT
    characters is its own too.
    """
    kept: list[Finding] = []
    office_end: int | None = None
    nobodys = [
        f.kind in CONTACTS and owners.is_nobodys(text, f.begin, f.end, f.kind) for f in findings
    ]
    for i, f in enumerate(findings):
        if f.kind not in CONTACTS:
            kept.append(f)
            continue
        behind = findings[i + 1] if f.kind == "postal" and i + 1 < len(findings) else None
        beside = behind and behind.kind == "address" and behind.begin - f.end <= 3
        if beside and nobodys[i + 1]:
            continue  # the postal code of an office whose name stands behind the address
        follows = False
        if office_end is not None and f.begin - office_end <= NEXT:
            is_persons = f.kind == "email" or owners.is_mobile(text[f.begin : f.end])
            follows = not is_persons and not owners.ORGANISATION.search(text, office_end, f.begin)
        if follows or nobodys[i]:
            office_end = f.end if follows or f.kind in ("address", "postal") else office_end
            continue
        theirs = f.kind != "email" and owners.is_organisations(text, f.begin, f.end, f.kind)
        kept.append(replace(f, organisation=True) if theirs else f)
    return kept


def _numbers(text: str, begin: int, end: int) -> Iterator[Finding]:
    """Telephones, cards, My Number, accounts, licences and bare postal codes in text[begin:end]."""
    first, last = max(0, begin - 3), end + 2
    window = text[first:last]
    if not window.isascii():
        window = window.translate(rules.TO_ASCII)
    at = first
    for m in rules.PHONE.finditer(window) if "0" in window or "+" in window else ():
        begin, end = first + m.start(), first + m.end()
        if rules.phone_kind(text, begin, end):
            if m.group()[0] == "(" and ")" not in m.group():
                begin += 1
            yield from _other_numbers(text, at, begin)
            yield Finding(begin, end, "phone")
            at = end
    yield from _other_numbers(text, at, last)


def _other_numbers(text: str, begin: int, end: int) -> Iterator[Finding]:
    """Of the kinds that are no telephones, in text[begin:end]."""
    for m in rules.NUMBER.finditer(text, begin, min(end, len(text))):
        kind = rules.number_kind(text, m.start(), m.end())
        if kind:
            yield Finding(m.start(), m.end(), kind)
            if kind == "postal":
                yield from _behind_postal(text, m.end())


def _behind_postal(text: str, begin: int) -> Iterator[Finding]:
    """The address behind a postal code, which needs no block number there."""
    m = rules.BEHIND_POSTAL.match(text, begin)
    if m:
        yield Finding(m.start(1), m.end(1), "address")


def _address(text: str, begin: int, after: int) -> tuple[int, Finding | None]:
    """(end of the block number at `begin`, the address that it ends or None).

    An address goes from the prefecture or municipality to the block number; less is none. It
    begins behind `after`.
    """
    m = rules.BLOCK.match(text, begin)
    if m is None:
        return begin, None
    # This line and the one before; what stands over a line end must be an address throughout.
    lines = text[max(after, begin - signs.LOOK_BACK) : begin].split("\n")
    before = "\n".join(lines[-2:])
    tail = rules.BLOCK_TAIL.match(text, m.end())
    end = tail.end() if tail else m.end()
    start = rules.locality(before, text[begin:end])
    if start is None:
        return m.end(), None
    return m.end(), Finding(begin - len(before) + start, end, "address")


def _marked(text: str, begin: int) -> Iterator[Finding]:
    """What carries its own mark: 〒, 旅券, 記号 … 番号."""
    if m := rules.POSTAL.match(text, begin):
        yield Finding(begin, m.end(), "postal")
        yield from _behind_postal(text, m.end())
    elif m := rules.YUCHO.match(text, begin):
        yield Finding(begin, m.end(), "bank_account")
    elif m := rules.PASSPORT.match(text, begin):
        yield Finding(m.start(1), m.end(1), "passport")


def _names(text: str, others: list[Finding]) -> Iterator[Finding]:
    """Names with 様, さん, 氏 … near other personal data."""
    for f in others:
        begin, end = max(0, f.begin - rules.NEAR), min(len(text), f.end + rules.NEAR)
        if rules.HONORIFIC.search(text, begin, end):
            for m in rules.NAME.finditer(text, begin, end):
                before = text[max(0, m.start() - 12) : m.start()]
                if rules.is_name(m.group(), before, f.begin - m.end()):
                    yield Finding(m.start(), m.end(), "name")


def _disjoint(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for f in sorted(set(findings), key=lambda f: (f.begin, f.begin - f.end, f.kind)):
        if kept and f.begin < kept[-1].end:
            continue
        kept.append(f)
    return kept
