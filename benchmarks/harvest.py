"""Harvest beside the floor: one worker on one WARC, and what merely reading the file costs.

    python benchmarks/harvest.py [WARC] [--mixed [--large]] [--repeat N] [--peers] [--workers]
                                 [--beside CHECKOUT …]

Prints records/s of the whole harvest (gate to signals, written as Parquet), of warcio and of
FastWARC reading the same file, all in one run on one core, then the share of every step. `--peers`
also runs what datatrove does with a record (its reader's checks, then trafilatura), where
installed. Seconds are CPU seconds of this process: other work on the machine does not count.
`--mixed` makes an archive as a crawl has it: 5 % of the responses are Japanese; `--large` besides
keeps only pages of a crawl's size. `--workers` also times one and two workers on the wall clock.
`--beside` times the whole harvest of other checkouts (of a commit before a change), each in a
process of its own, in turns with this one.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
sys.path[0] = str(REPO)  # not this folder: its filters.py is not the package filters

from corpus.engine.local import LocalEngine  # noqa: E402
from corpus.folder import commit  # noqa: E402
from corpus.folder.folder import Folder  # noqa: E402
from corpus.folder.ledger import Ledger  # noqa: E402
from corpus.folder.schema import DOCUMENT  # noqa: E402
from corpus.settings import Settings  # noqa: E402
from corpus.sources.archives import warc  # noqa: E402
from corpus.sources.archives.window import Window  # noqa: E402
from corpus.sources.item import Item, Unit  # noqa: E402
from corpus.sources.warc import read  # noqa: E402
from corpus.stages import harvest  # noqa: E402
from corpus.stages.clean import clean  # noqa: E402
from corpus.stages.document import document  # noqa: E402
from corpus.text import language  # noqa: E402
from corpus.text.normalize import normalize  # noqa: E402
from corpus.web.charset import decode, gate  # noqa: E402
from corpus.web.html.document import parse  # noqa: E402
from corpus.web.main_text.extract import extract  # noqa: E402
from corpus.web.rights import page as rights  # noqa: E402

# Of --mixed: copies of every record in another language, and how many of those one Japanese is for.
COPIES, OTHERS_A_JAPANESE, SMALL = 5, 19, 4000
DEV = REPO.parent / "shared" / "data" / "warc" / "dev-sample.warc.gz"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("warc", nargs="?", type=Path)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--peers", action="store_true")
    arguments.add_argument("--mixed", action="store_true")
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--workers", action="store_true")
    arguments.add_argument("--beside", nargs="+", type=Path, default=[], metavar="CHECKOUT")
    given = arguments.parse_args()
    path = given.warc or (DEV if DEV.exists() else REPO / "tests" / "data" / "sample.warc.gz")
    if given.mixed:
        path = mixed(path, SMALL if given.large else 0)
    if given.workers:
        return two_workers(path)
    if given.beside:
        return beside([*given.beside, REPO], path, given.repeat)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    settings = Settings()
    unit = Unit(0, "warc", (str(path),))
    whole(unit, settings)  # compiles the kernels, loads the language model
    runners: dict[str, Callable[[], int]] = {
        "Inaho harvest": lambda: whole(unit, settings)["records"],
        "Inaho reader": lambda: read_only(path),
        "FastWARC read": lambda: fastwarc_read(path),
        "warcio read": lambda: warcio_read(path),
    }
    if given.peers:
        runners["reader + trafilatura"] = lambda: datatrove_like(path)
    times = in_turn(runners, given.repeat)
    counts = whole(unit, settings)
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB packed, {counts['records']:,} records, "
          f"{counts['documents']:,} documents; {platform.machine()}, one core, "
          f"median of {given.repeat}\n")  # fmt: skip
    floor = times["warcio read"][0]
    print("| what | CPU seconds | records/s | documents/s | × warcio's read |")
    print("|---|---:|---:|---:|---:|")
    for name, (seconds, records) in times.items():
        documents = f"{counts['documents'] / seconds:,.0f}" if "read" not in name else ""
        print(f"| {name} | {seconds:.2f} | {records / seconds:,.0f} | {documents} | "
              f"{seconds / floor:.2f} |")  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process, all of the above: {peak:,.0f} MiB\n")
    shares(unit, settings, floor)


def mixed(path: Path, least: int) -> Path:
    """A crawl's archive of the responses in `path`, a gzip member each, shuffled: those in other
    languages, errors, redirects and files of no text COPIES times, a Japanese one for every
    OTHERS_A_JAPANESE of them. `least`: packed bytes; with SMALL, and pages alone, the mean is the
    40 kB of a crawl (the sample holds small pages on purpose).
    """
    japanese, others = [], []
    with Window(str(path)) as window:
        for item in read(Unit(0, "warc", (str(path),)), Settings()):
            body = item.html if item.html is not None else item.plain
            if item.skip.endswith(" record") or (least and (not item.html or item.length < least)):
                continue
            member = window.read(item.offset, item.length)
            is_japanese = body is not None and gate.is_candidate(gate.evidence(body))
            (japanese if is_japanese else others).append(member)
    chosen = others * COPIES
    chance = random.Random(0)
    chosen += chance.choices(japanese, k=len(chosen) // OTHERS_A_JAPANESE)
    chance.shuffle(chosen)
    made = Path(tempfile.mkdtemp()) / "mixed.warc.gz"
    made.write_bytes(b"".join(chosen))
    return made


def two_workers(path: Path) -> None:
    """Wall seconds of the harvest stage with one worker process and with two."""
    cuts = spans(path, 1 << 20) * 5  # long enough that starting the processes weighs little
    units = [Unit(i, "warc", (str(path),), *span) for i, span in enumerate(cuts)]
    times = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            run = functools.partial(
                harvest.harvest_unit, settings=Settings(), folder=Folder(Path(folder))
            )
            engine = LocalEngine(workers, quiet=True)
            list(engine._processes(run, units[:workers]))  # starts, compiles, loads
            start = time.perf_counter()
            list(engine._processes(run, units))
            times.append(time.perf_counter() - start)
    print(f"{path.name}, {len(units)} units: one worker {times[0]:.2f} s, two {times[1]:.2f} s "
          f"(process start included): {times[0] / times[1]:.2f} times")  # fmt: skip


# What `--beside` runs in a checkout: seconds of a harvest for every line that it reads.
_WORKER = """
import importlib.util, pathlib, sys, time
sys.path.insert(0, str(pathlib.Path("benchmarks").resolve()))
spec = importlib.util.spec_from_file_location("harvest", "benchmarks/harvest.py")
harvest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(harvest)
unit, settings = harvest.Unit(0, "warc", (sys.argv[1],)), harvest.Settings()
harvest.whole(unit, settings)  # compiles the kernels, loads the language model
print("ready", flush=True)
for line in sys.stdin:
    start = time.process_time()
    harvest.whole(unit, settings)
    print(time.process_time() - start, flush=True)
