"""`trainer plan`: what a run needs and costs, what a corpus supports."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

import typer

from trainer.cli.options import Json, Preset
from trainer.cli.printing import columns
from trainer.config.load import load
from trainer.config.settings import ConfigError


def plan(
    ctx: typer.Context,
    config: Preset = "",
    machine: Annotated[str, typer.Option(help="Name in the table; empty: all.")] = "",
    nodes: Annotated[int, typer.Option(help="Nodes of a job.")] = 1,
    mfu: Annotated[float, typer.Option(help="Model FLOP utilisation, 0 to 1.")] = 0.4,
    corpus: Annotated[
        str, typer.Option(help="Token shards, build folder or Parquet text: what it supports.")
    ] = "",
    chars_per_token: Annotated[
        float, typer.Option(help="To estimate tokens of text; 0: 1.6, of our Japanese tokenizer.")
    ] = 0.0,
    tokenizer: Annotated[str, typer.Option(help="Tokenizer to try on a sample instead.")] = "",
    machines: Annotated[str, typer.Option(help="Your own table of machines.")] = "",
    json_: Json = False,
) -> None:
    """Parameters, FLOPs, memory, time, yen and kWh of a run; what a corpus supports; or both."""
    from trainer.plan import advice
    from trainer.plan import plan as planner
    from trainer.plan.machines import machines as read_machines

    if not config and not corpus:
        raise ConfigError("give --config, --corpus or both")
    run = load(config, ctx.args) if config else None
    size = None
    if corpus:
        from trainer.plan.measure import measure

        size = measure(corpus, chars_per_token, tokenizer)
    if run and size and not run.model.vocab_size:
        vocabulary = -(-size["vocab_size"] // 64) * 64
        run = replace(run, model=replace(run.model, vocab_size=vocabulary))
    table = read_machines(machines) if machines else read_machines()
    if machine and machine not in table:
        raise ConfigError(f"no machine {machine!r}: the table has {', '.join(table)}")
    names = [machine] if machine else list(table)
    plans = {name: planner.plan(run, table[name], nodes, mfu) for name in names} if run else {}
    supported = advice.advise(size) if size else None
    repeated = advice.epochs(run, size) if run and size else None
    if json_:
        result: dict[str, Any] = {"corpus": size, "advice": supported, "run": repeated}
        result |= {"plans": [{"name": name, **plan} for name, plan in plans.items()]}
        print(json.dumps(result, ensure_ascii=False, indent=1))
        return
    if size and supported:
        print(columns([advice.source_row(row) for row in size["sources"]]))
        print(columns([advice.preset_row(row) for row in supported["presets"]]))
        print(advice.sentences(size, supported, repeated))
    if plans:
        print(planner.headline(next(iter(plans.values()))) + "\n")
        print(columns([planner.row(name, plan) for name, plan in plans.items()]))
        print("\n".join(planner.notes(plans)))
