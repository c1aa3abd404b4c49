"""The -compat profiles beside the programs they stand for: do they decide alike on real text?

    python benchmarks/originals.py [--data FOLDER] [--build DIR] [--slices N]
                                   [--swallow DIR] [--llm-jp DIR]

HojiChar and datatrove are run from their packages (`pip install hojichar datatrove spacy sudachipy
sudachidict_core`), Swallow's `quality.py` and LLM-jp's `scripts/filters.py` from checkouts of
their repositories. What is absent is said and left out. Documents: every text of the shared data,
random slices of them (the same every time), and with --build the documents of a corpus. A text on
which the original stops with an error counts as rejected by it; how many is in the table.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/filters")]

from filter_texts import documents  # noqa: E402

from filters.profile import load  # noqa: E402
from filters.published_words import measure_extra  # noqa: E402
from filters.signals import GROUPS, measure  # noqa: E402

Keeps = Callable[[str], bool]


def hojichar() -> Iterator[tuple[str, Keeps]]:
    """The discarding document filters of the package, at their defaults."""
    from hojichar import Document
    from hojichar.filters import document_filters as f

    stack = [
        f.AcceptJapanese(),
        f.DiscardRareKuten(),
        f.DiscardBBSComments(),
        f.DiscardAds(),
        f.DiscardAdultContentJa(),
        f.DiscardAdultContentEn(),
        f.DiscardDiscriminationContentJa(),
        f.DiscardViolenceContentJa(),
        f.CharRepetitionRatioFilter(),
        f.DiscardTooManySpecialToken(),
        f.SingleCharacterRepetitionFilter(),
        f.DiscardTooManyEndingEllipsis(),
        f.DiscardTooShortLines(),
        f.DiscardTooManyNouns(),
        f.WordRepetitionRatioFilter(),
    ]
    yield (
        "hojichar-compat",
        lambda text: all(not step.apply(Document(text)).is_rejected for step in stack),
    )


def datatrove(data: Path) -> Iterator[tuple[str, Keeps]]:
    """FineWeb-2's Japanese step, Gopher's defaults, and mC4's two rules."""
    from datatrove.data import Document
    from datatrove.pipeline import filters as f
    from datatrove.pipeline.filters import c4_filters

    def keeps(*steps: Any) -> Keeps:
        def run(text: str) -> bool:
            return all(step.filter(Document(text=text, id="")) is True for step in steps)

        return run

    words = 0.243, 0.225, 0.207, 0.19, 0.175, 0.159  # configs/jpn_Jpan.yml
    yield (
        "fineweb2-ja-compat",
        keeps(
            f.GopherRepetitionFilter(
                language="jpn_Jpan",
                dup_para_frac=0,
                dup_line_char_frac=0,
                dup_para_char_frac=0,
                dup_line_frac=0.328,
                top_n_grams=((2, 0.239), (3, 0.196), (4, 0.172)),
                dup_n_grams=tuple(enumerate(words, 5)),
            ),
            f.FineWebQualityFilter(
                language="jpn_Jpan",
                short_line_thr=999,
                char_duplicates_ratio=0.1,
                line_punct_thr=0.096,
                new_line_ratio=0.13,
            ),
            f.GopherQualityFilter(
                language="jpn_Jpan",
                max_avg_word_length=6,
                min_avg_word_length=1,
                min_stop_words=2,
                stop_words=list("のにをはたてがとで年し・月れさ"),
                max_non_alpha_words_ratio=0.759,
            ),
        ),
    )
    yield (
        "gopher-compat",
        keeps(
            f.GopherRepetitionFilter(language="jpn_Jpan"),
            f.GopherQualityFilter(language="jpn_Jpan"),
        ),
    )
    path = str(data / "wordlists/LDNOOBW/ja")
    c4_filters.cached_asset_path_or_download = lambda *_, **__: path  # what it would download
    yield (
        "c4-ja-compat",
        keeps(c4_filters.C4ParagraphFilter(), f.C4BadWordsFilter(default_language="ja")),
    )


