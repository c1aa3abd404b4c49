"""FineWeb-2's Japanese pipeline with datatrove itself, over WARC files; for benchmarks/ablation.py.

    PYTHON benchmarks/peers/datatrove_ja.py FILE.warc.gz … --out OUT --lid lid.176.ftz

Steps, order and thresholds are those of github.com/huggingface/fineweb-2 (fineweb-2-pipeline.py,
configs/jpn_Jpan.yml). Two things differ: GlotLID cannot be fetched here, so the language is told
by fastText's lid.176, in which datatrove asks for .65; and a page may take PATIENCE seconds.
Writes OUT/kept/*.jsonl.gz.
"""

import argparse
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
    URLFilter,
)
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter, SymbolLinesFormatter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.lid import FT176LID
from datatrove.utils.typeshelper import Languages

LANGUAGE = Languages.japanese
STOPWORDS = list("のにをはたてがとで年し・月れさ")
PATIENCE = 30  # seconds for a page, so that a busy machine loses none (1 by default)
MINHASH = MinhashConfig(
    hash_config=HashConfig(hash_fc="xxhash", precision=64),
    num_buckets=14,
    hashes_per_bucket=8,
    n_grams=5,
)


def language(model: str) -> LanguageFilter:
    """Keeps Japanese, by a model that lies here."""
    FT176LID.MODEL_URL = model
    return LanguageFilter(languages=["ja"])


def quality() -> list:
    return [
        GopherRepetitionFilter(
            language=LANGUAGE,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=0.328,
            top_n_grams=((2, 0.239), (3, 0.196), (4, 0.172)),
            dup_n_grams=((5, 0.243), (6, 0.225), (7, 0.207), (8, 0.19), (9, 0.175), (10, 0.159)),
        ),
        FineWebQualityFilter(
            language=LANGUAGE,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=0.096,
            new_line_ratio=0.13,
        ),
        GopherQualityFilter(
            language=LANGUAGE,
            max_avg_word_length=6,
            min_avg_word_length=1,
            stop_words=STOPWORDS,
            max_non_alpha_words_ratio=0.759,
            min_stop_words=2,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lid", required=True, help="fastText's lid.176")
    options = parser.parse_args()
    out, warcs = options.out, options.out / "warc"
    warcs.mkdir(parents=True, exist_ok=True)
    for file in options.files:
        link = warcs / file.name
        if not link.exists():
            link.symlink_to(file.resolve())

    def step(name: str, *pipeline, tasks: int = 1) -> None:
        LocalPipelineExecutor([*pipeline], tasks=tasks, logging_dir=str(out / "logs" / name)).run()

    def text(name: str) -> JsonlReader:
        return JsonlReader(str(out / name))

    step(
        "extract",
        WarcReader(str(warcs), glob_pattern="*.warc.gz"),
        URLFilter(),
        Trafilatura(favour_precision=True, timeout=PATIENCE),
        language(options.lid),
        JsonlWriter(str(out / "extracted")),
    )
    signatures, buckets, remove = (str(out / n) for n in ("signatures", "buckets", "remove"))
    step(
        "signatures",
        text("extracted"),
        MinhashDedupSignature(output_folder=signatures, config=MINHASH, language=LANGUAGE),
    )
    step(
        "buckets",
        MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=MINHASH),
        tasks=MINHASH.num_buckets,
    )
    step("cluster", MinhashDedupCluster(buckets, remove, config=MINHASH))
    step(
        "unique",
        text("extracted"),
        MinhashDedupFilter(input_folder=remove),
        JsonlWriter(str(out / "unique")),
    )
    step(
        "quality",
        text("unique"),
        *quality(),
        FTFYFormatter(),
        PIIFormatter(),
        SymbolLinesFormatter(symbols_to_remove=["|"], replace_char="\n"),
        JsonlWriter(str(out / "kept")),
    )


if __name__ == "__main__":
    main()
