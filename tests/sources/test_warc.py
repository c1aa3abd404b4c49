"""The WARC reader against warcio on every archive there is, and on damage warcio gives up on."""

from __future__ import annotations

import gzip
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

from corpus.sources import warc
from corpus.sources.window import Window

LIMIT = 8 << 20


def ours(path: Path, start: int = 0, end: int | None = None) -> list[warc.Record | warc.Gap]:
    with Window(str(path)) as window:
        return list(warc.read(window, start, window.size if end is None else end, LIMIT))


def records(path: Path) -> list[tuple[int, int, str]]:
    return [
        (r.offset, len(r.block), r.headers.get("warc-record-id", ""))
        for r in ours(path)
        if isinstance(r, warc.Record)
    ]


def oracle(path: Path) -> list[tuple[int, int, str]]:
    found = []
    with open(path, "rb") as file:
        archive = ArchiveIterator(file, no_record_parse=True)
        for record in archive:
            block = record.raw_stream.read()
            found.append(
                (archive.get_record_offset(), len(block),
                 record.rec_headers.get_header("WARC-Record-ID") or "")
            )  # fmt: skip
    return found


def truth(data: Path, file: str) -> list[dict]:
    with gzip.open(data / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if row["file"] == file]


@pytest.mark.parametrize(
    "name", ["sample.warc.gz", "encodings.warc.gz", "sample.warc.wet.gz", "plain.warc"]
)
def test_records_equal_those_of_warcio(data: Path, name: str) -> None:
    assert records(data / name) == oracle(data / name)


def test_zstd_frames_are_the_truth_file_s_records(data: Path) -> None:
    found = {r.offset: r for r in ours(data / "sample.warc.zst") if isinstance(r, warc.Record)}
    rows = truth(data, "sample.warc.zst")
    assert rows and all(found[row["offset"]].length == row["length"] for row in rows)


# Where warcio stops or differs, and why we do not. Everything else must be equal.
DISAGREEMENTS = {
    "broken.warc": "warcio raises at the cut last record; we return it, marked cut",
    "HTTP204.warc": "same records; two wrong Content-Lengths are marked cut",
    "iipc-wac__link-extraction-test.warc": "a wrong Content-Length stops warcio after 4 of 8",
    "resiliparse__block-sized-records.warc.lz4": "lz4 is read by neither",
    "warcio__example-bad-non-chunked.warc.gz": "whole-file gzip: warcio wants a member per record",
    "warcio__example-bad.warc.gz.bad": "whole-file gzip: warcio wants a member per record",
    "warcio__example-wrong-chunks.warc.gz": "cut member: warcio stops, we go on to the next one",
}


def test_edge_cases_equal_warcio_or_are_listed_with_a_reason(shared_data: Path) -> None:
    differing = set()
    for path in sorted((shared_data / "warc" / "edge").iterdir()):
        if ".arc" in path.name or not path.is_file() or ".warc" not in path.name:
            continue
        try:
            theirs = [(offset, identity) for offset, _, identity in oracle(path)]
        except Exception:
            theirs = None
        mine = [(offset, identity) for offset, _, identity in records(path)]
        if mine != theirs:
            differing.add(path.name)
            if theirs is not None:
                assert len(mine) >= len(theirs), path.name
    assert differing <= set(DISAGREEMENTS), differing - set(DISAGREEMENTS)


def test_the_dev_sample_equals_warcio(shared_data: Path) -> None:
    path = shared_data / "warc" / "dev-sample.warc.gz"
    assert records(path) == oracle(path)


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
def test_flipped_cut_and_spliced_bytes_never_crash(seed: int, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    data = Path(__file__).parent.parent / "data"
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
