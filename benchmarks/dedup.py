"""Deduplication beside its peers: speed of signatures and of the whole, growth, quality.

    python benchmarks/dedup.py signatures          against datasketch's update_batch and rensa
    python benchmarks/dedup.py whole [DOCUMENTS]   against datatrove's four steps (Japanese)
    python benchmarks/dedup.py growth [MILLIONS…]  band keys on disk → labels: time and memory
    python benchmarks/dedup.py quality             precision and recall against brute force

Peers that are not installed are named and left out (pip install rensa; pip install datatrove spacy
sudachipy sudachidict_core). Texts: ../shared/data beside the checkout. One process, one worker.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from datasketch import MinHash

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT), str(ROOT / "tests/corpus/dedup")]  # filters.py beside this is no package

from dedup_reference import all_pairs  # noqa: E402

from corpus.dedup.local import buckets as cluster  # noqa: E402
from corpus.dedup.local import cluster as stage  # noqa: E402
from corpus.dedup.local.verify import bounds  # noqa: E402
from corpus.dedup.signatures import jaccard, minhash, normal  # noqa: E402
from corpus.folder.layout import Layout  # noqa: E402
from corpus.settings import DedupSettings  # noqa: E402

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SETTINGS = DedupSettings()


def gold_texts(language: str = "") -> list[str]:
    """Main texts of the gold pages, of one language or of all."""
    with gzip.open(SHARED / "warc" / "dev-sample.gold.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [r["gold"] for r in rows if language in ("", r["true_lang"])]


def visible_texts() -> list[str]:
    """Visible texts of the pages of the sample (its WET form)."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with open(SHARED / "warc" / "dev-sample.warc.wet.gz", "rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.conversion)
        return [record.reader.read().decode("utf-8", "replace") for record in records]


def questions() -> list[str]:
    """Paragraphs of Japanese Wikipedia from JSQuAD."""
    path = SHARED / "evaluation" / "JGLUE" / "jsquad-v1.3" / "valid-v1.3.json"
    data = json.loads(path.read_text("utf-8"))["data"]
    return [p["context"] for article in data for p in article["paragraphs"]]


