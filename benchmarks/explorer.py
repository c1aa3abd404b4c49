"""How fast the explorer answers: each view alone, then fifty readers at once.

    python benchmarks/explorer.py FOLDER [--rounds 5] [--readers 50]

`corpus explore FOLDER` runs as its own process, as it does for people. Printed: seconds until it
listens; for each view the first answer, p50 and p95 of the others (milliseconds of the clock, and
CPU milliseconds of the server an answer); p50 and p95 of readers at once; the peak of its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """The explorer of a folder in its own process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-P", "-m", "corpus", "explore", str(folder), "--no-open"]
        began = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().rstrip("/")
        self.started = time.monotonic() - began

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self) -> int:
        """MiB of memory at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10

    def get(self, path: str) -> tuple[float, bytes]:
        """(milliseconds, answer)."""
        began = time.monotonic()
        try:
            with urllib.request.urlopen(self.address + path, timeout=120) as answer:
                data = answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            data = b""  # refused: too many at once
        return 1000 * (time.monotonic() - began), data


def views(server: Server, chance: random.Random, rounds: int) -> dict[str, list[str]]:
    """View → addresses, of hosts and documents of the build."""
    found = json.loads(server.get("/search.json")[1])
    hosts = [value for value, _ in found["facets"]["host"]]
    pages = [page for host in hosts for page in _pages(server, host=host)]
    dropped = _pages(server, outcome="dropped")
    clusters = json.loads(server.get("/clusters.json")[1])["clusters"]
    texts = [page["snippet"] for page in pages if len(page["snippet"]) > 60]

    def drawn(form: str, values: list[str]) -> list[str]:
        return [form + urllib.parse.quote(chance.choice(values)) for _ in range(rounds)]

    ids = [page["id"] for page in pages]
    made = {
        "home": ["/"] * rounds,
        "search": ["/search"] * rounds,
        "search, host": drawn("/search?host=", hosts),
        "search, outcome": ["/search?outcome=kept"] * rounds,
        "search, address": drawn("/search?url=", [page["url"][-12:] for page in pages]),
        "search, 12 characters": drawn("/search?q=", [text[20:32] for text in texts]),
        "search, signal": drawn("/search?signal=n_sentences&least=", list(map(str, range(40, 90)))),
        "document": drawn("/document/", ids),
        "document, dropped": drawn("/document/", [page["id"] for page in dropped] or ids),
        "clusters": ["/clusters"] * rounds,
        "thresholds": drawn("/thresholds?rule=length&side=low&value=", list(map(str, range(999)))),
    }
    if clusters:
        made["cluster"] = drawn("/cluster/", [row["cluster"] for row in clusters])
    return made


def _pages(server: Server, **asked: str) -> list[dict[str, Any]]:
    pages = json.loads(server.get(f"/search.json?{urllib.parse.urlencode(asked)}")[1])["pages"]
    return list(pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", type=int, default=50)
    asked = parser.parse_args()
    server = Server(asked.folder)
    try:
        print(f"listens after {server.started:.1f} s, {server.cpu():.1f} s of CPU", flush=True)
        made = views(server, random.Random(1), asked.rounds)
        for name, addresses in made.items():
            before = server.cpu()
            times = [server.get(address)[0] for address in addresses]
            cpu = 1000 * (server.cpu() - before) / len(times)
            p50, p95 = statistics.median(times[1:]), np.quantile(times[1:], 0.95)
            print(f"{name}: first {times[0]:.0f} ms, p50 {p50:.0f}, p95 {p95:.0f}, CPU {cpu:.0f}",
                  flush=True)  # fmt: skip
        fresh = views(server, random.Random(2), asked.rounds)  # whose answers are not kept yet
        paths = [path for addresses in fresh.values() for path in addresses]
        random.Random(3).shuffle(paths)
        before = server.cpu()
        with ThreadPoolExecutor(asked.readers) as readers:
            answers = list(readers.map(server.get, paths))
        times = [took for took, data in answers if data]
        print(f"{len(answers) - len(times)} were refused")
        print(f"{asked.readers} readers, {len(paths)} pages: p50 {statistics.median(times):.0f}, "
              f"p95 {np.quantile(times, 0.95):.0f} ms, CPU {server.cpu() - before:.1f} s; "
              f"at most {server.peak():,} MiB")  # fmt: skip
    finally:
        server.process.terminate()


if __name__ == "__main__":
    main()
