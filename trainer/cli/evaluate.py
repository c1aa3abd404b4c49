"""`trainer evaluate`: text in bits per byte, Japanese tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import Json, RunDir, Step
from trainer.cli.printing import show
from trainer.config.settings import ConfigError


def evaluate(
    run: RunDir,
    text: Annotated[str, typer.Option(help="Parquet text: bits per byte and character.")] = "",
    tasks: Annotated[str, typer.Option(help="Folder of JGLUE and JMMLU files.")] = "",
    how: Annotated[
        str, typer.Option(help="Of tasks: generation (as llm-jp-eval), likelihood, or both.")
    ] = "both",
    shots: Annotated[int, typer.Option(help="Examples; -1: as swallow-evaluation gives.")] = -1,
    limit: Annotated[int, typer.Option(help="Documents or questions of a task; 0: all.")] = 0,
    rows: Annotated[int, typer.Option(help="Rows of one forward pass.")] = 16,
    dtype: Annotated[
        str, typer.Option(help="auto (bfloat16 on a GPU), bfloat16, float32.")
    ] = "auto",
    answers: Annotated[str, typer.Option(help="JSONL of what was asked and said.")] = "",
    step: Step = 0,
    json_: Json = False,
) -> None:
    """Score text in bits per byte by source, and the tasks of JGLUE and JMMLU.

    Under torchrun each process holds the model and takes its share of documents and questions.
    """
    from trainer.analysis.rates import text_rates
    from trainer.config.settings import ParallelConfig
    from trainer.folder.load import load_model
    from trainer.run.parallel import compute_dtype
    from trainer.run.processes import leave, start
    from trainer.tasks.ask import HOW, ask
    from trainer.tasks.published import MOST_SHOTS, read

    if not text and not tasks:
        raise ConfigError("give --text, --tasks or both")
    if how not in (*HOW, "both") or not -1 <= shots <= MOST_SHOTS or rows < 1 or limit < 0:
        raise ConfigError(
            f"--how is {', '.join(HOW)} or both; --shots -1 to {MOST_SHOTS}; --rows at least 1"
        )
    parallel = ParallelConfig(dtype=dtype)
    suites = read(tasks) if tasks else []
    world = start(parallel)
    model, _, tokenizer, at = load_model(run, step or None, world.device)
    model.to(compute_dtype(parallel, world.device))
    result: dict[str, Any] = {"step": at}
    said: list[dict[str, Any]] = []
    if text:
        result["text"] = text_rates(model, tokenizer, text, limit, world)
    if suites:
        ways = HOW if how == "both" else (how,)
        given = None if shots < 0 else shots
        result["tasks"] = ask(model, tokenizer, suites, ways, given, limit, rows, world, said)
    if world.main:
        if answers:
            lines = [json.dumps(line, ensure_ascii=False) for line in said]
            Path(answers).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        _print(result, json_)
    leave()


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False, indent=1))
        return
    if "text" in result:
        all_ = {"all": result["text"], **result["text"]["sources"]}
        keys = ("bpb", "bpc", "bytes", "chars")
        show([{"source": n, **{k: v[k] for k in keys}} for n, v in all_.items()], False)
    if "tasks" in result:
        show([_task_row(row) for row in result["tasks"]], False)
        for row in result["tasks"]:
            for note in row["notes"]:
                print(f"{row['task']}, {row['how']}: {note}")
            if row.get("cut"):
                print(f"{row['task']}: {row['cut']} prompts exceed the context, cut on the left")


def _task_row(row: dict[str, Any]) -> dict[str, str]:
    """A line of the table a person reads."""
    more = {"per_byte": "per byte", "spearman": "Spearman"}
    other = [f"{name} {row[key]:.3f}" for key, name in more.items() if key in row]
    return {
        "task": row["task"],
        "how": row["how"],
        "shots": str(row["shots"]),
        "questions": f"{row['questions']:,}",
        "score": f"{row['score']:.3f} ± {row['standard_error']:.3f}",
        "metric": row["metric"],
        "most frequent": f"{row['most_frequent']:.3f}" if "most_frequent" in row else "–",
        "also": ", ".join(other) or "–",
    }
