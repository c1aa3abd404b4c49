"""The same archive through several filters, the same small model on each: which text teaches more?

    python benchmarks/ablation.py --shared SHARED --out OUT [--seeds 5] [--datatrove PYTHON]

The archive is the dev sample and the pages of gold-wide. Each arm is a `corpus build` with another
profile; PYTHON is an interpreter with datatrove, spacy, sudachipy, sudachidict_core and a fastText
module, and adds datatrove's own pipeline (its WARC reader, trafilatura, language filter, the rules
and thresholds of FineWeb-2 for Japanese, MinHash). One tokenizer, trained on what was harvested
before any filter; equal steps and seeds; bits per character of texts of five genres that stand in
no arm. Intervals are Student's t over seeds, differences are paired by seed. Steps that are done
are not done again, so the command can be stopped and given again.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402

from benchmarks.training import distant  # noqa: E402
from trainer.analysis.ablate import interval  # noqa: E402

ALL, DATATROVE = "none", "datatrove"
PROFILES = ("web", "web-v1", "swallow-v1", "fineweb2-ja", ALL)
GENRES = {  # of the held-out texts: names in the shared data
    "literature": "novels",
    "law": "statutes",
    "statute": "statutes",
    "encyclopedia": "encyclopedia",
    "sentences": "news and web sentences",
    "minutes": "minutes",
}
MOST_CHARS = 60_000  # of a genre
WINDOW, STRIDE = 40, 200  # characters: a text that shares one with an arm is not held out
MODEL = """
[model]
hidden_size = 128
intermediate_size = 352
num_hidden_layers = 3
num_attention_heads = 2
max_position_embeddings = 256
tie_word_embeddings = true

[data]
seq_len = 256

[train]
steps = {steps}
batch_rows = 8
micro_rows = 8
optimizer = "muon"
lr = 3e-3
schedule = "wsd"
warmup_steps = 20
decay_steps = {decay}
min_lr_ratio = 0.05

[checkpoint]
every = {steps}

