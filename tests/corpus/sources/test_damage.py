"""Lengths that lie, archives inside archives, odd gzip headers and bombs: no neighbour is lost."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.archives import warc
from corpus.sources.archives.boundaries import LOOK_BACK
from corpus.sources.archives.window import Window
from corpus.web import http

LIMIT = 8 << 20
PACKINGS = {
    "plain": lambda parts: b"".join(parts),
    "gzip": lambda parts: b"".join(map(gzip.compress, parts)),
    "one gzip member": lambda parts: gzip.compress(b"".join(parts)),
    "zstd": lambda parts: b"".join(map(zstandard.ZstdCompressor().compress, parts)),
    "one zstd frame": lambda parts: zstandard.ZstdCompressor().compress(b"".join(parts)),
}
SPLITTABLE = ["plain", "gzip", "zstd"]


def record(name: str, block: bytes, length: int | None = None, kind: str = "response") -> bytes:
    """A record of type `kind` whose Content-Length is that of the block or `length`."""
    size = len(block) if length is None else length
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <{name}>\r\nContent-Length: {size}"
    return head.encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def read(data: bytes, start: int = 0, end: int | None = None) -> list[warc.Record | warc.Gap]:
    with Window.over(data) as window:
        return list(warc.read(window, start, len(data) if end is None else end, LIMIT))


def named(found: list[warc.Record | warc.Gap]) -> dict[str, bytes]:
    return {
        r.headers["warc-record-id"].strip("<>"): r.block
        for r in found
        if isinstance(r, warc.Record)
    }


def pages(data: Path) -> list[bytes]:
    """HTTP messages of real pages."""
    found = [r for r in read((data / "plain.warc").read_bytes()) if isinstance(r, warc.Record)]
    return [r.block for r in found if r.type == "response"]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("wrong", [-300, -40, 300, 5_000, 10_000_000, 1 << 30, 1 << 62, None])
def test_a_length_that_lies_costs_no_neighbour(wrong: int | None, packing: str, data: Path) -> None:
    blocks = pages(data)[:9]
    parts = [record(str(n), block) for n, block in enumerate(blocks)]
    size = -1 if wrong is None else len(blocks[4]) + wrong
    parts[4] = record("4", blocks[4], size)
    if wrong is None:
        parts[4] = parts[4].replace(b"Content-Length: -1\r\n", b"")
    found = read(PACKINGS[packing](parts))
    assert named(found) == {str(n): block for n, block in enumerate(blocks)}
    assert [r.cut for r in found if isinstance(r, warc.Record)] == [n == 4 for n in range(9)]


@pytest.mark.parametrize("packing", PACKINGS)
def test_many_lies_in_one_member_cost_two_readings_at_most(packing: str, data: Path) -> None:
    blocks = pages(data)[:4] * 500
    parts = [record(str(n), block, 1 << 40) for n, block in enumerate(blocks)]
    assert named(read(PACKINGS[packing](parts))) == {str(n): b for n, b in enumerate(blocks)}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_record_longer_than_the_limit_is_cut_and_what_follows_is_read(packing: str) -> None:
    long = random.Random(1).randbytes(LIMIT * 2)
    found = read(PACKINGS[packing]([record("a", long), record("b", b"page"), record("c", b"")]))
    assert named(found) == {"a": long[:LIMIT], "b": b"page", "c": b""}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_record_whose_file_ends_is_salvaged(packing: str, data: Path) -> None:
    blocks = pages(data)[:3]
    blocks[2] += random.Random(2).randbytes(500_000)  # more than zstd's blocks of 128 KiB
    whole = PACKINGS[packing]([record(str(n), block) for n, block in enumerate(blocks)])
    found = read(whole[:-70])
    assert [*named(found)] == ["0", "1", "2"] and len(named(found)["2"]) > len(blocks[2]) // 2
    assert isinstance(found[-1], warc.Record) and found[-1].cut


@given(seed=st.integers(0, 1 << 32), packing=st.sampled_from(["plain", "one gzip member"]))
def test_any_wrong_lengths_still_give_every_record(seed: int, packing: str) -> None:
    dice = random.Random(seed)
    blocks = [dice.randbytes(dice.choice((0, 1, 9, 400, 70_000))) for _ in range(12)]
    parts = [
        record(str(n), b, max(0, len(b) + dice.choice((0, 0, -5, 7, 10**6, 10**12))))
        for n, b in enumerate(blocks)
    ]
    assert [*named(read(PACKINGS[packing](parts)))] == [str(n) for n in range(12)]


# archives inside archives -------------------------------------------------------------------------


@pytest.mark.parametrize("packing", SPLITTABLE)
def test_an_archive_inside_an_archive_is_no_record_for_any_split(packing: str, data: Path) -> None:
    """Packing leaves packed bytes as they are: the inner members stand in the outer file."""
    blocks = [b + random.Random(1).randbytes(40_000) for b in pages(data)]
    inner = PACKINGS[packing]([record(f"inner{n}", b) for n, b in enumerate(blocks)])
    http = b"HTTP/1.1 200 OK\r\nContent-Type: application/warc\r\n\r\n"
    around = [record(str(n), http + b) for n, b in enumerate(pages(data))]
    whole = PACKINGS[packing]([*around[:3], record("outer", http + inner), *around[3:]])
    expected = [(r.offset, r.length) for r in read(whole)]
    assert len(expected) == len(around) + 1
    inside = [r.offset for r in read(inner) if inner[r.offset : r.offset + 60] in whole]
    assert inside
    for step in (1009, 9973, len(whole) // 2 + 1):
        cuts = [*range(0, len(whole), step), len(whole)]
        parts = [r for a, b in zip(cuts, cuts[1:], strict=False) for r in read(whole, a, b)]
        assert [(r.offset, r.length) for r in parts] == expected, step
        assert not any(name.startswith("inner") for name in named(parts))


def test_archives_of_a_megabyte_inside_an_archive_are_seen_through(shared_data: Path) -> None:
    inner = (shared_data / "warc" / "dev-sample.warc.gz").read_bytes()[: LOOK_BACK * 3 // 4]
    whole = PACKINGS["gzip"]([record("a", b"x"), record("outer", inner), record("b", b"y")])
    members = [r.offset for r in read(inner)]
    assert sum(inner[at : at + 60] in whole for at in members) > 5  # gzip stored them as they are
    for cut in range(100, len(whole), 99_991):
        assert [*named(read(whole, 0, cut) + read(whole, cut))] == ["a", "outer", "b"]


# gzip as RFC 1952 allows it -----------------------------------------------------------------------


def with_header(flags: int, extra: int, block: bytes) -> bytes:
    """A gzip member with the optional fields FEXTRA, FNAME, FCOMMENT and FHCRC."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\1\2\3\4\2\3"
    if flags & 4:
        head += struct.pack("<H", extra) + bytes(range(256)) * (extra // 256) + b"z" * (extra % 256)
    if flags & 8:
        head += "記録.warc".encode() + b"\0"
    if flags & 16:
        head += b"comment\0"
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(block) + packer.flush()
    return head + body + struct.pack("<II", zlib.crc32(block), len(block) & 0xFFFFFFFF)


@pytest.mark.parametrize("extra", [0, 12, 5_000, 65_535])
def test_optional_gzip_headers_are_read_and_found_at_any_cut(extra: int) -> None:
    members = [with_header(n % 32, extra, record(str(n), b"page %d" % n)) for n in range(32)]
    whole = b"".join(members)
    assert gzip.decompress(whole).count(b"WARC/1.0") == 32  # Python agrees on the headers
    assert [*named(read(whole))] == [str(n) for n in range(32)]
    edges = [0]
    for member in members:
        edges.append(edges[-1] + len(member))
    for n in (1, 4, 5, 30):
        for cut in (edges[n] - 1, edges[n], edges[n] + 1):
            both = [*read(whole, 0, cut), *read(whole, cut)]
            assert [*named(both)] == [str(n) for n in range(32)]


def test_empty_members_and_garbage_between_members_cost_themselves() -> None:
    empty = gzip.compress(b"")
    garbage = b"\x1f\x8b\x08\x00garbage" * 40
    good = [gzip.compress(record(str(n), b"page")) for n in range(6)]
    whole = b"".join([good[0], empty, empty, good[1], garbage, good[2], b"\0" * 5000, good[3],
                      gzip.compress(b"no record"), good[4], gzip.compress(b"\r\n\r\n"), good[5],
                      empty])  # fmt: skip
    found = read(whole)
    assert [*named(found)] == [str(n) for n in range(6)]
    gaps = {whole[g.offset : g.offset + g.length] for g in found if isinstance(g, warc.Gap)}
    assert {garbage, b"\0" * 5000, gzip.compress(b"no record")} <= gaps
    covered = sum(item.length for item in found)
    assert covered == len(whole)  # every byte is a record's or a gap's


def test_a_broken_frame_of_zstd_is_a_gap_with_its_bytes(data: Path) -> None:
    whole = bytearray((data / "sample.warc.zst").read_bytes())
    before = read(bytes(whole))
    victim = before[20]
    for at in range(victim.offset + 30, victim.offset + 40):
        whole[at] ^= 0x55
    after = read(bytes(whole))
    gaps = [item for item in after if isinstance(item, warc.Gap)]
    assert [(g.offset, g.length) for g in gaps] == [(victim.offset, victim.length)]
    assert [r.offset for r in after] == [r.offset for r in before]


# bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_hundred_thousand_tiny_records(packing: str) -> None:
    tiny = record("x", b"t")
    packed = PACKINGS[packing]([tiny])
    one = packing.startswith("one")
    whole = PACKINGS[packing]([tiny] * 100_000) if one else packed * 100_000
    assert sum(isinstance(r, warc.Record) for r in read(whole)) == 100_000


MEMORY = """
import resource, sys
from corpus.sources.archives import warc
from corpus.sources.archives.window import Window
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Window(sys.argv[1]) as window:
    sizes = [len(r.block) for r in warc.read(window, 0, window.size, 8 << 20)]
print(sizes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def peak(path: Path) -> tuple[str, int]:
    """What was read in a process of its own, and by how many MiB its memory grew."""
    command = [sys.executable, "-c", MEMORY, str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sizes, grown = out.rsplit(" ", 1)
    return sizes, int(grown)


def zeros(path: Path, size: int, packing: str) -> Path:
    """A record of `size` zeros and one behind it."""
    parts = [record("big", b"", size)[:-4], *[bytes(1 << 20)] * (size >> 20), b"\r\n\r\n"]
    if packing == "gzip":
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    else:
        packer = zstandard.ZstdCompressor().compressobj()  # type: ignore[assignment]
    with open(path, "wb") as file:
        for part in parts:
            file.write(packer.compress(part))
        file.write(packer.flush())
        file.write(PACKINGS[packing]([record("small", b"page")]))
    return path


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_memory_stays_bounded_on_a_gigabyte_of_zeros(packing: str, tmp_path: Path) -> None:
    sizes, grown = peak(zeros(tmp_path / "bomb", 1 << 30, packing))
    assert sizes == f"[{LIMIT}, 4]"
    assert grown < 250, f"{grown} MiB"


@pytest.mark.slow
def test_a_member_longer_than_its_32_bit_size_field_can_say(tmp_path: Path) -> None:
    sizes, grown = peak(zeros(tmp_path / "wrap", (4 << 30) + (1 << 20), "gzip"))
    assert sizes == f"[{LIMIT}, 4]" and grown < 250


# HTTP messages meant to cost time -----------------------------------------------------------------


def parsed(head: bytes, body: bytes) -> http.Response:
    found = http.parse(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body, LIMIT, 1000)
    assert found is not None and len(found.body) <= LIMIT
    return found


def test_a_head_without_an_end_is_read_as_far_as_its_limit() -> None:
    found = http.parse(b"HTTP/1.1 200 OK\r\n" + b"A:b\r\n" * 1_600_000, LIMIT, 1000)
    assert found is not None and len(found.headers["a"]) < http.MAX_HEAD


def test_codings_are_undone_to_a_depth_of_eight() -> None:
    body = b"page" * 100
    layers = [body]
    for _ in range(10):
        layers.append(gzip.compress(layers[-1]))
    named = b"Content-Encoding: " + b", ".join([b"gzip"] * 8)
    assert parsed(named, layers[8]).body == body
    many = b"Content-Encoding: " + b",".join([b"gzip"] * 40_000)
    assert parsed(many, layers[10]).body == layers[2]
    assert parsed(b"Content-Encoding: " + b"deflate," * 20_000, bytes(LIMIT)).body == bytes(LIMIT)


@pytest.mark.parametrize("inner", [brotli.compress, gzip.compress, zlib.compress])
def test_a_bomb_inside_a_coding_is_named(inner: Callable[[bytes], bytes]) -> None:
    name = {brotli.compress: b"br", gzip.compress: b"gzip", zlib.compress: b"deflate"}[inner]
    bomb = gzip.compress(inner(bytes(30 << 20)))
    found = http.parse(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: " + name + b", gzip\r\n\r\n" + bomb, LIMIT, 10
    )
    assert found is not None and found.problem == "bomb" and len(found.body) <= LIMIT


@pytest.mark.parametrize(
    "size", [b"FFFFFFFF", b"7fffffffffffffff", b"-5", b"0x10", b"1" + b"0" * 300]
)
def test_absurd_chunk_sizes_leave_what_is_there(size: bytes) -> None:
    page = b"<html>page</html>"
    whole = b"11\r\n" + page + b"\r\n" + size + b"\r\n" + page
    assert parsed(b"Transfer-Encoding: chunked", whole).body.startswith(page)
    first = size + b"\r\n" + page
    assert page in parsed(b"Transfer-Encoding: chunked", first).body
