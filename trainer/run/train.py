"""The training loop: batches in, metrics and checkpoints out, on any number of processes.

    RUN/config.toml  env.json  data-card.json  run.json   what was asked, where, on what
    RUN/metrics.jsonl                                     a line for each logged step
    RUN/tokenizer/   RUN/ckpt/step-N/   RUN/latest        see checkpoint.py
    RUN/curves.png   RUN/report.html                      at the end

The loss of a step is the sum over all targets of the global batch divided by their number, so it
does not depend on how rows fall on processes or micro-batches.

A spike of the gradient norm skips its step, or (train.spike_rewind) takes the run back to its last
checkpoint, from where it passes over the batches up to the spike. A skipped batch keeps its number:
order, replay and trace stay a function of the step; RUN/skipped.json has the numbers.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from trainer.config.settings import Config, TrainError, with_vocab
from trainer.data.loader import Batch, Loader, chain, prefetch
from trainer.data.steps import first_row, micro_rows, total_steps
from trainer.data.tokenizer import Tokenizer
from trainer.model import flops
from trainer.run import evaluate, optim, parallel
from trainer.run.checkpoint import Checkpointer
from trainer.run.folder import describe, locked, on_main, refuse_other_data, tokenised
from trainer.run.log import Log
from trainer.run.spikes import Spikes


def train(config: Config, given: tuple[Any, Any, Path] | None = None) -> dict[str, Any]:
    """Run to the last step, or until SIGTERM/SIGUSR1; continues a run that stands in config.out.

    given: (loader, held-out loader or None, tokenizer folder) in place of data.tokens, see sft.py.
    Returns {"first": evaluation before, "last": after, "step", "chain", "done"}.
    """
    world = parallel.start(config.parallel)
    with locked(Path(config.out), world):
        result = _train(config, world, given)
    parallel.stop(world)
    return result


def _train(
    config: Config, world: parallel.World, given: tuple[Any, Any, Path] | None
) -> dict[str, Any]:
    if given is None:
        config = tokenised(config, world)
        loader = Loader(config.data.tokens, config.data, config.train)
        given = loader, evaluate.held_out_loader(config), Path(config.data.tokens) / "tokenizer"
    tokenizer = Tokenizer.load(given[2])
    config = with_vocab(config, tokenizer.vocab_size)
    run = Run(config, world, tokenizer, given)
    # Ray runs its workers in a thread, where Python takes no signal handlers.
    main = threading.current_thread() is threading.main_thread()
    watched = (signal.SIGTERM, signal.SIGUSR1) if main else ()
    before = [signal.signal(number, run.on_signal) for number in watched]
    result = run.loop()
    for number, handler in zip(watched, before, strict=True):
        signal.signal(number, handler)  # ours holds the run, and with it the process group
    return result


class Run:
    """Everything a run holds; `loop` is the whole of training."""

    def __init__(
        self,
        config: Config,
        world: parallel.World,
        tokenizer: Tokenizer,
        given: tuple[Any, Any, Path],
    ) -> None:
        self.config, self.world, self.folder = config, world, Path(config.out)
        self.loader, self.held, tokenizer_dir = given
        self.steps = total_steps(config)
        self.micro = micro_rows(config, world.size)
        self.loader.plan.extend(first_row(config.train, self.steps))
        self.sizes = tokenizer.sizes()
        manifest = self.loader.documents.manifest
        on_main(world, lambda: describe(self.folder, config, tokenizer_dir, manifest, self.steps))
        self.model = parallel.build(config, world)
        self.optimizers = optim.build(self.model, config.train)
        self.checkpoints = Checkpointer(
            self.folder, config.checkpoint, world, self.model, self.optimizers
        )
        self.meter = evaluate.Meter(self.loader.documents.names, self.sizes, world.device)
        self.signalled = False
        self.spikes = Spikes(config.train, self.folder, world.main)
        self.back: int | None = None  # the step a rewind has taken the run to

    def loop(self) -> dict[str, Any]:
        state = self._start()
        step, self.chain = int(state["step"]), str(state["chain"])
        self.spikes.norms = list(state.get("norms", []))
        if self.world.main and state.get("meter"):
            self.meter.restore(state["meter"])
        first, last = state["first"], state["last"]
        config, saved = self.config, step
        with (
            Log(self.folder, config, self.world, self.steps, step) as log,
            parallel.steady_collector() as collect,
        ):
            if step == 0 and self.held is not None and first is None:
                first = last = self._evaluate(log, 0)
            if step >= self.steps and self.held is not None:
                last = self._evaluate(log, step)  # the checkpoint was saved before that
            waited = mark = time.perf_counter()
            for at, batch in self._batches(step):
                log.waited += time.perf_counter() - waited
                norm = self.step(at, batch)
                collect()
                if self._rewound(log, at):
                    waited = mark = time.perf_counter()
                    continue
                step = at + 1
                log.tokens += batch.loss_tokens
                self.chain = chain(self.chain, batch.digest)
                if step % config.log.every == 0 or step == self.steps:
                    mark = self._log(log, step, norm, mark)
                    self.checkpoints.poll()
                # Asked once a step: a signal later in it, on one process or all, waits its turn.
                stopping = self.world.any(self.signalled)
                if step % config.checkpoint.every == 0 or step == self.steps or stopping:
                    self._save(step, first, last)  # before evaluating: a crash there loses nothing
                    saved = step
                due = config.eval.every and step % config.eval.every == 0
                if self.held is not None and (due or step == self.steps) and not stopping:
                    last = self._evaluate(log, step)
                if stopping:
                    log.say(f"stopped by a signal; step {saved} is saved: start again to go on")
                    break
                waited = time.perf_counter()
            self.checkpoints.close()
            log.finish()
        return {
            "first": first,
            "last": last,
            "step": step,
            "chain": self.chain,
            "done": step >= self.steps,
        }

    def _batches(self, step: int) -> Iterator[tuple[int, Batch]]:
        """(step, batch) to the end of the run, from an earlier step again after a rewind."""
        while step < self.steps:
            for at, batch in prefetch(self.loader, step, self.steps):
                yield at, batch
                if self.back is not None:
                    break
            else:
                return
            step, self.back = self.back, None

    def step(self, step: int, batch: Batch) -> torch.Tensor:
        """One optimiser step on a global batch; returns the gradient norm (0 if passed over)."""
        config, size, micro = self.config, self.world.size, self.micro
        if step in self.spikes.skipped:
            return torch.zeros(())
        rows, seen = len(batch.tokens), []
        for start in range(0, rows, micro * size):
            last = start + micro * size >= rows
            parallel.sync_gradients(self.model, last or config.parallel.reduce_every_pass)
            begin = start + self.world.rank * micro
            part = batch.rows(begin, begin + micro)
            tokens, targets, sources, mask = evaluate.to_device(part, config, self.world.device)
            z = config.train.z_loss > 0
            nll, lse = self.model(tokens, targets, mask, None, config.train.loss_chunk, z)
            loss = nll.sum()
            if z:
                loss = loss + config.train.z_loss * lse.square().sum()
            (loss / batch.loss_tokens).backward()
            seen.append((part, nll.detach(), sources))
        optim.set_lr(self.optimizers, optim.lr_scale(config.train, step, self.steps))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.train.clip or 1e30)
        full = norm.full_tensor() if isinstance(norm, DTensor) else norm
        if not (config.train.spike and self.spikes.found(step, float(full))):
            for parts in seen:  # a skipped step is in no figure; its loss may be NaN
                self.meter.add(*parts)
            for optimizer in self.optimizers:
                optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        return full

    def _rewound(self, log: Log, step: int) -> bool:
        """After a new spike at `step`: back to the newest checkpoint, if the settings say so."""
        if not self.spikes.rewind_due():
            return False
        self.checkpoints.finish()
        state = self.checkpoints.load()
        if state is None:
            log.say(f"no checkpoint to go back to: step {step + 1} is skipped alone")
            return False
        self.back = int(state["step"])
        self.chain, self.spikes.norms = str(state["chain"]), list(state.get("norms", []))
        first = max(self.back, step + 1 - self.config.train.spike_rewind) + 1
        self.spikes.skip(first, step + 1)
        self.meter.reset()
        log.rewind(self.back)
        log.write(self.back, {"rewind": {"spike": step + 1, "skipped": [first, step + 1]}})
        log.say(
            f"spike at step {step + 1}: back to step {self.back}; "
            f"the batches of steps {first} to {step + 1} are skipped"
        )
        return True

    def _start(self) -> dict[str, Any]:
        state = self.checkpoints.load()
        if state is not None:
            if self.world.main:
                print(f"going on from step {state['step']:,} of {self.steps:,}", flush=True)
            return state
        source = self.config.checkpoint.load
        fresh: dict[str, Any] = {"step": 0, "chain": "", "first": None, "last": None}
        if not source:
            return fresh
        other = Checkpointer(
            Path(source),
            self.config.checkpoint,
            self.world,
            self.model,
            self.optimizers,
            reading=True,
        )
        step = self.config.checkpoint.load_step
        loaded = other.load(step or None, weights_only=not step)
        if loaded is None:
            raise TrainError(f"no whole checkpoint{f' of step {step}' if step else ''} in {source}")
        if not step:
            return fresh
        refuse_other_data(loaded, self.config, step, self.loader.documents.manifest)
        return loaded

    def _save(self, step: int, first: Any, last: Any) -> None:
        state = {"step": step, "chain": self.chain, "first": first, "last": last}
        state["norms"] = self.spikes.norms
        state["meter"] = self.meter.sums(self.world)
        state["row"] = first_row(self.config.train, step)
        state["seed"] = self.config.train.seed
        state["data"] = self.loader.documents.manifest["fingerprint"]
        self.checkpoints.save(step, state)

    def _evaluate(self, log: Log, step: int) -> dict[str, Any]:
        assert self.held is not None
        begin = time.perf_counter()
        result = evaluate.held_out(self.model, self.held, self.config, self.sizes, self.world)
        log.write(step, {"held_out": result})
        log.paused += time.perf_counter() - begin
        name = "before training" if step == 0 else f"step {step}"
        log.say(
            f"held-out, {name}: {result['bpb']:.3f} bits per byte, "
            f"{result['bpc']:.3f} bits per character"
        )
        return result

    def _log(self, log: Log, step: int, norm: torch.Tensor, mark: float) -> float:
        result = self.meter.read(self.world)
        self.meter.reset()
        if not result["tokens"]:  # every batch since the last row was skipped
            log.write(step, {"chain": self.chain, "skipped": log.steps_since(step)})
            return time.perf_counter()
        if not math.isfinite(result["loss"]):
            raise TrainError(
                f"the loss is {result['loss']} before step {step}: lower train.lr, raise "
                "train.warmup_steps or set train.spike, and start again from the last checkpoint"
            )
        now = time.perf_counter()
        seconds = max(1e-9, now - mark - log.paused)
        speed = log.tokens / seconds
        scale = optim.lr_scale(self.config.train, step - 1, self.steps)
        row = {"train": result, "lr": self.config.train.lr * scale}
        row |= {"grad_norm": float(norm), "chain": self.chain, "tokens_per_s": speed}
        device = self.world.device
        peak = flops.peak(device, parallel.compute_dtype(self.config.parallel, device))[0]
        shape = self.config.model, self.config.data.seq_len
        row |= flops.utilisation(*shape, speed, peak * self.world.size)
        row["data_wait_ms"] = 1e3 * log.waited / max(1, log.steps_since(step))
        row["memory_gib"] = flops.memory_gib(device)
        log.write(step, row)
        log.show(step, row)
        log.waited = log.paused = 0.0
        log.tokens = 0
        return now

    def on_signal(self, number: int, frame: object) -> None:
        self.signalled = True
