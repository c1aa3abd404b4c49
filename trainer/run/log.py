"""Where a run reports: metrics.jsonl, a line on stderr now and then, TensorBoard and W&B if asked.

Only the main process writes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from trainer import files
from trainer.config.settings import Config
from trainer.folder.sinks import TensorBoard, WandB, numbers
from trainer.run.processes import World


class Log:
    """Used as a context: `write` keeps a row, `show` prints a line, `say` prints a sentence."""

    def __init__(self, folder: Path, config: Config, world: World, steps: int, step: int) -> None:
        self.folder, self.config, self.main = folder, config, world.main
        self.steps, self.last_step = steps, step
        self.waited = self.paused = 0.0
        self.tokens = 0
        self.path = folder / "metrics.jsonl"
        self._sinks: list[Any] = []
        self._spoke = time.monotonic()
        if self.main:
            self._forget_after(step)
            self._open_sinks(step)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sink in self._sinks:
            sink.close(kind is not None)

    def steps_since(self, step: int) -> int:
        """Steps since the last row, and remember this one."""
        count, self.last_step = step - self.last_step, step
        return count

    def write(self, step: int, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl and give its numbers to TensorBoard and W&B."""
        if not self.main:
            return
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": step, **row}, ensure_ascii=False) + "\n")
        for sink in self._sinks:
            sink.write(step, dict(numbers("", row)))

    def show(self, step: int, row: dict[str, Any]) -> None:
        """Print how far the run is, every 15 seconds."""
        if not (self.main and self.config.log.progress and time.monotonic() - self._spoke >= 15):
            return
        self._spoke = time.monotonic()
        text = (
            f"loss {row['train']['loss']:.3f}  {row['train']['bpb']:.3f} bits/byte  "
            f"{row['tokens_per_s']:,.0f} tokens/s  MFU {row['mfu']:.1%}"
        )
        print(f"step {step}/{self.steps}  {text}", file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Print a sentence on stdout."""
        if self.main:
            print(sentence, flush=True)

    def _forget_after(self, step: int) -> None:
        """Drop rows after the checkpoint a run goes on from: they will be made again."""
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        files.write(self.path, "".join(line + "\n" for line in kept).encode())

    def _open_sinks(self, step: int) -> None:
        if self.config.log.tensorboard:
            self._sinks.append(TensorBoard(self.folder, step))
        if self.config.log.wandb:
            self._sinks.append(WandB(self.config, self.folder))


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line cut short by a crash