[eval]
every = 0
"""


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def archives(shared: Path, out: Path) -> list[Path]:
    """The dev sample, and gold-wide's pages as WARC records."""
    wide = out / "gold-wide.warc.gz"
    if not wide.exists():
        buffer = io.BytesIO()
        writer = WARCWriter(buffer, gzip=True)
        with gzip.open(shared / "gold-wide/gold.jsonl.gz", "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                kind = f"text/html; charset={row['charset']}"
                headers = [("Content-Type", kind)]
                record = writer.create_warc_record(
                    row.get("url") or f"http://{row['host']}/{row['id']}",
                    "response",
                    payload=io.BytesIO(base64.b64decode(row["raw_b64"])),
                    http_headers=StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1"),
                    warc_headers_dict={"WARC-Date": "2026-01-01T00:00:00Z"},
                )
                writer.write_record(record)
        wide.write_bytes(buffer.getvalue())
    return [shared / "warc/dev-sample.warc.gz", wide]


def texts_of(arm: Path) -> list[str]:
    files = sorted((arm / "corpus").glob("*.parquet")) or sorted(arm.glob("*.parquet"))
    return [
        text for file in files for text in pq.read_table(file, columns=["text"])["text"].to_pylist()
    ]


def held_out(shared: Path, arms: dict[str, Path], path: Path) -> None:
    """Texts of five genres without any that shares WINDOW characters with an arm; Parquet."""
    everything = "\n".join(text for arm in arms.values() for text in set(texts_of(arm)))
    chars: dict[str, int] = {}
    rows: list[dict[str, str]] = []
    for genre, text in _clean_texts(shared):
        known = any(
            text[i : i + WINDOW] in everything for i in range(0, len(text) - WINDOW, STRIDE)
        )
        if known or chars.get(genre, 0) >= MOST_CHARS:
            continue
        text = text[: MOST_CHARS - chars.get(genre, 0)]
        chars[genre] = chars.get(genre, 0) + len(text)
        rows.append({"text": text, "source": genre, "id": f"held-{len(rows)}"})
    pq.write_table(pa.Table.from_pylist(rows), path)
    print("held out, characters:", chars, flush=True)


def _clean_texts(shared: Path) -> Iterator[tuple[str, str]]:
    for genre, text in documents(shared):
        if genre in GENRES and len(text) >= WINDOW:
            yield GENRES[genre], text
    for text in distant.minutes(shared / "formats/minutes"):
        yield GENRES["minutes"], text


def peer(python: Path, files: list[Path], shared: Path, arm: Path) -> None:
    """datatrove's pipeline over the same files; its JSON lines as one Parquet file."""
    script = Path(__file__).parent / "peers" / "datatrove_ja.py"
    arm.mkdir(parents=True, exist_ok=True)
    run(python, script, *files, "--out", arm / "work", "--lid", shared / "models/lid.176.ftz")
    rows = []
    for file in sorted((arm / "work/kept").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rows += [{"text": r["text"], "id": r["id"]} for r in map(json.loads, lines)]
    pq.write_table(pa.Table.from_pylist(rows), arm / "part.parquet")


def arms(shared: Path, out: Path, datatrove: Path | None) -> dict[str, Path]:
    """Folder of each arm's corpus, built where it is not there yet."""
    files = archives(shared, out)
    found: dict[str, Path] = {}
    for profile in PROFILES:
        found[profile] = out / "corpora" / profile
        if not (found[profile] / "manifest.json").exists():
            corpus = (sys.executable, "-m", "corpus", "build", *files, "--out", found[profile])
            run(*corpus, "--profile", profile, "-q")
    if datatrove:
        found[DATATROVE] = out / "corpora" / DATATROVE
        if not (found[DATATROVE] / "part.parquet").exists():
            peer(datatrove, files, shared, found[DATATROVE])
    return found


def scores(out: Path, arm: str, seed: int, steps: int) -> dict[str, float]:
    """Bits per character of the held-out texts, in all and by genre, of one model of an arm."""
    folder = out / "runs" / f"{arm}-{seed}"
    done = folder / "scores.json"
    if not done.exists():
        config = out / "model.toml"
        config.write_text(MODEL.format(steps=steps, decay=steps // 3), encoding="utf-8")
        trainer = (sys.executable, "-m", "trainer")
        run(*trainer, "train", "--config", config, f"--data.tokens={out / 'tokens' / arm}",
            f"--out={folder}", f"--train.seed={seed}")  # fmt: skip
        evaluate = (*trainer, "evaluate", folder, "--text", out / "held.parquet", "--json")
        answer = subprocess.run(
            [str(part) for part in evaluate], check=True, cwd=ROOT, capture_output=True, text=True
        )
        found = json.loads(answer.stdout)
        by = {name: each["bpc"] for name, each in found["text"]["sources"].items()}
        done.write_text(json.dumps({"all": statistics.fmean(by.values()), **by}))
    return json.loads(done.read_text())


def table(found: dict[str, list[dict[str, float]]], sizes: dict[str, tuple[int, int]]) -> str:
    """Markdown: bits per character of each arm (less is better) and the difference to the first."""
    first = next(iter(found))
    columns = list(found[first][0])
    lines = [
        "| arm | documents | characters | " + " | ".join(columns) + f" | all, against {first} |"
    ]
    lines.append("|---|" + "--:|" * (len(columns) + 3))
    for arm, runs in found.items():
        cells = [
            f"{statistics.fmean(v):.3f} ± {interval(v):.3f}"
            for v in ([r[column] for r in runs] for column in columns)
        ]
        apart = [a["all"] - b["all"] for a, b in zip(runs, found[first], strict=True)]
        change = f"{statistics.fmean(apart):+.3f} ± {interval(apart):.3f}" if arm != first else "–"
        documents, characters = sizes[arm]
        lines.append(f"| {arm} | {documents:,} | {characters:,} | {' | '.join(cells)} | {change} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True, help="the shared data")
    parser.add_argument("--out", type=Path, required=True, help="corpora, tokens, runs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400, help="of 2,048 tokens")
    parser.add_argument("--datatrove", type=Path, help="interpreter that has datatrove")
    options = parser.parse_args()
    shared = next(p for p in (options.shared / "data", options.shared) if (p / "warc").is_dir())
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)

    built = arms(shared, out, options.datatrove)
    if not (out / "held.parquet").exists():
        held_out(shared, built, out / "held.parquet")

    # One tokenizer for all, from what no filter touched.
    trainer = (sys.executable, "-m", "trainer")
    if not (out / "tokenizer").exists():
        run(*trainer, "tokenizer", built[ALL], "--out", out / "tokenizer", "--vocab-size", "4096")
    for arm, folder in built.items():
        if not (out / "tokens" / arm).exists():
            run(*trainer, "prepare", folder, "--tokenizer", out / "tokenizer",
                "--out", out / "tokens" / arm, "--held-out", "0")  # fmt: skip

    # Seed by seed, so that a table of all arms stands early.
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in built}
    sizes = {a: (len(t), sum(map(len, t))) for a, t in ((a, texts_of(p)) for a, p in built.items())}
    for seed in range(1, options.seeds + 1):
        for arm in built:
            found[arm].append(scores(out, arm, seed, options.steps))
        print(f"\nafter {seed} seeds\n\n{table(found, sizes)}", flush=True)


if __name__ == "__main__":
    main()
