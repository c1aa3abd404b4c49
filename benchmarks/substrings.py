"""Any string, its place: what the index of 1 GiB of Japanese costs, and how fast it answers.

    python benchmarks/substrings.py BUILD --out FOLDER [--mib 1024] [--workers 2] [--queries 10000]

BUILD is a finished build; its lines are recombined, with characters exchanged for others of the
same text, into documents of the asked size (real pages, but long repeats are rare), published as a
build would. Measured: `corpus index` (seconds, peak memory of a worker, disk), beside the floor,
libdivsufsort alone on the same bytes; counts and places of random and of absent substrings, all
against a scan of the text (code points counted, and ahocorasick_rs); `grep`; spans of 500
characters, half of them in the corpus.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder

from corpus.engine.local import LocalEngine  # noqa: E402
from corpus.folder.commit import sealed  # noqa: E402
from corpus.folder.folder import Folder, open_folder  # noqa: E402
from corpus.folder.layout import SHARDS  # noqa: E402
from corpus.index import Index  # noqa: E402
from corpus.index.build import update  # noqa: E402

EXCHANGED = 0.03  # share of characters that become another one of the text
SHARD_MIB = 64
SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("id", "url", "title", "text", "date", "captured", "source")
        ),
        *((name, pa.int32()) for name in ("n_chars", "n_bytes")),
        ("source_file", pa.string()),
        *((name, pa.int64()) for name in ("source_offset", "source_length")),
    ]
)


def lines_of(build: Path) -> list[str]:
    """The lines of a build's documents that are Japanese prose, each once."""
    lines: dict[str, None] = {}
    for path in open_folder(build).layout.documents_files():
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist():
            for line in text.split("\n"):
                if len(line) >= 20 and len(line.encode()) > 2.4 * len(line):
                    lines[line] = None
    return list(lines)


def documents(lines: list[str], size: int, seed: int) -> Iterator[str]:
    """Documents of 3 to 60 lines, `size` bytes (UTF-8) in all."""
    draw = np.random.default_rng(seed)
    pool = np.frombuffer("".join(lines).encode("utf-32-le"), np.uint32)
    kana = pool[pool >= 0x3041]
    while size > 0:
        picked = draw.integers(0, len(lines), draw.integers(3, 60))
        points = np.frombuffer("\n\n".join(lines[k] for k in picked).encode("utf-32-le"), np.uint32)
        points = points.copy()
        places = np.flatnonzero((draw.random(len(points)) < EXCHANGED) & (points >= 0x3041))
        points[places] = kana[draw.integers(0, len(kana), len(places))]
        text = points.tobytes().decode("utf-32-le")
        size -= len(text.encode())
        yield text