def cpu_seconds(run: Callable[[], object], repeat: int = 5) -> float:
    """Least CPU time of `run` after one warm-up (which compiles kernels); all runs are serial."""
    run()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def table(head: list[str], rows: list[list[object]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def signatures() -> None:
    """Same texts, character 5-grams, 128 permutations, one core (CPU time)."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    texts = normal.normalise(pa.array(gold_texts("ja"))).to_pylist()
    array = pa.array(texts)
    rows = [("**Inaho**, from text", texts, lambda: minhash.signatures(array, SETTINGS))]
    few = texts[::20]
    ready = [_shingles(text) for text in few]
    ready_bytes = [[s.encode() for s in doc] for doc in ready]

    def datasketch(make: Callable[[], list[list[bytes]]], **options: object) -> None:
        for doc in make():
            MinHash(128, seed=1, **options).update_batch(doc)

    def encode() -> list[list[bytes]]:
        return [[s.encode() for s in _shingles(text)] for text in few]

    xxh32 = xxhash.xxh32_intdigest
    rows += [
        ("datasketch update_batch, from text", few, lambda: datasketch(encode)),
        ("datasketch, shingles ready", few, lambda: datasketch(lambda: ready_bytes)),
        (
            "datasketch, shingles ready, xxh32 for SHA-1",
            few,
            lambda: datasketch(lambda: ready_bytes, hashfunc=xxh32),
        ),
    ]
    if importlib.util.find_spec("rensa"):
        from rensa import RMinHash

        def rensa(make: Callable[[], list[list[str]]]) -> None:
            for doc in make():
                sketch = RMinHash(128, 1)
                sketch.update(doc)
                sketch.digest()

        rows += [
            ("rensa, from text", few, lambda: rensa(lambda: [_shingles(t) for t in few])),
            ("rensa, shingles ready", few, lambda: rensa(lambda: ready)),
        ]
    else:
        print("rensa is not installed: left out")
    lines: list[list[object]] = []
    ours = 0.0
    for name, used, run in rows:
        characters = sum(map(len, used))
        per_character = cpu_seconds(run) / characters * 1e9
        ours = ours or per_character
        speed = sum(len(text.encode()) for text in used) / characters / per_character * 1e3
        lines.append([name, f"{speed:.1f}", f"{per_character:.1f}", f"{per_character / ours:.1f}"])
    table(["signatures", "MB/s a core", "ns/character", "time in Inaho's"], lines)


def _shingles(text: str) -> list[str]:
    return [text[i : i + 5] for i in range(len(text) - 4)]


def synthetic_documents(count: int, seed: int = 0) -> list[str]:
    """Documents of real Japanese sentences: 75 % fresh, 20 % edited copies, 5 % exact copies."""
    rng = np.random.default_rng(seed)
    real = [*gold_texts("ja"), *questions()]
    pool = [s + "。" for text in real for s in text.replace("\n", "。").split("。") if len(s) > 8]
    documents: list[list[int]] = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.75 or not documents:
            documents.append(rng.integers(0, len(pool), int(rng.integers(5, 80))).tolist())
            continue
        copy = list(documents[int(rng.integers(0, len(documents)))])
        if kind < 0.95:
            for _ in range(int(rng.integers(1, 4))):
                copy[int(rng.integers(0, len(copy)))] = int(rng.integers(0, len(pool)))
        documents.append(copy)
    return ["".join(pool[i] for i in document) for document in documents]


def whole(count: int = 100_000, few: int = 1000) -> None:
    """Documents on disk to duplicates and ledger on disk; datatrove gets the first `few`.

    CPU time of all threads, so that other load on the machine does not count.
    """
    texts = synthetic_documents(count)
    size = sum(len(t.encode()) for t in texts)
    print(f"{count} documents, {size / 1e6:.0f} MB, {size / count / 3:.0f} characters each\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents, signed = folder / "documents.parquet", folder / "s.parquet"
        ids = [f"{i:024x}" for i in range(count)]
        pq.write_table(pa.table({"id": ids, "text": texts}), documents, row_group_size=4096)
        took = {}
        for _ in range(2):  # the first run compiles the kernels
            start = time.process_time()
            stage.sign(documents, signed, SETTINGS)
            took["Inaho sign"] = time.process_time() - start
            start = time.process_time()
            counts = stage.find_duplicates([signed], Layout(folder), SETTINGS)
            took["Inaho cluster"] = time.process_time() - start
        print(counts, "\n")
        rows, ours = _steps(took, count, "Inaho, both")
        if importlib.util.find_spec("datatrove") and importlib.util.find_spec("spacy"):
            with gzip.open(folder / "in.jsonl.gz", "wt") as file:
                for i, text in zip(ids[:few], texts, strict=False):
                    file.write(json.dumps({"id": i, "text": text}, ensure_ascii=False) + "\n")
            command = [sys.executable, __file__, "datatrove", name]
            steps = json.loads(subprocess.check_output(command).splitlines()[-1])
            more, theirs = _steps(steps, few, "datatrove, all four")
            rows += [*more, ["**ratio**", "", "", f"**{ours / theirs:.0f}**"]]
        else:
            print("datatrove, spacy or sudachipy is not installed: left out\n")
    table(["whole near-dedup, one worker", "documents", "CPU s", "documents/s"], rows)


def _steps(took: dict[str, float], count: int, name: str) -> tuple[list[list[object]], float]:
    rows: list[list[object]] = [
        [step, count, f"{value:.2f}", f"{count / value:.0f}"] for step, value in took.items()
    ]
    total = sum(took.values())
    return [
        *rows,
        [f"**{name}**", count, f"{total:.2f}", f"**{count / total:.0f}**"],
    ], count / total


def datatrove_steps(folder: Path) -> None:
    """datatrove's minhash example in Japanese, one worker; prints the seconds of its steps."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline import dedup
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    load_word_tokenizer("jpn").word_tokenize("読み込みは時間に入れない。")
    signed, buckets, ids = (str(folder / name) for name in ("signatures", "buckets", "ids"))
    reader = JsonlReader(str(folder), glob_pattern="in.jsonl.gz")
    config = MinhashConfig()
    sign = dedup.MinhashDedupSignature(signed, config, language="jpn")
    keep = dedup.MinhashDedupFilter(ids)
    steps = {
        "signatures": [reader, sign],
        "buckets": [dedup.MinhashDedupBuckets(signed, buckets, config=config)],
        "cluster": [dedup.MinhashDedupCluster(buckets, ids, config=config)],
        "filter": [reader, keep, JsonlWriter(str(folder / "out"))],
    }
    took = {}
    for step, pipeline in steps.items():
        tasks = config.num_buckets if step == "buckets" else 1
        start = time.process_time()
        logs = str(folder / "logs" / step)
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=logs).run()
        took[f"datatrove {step}"] = time.process_time() - start
    print(json.dumps(took))


BANDS = 14
DUPLICATED = 0.1  # share of documents in clusters
AGREE = 0.6  # chance that a copy shares a band with its cluster (Jaccard 0.94, 8 rows)


def synthetic_clusters(n: int) -> np.ndarray:
    """Cluster of each document (int64[n]; its own index when unique): sizes 2 … as a power law."""
    rng = np.random.default_rng(7)
    truth = np.arange(n, dtype=np.int64)
    members = np.sort(rng.choice(n, int(n * DUPLICATED), replace=False))
    sizes = np.minimum(rng.zipf(2.2, len(members)) + 1, max(2, n // 1000))
    ends = np.cumsum(sizes)
    ends = ends[: np.searchsorted(ends, len(members))]
    shuffled = rng.permutation(members)
    starts = np.concatenate([[0], ends])
    owner = np.repeat(np.arange(len(ends)), np.diff(starts))
    smallest = np.minimum.reduceat(shuffled[: ends[-1]], starts[:-1])
    truth[shuffled[: ends[-1]]] = smallest[owner]
    return truth


def growth(millions: list[float]) -> None:
    """Each size in its own process, because peak memory is a process's."""
    rows = []
    for size in millions:
        command = [sys.executable, __file__, "grow", str(int(size * 1e6))]
        rows.append(json.loads(subprocess.check_output(command).splitlines()[-1]))
    head = ["signatures", "keys on disk, GB", "s", "µs/signature", "peak memory, GB", "clusters"]
    table([*head, "pairs of true clusters joined"], rows)


def grow(n: int) -> None:
    """Write the band keys of n synthetic documents, then time keys on disk → labels."""
    truth = synthetic_clusters(n)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        for band in range(BANDS):
            rng = np.random.default_rng(100 + band)
            keys = rng.integers(0, 2**64, n, dtype=np.uint64)
            duplicated = np.flatnonzero(np.bincount(truth, minlength=n)[truth] > 1)
            agree = duplicated[rng.random(len(duplicated)) < AGREE]
            keys[agree] = keys[truth[agree]]
            keys.tofile(f"{name}/{band}.u64")
        del keys, agree, duplicated
        members = np.arange(n, dtype=np.int64)
        parents = np.arange(n, dtype=np.int64)
        none, no_signatures = np.empty(0, np.int64), np.empty((0, 1), np.uint32)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        keys = (np.fromfile(f"{name}/{band}.u64", np.uint64) for band in range(BANDS))
        shared = (cluster.shared_buckets(band, members) for band in keys)
        cluster.link_similar(parents, shared, none, no_signatures, 0, 0)
        labels = cluster.labels(parents)
        took = time.perf_counter() - start
    peak = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1e6
    assert (truth[labels] == truth).all(), "documents of two clusters were joined"
    joined = (labels == truth).mean()
    clusters = int((np.bincount(labels, minlength=n) > 1).sum())
    disk = BANDS * 8 * n / 1e9
    row = [f"{n:,}", f"{disk:.1f}", f"{took:.1f}", f"{took / n * 1e6:.2f}", f"{peak:.1f}"]
    print(json.dumps([*row, f"{clusters:,}", f"{joined:.6f}"]))


def quality(sample: int = 5000) -> None:
    """Pairs of the sample at Jaccard 0.8 and above, found by brute force and by bands."""
    texts = pa.array([*visible_texts(), *gold_texts(), *questions()][:sample])
    rows = []
    for shingle, ngram in [
        *(("char", n) for n in range(3, 10)),
        *(("word", n) for n in (1, 2, 3, 5)),
    ]:
        settings = replace(SETTINGS, shingle=shingle, ngram=ngram)
        start = time.process_time()
        signed = minhash.signatures(texts, settings)
        took = time.process_time() - start
        sets = jaccard.shingle_sets(texts, settings)
        left, right, exact = all_pairs(*sets, 0.6)
        true = exact >= settings.threshold
        least, sure = bounds(settings)
        equal = np.rint(minhash.pair_similarity(signed, left, right) * settings.num_perm)
        candidate = np.zeros(len(left), np.bool_)
        bands, per_band = minhash.banding(settings)
        for band in range(bands):
            keys = minhash.band_keys(signed, band, per_band)
            candidate |= keys[left] == keys[right]
        estimated = candidate & (equal >= bounds(replace(settings, verify="estimate"))[0])
        verified = candidate & ((equal >= sure) | ((equal >= least) & true))
        scores = [f"{x:.4f}" for found in (estimated, verified) for x in _scores(found, true)]
        counts = [int(true.sum()), int(candidate.sum())]
        rows.append([f"{shingle} {ngram}", *counts, *scores, f"{took:.1f}"])
    head = ["shingle", "true pairs", "candidates ≥ 0.6", "P estimate", "R estimate"]
    print(f"{len(texts)} documents, threshold {SETTINGS.threshold}, {bands} bands of {per_band}\n")
    table([*head, "**P verified**", "**R verified**", "CPU s to sign"], rows)


def _scores(found: np.ndarray, true: np.ndarray) -> Iterator[float]:
    both = np.count_nonzero(found & true)
    yield both / max(1, np.count_nonzero(found))
    yield both / max(1, np.count_nonzero(true))


if __name__ == "__main__":
    verb, arguments = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if verb in ("signatures", "quality"):
        {"signatures": signatures, "quality": quality}[verb]()
    elif verb in ("whole", "grow"):
        {"whole": whole, "grow": grow}[verb](*map(int, arguments))
    elif verb == "growth":
        growth([float(a) for a in arguments] or [1, 10, 100])
    elif verb == "datatrove":
        datatrove_steps(Path(arguments[0]))
    else:
        sys.exit(__doc__)
