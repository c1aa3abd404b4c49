"""One million documents through every stage and every answering verb, with a kill in each stage.

    python benchmarks/scale.py --shared SHARED --out OUT [--documents 1000000] [--workers 2]

Documents are made from sentences of the shared data: each draws some, and a part of the kanji words
and all figures in them are replaced by others, so that no two are alike; every tenth is a copy of
an earlier one of its file with one sentence changed. Each stage is started, killed (SIGKILL to the
driver and its workers) after a while, and started again until it is through. Memory is the
high-water mark of the resident set of each process as the kernel keeps it, read every 50 ms. The
input is made once; OUT/build is made anew. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402

PER_FILE = 25_000
NEAR = 10  # every NEARth document is nearly one before it
WORD = re.compile(r"[一-龠]{2}(?![一-龠])|[0-9０-９]+")
SENTENCE = re.compile(r"[^。\n]{8,200}。")
REPLACED = 0.3  # of the kanji words
MIB = 1 << 20
STAGES = {"harvest": 60.0, "dedup": 8.0, "select": 1.5, "publish": 8.0}  # seconds until the kill
POLL = 0.05


@dataclass
class Measured:
    """A command that ended: seconds by the clock, high-water marks in MiB."""

    seconds: float = 0.0
    driver: float = 0.0
    worker: float = 0.0
    killed: bool = False


def pool(shared: Path) -> tuple[list[str], list[str]]:
    """Sentences and two-character words of the shared data, each once, in a fixed order."""
    sentences: dict[str, None] = {}
    words: dict[str, None] = {}
    for genre, text in documents(shared):
        if genre != "foreign":
            sentences.update(dict.fromkeys(s.strip() for s in SENTENCE.findall(text)))
            words.update(dict.fromkeys(w for w in WORD.findall(text) if not w[0].isdigit()))
    return list(sentences), list(words)


def document(rng: random.Random, sentences: list[str], words: list[str]) -> list[str]:
    """Three to forty sentences, most texts short, as on the web."""

    def other(match: re.Match[str]) -> str:
        if match[0].isdigit():
            return str(rng.randrange(10 ** len(match[0])))
        return rng.choice(words) if rng.random() < REPLACED else match[0]

    count = min(40, max(3, int(rng.lognormvariate(2.3, 0.6))))
    return [WORD.sub(other, rng.choice(sentences)) for _ in range(count)]


def write(out: Path, sentences: list[str], words: list[str], number: int, count: int) -> None:
    """File `number` of `count` documents, JSON lines in Zstandard."""
    path = out / f"part-{number:04d}.jsonl.zst"
    if path.exists():
        return
    rng = random.Random(number)
    before: list[list[str]] = []
    part = path.with_suffix(".part")
    with pa.output_stream(str(part), compression="zstd") as file:
        for i in range(count):
            if i % NEAR == NEAR - 1:
                lines = list(rng.choice(before))
                lines[rng.randrange(len(lines))] = rng.choice(sentences)
            else:
                lines = document(rng, sentences, words)
                before.append(lines)
            text = "\n".join("".join(lines[k : k + 4]) for k in range(0, len(lines), 4))
            url = f"https://host{rng.randrange(20_000)}.example.jp/{number}/{i}.html"
            row = {"url": url, "text": text, "date": f"2026-{1 + i % 12:02d}-01"}
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    part.rename(path)


def _high_water(pid: int) -> float:
    """MiB: VmHWM, which a look now and then does not miss."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def measured(command: list[str], kill_after: float = 0.0) -> Measured:
    """Run `corpus …`; with kill_after its whole process group is killed when that time is over."""
    result = Measured()
    begin = time.perf_counter()
    full = [sys.executable, "-m", "corpus", *command]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            full, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        while process.poll() is None:
            _look(process.pid, result)
            if kill_after and time.perf_counter() - begin > kill_after:
                os.killpg(process.pid, signal.SIGKILL)
                result.killed = True
                break
            time.sleep(POLL)
        code = process.wait()
        result.seconds = time.perf_counter() - begin
        output.seek(0)
        if code and not result.killed:
            raise SystemExit(f"{' '.join(full)}: exit {code}\n{output.read()[-2000:]}")
    return result


