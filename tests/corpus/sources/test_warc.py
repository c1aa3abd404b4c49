"""The WARC reader against warcio on every archive there is, and on damage warcio gives up on."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.warcwriter import WARCWriter

from corpus.sources.archives import arc, warc
from corpus.sources.archives.window import Window

LIMIT = 8 << 20


def ours(path: Path, start: int = 0, end: int | None = None) -> list[warc.Record | warc.Gap]:
    with Window(str(path)) as window:
        return list(warc.read(window, start, window.size if end is None else end, LIMIT))


def truth(data: Path, file: str) -> list[dict]:
    with gzip.open(data / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if row["file"] == file]


def test_zstd_frames_are_the_truth_file_s_records(data: Path) -> None:
    found = {r.offset: r for r in ours(data / "sample.warc.zst") if isinstance(r, warc.Record)}
    rows = truth(data, "sample.warc.zst")
    assert rows and all(found[row["offset"]].length == row["length"] for row in rows)


# Every archive on which the two readers differ: (our records, warcio's, of ours those it has not
# got in this form; why). All others, tests/data and shared/data/warc, must be equal.
DISAGREEMENTS = {
    "broken.warc": (6, 6, 1, "a short Content-Length: warcio cuts the block and raises, we go on"),
    "corrupt.warc.gz": (20, 10, 10, "warcio raises at the damaged member, we go on behind it"),
    "HTTP204.warc": (3, 3, 2, "two short Content-Lengths: warcio cuts the blocks and warns"),
    "iipc-wac__IAH-20080430204825-00000-blackbook-truncated.arc": (
        9, 1, 8, "no line ends between records: warcio takes a head for one and raises"),
    "iipc-wac__link-extraction-test.warc": (8, 4, 4, "a wrong Content-Length: warcio raises"),
    "lengths.warc.gz": (6, 3, 4, "Content-Length 300 short: cut, then raises; 300 too long is the"
                        " same block for both"),
    "resiliparse__block-sized-records.warc.lz4": (0, 0, 0, "LZ4 is read by neither"),
    "sample.warc.zst": (41, 0, 41, "warcio does not read zstd"),
    "warcio__example-bad-non-chunked.warc.gz": (6, 1, 4, "one member for all: warcio raises"),
    "warcio__example-bad.warc.gz.bad": (6, 1, 4, "one member for all: warcio raises"),
    "warcio__example-trunc.warc": (4, 4, 1, "Content-Length 2 short: warcio cuts the block"),
    "warcio__example-wrong-chunks.warc.gz": (
        2, 1, 2, "a record cut over two members: warcio raises at the second, we lose it (a gap)"),
}  # fmt: skip


def forms(path: Path) -> tuple[list[tuple], list[tuple], bool]:
    """(offset, block, target URI) of our records, of warcio's, and whether warcio raised."""
    found = list(arc.read(str(path))) if ".arc" in path.name else ours(path)
    mine = [
        (r.offset, r.block, uri(r.headers.get("warc-target-uri")))
        for r in found
        if isinstance(r, warc.Record)
    ]
    theirs = []
    try:
        with open(path, "rb") as file:
            archive = ArchiveIterator(file, no_record_parse=True, arc2warc=".arc" in path.name)
            for record in archive:
                block = record.raw_stream.read()
                target = record.rec_headers.get_header("WARC-Target-URI")
                theirs.append((archive.get_record_offset(), block, uri(target)))
    except ArchiveLoadFailed:
        return mine, theirs, True
    return mine, theirs, False


def uri(target: str | None) -> str:
    """warcio takes the brackets off and writes blanks as %20; we do so, too, in the item."""
    return (target or "").strip("<> ").replace(" ", "%20")


def test_every_archive_is_read_as_by_warcio_or_listed_with_a_reason(
    data: Path, shared_data: Path
) -> None:
    folders = (data, shared_data / "warc", shared_data / "warc" / "edge")
    paths = [
        p for f in folders for p in sorted(f.iterdir()) if re.search(r"\.(w?arc|wet)\b", p.name)
    ]
    differing = {}
    for path in paths:
        mine, theirs, raised = forms(path)
        if mine != theirs or raised:
            differing[path.name] = (len(mine), len(theirs), len(set(mine) - set(theirs)))
            assert {place for place, *_ in theirs} <= {place for place, *_ in mine}, path.name
    assert differing == {name: tuple(counts) for name, (*counts, _) in DISAGREEMENTS.items()}
    assert len(paths) >= 50


