"""Speed of the filters on one core, beside plain-Python Swallow and HojiChar, in one run.

    python benchmarks/filters.py [--data FOLDER] [--documents N]
    python benchmarks/filters.py --pass-rates [--texts FOLDER]

Text: the Japanese documents of the shared data, cut into pieces of 1,600 characters (Swallow's
figures are for that length). Each line is the best of REPEATS runs of process time; ratios compare
runs of the same invocation, so a busy machine moves both sides. The table is Markdown.

The figure to compare with Swallow and HojiChar is "all signals but the lazy ones"; groups that are
measured only when a profile asks (zlib, words …) are not in it and have lines of their own.

--pass-rates prints genre × profile over the shared data and the texts FOLDER/GENRE/*.txt, and
stores it where `corpus profiles NAME` finds it.
"""

from __future__ import annotations

import argparse
import collections
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402

from filters.compare import pass_rates  # noqa: E402
from filters.personal import apply  # noqa: E402
from filters.profile import load, names  # noqa: E402
from filters.published_words import measure_extra  # noqa: E402
from filters.signals import GROUPS, measure, slices  # noqa: E402
from filters.words import load as load_words  # noqa: E402

REPEATS = 5
GENRES = {  # what the genres of the pass rates are
    "dialogue": "everyday dialogues (Japanese Daily Dialogue)",
    "encyclopedia": "Wikipedia articles (JSQuAD, JaQuAD)",
    "exam": "examination questions (JMMLU)",
    "foreign": "manuals in other languages: to be rejected",
    "furniture": "menus, headers, footers, forms of web pages: to be rejected",
    "law": "one whole statute (e-Gov)",
    "literature": "works of Aozora Bunko, many in old spelling",
    "minutes": "sittings and speeches of the Diet and of councils",
    "news": "reports (Japanese Wikinews, newspapers)",
    "ocr": "pages read by NDL OCR and Tesseract",
    "sentences": "single clean sentences, 20 a text (UD Japanese-GSD)",
    "statute": "statutes and extracts of some (e-Gov, lawqa_jp)",
    "technical": "pages of software manuals, main text",
    "web": "blogs and pages of companies, shops, schools, clubs, as extracted",
}
EAGER = frozenset(name for name, group in GROUPS.items() if not group.lazy)
SENTENCE = re.compile("[^。．！？!?]+[。．！？!?]?")
KANJI = re.compile("[々〇〻\u3400-\u9fff\uf900-\ufaff]")


def swallow(text: str) -> dict[str, float]:
    """The work of Swallow's quality.py a document: the same counters over the same strings."""
    cut = [SENTENCE.findall(line) for line in text.split("\n")]
    paragraphs = ["".join(c) for c in cut]
    sentences = [s for c in cut for s in c]
    out: dict[str, float] = {}
    for name, items in (("paragraph", paragraphs), ("sentence", sentences)):
        counts = collections.Counter(items)
        out[name] = sum(f - 1 for f in counts.values()) / max(len(items), 1)
        repeated = sum(len(s) * (f - 1) for s, f in counts.items())
        out[name + "_chars"] = repeated / max(sum(map(len, items)), 1)
    for n in range(2, 11):
        counts = collections.Counter([text[i : i + n] for i in range(len(text) - n + 1)])
        if n < 5:
            out[f"top{n}"] = counts.most_common(1)[0][1] / sum(counts.values())
        else:
            out[f"dup{n}"] = sum(1 for f in counts.values() if f > 1) / len(counts)
    hiragana = katakana = marks = 0
    for c in text:
        o = ord(c)
        if 0x3041 <= o <= 0x3096:
            hiragana += 1
        elif 0x30A1 <= o <= 0x30FA:
            katakana += 1
        elif c in "、，" or c in "。．！？":
            marks += 1
    kanji = len(KANJI.findall(text))
    out |= {"hiragana": hiragana, "katakana": katakana, "kanji": kanji, "marks": marks}
    out["mean"] = sum(map(len, sentences)) / max(len(sentences), 1)
    out["max"] = max(map(len, sentences), default=0)
    out["ellipsis"] = sum(s.strip().endswith(("・", "…")) for s in sentences)
    return out


def hojichar() -> Callable[[str], bool] | None:
    """HojiChar's discarding document filters at their defaults, or None if it is not installed."""
    try:
        from hojichar import Document
        from hojichar.filters import document_filters as f
    except ImportError:
        return None
    stack = [
        f.AcceptJapanese(),
        f.DiscardRareKuten(),
        f.DiscardBBSComments(),
        f.DiscardAds(),
        f.DiscardAdultContentJa(),
        f.DiscardAdultContentEn(),
        f.DiscardDiscriminationContentJa(),
        f.DiscardViolenceContentJa(),
        f.DiscardTooManyNouns(),
        f.CharRepetitionRatioFilter(),
        f.WordRepetitionRatioFilter(),
        f.DiscardTooManySpecialToken(),
        f.SingleCharacterRepetitionFilter(),
        f.DiscardTooManyEndingEllipsis(),
        f.DiscardTooShortLines(),
    ]

    def run(text: str) -> bool:
        document = Document(text)
        for step in stack:
            document = step.apply(document)
        return document.is_rejected

    return run


def genre_texts(data: Path, more: Path | None) -> list[tuple[str, str]]:
    """(genre, text) of the shared data and of more/GENRE/*.txt."""
    listed = [(genre, text) for genre, text in documents(data) if text]
    for path in sorted(more.glob("*/*.txt")) if more else ():
        listed.append((path.parent.name, path.read_text(encoding="utf-8").strip()))
    return listed