def _look(pid: int, result: Measured) -> None:
    """Raise the high-water marks to what the process and those below it have reached."""
    result.driver = max(result.driver, _high_water(pid))
    try:
        workers = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return
    result.worker = max([result.worker, *(_high_water(each.pid) for each in workers)])


def stages(inputs: Path, build: Path, workers: int) -> Iterator[tuple[str, Measured, Measured]]:
    """(stage, the run that was killed, the run that went to its end)."""
    for stage, after in STAGES.items():
        given = [str(inputs), "--out"] if stage == "harvest" else []
        command = [stage, *given, str(build), "-q", "--workers", str(workers)]
        yield stage, measured(command, after), measured(command)


def answers(build: Path) -> list[tuple[str, list[str]]]:
    """Each verb that answers, as a person would ask."""
    import duckdb

    documents = f"read_parquet('{build}/documents/**/*.parquet')"
    there = "url like 'http%'"  # not taken out by an earlier turn
    found = duckdb.sql(f"select url from {documents} where {there} limit 1 offset 777").fetchall()
    url = found[0][0]
    b = str(build)
    return [
        ("explain URL", ["explain", b, url]),
        ("stats", ["stats", b]),
        ("sweep", ["sweep", b, "--signal", "model.web-2", "--from", "0", "--to", "1"]),
        (
            "sweep --by host",
            ["sweep", b, "--signal", "n_chars", "--from", "0", "--to", "2000", "--by", "host"],
        ),
        ("compare", ["compare", b, "--profiles", "web,web-strict", "--out", b + "-compare"]),
        ("explore SQL", ["explore", b, "select count(*), avg(length(text)) from documents"]),
        ("trace", ["trace", b, url]),
        ("card", ["card", b]),
        ("report", ["report", b]),
        ("remove (one URL)", ["remove", b, "--url", url, "--reason", "benchmark"]),
        ("verify", ["verify", b]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True, help="the shared data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--answers-only", action="store_true", help="of a build that stands")
    options = parser.parse_args()
    shared = next(p for p in (options.shared / "data", options.shared) if (p / "warc").is_dir())
    inputs, build = options.out / "input", options.out / "build"

    if not options.answers_only:
        inputs.mkdir(parents=True, exist_ok=True)
        sentences, words = pool(shared)
        files = -(-options.documents // PER_FILE)
        begin = time.perf_counter()
        one = partial(write, inputs, sentences, words, count=min(PER_FILE, options.documents))
        with ProcessPoolExecutor(options.workers) as processes:
            list(processes.map(one, range(files)))
        size = sum(p.stat().st_size for p in inputs.iterdir()) / MIB
        print(f"{options.documents:,} documents, {files} files, {size:,.0f} MiB packed; "
              f"made in {time.perf_counter() - begin:,.0f} s\n", flush=True)  # fmt: skip
        shutil.rmtree(build, ignore_errors=True)
        print(
            "| stage | killed after s | then to its end s | documents/s | driver MiB | worker MiB |"
        )
        print("|---|--:|--:|--:|--:|--:|", flush=True)
        for stage, killed, done in stages(inputs, build, options.workers):
            first = f"{killed.seconds:.1f}" if killed.killed else "–"
            both = killed.seconds * killed.killed + done.seconds
            print(f"| {stage} | {first} | {done.seconds:,.1f} | {options.documents / both:,.0f} | "
                  f"{max(killed.driver, done.driver):,.0f} | "
                  f"{max(killed.worker, done.worker):,.0f} |", flush=True)  # fmt: skip
    print("\n| verb | s | driver MiB | worker MiB |\n|---|--:|--:|--:|", flush=True)
    for name, command in answers(build):
        done = measured(command)
        print(
            f"| {name} | {done.seconds:.1f} | {done.driver:,.0f} | {done.worker:,.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
