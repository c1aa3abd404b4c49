"""Spikes of the gradient norm: which steps a run passes over.

A skipped batch keeps its number, so order, replay and trace stay functions of the step;
RUN/skipped.json has the numbers and outlives a crash.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from trainer import files
from trainer.config.settings import TrainConfig
from trainer.folder.run import skipped

RECENT = 50  # norms whose mean is the usual one
ENOUGH = 10  # with fewer only a norm that is not finite is a spike


class Spikes:
    """`norms` of the last good steps; `skipped`: steps (0-based) that are not trained on."""

    def __init__(self, config: TrainConfig, folder: Path, main: bool) -> None:
        self.config, self.folder, self.main = config, folder, main
        self.norms: list[float] = []
        self.skipped = skipped(folder)

    def is_spike(self, step: int, norm: float) -> bool:
        """Whether the gradient norm of `step` is far above the recent mean; then it is skipped."""
        recent = self.norms[-RECENT:]
        usual = sum(recent) / len(recent) if len(recent) >= ENOUGH else math.inf
        if math.isfinite(norm) and norm <= self.config.spike * usual:
            self.norms = [*recent, norm]
            return False
        if self.main:
            print(f"skipped a step: gradient norm {norm:.3g}, usual {usual:.3g}", flush=True)
        self.skipped.add(step)
        if self.main:
            text = json.dumps(sorted(self.skipped))
            files.write(self.folder / "skipped.json", text.encode())
        return True