def print_pass_rates(data: Path, more: Path | None) -> None:
    """Share of documents that every profile keeps, by genre; written to filters/lists too."""
    listed = genre_texts(data, more)
    texts = pa.array([text for _, text in listed])
    quality = measure(texts, EAGER | {"zlib", "words"})
    wanted = {name for p in names() for name in load(p).extra_signals()}
    extra = measure_extra(sorted(wanted), texts, data / "wordlists")
    profiles = [load(name) for name in names() if name != "none"]
    decisions = {p.name: p.decide(quality, extra) for p in profiles}
    table = pass_rates(decisions, [genre for genre, _ in listed])
    columns = table.column_names
    rows = [
        [f"{v:.3f}" if isinstance(v, float) else str(v) for v in r.values()]
        for r in table.to_pylist()
    ]
    lines = ["\t".join([columns[0], "about", *columns[1:]])]
    lines += ["\t".join([row[0], GENRES.get(row[0], ""), *row[1:]]) for row in rows]
    (ROOT / "filters/lists/pass_rates.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    genres = [row[0] for row in rows]
    print(
        "| profile | "
        + " | ".join(f"{g} ({r[1]})" for g, r in zip(genres, rows, strict=True))
        + " |"
    )
    print("|---|" + "--:|" * len(genres))
    for i, name in enumerate(columns[2:], 2):
        print(f"| {name} | " + " | ".join(f"{100 * float(row[i]):.1f}" for row in rows) + " |")


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def pieces(data: Path, n: int) -> list[str]:
    """n texts of 1,600 characters from the Japanese documents."""
    whole = "".join(t for genre, t in documents(data) if genre != "foreign")
    cut = [whole[i : i + 1600] for i in range(0, len(whole) - 1600, 1600)]
    return cut[:: max(1, len(cut) // n)][:n]


def print_peak(data: Path, passes: int) -> None:
    """Peak memory of a process that measures `passes` batches, of other texts each time."""
    texts = pieces(data, 4000)
    for i in range(passes):
        start = i * 61 % (len(texts) - 2000)
        measure(pa.array(texts[start : start + 2000]))
    # VmHWM begins anew at exec; ru_maxrss of a child is at least what its parent used.
    status = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    print(f"| {2000 * passes:,} | {peak:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--pass-rates", action="store_true", help="genre × profile, and store it")
    parser.add_argument("--texts", type=Path, help="more texts for --pass-rates: GENRE/*.txt")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        print_peak(options.data, options.memory)
        return
    if options.pass_rates:
        print_pass_rates(options.data, options.texts)
        return
    texts = pieces(options.data, options.documents)
    array = pa.array(texts)
    megabytes = sum(len(t.encode()) for t in texts) / 1e6
    few = texts[:: max(1, len(texts) // 300)]  # enough for what runs a few hundred a second

    measure(array.slice(0, 8), EAGER | {"zlib", "words"})  # compile and load before the clock
    rows: list[tuple[str, float]] = []
    plain = seconds(lambda: [swallow(t) for t in few], 3) / len(few) * len(texts)
    rows.append(("Swallow quality.py in plain Python", plain))
    run = hojichar()
    stack = None
    if run is not None:
        stack = seconds(lambda: [run(t) for t in few], 2) / len(few) * len(texts)
        rows.append(("HojiChar, its document filters", stack))
    everything = seconds(lambda: measure(array))
    rows.append(("**all signals but the lazy ones**", everything))
    rows += [
        (f"group `{g}`", seconds(lambda g=g: measure(array, frozenset({g}))))
        for g in GROUPS
        if g in EAGER
    ]
    with_zlib = EAGER | {"zlib"}
    rows.append(("all of them and zlib", seconds(lambda: measure(array, with_zlib))))
    lazy = seconds(lambda: measure(pa.array(few), frozenset({"words"})), 2)
    rows.append(("group `words` (fugashi)", lazy / len(few) * len(texts)))
    words = load_words()
    rows.append(
        (
            "word lists, with boundaries",
            seconds(lambda: [words.find(part.data, part.offsets) for part in slices(array)]),
        )
    )
    rows.append(("personal data, detect", seconds(lambda: apply(array, "detect"))))
    quality = measure(array)
    many = pa.chunked_array([quality] * (200_000 // len(texts) + 1)).combine_chunks()
    profile = load("web")
    profile.decide(many)
    decide = seconds(lambda: profile.decide(many)) / len(many)

    print(f"{len(texts)} documents, {megabytes:.1f} MB, one core\n")
    print("| what | documents/s | MB/s | × Swallow | × HojiChar |\n|---|--:|--:|--:|--:|")
    for name, took in rows:
        other = f"{stack / took:.1f}" if stack else "–"
        print(
            f"| {name} | {len(texts) / took:,.0f} | {megabytes / took:.1f} "
            f"| {plain / took:.1f} | {other} |"
        )
    print(f"| `web` on stored signals | {1 / decide:,.0f} | – | – | – |")
    print("\n| documents measured, in batches of 2,000 | peak memory, MiB |\n|--:|--:|")
    for passes in (0, 1, 10, 30):
        command = [sys.executable, __file__, "--data", str(options.data), "--memory", str(passes)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    assert np.isfinite(everything)


if __name__ == "__main__":
    main()