def publish(folder: Folder, build: Path, mib: int) -> None:
    """Shards and a manifest as publish writes them."""
    lines = lines_of(build)
    shards = max(1, mib // SHARD_MIB)
    files = {}
    for number in range(shards):
        texts = list(documents(lines, (mib << 20) // shards, number))
        rows = [
            {
                "id": f"{number:08x}{k:016x}",
                "url": f"https://example.jp/{number}/{k}",
                "title": text[:20],
                "text": text,
                "date": "",
                "captured": "",
                "source": "web",
                "n_chars": len(text),
                "n_bytes": len(text.encode()),
                "source_file": f"crawl-{number}.warc.gz",
                "source_offset": k * 4096,
                "source_length": 4096,
            }
            for k, text in enumerate(texts)
        ]
        path = folder.layout.shard(f"train-{number:05d}-of-{shards:05d}.parquet")
        digest, _ = folder.commit_parquet(path, SCHEMA, pa.Table.from_pylist(rows, SCHEMA))
        name = path.relative_to(folder.path).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": digest}
    folder.commit_json(folder.layout.manifest, sealed({"files": files, "state": {}}))


def texts_of(folder: Folder) -> list[str]:
    return [
        text
        for path in folder.layout.shards()
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist()
    ]


def indexed(folder: Folder, workers: int) -> dict[str, Any]:
    """Seconds of `corpus index` from nothing, of the floor, and the peak memory of a worker."""
    start = time.perf_counter()
    facts = update(folder, SHARDS, LocalEngine(workers, quiet=True))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN if workers > 1 else resource.RUSAGE_SELF)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(peak.ru_utime + peak.ru_stime, 1),
        "gib_a_worker": round(peak.ru_maxrss / 2**20, 2),
        "times_the_text": round(facts["bytes"] / facts["text_bytes"], 3),
        **facts,
    }


def floor(index: Index, workers: int) -> dict[str, float]:
    """Seconds of libdivsufsort alone over the texts of the parts, in as many processes."""
    from concurrent.futures import ProcessPoolExecutor

    start = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        own = list(pool.map(_bare, [part.layout.index_text(part.path) for part in index.parts]))
    return {"seconds": round(time.perf_counter() - start, 1), "cpu_seconds": round(sum(own), 1)}


def _bare(path: Path) -> float:
    from pydivsufsort import divsufsort

    data = np.fromfile(path, np.uint16).byteswap().view(np.uint8)
    start = time.process_time()
    divsufsort(data)
    return time.process_time() - start


def queries(texts: list[str], number: int, seed: int) -> tuple[list[str], list[str]]:
    """Substrings of 1 to 60 characters at random places, and as many with one character changed
    (most of which stand nowhere; the scan says which do)."""
    draw = random.Random(seed)
    here, changed = [], []
    while len(here) < number:
        text = draw.choice(texts)
        at, size = draw.randrange(len(text)), draw.choice([1, 2, 3, 4, 6, 8, 12, 20, 40, 60])
        piece = text[at : at + size]
        here.append(piece)
        other = draw.choice(draw.choice(texts))
        long = text[at : at + max(size, 8)]
        k = draw.randrange(len(long))
        changed.append(long[:k] + other + long[k + 1 :])
    return here, changed


def scanned(texts: list[str], wanted: list[str]) -> Counter[str]:
    """How often each of the strings stands in the texts, overlapping ones too: the oracle.

    One and two characters by counting code points, the others by Aho and Corasick.
    """
    import ahocorasick_rs

    unique = sorted(set(wanted))
    counts: Counter[str] = Counter()
    short = [text for text in unique if len(text) <= 2]
    keys = np.array([_key(text) for text in short], np.uint64)
    order = np.argsort(keys)
    total = np.zeros(len(short) + 1, np.int64)
    for first in range(0, len(texts), 5000):
        joined = "\0".join(texts[first : first + 5000])
        points = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.uint64)
        for values in (points, (points[:-1] + 1) << 21 | points[1:]):
            places = np.searchsorted(keys[order], values)
            there = keys[order][np.minimum(places, len(keys) - 1)] == values
            total += np.bincount(places[there], minlength=len(total))
    counts.update({short[order[k]]: int(n) for k, n in enumerate(total[:-1])})
    long = [text for text in unique if len(text) > 2]
    machine = ahocorasick_rs.AhoCorasick(long)
    for text in texts:
        counts.update(
            long[k] for k, _, _ in machine.find_matches_as_indexes(text, overlapping=True)
        )
    return counts


def _key(text: str) -> int:
    return (ord(text[0]) + 1) << 21 | ord(text[1]) if len(text) == 2 else ord(text)


class Clock:
    """Times of calls: as they pass, and as this process worked (what an idle machine gives)."""

    def __init__(self) -> None:
        self.passed: list[float] = []
        self.worked: list[float] = []

    def __call__(self, function: Callable[[], Any]) -> Any:
        start, work = time.perf_counter(), time.thread_time()
        result = function()
        self.passed.append(time.perf_counter() - start)
        self.worked.append(time.thread_time() - work)
        return result

    def facts(self) -> dict[str, float]:
        """Milliseconds: median, 95th percentile and the most."""
        said = {}
        for name, seconds in (("", self.passed), ("cpu_", self.worked)):
            p50, p95, most = np.percentile(np.array(seconds) * 1000, [50, 95, 100])
            said |= {f"{name}p50": round(float(p50), 3), f"{name}p95": round(float(p95), 3)}
            said |= {f"{name}max": round(float(most), 2)}
        return said


def answered(folder: Folder, number: int, scan: bool) -> dict[str, Any]:
    """Times of count and find, warm, and how many answers are not those of the scan."""
    index, texts = Index(folder.layout), texts_of(folder)
    here, changed = queries(texts, number, 7)
    for text in [*here[:200], "の"]:  # warm, both ways to the first places
        index.find(text)
    count, find = Clock(), Clock()
    answers = {
        text: (count(lambda: index.count(text)), find(lambda: index.find(text, 10)))  # noqa: B023
        for text in [*here, *changed]
    }
    facts = {"queries": 2 * number, "count_ms": count.facts(), "find_10_ms": find.facts()}
    return facts | (_checked(folder, texts, answers) if scan else {})


def _checked(folder: Folder, texts: list[str], answers: dict[str, Any]) -> dict[str, int]:
    """How many of the answers are not those of a scan."""
    truth, rows = scanned(texts, list(answers)), dict(_rows(folder))
    wrong = misplaced = 0
    for text, (count, hits) in answers.items():
        wrong += count != truth[text]
        misplaced += len(hits) != min(10, count) or any(
            rows[hit.file, hit.row][hit.position : hit.position + len(text)] != text for hit in hits
        )
    absent = sum(truth[text] == 0 for text in answers)
    return {"strings": len(answers), "absent": absent, "wrong": wrong, "misplaced": misplaced}