"""


def beside(checkouts: list[Path], path: Path, repeat: int) -> None:
    """CPU seconds of the whole harvest of each checkout, in turns, and ratios to the first one."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(path.resolve())],
            cwd=checkout, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for checkout in checkouts
    ]  # fmt: skip
    seconds: list[list[float]] = [[] for _ in workers]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
    for turn in range(repeat):
        for k in range(len(workers))[:: 1 if turn % 2 else -1]:
            inside, outside = workers[k].stdin, workers[k].stdout
            assert inside is not None and outside is not None
            print("go", file=inside, flush=True)
            seconds[k].append(float(outside.readline()))
    print("| checkout | median, CPU s | least | × the first, median of turns | least by least |")
    print("|---|---:|---:|---:|---:|")
    for checkout, own in zip(checkouts, seconds, strict=True):
        ratio = statistics.median(a / z for a, z in zip(own, seconds[0], strict=True))
        least = min(own) / min(seconds[0])
        print(f"| {checkout.resolve().name} | {statistics.median(own):.2f} | {min(own):.2f} | "
              f"{ratio:.2f} | {least:.2f} |")  # fmt: skip
    for worker in workers:
        worker.communicate()


def spans(path: Path, size: int) -> list[tuple[int, int]]:
    total = path.stat().st_size
    return [(start, min(total, start + size)) for start in range(0, total, size)]