@pytest.mark.parametrize("name", ["sample.warc.gz", "sample.warc.zst", "plain.warc"])
@pytest.mark.parametrize("step", [100_003, 1_000_000])
def test_any_split_gives_every_record_once(data: Path, name: str, step: int) -> None:
    path = data / name
    parts: list[tuple[int, int]] = []
    size = path.stat().st_size
    for start in range(0, size, step):
        parts += [(r.offset, r.length) for r in ours(path, start, min(size, start + step))]
    assert parts == [(r.offset, r.length) for r in ours(path)]


def test_a_damaged_member_costs_itself_and_is_reported(data: Path) -> None:
    rows = truth(data, "corrupt.warc.gz")
    found = ours(data / "corrupt.warc.gz")
    gaps = [item for item in found if isinstance(item, warc.Gap)]
    offsets = {item.offset for item in found if isinstance(item, warc.Record)}
    assert len(gaps) == 1 and gaps[0].length > 0
    assert {row["offset"] for row in rows} - offsets == {gaps[0].offset}


def test_a_cut_last_member_is_salvaged_as_far_as_it_goes(data: Path) -> None:
    last = ours(data / "truncated.warc.gz")[-1]
    assert isinstance(last, warc.Record) and last.cut and len(last.block) > 100


def test_a_whole_file_gzip_is_read_record_by_record(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "whole.warc.gz"
    path.write_bytes(gzip.compress((data / "plain.warc").read_bytes()))
    found = [r for r in ours(path) if isinstance(r, warc.Record)]
    plain = [r for r in ours(data / "plain.warc") if isinstance(r, warc.Record)]
    assert [r.block for r in found] == [r.block for r in plain]
    assert [r.part for r in found] == list(range(len(plain)))


def test_zstd_with_a_dictionary(data: Path, tmp_path: Path) -> None:
    import struct

    import zstandard

    with gzip.open(data / "sample.warc.gz") as file:
        blob = file.read(3_000_000)
    pieces = [b"WARC/" + piece for piece in blob.split(b"WARC/")[1:] if piece.startswith(b"1.")][
        :60
    ]
    dictionary = zstandard.train_dictionary(20_000, pieces)
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    raw = dictionary.as_bytes()
    path = tmp_path / "dictionary.warc.zst"
    path.write_bytes(
        struct.pack("<II", 0x184D2A5D, len(raw)) + raw + b"".join(map(packer.compress, pieces))
    )
    with Window(str(path)) as window:
        assert warc.looks_like_warc(window)
    found = [r for r in ours(path) if isinstance(r, warc.Record)]
    assert len(found) == len(pieces)


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 32))
def test_flipped_cut_and_spliced_bytes_never_crash(seed: int, tmp_path_factory) -> None:
    data = Path(__file__).parents[2] / "data"
    moods = random.Random(seed)
    name = moods.choice(["corrupt.warc.gz", "plain.warc", "sample.warc.zst", "hostile.warc.gz"])
    blob = bytearray((data / name).read_bytes()[: 1 << 18])
    for _ in range(moods.randint(1, 20)):
        at = moods.randrange(len(blob))
        action = moods.randrange(3)
        if action == 0:
            blob[at] ^= 1 << moods.randrange(8)
        elif action == 1:
            del blob[at : at + moods.randint(1, 500)]
        else:
            other = moods.randrange(len(blob))
            blob[at:at] = blob[other : other + moods.randint(1, 500)]
    path = tmp_path_factory.mktemp("mutant") / name
    path.write_bytes(blob)
    covered = 0
    for item in ours(path):
        assert 0 <= item.offset < len(blob)
        assert item.offset >= covered - 1 or item.length == 0 or isinstance(item, warc.Record)
        covered = max(covered, item.offset)


def test_what_warcio_writes_is_read_back() -> None:
    import tempfile

    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=True)
    for number in range(5):
        writer.write_record(
            writer.create_warc_record(
                f"http://例え.jp/頁{number}", "resource", payload=io.BytesIO(b"x" * number),
                warc_content_type="text/plain",
            )
        )  # fmt: skip
    with tempfile.NamedTemporaryFile(suffix=".warc.gz") as file:
        file.write(stream.getvalue())
        file.flush()
        found = ours(Path(file.name))
    assert [len(r.block) for r in found if isinstance(r, warc.Record)] == list(range(5))
    first = found[0]
    assert isinstance(first, warc.Record) and first.headers["warc-target-uri"].endswith("頁0")
