"""Where a run reports: metrics.jsonl, the terminal, TensorBoard and W&B if asked, a report.

Only the main process writes. The progress line lives on stderr and is absent when that is no
terminal; then a plain line appears now and then.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from trainer import files
from trainer.config.settings import Config, ConfigError
from trainer.run.processes import World


class Log:
    """Used as a context: `write` keeps a row, `show` updates the line, `say` prints a sentence."""

    def __init__(self, folder: Path, config: Config, world: World, steps: int, step: int) -> None:
        self.folder, self.config, self.main = folder, config, world.main
        self.steps, self.last_step = steps, step
        self.waited = self.paused = 0.0
        self.tokens = 0
        self.path = folder / "metrics.jsonl"
        self._bar: Any = None
        self._sinks: list[Any] = []
        self._spoke = time.monotonic()
        if self.main:
            self._forget_after(step)
            self._open_sinks(step)

    def __enter__(self) -> Log:
        if self.main and self.config.log.progress and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self.steps, completed=self.last_step)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
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
            sink.write(step, dict(_scalars("", row)))

    def show(self, step: int, row: dict[str, Any]) -> None:
        """Update the progress line; without a terminal print one every 15 seconds."""
        if not self.main:
            return
        text = (
            f"loss {row['train']['loss']:.3f}  {row['train']['bpb']:.3f} bits/byte  "
            f"{row['tokens_per_s']:,.0f} tokens/s  MFU {row['mfu']:.1%}"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=text)
        elif self.config.log.progress and time.monotonic() - self._spoke >= 15:
            self._spoke = time.monotonic()
            print(f"step {step}/{self.steps}  {text}", file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Print a sentence on stdout, above the progress line."""
        if not self.main:
            return
        if self._bar is not None:
            self._bar.console.print(sentence)
        else:
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
            self._sinks.append(_TensorBoard(self.folder, step))
        if self.config.log.wandb:
            self._sinks.append(_WandB(self.config, self.folder))


class _TensorBoard:
    """Events of steps after the one a run goes on from are purged: they will be made again."""

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError("log.tensorboard needs the package tensorboard") from error
        self._writer = SummaryWriter(
            str(folder / "tensorboard"), purge_step=step + 1 if step else 0
        )

    def write(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        self._writer.close()


class _WandB:
    """One W&B run for a run folder, however often it is started: FOLDER/wandb/run-id names it.

    W&B drops rows whose own step goes back, as after a crash. So its step only counts
    rows, and `step` is a value in the row and the axis of every plot; of two rows with the same
    step the later one counts.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        try:
            import wandb  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise ConfigError("log.wandb needs the package wandb") from error
        name = folder / "wandb" / "run-id"
        known = name.read_text(encoding="utf-8").strip() if name.is_file() else None
        try:
            self._run = wandb.init(
                project=config.log.wandb,
                name=folder.resolve().name,
                id=known or None,
                dir=str(folder),
                config=asdict(config),
                resume="allow",
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            line = " ".join(str(error).split())
            raise ConfigError(f"log.wandb: {line} (WANDB_MODE=offline needs no server)") from error
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        name.parent.mkdir(exist_ok=True)
        files.write(name, self._run.id.encode())

    def write(self, step: int, scalars: dict[str, float]) -> None:
        self._run.log({**scalars, "step": step})

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def _scalars(prefix: str, row: dict[str, Any]) -> list[tuple[str, float]]:
    scalars: list[tuple[str, float]] = []
    for key, value in row.items():
        if isinstance(value, dict):
            scalars += _scalars(f"{prefix}{key}/", value)
        elif isinstance(value, (int, float)):
            scalars.append((prefix + key, float(value)))
    return scalars


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line cut short by a crash