def swallow(folder: Path) -> Iterator[tuple[str, Keeps]]:
    module = _module(folder / "quality.py")
    yield "swallow-v1-compat", lambda text: module.apply_v1(module.main({"text": text}))


def llm_jp(folder: Path) -> Iterator[tuple[str, Keeps]]:
    module = _module(folder / "scripts/filters.py")
    for name, hits, length, low in (
        ("llm-jp-v1-compat", 3, 250, 0.30),
        ("llm-jp-v1-strict-compat", 2, 80, 0.375),
    ):
        judges = [
            module.is_not_empty(),
            module.is_japanese(),
            module.is_not_ad_content(),
            module.is_not_adult_content(hits),
            module.is_not_discrimination_content(hits),
            module.is_not_violence_content(hits),
            module.has_good_average_sentence_length(length),
            module.has_good_compression_ratio(low, 0.70),
        ]
        yield name, lambda text, judges=judges: all(judge({"text": text}) for judge in judges)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"original_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts_of(options: argparse.Namespace) -> list[str]:
    whole = [text for _, text in documents(options.data)]
    rng = random.Random(20261124)
    texts = list(whole)
    for _ in range(options.slices):
        text = rng.choice(whole)
        begin = rng.randrange(len(text) + 1)
        texts.append(text[begin : begin + rng.randrange(3000)])
    for path in sorted((options.build / "documents").glob("*.parquet")) if options.build else ():
        texts += pq.read_table(path, columns=["text"])["text"].to_pylist()
    return [text for text in texts[:: options.step] if text]


def originals(options: argparse.Namespace) -> Iterator[tuple[str, Keeps]]:
    sources: list[tuple[str, Callable[[], Iterator[tuple[str, Keeps]]]]] = [
        ("HojiChar", hojichar),
        ("datatrove", lambda: datatrove(options.data)),
    ]
    for name, folder, read in (
        ("Swallow's quality.py", options.swallow, swallow),
        ("LLM-jp's filters.py", options.llm_jp, llm_jp),
    ):
        if folder:
            sources.append((name, lambda read=read, folder=folder: read(folder)))
        else:
            print(f"NOT COMPARED: {name} (give its checkout)", file=sys.stderr)
    for name, source in sources:
        try:
            yield from source()
        except (ImportError, OSError) as error:
            print(f"NOT COMPARED: {name}: {error}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--build", type=Path, help="documents of a corpus, too")
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--step", type=int, default=1, help="every n-th text only")
    parser.add_argument("--swallow", type=Path, help="checkout of swallow-corpus")
    parser.add_argument("--llm-jp", type=Path, help="checkout of llm-jp-corpus")
    options = parser.parse_args()
    texts = texts_of(options)
    array = pa.array(texts)
    eager = frozenset(name for name, group in GROUPS.items() if not group.lazy)
    quality = measure(array, eager | {"zlib", "words"})
    print(f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} million characters\n")
    print("| profile | agree | of | both keep | original stops | original, s |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, keeps in originals(options):
        profile = load(name)
        extra = measure_extra(profile.extra_signals(), array, options.data / "wordlists")
        ours = profile.decide(quality, extra).keep.tolist()
        theirs, stopped, start = [], 0, time.process_time()
        for text in texts:
            try:
                theirs.append(bool(keeps(text)))
            except Exception:  # whatever it raises ends the original's run
                theirs.append(False)
                stopped += 1
        took = time.process_time() - start
        wrong = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
        both = sum(a and b for a, b in zip(ours, theirs, strict=True))
        print(
            f"| {name} | {len(texts) - len(wrong)} | {len(texts)} | {both} | {stopped} "
            f"| {took:.0f} |",
            flush=True,
        )
        for i in wrong[:5]:
            print(f"  differs: text {i}, ours {ours[i]}, {texts[i][:60]!r}", file=sys.stderr)


if __name__ == "__main__":
    main()
