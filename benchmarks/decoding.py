"""How many Japanese pages survive decoding: the loss table, beside what peers do.

    python benchmarks/decoding.py [--texts FOLDER]

Every text (Aozora Bunko works in Shift_JIS) is wrapped in a small page and encoded; a row is one
way a page comes out of a crawl, a cell the pages whose text comes back exactly, up to the damage.
The peers' decoding rules are re-typed from their sources; a peer whose library is not installed is
left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from corpus.web.charset import decode as encoding  # noqa: E402
from corpus.web.charset import gate  # noqa: E402

TEXTS = REPO.parent / "shared" / "data" / "text" / "aozora-sjis"
HEAD, TAIL = "<html><head><title>{}</title></head><body><pre>\n", "\n</pre></body></html>\n"
Decoder = Callable[[bytes], str | None]
Page = tuple[bytes, str]  # body, the text that must come back


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--texts", type=Path, default=TEXTS)
    texts = read_texts(arguments.parse_args().texts)
    decoders = available()
    print(f"{len(texts)} texts; pages decoded without loss, and ms per page\n")
    print("| input | " + " | ".join(decoders) + " |")
    print("|---|" + "---:|" * len(decoders))
    spent = dict.fromkeys(decoders, 0.0)
    count = 0
    for name, make in CASES.items():
        pages = [page for text in texts if (page := make(text)) is not None]
        count += len(pages)
        cells = []
        for label, decode in decoders.items():
            start = time.process_time()
            found = [decode(body) for body, _ in pages]
            spent[label] += time.process_time() - start
            cells.append(sum(same(a, b) for a, (_, b) in zip(found, pages, strict=True)))
        print(f"| {name} ({len(pages)}) | " + " | ".join(map(str, cells)) + " |")
    print("| ms/page | " + " | ".join(f"{s / count * 1e3:.2f}" for s in spent.values()) + " |")


def read_texts(folder: Path) -> list[str]:
    """The Shift_JIS texts of a folder that every charset of the table can hold."""
    found = []
    for path in sorted(folder.rglob("*.txt")):
        text = path.read_bytes().decode("cp932", "ignore").replace("\r\n", "\n")[:20_000]
        text = "".join(c for c in text if holds(c, "cp932") and holds(c, "euc_jp"))
        if len(text) > 200:
            found.append(text)
    return found


def holds(char: str, codec: str) -> bool:
    try:
        return char.encode(codec).decode(codec) == char
    except UnicodeEncodeError:
        return False


def same(found: str | None, wanted: str) -> bool:
    """The wanted text is in what was decoded; damage is U+FFFD on either side, or nothing."""
    if found is None:
        return False
    for unified in ("～〜", "∥‖", "－−", "￠¢", "￡£", "￢¬", "―—"):
        found, wanted = (t.replace(unified[1], unified[0]) for t in (found, wanted))
    return all(part in found for part in wanted.split("\ufffd"))


# the rows -----------------------------------------------------------------------------------------


def page(text: str, codec: str, extra: str = "") -> Page:
    text = text[:100] + extra + text[100:]
    return (HEAD.format("題名") + text + TAIL).encode(codec), text


def bad_byte(text: str, codec: str) -> Page:
    head, tail = text[:100], text[100:]
    body = (HEAD.format("題名") + head).encode(codec) + b"\xff" + (tail + TAIL).encode(codec)
    return body, head + "\ufffd" + tail


def cut(text: str) -> Page:
    text = text.rstrip() + "終"
    return (HEAD.format("題名") + text).encode()[:-1], text[:-1]


def halves(text: str, first: str, second: str) -> Page:
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    body = HEAD.format("題名") + head + "\n</pre><pre>"
    return body.encode(first) + (tail + TAIL).encode(second), head + "\ufffd" + tail


def garbled(text: str, table: str, rounds: int = 1) -> Page:
    """UTF-8 that somebody read with another table and encoded again."""
    out = text
    for _ in range(rounds):
        out = "".join(bytes([b]).decode(table, "ignore") or chr(b) for b in out.encode())
    return (HEAD.format("題名") + out + TAIL).encode(), text


def in_gb(text: str) -> Page:
    body = ('<meta charset="gb2312">' + HEAD.format("題名") + text + TAIL).encode("gb18030")
    return body, text


def in_entities(text: str) -> Page:
    body = "".join(c if ord(c) < 128 else f"&#{ord(c)};" for c in HEAD.format("題") + text + TAIL)
    return body.encode("ascii"), "&#"  # markup stays for the parser: only the bytes must survive


CASES: dict[str, Callable[[str], Page | None]] = {
    "UTF-8": lambda t: page(t, "utf-8"),
    "CP932": lambda t: page(t, "cp932"),
    "CP932 + one of ①㈱髙～": lambda t: page(t, "cp932", "①㈱髙～"[len(t) % 4]),
    "CP932 + one bad byte": lambda t: bad_byte(t, "cp932"),
    "EUC-JP": lambda t: page(t, "euc_jp"),
    "EUC-JP + one bad byte": lambda t: bad_byte(t, "euc_jp"),
    "ISO-2022-JP": lambda t: page("".join(c for c in t if holds(c, "iso2022_jp")), "iso2022_jp"),
    "UTF-8 + one bad byte": lambda t: bad_byte(t, "utf-8"),
    "UTF-8 cut mid-character": cut,
    "UTF-16 with a mark": lambda t: page("\ufeff" + t, "utf-16-le"),
    "UTF-16 without": lambda t: page(t, "utf-16-be"),
    "half UTF-8, half CP932": lambda t: halves(t, "utf-8", "cp932"),
    "half EUC-JP, half UTF-8": lambda t: halves(t, "euc_jp", "utf-8"),
    "half ISO-2022-JP, half CP932": lambda t: halves(
        "".join(c for c in t if holds(c, "iso2022_jp")), "iso2022_jp", "cp932"
    ),
    "UTF-8 read as Windows-1252": lambda t: garbled(t, "cp1252"),
    "UTF-8 read as Windows-1252 twice": lambda t: garbled(t, "cp1252", 2),
    "Japanese in GB 18030": in_gb,
    "numeric entities": in_entities,
}


# the columns --------------------------------------------------------------------------------------


def inaho(body: bytes) -> str | None:
    evidence = gate.evidence(body)
    if not gate.is_candidate(evidence):
        return None
    return encoding.decode(body, "text/html", evidence).text


def datatrove(body: bytes) -> str | None:
    """pipeline/readers/warc.py: UTF-8 strictly, else cchardet's guess strictly, else nothing."""
    import cchardet

    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        guess = cchardet.detect(body)["encoding"]
        try:
            return body.decode(guess) if guess and guess.lower() != "utf-8" else None
        except (UnicodeDecodeError, LookupError):
            return None


def nemo_curator(body: bytes) -> str | None:
    """stages/text/download/html_extractors: UTF-8 strictly, else charset-normalizer, strictly."""
    from charset_normalizer import detect

    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        guess = detect(body)["encoding"]
        try:
            return body.decode(str(guess)) if guess else None
        except (UnicodeDecodeError, LookupError):
            return None


def resiliparse(body: bytes) -> str | None:
    """resiliparse.parse.encoding: detect, WHATWG mapping with CP932 for Shift_JIS, replace."""
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    name = detect_encoding(body)
    if name in ("shift_jis", "shift-jis", "sjis"):
        return body.decode("cp932", "replace")
    return str(bytes_to_str(body, name))


def available() -> dict[str, Decoder]:
    """The decoders whose libraries are installed."""
    decoders: dict[str, Decoder] = {"Inaho": inaho}
    for name, decode in (
        ("datatrove", datatrove),
        ("NeMo Curator", nemo_curator),
        ("resiliparse", resiliparse),
    ):
        try:
            decode("日本語のページ".encode("cp932"))
        except ImportError:
            continue
        decoders[name] = decode
    return decoders


if __name__ == "__main__":
    main()