def _rows(folder: Folder) -> Iterator[tuple[tuple[str, int], str]]:
    for path in folder.layout.shards():
        name = path.relative_to(folder.path).as_posix()
        for row, text in enumerate(pq.read_table(path, columns=["text"])["text"].to_pylist()):
            yield (name, row), text


def traced(folder: Folder, number: int) -> dict[str, Any]:
    """Times of the spans of texts of 500 characters: a half from the corpus, a half foreign."""
    index, texts = Index(folder.layout), texts_of(folder)
    draw = random.Random(11)
    alphabet = "".join(draw.choice(texts) for _ in range(200))
    index.spans(texts[0][:500], 20)  # warm
    clock = Clock()
    for _ in range(number):
        text = draw.choice([t for t in draw.sample(texts, 50) if len(t) > 300] or texts)
        own = text[:250] + "".join(draw.choices(alphabet, k=250))
        spans = clock(lambda: index.spans(own, 20))  # noqa: B023
        if spans[0].end - spans[0].start < 250:
            raise SystemExit("the longest span is not the one that was taken from the corpus")
    return clock.facts()


def grepped(folder: Folder, wanted: list[str]) -> dict[str, float]:
    """Seconds of `grep -c -F` a string over the same text in one file, read once before."""
    with tempfile.NamedTemporaryFile(dir=folder.path, suffix=".txt") as file:
        for text in texts_of(folder):
            file.write(text.encode() + b"\n")
        file.flush()
        clock = Clock()
        for text in wanted:
            command = ["grep", "-c", "-F", text, file.name]
            clock(lambda: subprocess.run(command, env={"LC_ALL": "C"}, capture_output=True))  # noqa: B023
    return {name: value for name, value in clock.facts().items() if "cpu" not in name}


def table(facts: dict[str, Any], mib: int) -> str:
    """The facts as docs/benchmarks.md has them: what passed, and in brackets what was worked."""
    index, floor, trace = facts["index"], facts["floor"], facts["trace_500"]
    asked, grep = facts["queries"], facts["grep"]

    def ms(clock: dict[str, float]) -> str:
        names = ("p50", "p95", "max")
        passed = ", ".join(f"{clock[name]:g}" for name in names)
        worked = ", ".join(f"{clock['cpu_' + name]:g}" for name in names)
        return f"{passed} ({worked}) ms"

    scan = "not scanned"
    if "wrong" in asked:
        scan = (
            f"{asked['strings']:,} strings, {asked['absent']:,} of which stand nowhere: "
            f"{asked['wrong']} counts wrong, {asked['misplaced']} places wrong"
        )
    rows = [
        (
            f"index of {mib} MiB",
            f"{index['seconds']:g} s ({index['cpu_seconds']:g} s), {index['parts']} parts",
            f"{300 * mib / 1024:g} s",
        ),
        (
            "floor: libdivsufsort alone on the same bytes",
            f"{floor['seconds']:g} s ({floor['cpu_seconds']:g} s): "
            f"{index['cpu_seconds'] / floor['cpu_seconds']:.2f} times the work",
            "",
        ),
        ("memory of a worker", f"{index['gib_a_worker']:g} GiB", "12 GiB"),
        ("on disk", f"{index['times_the_text']:g} times the text", "2 times"),
        (f"count, {asked['queries']:,} strings: p50, p95, most", ms(asked["count_ms"]), "20 ms"),
        ("count and first 10 places", ms(asked["find_10_ms"]), "20 ms"),
        ("500 characters traced, half of them foreign", ms(trace), "200 ms"),
        ("`grep -c -F` of three strings", f"{grep['p50']:g} ms, most {grep['max']:g} ms", ""),
        ("against a scan", scan, "0 wrong"),
    ]
    lines = ["| | measured | asked |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--no-scan", action="store_true", help="times only: a scan takes minutes")
    given = parser.parse_args()
    folder = open_folder(given.out)
    if not folder.layout.manifest.exists():
        publish(folder, given.build, given.mib)
    facts = {"index": indexed(folder, given.workers)}
    print(json.dumps(facts["index"]), flush=True)
    index = Index(folder.layout)
    measures = {
        "floor": lambda: floor(index, given.workers),
        "queries": lambda: answered(folder, given.queries, not given.no_scan),
        "trace_500": lambda: traced(folder, 100),
        "grep": lambda: grepped(folder, ["設定ファイルを", "吾輩は猫である", "東京"]),
    }
    for name, measure in measures.items():
        facts[name] = measure()
        print(name, json.dumps(facts[name]), flush=True)
    print(f"\n{table(facts, given.mib)}")


if __name__ == "__main__":
    main()
