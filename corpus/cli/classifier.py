"""`corpus classifier`: train, score and evaluate quality classifiers; `corpus.cli.app` adds it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.options import Json, opened
from corpus.cli.printing import print_json
from corpus.errors import RunError, UsageError, counted

if TYPE_CHECKING:
    from corpus.folder.folder import Folder

app = typer.Typer(
    help="Quality classifiers: train your own, score documents, measure.", no_args_is_help=True
)
Positive = Annotated[
    list[str],
    typer.Option("--positive", "-p", help="Folder or file of good texts; as often as needed."),
]
Negative = Annotated[
    list[str],
    typer.Option("--negative", "-n", help="Folder or file of other texts; as often as needed."),
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="A model's path, or wiki-like or educational.")
]
Column = Annotated[str, typer.Option("--text-column", help="Column of Parquet, JSONL and CSV.")]
Limit = Annotated[
    int, typer.Option("--max-documents", min=0, help="At most so many of a source; 0: all.")
]
BATCH = 256  # documents between two steps of the progress line
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@app.command()
def train(
    positive: Positive,
    negative: Negative,
    out: Annotated[Path, typer.Option("--out", "-o", help="The model, e.g. my-kind.ftz.")],
    tokens: Annotated[str, typer.Option(help="characters, or words of fugashi.")] = "characters",
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    by_source: Annotated[
        bool, typer.Option("--by-source", help="Also leave out one source after the other.")
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Times each text is seen.")] = 20,
    text_column: Column = "text",
    max_documents: Limit = 0,
    as_json: Json = False,
) -> None:
    """Train on texts of two kinds; print and save a cross-validated report.

    Each --positive and --negative is a source. Writes MODEL and MODEL.json (tokens, calibration,
    report). The same texts and options give the same bytes.
    """
    from filters.quality import ClassifierError
    from filters.train_quality import train as trained

    good = _sources(positive, text_column, max_documents)
    bad = _sources(negative, text_column, max_documents)
    with _progress() as note:
        try:
            model = trained(good, bad, out, tokens, folds, by_source, epochs, note)
        except ClassifierError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            raise RunError(f"cannot write {out}: {error.strerror or error}") from error
    # Cross-validated figures only: of texts that the model has seen all look well.
    if as_json:
        print_json(model.facts)
        return
    print(f"{out}: {out.stat().st_size:,} bytes; cross-validated, {folds} folds:")
    _print_report(model.facts["report"])
    for name in ("auc", "f1"):
        values = [fold[name] for fold in model.facts["folds"]]
        print(f"  {name} of the folds: {min(values):.3f} to {max(values):.3f}")
    _print_sources("source", model.facts["sources"])
    if by_source:
        _print_sources("source, left out of training", model.facts["left_out"])


@app.command()
def evaluate(
    positive: Positive,
    negative: Negative,
    model: Model,
    text_column: Column = "text",
    max_documents: Limit = 0,
    as_json: Json = False,
) -> None:
    """Measure a model on labelled texts that it has not seen: figures, calibration, sources."""
    from filters.quality import ClassifierError
    from filters.train_quality import assess

    classifier = _load(model)
    good = _sources(positive, text_column, max_documents)
    bad = _sources(negative, text_column, max_documents)
    try:
        figures = assess(classifier, good, bad)
    except ClassifierError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json(figures)
        return
    _print_report(figures["report"])
    _print_sources("source", figures["sources"])


@app.command()
def score(
    target: Annotated[
        str, typer.Argument(metavar="INPUT", help="A build folder, files, or - for stdin.")
    ],
    model: Model,
    name: Annotated[
        str | None, typer.Option("--name", help="Build folder: the scores' name; else the model's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Files: write Parquet here, not JSON lines.")
    ] = None,
    text_column: Column = "text",
    as_json: Json = False,
) -> None:
    """Score documents: the probability that each is of the model's positive kind.

    A build folder gets the column DIR/scores/NAME, which a profile's rule, `corpus sweep` and
    `corpus compare` call score.NAME. Files give a line of JSON (or, with --out, a Parquet row) a
    document; stdin is a text, or a JSON object with a text, a line, and gives a score a line.
    """
    classifier = _load(model)
    if target == "-":
        _score_stdin(classifier, text_column, as_json)
    elif _is_build(target):
        if out:
            raise UsageError("--out is for files: a build folder keeps its scores itself")
        _score_build(opened(target), classifier, name or Path(model).stem.lower(), as_json)
    else:
        _score_files(target, classifier, out, text_column)


def _is_build(target: str) -> bool:
    """Whether the target is a build folder, by its settings file."""
    from corpus.folder.layout import Layout

    return Layout(Path(target)).settings.is_file()


def _score_build(folder: Folder, classifier: Any, name: str, as_json: bool) -> None:
    import pyarrow as pa

    from corpus.folder import scores

    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} names no scores: lower-case letters, digits, - and _ (--name)")
    # Stored file by file on the way; of the texts only their scores are kept for the summary.
    files = []
    with _progress() as note:
        for path, of_file in scores.score_build(folder, name, classifier):
            note(f"{path.name}")
            files.append(of_file)
    values = pa.chunked_array(files, pa.float32()).to_numpy()
    if not len(values):
        raise UsageError(f"{folder} holds no documents: run `corpus harvest` first")
    summary = {
        "signal": f"score.{name}",
        "documents": len(values),
        "mean": round(float(values.mean()), 4),
        "at_least_half": int((values >= 0.5).sum()),
    }
    if as_json:
        print_json(summary)
        return
    print(
        f"score.{name}: {counted(len(values), 'document')}, mean {summary['mean']:.3f}, "
        f"{summary['at_least_half']:,} at .5 or more"
    )
    print(
        f"Next: corpus sweep {folder} --signal score.{name} --from 0 --to 1, or name it in a "
        f"profile's rule and run corpus select {folder} --profile FILE.toml"
    )


def _score_files(target: str, classifier: Any, out: Path | None, column: str) -> None:
    import pyarrow as pa

    from corpus.folder.commit import ParquetWriter

    rows: dict[str, list[Any]] = {"source_file": [], "source_offset": [], "url": [], "score": []}
    with _progress() as note:
        for file, offset, url, value in _scored(target, classifier, column, note):
            if out is None:
                row = {"source_file": file, "source_offset": offset, "url": url, "score": value}
                print(json.dumps(row, ensure_ascii=False))
            else:
                for key, cell in zip(rows, (file, offset, url, value), strict=True):
                    rows[key].append(cell)
    if out is not None:
        types = (pa.string(), pa.int64(), pa.string(), pa.float32())
        arrays = [
            pa.array(cells, data_type)
            for cells, data_type in zip(rows.values(), types, strict=True)
        ]
        table = pa.Table.from_arrays(arrays, list(rows))
        try:
            with open(out, "wb") as stream:  # not renamed into place: it may be a pipe
                ParquetWriter(table.schema, table)(stream)
        except OSError as error:
            raise RunError(f"cannot write {out}: {error.strerror or error}") from error


def _scored(
    target: str, classifier: Any, column: str, note: Any
) -> Iterator[tuple[str, int, str, float]]:
    """(file, offset, url, score) of every document, scored BATCH at a time."""
    import pyarrow as pa

    batch: list[tuple[Any, str]] = []
    done = 0

    def flush() -> Iterator[tuple[str, int, str, float]]:
        values = classifier.score(pa.array([text for _, text in batch], pa.large_string()))
        for (item, _), value in zip(batch, values, strict=True):
            yield item.file, item.place[0], item.url, round(float(value), 6)

    for pair in _texts(target, column):
        batch.append(pair)
        if len(batch) == BATCH:
            yield from flush()
            done += len(batch)
            batch.clear()
            note(f"{done:,} documents")
    yield from flush()


def _score_stdin(classifier: Any, column: str, as_json: bool) -> None:
    import pyarrow as pa

    stream = sys.stdin.buffer
    for number, line in enumerate(stream, 1):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("{"):
            try:
                text = json.loads(text)[column]
            except (ValueError, KeyError, RecursionError):
                raise RunError(f"stdin, line {number}: no JSON with a {column!r}") from None
        value = round(float(classifier.score(pa.array([str(text)]))[0]), 6)
        print(json.dumps({"score": value}) if as_json else f"{value:.6f}")


def _sources(paths: list[str], column: str, limit: int) -> dict[str, list[str]]:
    """Name of each source → its texts; with a limit, texts spread evenly over the source."""
    sources: dict[str, list[str]] = {}
    for path in paths:
        texts = [text for _, text in _texts(path, column)]
        if not texts:
            raise UsageError(f"{path}: no text in it")
        if limit and len(texts) > limit:
            texts = [texts[i * len(texts) // limit] for i in range(limit)]
        name = Path(path).name or path
        sources[path if name in sources else name] = texts
    return sources


def _texts(path: str, column: str) -> Iterator[tuple[Any, str]]:
    """(item, text) of every readable document of a file or folder, as `corpus build` reads them."""
    from corpus.config import set_key
    from corpus.settings import Settings
    from corpus.sources.kinds import items_of
    from corpus.sources.plan import units
    from corpus.stages.document import document
    from corpus.text.blocks import NONE
    from corpus.text.views import plain_text
    from corpus.web.charset import decode, gate

    settings = set_key(Settings(), "input", "columns", {"text": column}, "--text-column")
    for unit in units([path], settings):
        for item in items_of(unit, settings):
            if item.text is not None:
                yield item, item.text
            elif item.plain is not None:
                yield item, decode.decode(item.plain, "", gate.evidence(item.plain)).text
            elif item.html is not None:
                row = document(item, settings)
                if isinstance(row, dict):
                    yield item, plain_text(row["text"], row.get("blocks", NONE))


def _load(model: str) -> Any:
    """The classifier of a path or name; UsageError when it is none."""
    from filters.quality import ClassifierError, load

    try:
        return load(model)
    except ClassifierError as error:
        raise UsageError(str(error)) from error


class _progress:
    """A line on stderr that tells the step and vanishes; nothing where stderr is no terminal."""

    def __enter__(self) -> Any:
        from rich.console import Console

        console = Console(stderr=True)
        self.status = console.status("") if console.is_terminal else None
        if self.status:
            self.status.start()
        return self.status.update if self.status else lambda _: None

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()


def _print_report(report: dict[str, Any]) -> None:
    tp, fp, fn, tn = report["confusion"]
    print(
        f"  {counted(report['documents'], 'text')}: AUC {report['auc']:.3f}, precision "
        f"{report['precision']:.3f}, recall {report['recall']:.3f}, F1 {report['f1']:.3f} at .5"
    )
    print(f"  right {tp:,} positive and {tn:,} negative, wrongly taken {fp:,}, missed {fn:,}")
    print(f"  calibration error {report['calibration_error']:.3f}:  probability  positive  texts")
    for probability, share, texts in report["calibration"]:
        print(f"{probability:40.3f}  {share:8.3f}  {texts:5,}")


def _print_sources(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"  {title:30} kind      texts  median  right at .5")
    for row in rows:
        print(
            f"  {row['source'][-30:]:30} {row['kind']}  {row['documents']:5,}  "
            f"{row['median']:6.3f}  {row['right']:.3f}"
        )
