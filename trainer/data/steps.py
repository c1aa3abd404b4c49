"""Which rows belong to which step, and how many steps a run has: arithmetic on the settings.

A run is a list of phases; without [[phases]] it is one. Its position is a number of tokens, as rows
of different phases have different lengths. World size enters only where a step's rows are shared
out, in `micro_rows`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

from trainer.config.settings import Config, ConfigError, Phase, TrainConfig

OPEN = 2**62  # steps of a run that nobody has said the length of


def total_steps(config: Config) -> int:
    """Optimiser steps of a run, from its phases, train.steps or train.tokens."""
    train, steps = config.train, Timeline(config).steps
    if steps == OPEN:
        raise ConfigError("set train.steps or train.tokens")
    if train.schedule == "wsd" and train.warmup_steps + train.decay_steps > steps:
        raise ConfigError(
            f"train.warmup_steps + train.decay_steps ({train.warmup_steps} + "
            f"{train.decay_steps}) exceed the run's {steps} steps"
        )
    return steps


@dataclass(frozen=True)
class Part:
    """A phase and its place in the run."""

    config: Config  # of a run that is this phase alone
    phase: Phase | None  # None: the run has no [[phases]]
    folders: tuple[str, ...]
    steps: int
    first_step: int
    first_row: int  # rows of the run before it
    first_token: int  # tokens of the run before it

    @property
    def order(self) -> dict[str, Any]:
        """By what its rows are cut and ordered; a phase with the same goes on where one ended."""
        names = ("seq_len", "weights", "document_weights", "block_tokens", "window_blocks")
        return {"folders": self.folders} | {n: getattr(self.config.data, n) for n in names}

    @property
    def tokens(self) -> int:
        """What it trains on, in whole batches."""
        return self.steps * self.batch_rows * self.config.data.seq_len

    def row(self, step: int) -> int:
        """The first row of a step of the run, counted over the run."""
        return self.first_row + (step - self.first_step) * self.batch_rows

    @property
    def batch_rows(self) -> int:
        """Rows of the global batch."""
        return self.config.train.batch_rows


class Timeline:
    """The phases of a run one after another; steps and rows count from 0 over the whole run."""

    def __init__(self, config: Config) -> None:
        self.parts: list[Part] = []
        self.steps = 0
        row = token = 0
        phases: list[Phase | None] = [*config.phases] or [None]
        for phase in phases:
            own = _of_phase(config, phase)
            tokens, batch = own.train.tokens, own.train.batch_rows * own.data.seq_len
            steps = own.train.steps or -(-tokens // batch) or OPEN
            folders = tuple(phase.folders) if phase and phase.folders else (config.data.tokens,)
            self.parts.append(Part(own, phase, folders, steps, self.steps, row, token))
            self.steps += steps
            taken = 0 if steps == OPEN else steps
            row, token = row + taken * own.train.batch_rows, token + taken * batch

    @property
    def folders(self) -> list[str]:
        """Every folder of tokens, in the order in which the phases come to them."""
        return list(dict.fromkeys(f for part in self.parts for f in part.folders))

    def at(self, step: int) -> Part:
        """The phase of a step; the last one beyond the end."""
        return self.parts[bisect_right(self.parts, step, key=lambda p: p.first_step) - 1]

    def row(self, step: int) -> int:
        """The first row of a step, which is how many rows come before it."""
        return self.at(step).row(step)

    def tokens(self, step: int) -> int:
        """The position of the run before a step, in tokens."""
        part = self.at(step)
        rows = part.row(step) - part.first_row
        return part.first_token + rows * part.config.data.seq_len

    def step_of_row(self, row: int) -> int:
        """The step whose batch holds a row of the run."""
        part = self.part_of_row(row)
        return part.first_step + (row - part.first_row) // part.batch_rows

    def part_of_row(self, row: int) -> Part:
        """The phase that a row of the run belongs to."""
        return self.parts[bisect_right(self.parts, row, key=lambda p: p.first_row) - 1]


def _of_phase(config: Config, phase: Phase | None) -> Config:
    if phase is None:
        return config
    data, train, model = config.data, config.train, config.model
    data = replace(
        data,
        seq_len=phase.seq_len or data.seq_len,
        weights=phase.weights or data.weights,
        block_tokens=phase.block_tokens or data.block_tokens,
    )
    train = replace(
        train,
        tokens=phase.tokens,
        batch_rows=phase.batch_rows or train.batch_rows,
        micro_rows=phase.micro_rows or train.micro_rows,
    )
    model = replace(model, rope_theta=phase.rope_theta or model.rope_theta)
    return replace(config, data=data, train=train, model=model, phases=[])


def micro_rows(train: TrainConfig, rows: int, world: int) -> int:
    """Rows of one forward pass for a batch of `rows`: as few passes as train.micro_rows allows, no
    more rows in each than they need. What does not divide is padded, see Batch.share."""
    share = -(-rows // world)
    return -(-share // -(-share // train.micro_rows))