def in_turn(runners: dict[str, Callable[[], int]], repeat: int) -> dict[str, tuple[float, int]]:
    """Median seconds and the record count of every runner, run in turn to share the noise."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    records: dict[str, int] = {}
    for _ in range(repeat):
        for name, run in runners.items():
            start = time.process_time()
            records[name] = run()
            seconds[name].append(time.process_time() - start)
    return {name: (statistics.median(seconds[name]), records[name]) for name in runners}


def whole(unit: Unit, settings: Settings) -> dict[str, Any]:
    """The harvest of one unit, files and all."""
    with tempfile.TemporaryDirectory() as folder:
        return harvest.harvest_unit(unit, settings, Folder(Path(folder)))


def read_only(path: Path) -> int:
    with Window(str(path)) as window:
        return sum(1 for _ in warc.read(window, 0, window.size, 8 << 20))


def fastwarc_read(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator

    with open(path, "rb") as file:
        return sum(1 for record in ArchiveIterator(file) if record.reader.read() is not None)


def warcio_read(path: Path) -> int:
    from warcio.archiveiterator import ArchiveIterator

    count = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, no_record_parse=True):
            record.raw_stream.read()
            count += 1
    return count


def datatrove_like(path: Path) -> int:
    """datatrove's WarcReader and Trafilatura step on one file, its decoding rules re-typed.

    warcio iterates, `text/html` responses only, charset by cchardet or charset-normalizer where the
    bytes are no UTF-8; trafilatura with its default settings (fast, no precision or recall bias).
    """
    from charset_normalizer import from_bytes
    from trafilatura import extract as trafilatura
    from warcio.archiveiterator import ArchiveIterator

    count = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file):
            count += 1
            if record.rec_type != "response":
                continue
            kind = record.http_headers.get_header("Content-Type", "") if record.http_headers else ""
            if "html" not in (kind or ""):
                continue
            try:
                body = record.content_stream().read()
            except AttributeError:  # warcio 1.8 with brotli 1.2 (see docs/log.md)
                continue
            try:
                html = body.decode("utf-8")
            except UnicodeDecodeError:
                best = from_bytes(body).best()
                if best is None:
                    continue
                html = str(best)
            trafilatura(html, favor_precision=True, include_comments=False, deduplicate=True)
    return count


def shares(unit: Unit, settings: Settings, floor: float) -> None:
    """Seconds of every step over the same records, each step timed in a loop of its own; `floor`:
    the seconds of warcio's read."""
    clock: dict[str, float] = {}

    def step(name: str, run: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = run()
        clock[name] = time.process_time() - start
        return result

    # The first two without keeping what they give: hundreds of MB would cost page faults.
    step("read, unpack", lambda: read_only(Path(unit.files[0])))
    step("HTTP", lambda: sum(1 for _ in read(unit, settings)))
    clock["HTTP"] -= clock["read, unpack"]
    items = list(read(unit, settings))
    pages: list[Item] = [item for item in items if item.html is not None]
    found = step("gate", lambda: [gate.evidence(item.html or b"") for item in pages])
    pairs = [(i, e) for i, e in zip(pages, found, strict=True) if gate.is_candidate(e)]
    texts = step("decode", lambda: [
        decode.decode(i.html or b"", i.headers.get("content-type", ""), e).text for i, e in pairs
    ])  # fmt: skip
    trees = step("parse", lambda: [parse(text) for text in texts])
    mains = step("extract", lambda: [
        extract(tree, i.url) for tree, (i, _) in zip(trees, pairs, strict=True)
    ])  # fmt: skip
    step("rights", lambda: [
        rights.read(i.headers, tree.meta, tree.links, tree.jsonld, tree.text.tobytes().decode())
        for (i, _), tree in zip(pairs, trees, strict=True)
    ])  # fmt: skip
    normal = step("normalise", lambda: [normalize(page.text) for page in mains])
    step("language", lambda: [language.identify(text) for text in normal])
    rows = [r for r in (document(i, settings) for i, _ in pairs) if isinstance(r, dict)]
    rows = step("clean", lambda: clean(rows, settings.clean, Ledger("harvest")).rows)
    batches = step("signals", lambda: [
        harvest._batch(rows[k : k + harvest.BATCH_ROWS])
        for k in range(0, len(rows), harvest.BATCH_ROWS)
    ])  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "documents.parquet"
        step("Parquet", lambda: commit.commit_parquet(file, DOCUMENT, iter(batches)))
    total = sum(clock.values())
    print("| step | CPU seconds | share | × warcio's read | µs per page it saw |")
    print("|---|---:|---:|---:|---:|")
    seen = {"read, unpack": len(items), "HTTP": len(items), "gate": len(pages)}
    for name, seconds in clock.items():
        each = seconds / max(1, seen.get(name, len(pairs))) * 1e6
        ratio = seconds / floor
        print(f"| {name} | {seconds:.3f} | {seconds / total:.1%} | {ratio:.2f} | {each:,.0f} |")


if __name__ == "__main__":
    main()
