"""Signals: everything that is measured of a text, as one struct of typed columns a document.

    measure(texts, prose=prose) -> StructArray of STORED_TYPE

A slice of about a megabyte is decoded to code points once; each theme's kernel then fills its
columns. Signals of one theme form a *group*; one that is not asked for is left out. Lazy groups
are measured only when asked for by name: `words` (a morphological analyser), `perplexity` (a
language model), `classifiers` (fastText), `zlib`.

Texts are plain views (docs/text.md), as published recipes read them. Signals that code, tables,
formulas and headings distort are measured on prose alone too, as `prose_` and their name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import additive
from filters.buffers import text_buffers
from filters.compression import LZ4_SIGNALS, ZLIB_SIGNALS, measure_lz4, measure_zlib
from filters.kernels import hashed, lines, ngrams, patterns, perplexity, phrases, scripts, sentences
from filters.kernels.classes import CLASS_TABLE
from filters.kernels.decode import decode
from filters.kernels.marks import MARK_TABLE
from filters.kernels.spec import Bytes, Floats, Offsets, Points, Signal, count, share
from filters.morphemes import GOPHER_SIGNALS, measure_words
from filters.morphemes import SIGNALS as WORD_SIGNALS
from filters.perplexity import measure_perplexity
from filters.perplexity import shipped as perplexity_model
from filters.placeholders import KINDS as PERSONAL_KINDS
from filters.quality import SIGNALS as QUALITY_SIGNALS
from filters.quality import measure_quality
from filters.quality import shipped as classifiers
from filters.solicitation import SIGNALS as SOLICITATION_SIGNALS
from filters.solicitation import measure_solicitation
from filters.words import SIGNALS as HARM_SIGNALS
from filters.words import measure_harm

SLICE_BYTES = 1 << 20  # decoded, a slice is at most 4 MiB: it stays in the cache between kernels
MAX_COUNT = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Slice:
    """Some documents, as bytes and as code points: data[offsets[i]:offsets[i + 1]] and
    points[starts[i]:starts[i + 1]] are document i."""

    data: Bytes
    offsets: Offsets
    points: Points
    starts: Offsets


def _scripts(part: Slice, out: Floats) -> None:
    scripts.measure_scripts(part.points, part.starts, CLASS_TABLE, out)


def _sentences(part: Slice, out: Floats) -> None:
    sentences.measure_sentences(part.points, part.starts, MARK_TABLE, out)


def _lines(part: Slice, out: Floats) -> None:
    lines.measure_lines(part.points, part.starts, MARK_TABLE, out)


def _ngrams(part: Slice, out: Floats) -> None:
    ngrams.measure_ngrams(part.points, part.starts, out)


def _patterns(part: Slice, out: Floats) -> None:
    patterns.measure_patterns(
        part.points, part.starts, CLASS_TABLE, MARK_TABLE, patterns.PAIR_TABLE, out
    )


def _phrases(part: Slice, out: Floats) -> None:
    tables = (MARK_TABLE, CLASS_TABLE, *phrases.TABLES)
    phrases.measure_phrases(part.points, part.starts, *tables, out)


def _passages(part: Slice, out: Floats) -> None:
    additive.measure_passages(part.points, part.starts, out)


def _lz4(part: Slice, out: Floats) -> None:
    measure_lz4(part.data, part.offsets, out)


def _zlib(part: Slice, out: Floats) -> None:
    measure_zlib(part.data, part.offsets, out)


def _words(part: Slice, out: Floats) -> None:
    measure_words(part.data, part.offsets, out)


def _perplexity(part: Slice, out: Floats) -> None:
    measure_perplexity(part.points, part.starts, out)


def _quality(part: Slice, out: Floats) -> None:
    measure_quality(part.points, part.starts, out)


def _harm(part: Slice, out: Floats) -> None:
    measure_harm(part.data, part.offsets, out)


def _solicitation(part: Slice, out: Floats) -> None:
    measure_solicitation(part.data, part.offsets, out)


@dataclass(frozen=True)
class Group:
    """Signals that are measured together, and how. A lazy group is measured only on request."""

    signals: tuple[Signal, ...]
    measure: Callable[[Slice, Floats], None]
    lazy: bool = False


GROUPS: dict[str, Group] = {
    "scripts": Group(scripts.SIGNALS, _scripts),
    "sentences": Group(sentences.SIGNALS, _sentences),
    "lines": Group(lines.SIGNALS, _lines),
    "ngrams": Group(ngrams.SIGNALS, _ngrams),
    "patterns": Group(patterns.SIGNALS, _patterns),
    "phrases": Group(phrases.SIGNALS, _phrases),
    "passages": Group(hashed.SIGNALS, _passages),
    "lz4": Group(LZ4_SIGNALS, _lz4),
    "zlib": Group(ZLIB_SIGNALS, _zlib, lazy=True),
    "harm": Group(HARM_SIGNALS, _harm),
    "solicitation": Group(SOLICITATION_SIGNALS, _solicitation),
    "words": Group(WORD_SIGNALS, _words, lazy=True),
    "perplexity": Group(perplexity.SIGNALS, _perplexity, lazy=True),
    "classifiers": Group(QUALITY_SIGNALS, _quality, lazy=True),
}
GROUP_OF: dict[str, str] = {s.name: name for name, g in GROUPS.items() for s in g.signals}

# What structure distorts: shares of scripts and marks (code is Latin and symbols, table cells and
# headings are kanji and digits without a kuten), lengths and ends of sentences and lines (a cell or
# a line of code is a short one without an end), and repetition (`}`, a column of the same value).
# Not here, and so on the whole text alone: faults, which count wherever they stand (broken, control
# and foreign characters, half-width kana, emoji); what is 0 or the same in prose, which has no
# blank lines; and what published recipes define on the whole text (HojiChar's, Uzushio's, Gopher's
# and mC4's lines, Swallow's shares of n-gram types). Densities, lz4 and words stay as they are too,
# and `prose_line_share`, which `prose_closed_sentence_share` stands in for.
PROSE = "prose_"
DISTORTED = (
    "n_chars", "n_japanese", "japanese_share", "hiragana_share_ja", "katakana_share_ja",
    "kanji_share_ja", "kuten_share_ja", "toten_share_ja", "hiragana_share", "katakana_share",
    "kanji_share", "latin_share", "digit_share", "symbol_share", "ascii_symbol_share",
    "space_share", "letter_share", "max_char_run", "char_run_share",
    "n_paragraphs", "n_sentences", "mean_sentence_length", "max_sentence_length",
    "ellipsis_sentence_share", "dup_sentence_share", "dup_sentence_char_share",
    "dup_paragraph_share", "dup_paragraph_char_share", "closed_sentence_share",
    "long_sentence_share",
    "mean_line_length", "max_line_length", "short_line_30_share", "bullet_line_share",
    "kana_line_share", "broken_line_share", "one_char_line_share", "dup_line_char_share",
    "chars_per_kuten",
    *(f"top_{n}gram_share" for n in ngrams.TOP_SIZES),
    *(f"dup_{n}gram_share" for n in ngrams.DUPLICATE_SIZES),
)  # fmt: skip
DISTORTED_GROUPS = frozenset(GROUP_OF[name] for name in DISTORTED)
PLAIN_OF = {PROSE + name: name for name in DISTORTED}
GROUP_OF |= {name: GROUP_OF[plain] for name, plain in PLAIN_OF.items()}
SIGNALS: dict[str, Signal] = {s.name: s for group in GROUPS.values() for s in group.signals}
SIGNALS |= {
    PROSE + name: replace(
        SIGNALS[name],
        name=PROSE + name,
        description=f"{SIGNALS[name].description}; of prose alone, shares are of its counts",
    )
    for name in DISTORTED
}

# Signals of a document that are columns of their own: a profile may name them, `decide` takes them
# as `extra`.
EXTRA_SIGNALS: dict[str, Signal] = {
    s.name: s
    for s in (
        *(
            count(
                f"{source}_{topic}",
                "matches",
                f"words of {owner}'s {topic.replace('_', ' ')} list, counted as it counts them",
                owner,
            )
            for source, owner, topics in (
                (
                    "hojichar",
                    "HojiChar",
                    ("adult_ja", "adult_en", "discrimination", "violence", "ads"),
                ),
                ("llmjp", "LLM-jp corpus v1", ("adult", "discrimination", "violence")),
                ("uzushio", "Uzushio", ("adult_types", "discrimination_types")),
                ("ldnoobw", "C4 and LDNOOBW", ("ja",)),
            )
            for topic in topics
        ),
        *(
            replace(s, name=f"sudachi_{s.name}", description=f"{s.description}; Sudachi's words")
            for s in (
                *GOPHER_SIGNALS,
                count("english_stop_words", "of 8 words", "how many of the be to of and … occur"),
            )
        ),
        share("language_score", "probability", "fastText lid.176: probability of the language"),
        share("listing", "probability", "the page is an index: links, teasers, no text of its own"),
        count("cluster_size", "documents", "documents of its cluster of duplicates, by dedup"),
        *(
            count(f"personal_{kind}", "places", f"personal data of the class {kind}")
            for kind in PERSONAL_KINDS
        ),
        count("personal_all", "places", "personal data of all classes"),
        share("host_harm_share", "of documents", "documents of the host with strong harmful words"),
    )
}

MODEL = "model."  # and a name: what an additive model says of other signals (filters.additive)
SCORE = "score."  # and a name: the scores of a user's classifier, stored beside the documents


def signal_of(name: str) -> Signal | None:
    """What is known of a signal that a profile may name, None where there is no such signal."""
    if name.startswith(SCORE) and len(name) > len(SCORE):
        return share(name, "probability", "`corpus classifier score` of the user's own model")
    if name.startswith(MODEL) and name.removeprefix(MODEL) in additive.SHIPPED:
        return share(name, "probability", "that a person keeps it: a sum of one curve a signal")
    return SIGNALS.get(name) or EXTRA_SIGNALS.get(name)


def inputs_of(name: str) -> tuple[str, ...]:
    """The signals that have to be known for a signal: those of its model, or itself."""
    if name.startswith(MODEL):
        return additive.load(name.removeprefix(MODEL)).signals
    return (name,)


def of_model(name: str, columns: Mapping[str, pa.Array]) -> pa.Array:
    """The signal `model.NAME` float64[n], from columns with its inputs; null where one is."""
    model = additive.load(name.removeprefix(MODEL))
    inputs = {n: as_numbers(columns[n]) for n in model.signals}
    return pa.array(model.probability(inputs), from_pandas=True)


def as_numbers(column: pa.Array) -> np.ndarray:
    """A column as float or int[n]; nulls are NaN."""
    if column.null_count and pa.types.is_integer(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


def check_models(groups: frozenset[str]) -> None:
    """Reads the models behind these groups. ValueError, one line, where a file is damaged."""
    models: dict[str, Callable[[], object]] = {
        "perplexity": perplexity_model,
        "classifiers": classifiers,
        "passages": additive.shipped,
    }
    for name in models.keys() & groups:
        models[name]()


def _field(signal: Signal) -> pa.Field:
    kind = pa.int32() if signal.kind == "count" else pa.float32()
    facts = {"unit": signal.unit, "description": signal.description, "source": signal.source}
    return pa.field(signal.name, kind, metadata=facts)


def type_of(groups: frozenset[str]) -> pa.StructType:
    """The type of what `measure` returns of these groups."""
    return pa.struct([_field(s) for s in SIGNALS.values() if GROUP_OF[s.name] in groups])


# What is measured unless a lazy group is asked for, and so stored; and every signal there is.
DEFAULT_GROUPS = frozenset(name for name, group in GROUPS.items() if not group.lazy)
STORED_TYPE = type_of(DEFAULT_GROUPS)
QUALITY_TYPE = type_of(frozenset(GROUPS))
PLACE_OF = {s.name: i for group in GROUPS.values() for i, s in enumerate(group.signals)}


def measure(
    texts: pa.Array, groups: frozenset[str] | None = None, prose: pa.Array | None = None
) -> pa.StructArray:
    """All signals of every document.

    texts: `string` or `large_string`, sliced or not; a null counts as an empty text.
    groups: names out of `GROUPS`; None measures every group that is not lazy.
    prose: what of each text is prose, in its order (`corpus.text.views.prose`); None: all of it.
    Returns a struct array of `type_of(groups)`, as long as `texts`: STORED_TYPE by default.
    Raises ValueError for an unknown group, TypeError for an array that holds no strings.
    """
    wanted = DEFAULT_GROUPS if groups is None else groups
    if unknown := sorted(wanted - frozenset(GROUPS)):
        raise ValueError(f"unknown signal group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    matrices = _matrices(texts, wanted)
    of_prose = {name: matrices[name] for name in DISTORTED_GROUPS & wanted}
    if prose is not None and prose is not texts and of_prose:
        _measure_prose(of_prose, texts, prose)
    columns = []
    for field in type_of(wanted):
        plain = PLAIN_OF.get(field.name)  # of a signal of prose: that of the whole text
        found = matrices if plain is None else of_prose
        columns.append(_column(found, SIGNALS[field.name], plain or field.name))
    return pa.StructArray.from_arrays(columns, fields=list(type_of(wanted)))


def _matrices(texts: pa.Array, groups: frozenset[str]) -> dict[str, Floats]:
    """The signals of each group, [len(texts), signals of the group]."""
    found = {g: np.empty((len(texts), len(GROUPS[g].signals))) for g in GROUPS if g in groups}
    row = 0
    for part in slices(texts):
        n = len(part.starts) - 1
        for name, matrix in found.items():
            GROUPS[name].measure(part, matrix[row : row + n])
        row += n
    return found


def _measure_prose(of_prose: dict[str, Floats], texts: pa.Array, prose: pa.Array) -> None:
    """Put the signals of prose in; a text that is all prose keeps those that it has."""
    sizes, own = (pc.fill_null(pc.binary_length(column), 0) for column in (texts, prose))
    rows = np.flatnonzero(pc.not_equal(sizes, own).to_numpy(zero_copy_only=False))
    if not len(rows):
        return
    measured = _matrices(prose.take(pa.array(rows)), frozenset(of_prose))
    for name, matrix in measured.items():
        of_prose[name] = of_prose[name].copy()
        of_prose[name][rows] = matrix


def _column(matrices: dict[str, Floats], signal: Signal, place: str) -> pa.Array:
    kind = QUALITY_TYPE.field(signal.name).type
    values = matrices[GROUP_OF[signal.name]][:, PLACE_OF[place]]
    if signal.kind == "count":
        values = np.minimum(values, MAX_COUNT)
    return pa.array(values.astype(kind.to_pandas_dtype()))


def slices(texts: pa.Array) -> Iterator[Slice]:
    """`texts` decoded, about SLICE_BYTES at a time and at least one document."""
    data, offsets = text_buffers(texts)
    begin = 0
    while begin < len(texts):
        limit = offsets[begin] + SLICE_BYTES
        end = max(begin + 1, int(np.searchsorted(offsets, limit, side="right")) - 1)
        end = min(end, len(texts))
        part = offsets[begin : end + 1]
        points = np.empty(int(part[-1] - part[0]), np.uint32)
        starts = np.empty(len(part), np.int64)
        decode(data, part, points, starts)
        yield Slice(data, part, points[: starts[-1]], starts)
        begin = end
