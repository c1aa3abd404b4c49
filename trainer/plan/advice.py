"""What a corpus supports: which model it can feed, and how many epochs a run would mean.

The rules, all fitted on English: about 20 tokens a parameter is compute-optimal (Hoffmann et al.
2022, table 3); reading different tokens up to 4 times is nearly as good as new text, beyond about
16 times nothing is gained (Muennighoff et al. 2023).
"""

from __future__ import annotations

import math
from typing import Any

from trainer.config.load import load
from trainer.config.settings import Config, ConfigError
from trainer.plan import flops
from trainer.plan.plan import count, number, run_tokens

TOKENS_PER_PARAMETER = 20.0
FREE_READINGS, LAST_READINGS = 4.0, 16.0
READINGS_SCALE = 15.4  # R_D* of Muennighoff et al. 2023: each reading is worth less than the last
PRESETS = ("150m", "360m", "760m", "1.3b", "3.7b", "7b", "13b")


def advise(corpus: dict[str, Any]) -> dict[str, Any]:
    """Model sizes that the different tokens of a corpus support, read once and four times."""
    different = corpus["different_tokens"]
    presets = []
    for name in PRESETS:
        size = flops.parameters(load(name).model)["total"]
        readings = TOKENS_PER_PARAMETER * size / different
        presets.append(
            {
                "preset": name,
                "parameters": size,
                "tokens": round(TOKENS_PER_PARAMETER * size),
                "readings": readings,
                "verdict": _verdict(readings),
            }
        )

    def fits(limit: float) -> str | None:
        return next((p["preset"] for p in reversed(presets) if p["readings"] <= limit), None)

    return {
        "parameters_once": different / TOKENS_PER_PARAMETER,
        "parameters_4_readings": FREE_READINGS * different / TOKENS_PER_PARAMETER,
        "worth_4_readings": different * worth(FREE_READINGS),
        "worth_16_readings": different * worth(LAST_READINGS),
        "most_tokens": LAST_READINGS * different,
        "preset_once": fits(1.0),
        "preset_4_readings": fits(FREE_READINGS),
        "presets": presets,
    }


def worth(readings: float) -> float:
    """New text that so many readings of one text are worth, Muennighoff et al. 2023, eq. 5:
    1 + R* · (1 - exp(-(readings - 1) / R*)) for 1 reading or more."""
    if readings <= 1:
        return readings
    return 1 + READINGS_SCALE * (1 - math.exp((1 - readings) / READINGS_SCALE))


def epochs(config: Config, corpus: dict[str, Any]) -> dict[str, Any]:
    """What the tokens of a run mean on a corpus: epochs and readings, the worst source first.

    With data.weights every source has its own number. Raises ConfigError for an unknown source.
    """
    tokens = run_tokens(config)
    parts = {r["source"]: r for r in corpus["sources"]}
    unknown = sorted(set(config.data.weights) - set(parts))
    if unknown:
        raise ConfigError(
            f"data.weights names {unknown[0]!r}, but the sources are {', '.join(parts)}"
        )
    mix = {n: w for n, w in config.data.weights.items() if w > 0}
    shares = {n: w / sum(mix.values()) for n, w in mix.items()} or {"all": 1.0}
    rows: list[dict[str, Any]] = []
    for name, share in shares.items():
        part = parts[name] if mix else corpus
        once = part["epoch_tokens"] if config.data.document_weights else part["tokens"]
        different = part["different_tokens"] if config.data.document_weights else part["tokens"]
        row = {"source": name, "tokens": round(share * tokens)}
        rows.append(row | {"epochs": share * tokens / once, "readings": share * tokens / different})
    rows.sort(key=lambda r: (-r["readings"], r["source"]))
    worst = rows[0]
    warning = ""
    if worst["readings"] > FREE_READINGS:
        name = worst["source"] if mix else "the corpus"
        warning = f"warning: {name} is read {number(worst['readings'])} times; beyond about "
        if worst["readings"] > LAST_READINGS:
            warning += "16 nothing is gained: train on fewer tokens or gather more text"
        else:
            warning += "4 repetition is worth less than new text"
    return {"tokens": tokens, "sources": rows, "warning": warning}


def sentences(corpus: dict[str, Any], advice: dict[str, Any], run: dict[str, Any] | None) -> str:
    """The advice for a person."""
    different, epoch = corpus["different_tokens"], corpus["epoch_tokens"]
    lines = [
        f"This corpus has {corpus['documents']:,} documents, {corpus['characters']:,} characters "
        f"and {corpus['tokens']:,} tokens ({corpus['tokens_are']})."
    ]
    if epoch != corpus["tokens"]:
        lines.append(
            f"Weighted, an epoch has {epoch:,} tokens, {different:,} of them different: a different"
            f" token is read {epoch / different:.3g} times an epoch."
        )
    lines += [f"Note: {n}." for n in corpus["notes"]]
    once, often = advice["preset_once"], advice["preset_4_readings"]
    lines += [
        "Read once, this corpus supports a compute-optimal model of "
        f"{count(advice['parameters_once'])} parameters "
        f"({TOKENS_PER_PARAMETER:g} tokens a parameter, Hoffmann et al. 2022): "
        + (f"preset {once}." if once else "less than the smallest preset, 150m."),
        f"Read 4 times, worth {worth(4):.3g} times as much new text (Muennighoff et al. 2023), "
        f"one of {count(advice['parameters_4_readings'])}: "
        + (f"preset {often}." if often else "less than the smallest preset."),
        f"Beyond about 16 readings nothing is gained: {count(advice['most_tokens'])} tokens "
        f"(worth {count(advice['worth_16_readings'])} new ones) are the most to train on.",
        "These are results on English; take them as orders of magnitude.",
    ]
    if run:
        for row in run["sources"]:
            lines.append(
                f"The run's {row['tokens']:,} tokens are {number(row['epochs'])} epochs of "
                f"{'this corpus' if row['source'] == 'all' else row['source']}."
            )
        lines += [run["warning"]] * bool(run["warning"])
    return "\n".join(lines)


def source_row(row: dict[str, Any]) -> dict[str, str]:
    """A source's line of the table a person reads."""
    keys = ("documents", "characters", "tokens", "epoch_tokens")
    numbers = {k.replace("_", " "): f"{row[k]:,}" for k in keys}
    return {"source": row["source"], **numbers, "share": f"{row['share']:.1%}"}


def preset_row(row: dict[str, Any]) -> dict[str, str]:
    """A preset's line of the table a person reads."""
    return {
        "preset": row["preset"],
        "parameters": count(row["parameters"]),
        "20 tokens each": count(row["tokens"]),
        "readings": number(row["readings"]),
        "verdict": row["verdict"],
    }


def _verdict(readings: float) -> str:
    if readings <= 1:
        return "fits, read once"
    if readings <= FREE_READINGS:
        return "fits, repeated"
    return "repeated too often" if readings <= LAST_READINGS else "corpus too small"
