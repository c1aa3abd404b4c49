"""The training loop: batches in, metrics and checkpoints out, on any number of processes.

The loss of a step is the sum over all targets of the global batch divided by their number, so it
does not depend on how rows fall on processes or micro-batches.

A spike of the gradient norm skips its step. The batch keeps its number: order, replay and trace
stay a function of the step; RUN/skipped.json has the numbers.

The run folder is drawn in folder.py; one step is followed with its figures in README.md.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from trainer.config.settings import Config, ConfigError, TrainError
from trainer.data.loader import Batch, Batches, Digest, Loader, chain, prefetch, proof
from trainer.data.steps import Timeline, micro_rows, total_steps
from trainer.model.transformer import CausalLM
from trainer.plan import flops, peaks
from trainer.run import evaluate, optim, parallel, processes
from trainer.run.checkpoint import Checkpointer
from trainer.run.log import Log
from trainer.run.processes import World, on_main
from trainer.run.schedule import lr_at
from trainer.run.spikes import Spikes
from trainer.run.start import (
    describe,
    fingerprints,
    fitted,
    history,
    locked,
    refuse_other_data,
    tokenised,
)
from trainer.tasks.ask import measure
from trainer.tokens.documents import write_index
from trainer.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Feed:
    """What a run reads: from data.tokens, or given by `sft`, `dpo` and `ablate`.

    objective: (nll, rows) -> what is made small, a sum that is divided by the global number of
    targets; None: the nll itself. measures: name -> what else is asked of the model wherever it is
    evaluated, on all processes; its numbers stand beside those of the held-out text.
    """

    train: Batches
    held_out: Batches | None
    tokenizer: Path  # folder
    objective: Callable[[torch.Tensor, Batch], torch.Tensor] | None = None
    measures: dict[str, Callable[[CausalLM, World], dict[str, Any]]] = field(default_factory=dict)


def train(config: Config, feed: Feed | None = None) -> dict[str, Any]:
    """Run to the last step, or until SIGTERM/SIGUSR1; continues a run that stands in config.out.

    feed None: the token shards of data.tokens. Returns {"first": evaluation before, "last": after,
    "step", "chain", "done"}. Raises ConfigError for settings that cannot be, TrainError for a run
    that cannot go on.
    """
    world = processes.start(config.parallel)
    with locked(Path(config.out), world):
        result = _train(config, world, feed)
    processes.stop(world)
    return result


def _train(config: Config, world: World, feed: Feed | None) -> dict[str, Any]:
    if feed is None:
        config = tokenised(config, world)
        index = Path(config.out) / "index"
        on_main(world, lambda: write_index(Timeline(config).folders, index))
        loader = Loader(config, index=index)
        tokenizer_dir = Path(loader.documents.folders[0]) / "tokenizer"
        feed = Feed(loader, evaluate.held_out_loader(config), tokenizer_dir)
    tokenizer = Tokenizer.load(feed.tokenizer)
    if config.eval.tasks:
        feed = replace(feed, measures={**feed.measures, "tasks": measure(config.eval, tokenizer)})
    config = fitted(with_vocab(config, tokenizer.vocab_size), world)
    run = Run(config, world, tokenizer, feed)
    # Ray runs its workers in a thread, where Python takes no signal handlers.
    in_main_thread = threading.current_thread() is threading.main_thread()
    watched = (signal.SIGTERM, signal.SIGUSR1) if in_main_thread else ()
    before = [signal.signal(number, run.on_signal) for number in watched]
    result = run.loop()
    for number, handler in zip(watched, before, strict=True):
        signal.signal(number, handler)  # ours holds the run, and with it the process group
    return result


def with_vocab(config: Config, vocab_size: int) -> Config:
    """`config` with a vocabulary that holds the tokenizer's ids, padded to a multiple of 64."""
    if config.model.vocab_size and config.model.vocab_size < vocab_size:
        raise ConfigError(
            f"model.vocab_size is {config.model.vocab_size} but the tokenizer has {vocab_size} "
            "entries; set it to 0 to follow the tokenizer"
        )
    size = config.model.vocab_size or -(-vocab_size // 64) * 64
    return replace(config, model=replace(config.model, vocab_size=size))


class Run:
    """Everything a run holds; `loop` is the whole of training."""

    def __init__(self, config: Config, world: World, tokenizer: Tokenizer, feed: Feed) -> None:
        self.config, self.world, self.folder = config, world, Path(config.out)
        self.loader, self.held_out, self.feed = feed.train, feed.held_out, feed
        self.evaluates = feed.held_out is not None or bool(feed.measures)
        self.steps, self.timeline = total_steps(config), Timeline(config)
        self.loader.extend(self.timeline.row(self.steps))  # refuses a run without the data
        self.token_sizes = tokenizer.sizes()
        self.manifest = self.loader.documents.manifest
        on_main(
            world,
            lambda: describe(self.folder, config, feed.tokenizer, self.manifest, self.steps),
        )
        self.model = parallel.build(config, world)
        self.optimizers = optim.build(self.model, config.train)
        self.checkpoints = Checkpointer(
            self.folder, config.checkpoint, world, self.model, self.optimizers
        )
        names = self.loader.documents.names
        self.meter = evaluate.Meter(names, self.token_sizes, world.device)
        self.spikes = Spikes(config.train, self.folder, world.main)
        self.signalled = False
        self.chain = ""  # the rolling hash, without
        self.digests: list[Digest] = []  # of this process's rows, since it was computed

    def loop(self) -> dict[str, Any]:
        """Every step from where the run stands to its end; what `train` returns."""
        config = self.config
        # A run goes on from its newest checkpoint; the sums since the last log row come with it.
        state = self._start()
        done = saved = int(state["step"])  # steps done, and steps in the newest checkpoint
        self.chain = str(state["chain"])
        self.spikes.norms = list(state.get("norms", []))
        if self.world.main and state.get("meter"):
            self.meter.restore(state["meter"], state.get("sources", self.meter.names))
        first, last = state["first"], state["last"]  # held-out results
        with (
            Log(self.folder, config, self.world, self.steps, done) as log,
            processes.steady_collector() as collect_garbage,
        ):
            # Before the first step: what an untrained model scores, to compare with.
            if done == 0 and self.evaluates and first is None:
                first = last = self._evaluate(log, 0)
            if done >= self.steps and self.evaluates:
                last = self._evaluate(log, done)  # the checkpoint was saved before that
            waiting_since = logged_at = time.perf_counter()
            mine = self.world.rank, self.world.size
            for step, batch in prefetch(self.loader, done, self.steps, *mine):
                # 1. The loader works one batch ahead in a thread: what is waited here is its lag.
                log.waited += time.perf_counter() - waiting_since
                # 2. Forward, backward, optimiser.
                norm = self.step(step, batch)
                # 3. Garbage now, in all processes alike, and at no other time.
                collect_garbage()
                # 4. The rolling hash proves which batches were read, in which order (`replay`).
                done = step + 1
                log.tokens += batch.loss_tokens
                self.digests.append(batch.digest)
                # 5. The only waits for the device are here: figures are read every log.every steps.
                if done % config.log.every == 0 or done == self.steps:
                    logged_at = self._log(log, done, norm, logged_at)
                    self.checkpoints.poll()
                # 6. All are asked now and then: a signal, on one process or all, waits its turn.
                alone = self.world.size == 1
                asked = alone or done % config.checkpoint.ask_every == 0 or done == self.steps
                stopping = asked and self.world.any(self.signalled)
                # 7. Save before evaluating: a crash there loses nothing.
                if done % config.checkpoint.every == 0 or done == self.steps or stopping:
                    self._save(done, first, last)
                    saved = done
                # 8. Evaluate now and then, but not when the job is about to be killed.
                due = config.eval.every and done % config.eval.every == 0
                if self.evaluates and (due or done == self.steps) and not stopping:
                    last = self._evaluate(log, done)
                if stopping:
                    log.say(f"stopped by a signal; step {saved} is saved: start again to go on")
                    break
                waiting_since = time.perf_counter()
            self.checkpoints.close()  # an asynchronous save may still be under way
        result = {"first": first, "last": last, "step": done, "chain": self.chain}
        return result | {"done": done >= self.steps}

    def step(self, step: int, batch: Batch) -> torch.Tensor:
        """One optimiser step on a global batch; returns the gradient norm (0 if passed over).

        batch: this process's rows of the step. The norm is a float32 scalar on the device, before
        clipping.
        """
        part, size = self.timeline.at(step), self.world.size
        config = part.config  # of the phase
        self.model.config = config.model  # only its rotary angles may differ
        if step in self.spikes.skipped:
            return torch.zeros(())
        total, losses = part.batch_rows, []
        rows, share = micro_rows(config.train, total, size), -(-total // size)
        # Each turn takes `rows` rows on every process; gradients add up until the last turn.
        for start in range(0, share, rows):
            # Only the last backward pass reduces: the sum of all is sent once.
            is_last = start + rows >= share
            parallel.sync_gradients(self.model, is_last, config.parallel.reduce_every_pass)
            micro = batch.share(start, start + rows)
            tokens, targets, sources, mask = evaluate.to_device(micro, config, self.world.device)
            chunk, z = config.train.loss_chunk, config.train.z_loss
            nll = self.model(tokens, targets, mask, None, chunk, z)
            loss = nll.sum() if self.feed.objective is None else self.feed.objective(nll, micro)
            # Divided by the targets of the *global* batch: the gradients of all passes and
            # processes then add up to that of the mean.
            (loss / batch.loss_tokens).backward()
            losses.append((micro, nll.detach(), sources))
        optim.set_lr(self.optimizers, lr_at(self.timeline, step))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.train.clip or 1e30)
        full = norm.full_tensor() if isinstance(norm, DTensor) else norm
        # Reading the norm waits for the device, so it is read only where spikes are asked for.
        if not (config.train.spike and self.spikes.is_spike(step, float(full))):
            for parts in losses:  # a skipped step is in no figure; its loss may be NaN
                self.meter.add(*parts)
            for optimizer in self.optimizers:
                # Found on the device: a gradient that is not finite changes nothing.
                optimizer.found_inf = (~full.isfinite()).float()  # type: ignore[attr-defined]
                optimizer.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        return full

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
        refuse_other_data(loaded, self.config, step, self.manifest)
        return loaded

    def _prove(self) -> None:
        """Bring the rolling hash up to date: what all processes read since, step by step."""
        if not self.digests:
            return
        sums = self.world.sum(*(part for digest in self.digests for part in digest))
        for i in range(0, len(sums), 4):
            self.chain = chain(self.chain, proof(sums[i : i + 4]))
        self.digests.clear()

    def _save(self, step: int, first: Any, last: Any) -> None:
        self._prove()
        state = {"step": step, "chain": self.chain, "first": first, "last": last}
        state["norms"] = self.spikes.norms
        state["meter"], state["sources"] = self.meter.sums(self.world), self.meter.names
        state["row"], state["tokens"] = self.timeline.row(step), self.timeline.tokens(step)
        state["seed"] = self.config.train.seed
        state["history"] = history(self.config, fingerprints(self.manifest, self.config), step)
        self.checkpoints.save(step, state)

    def _evaluate(self, log: Log, step: int) -> dict[str, Any]:
        begin = time.perf_counter()
        result: dict[str, Any] = {}
        name = "before training" if step == 0 else f"step {step}"
        if self.held_out is not None:
            result = evaluate.held_out(
                self.model, self.held_out, self.config, self.token_sizes, self.world
            )
            log.write(step, {"held_out": result})
            log.say(
                f"held-out, {name}: {result['bpb']:.3f} bits per byte, "
                f"{result['bpc']:.3f} bits per character"
            )
        for key, ask in self.feed.measures.items():
            with evaluate.resting(self.model):
                result = {**result, key: ask(self.model, self.world)}
            log.write(step, {key: result[key]})
            log.say(f"{key}, {name}: {json.dumps(result[key], ensure_ascii=False)}")
        log.paused += time.perf_counter() - begin
        return result

    def _log(self, log: Log, step: int, norm: torch.Tensor, since: float) -> float:
        """Write the row of the steps since the last one, at the time `since`; returns the time."""
        self._prove()
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
        seconds = max(1e-9, now - since - log.paused)
        speed = log.tokens / seconds
        row = {"train": result, "lr": self.config.train.lr * lr_at(self.timeline, step - 1)}
        row |= {"grad_norm": float(norm), "chain": self.chain, "tokens_per_s": speed}
        device = self.world.device
        peak = peaks.peak(device, parallel.compute_dtype(self.config.parallel, device))[0]
        shape = self.config.model, self.timeline.at(step - 1).config.data.seq_len
        row |= flops.utilisation(*shape, speed, peak * self.world.size)
        row["data_wait_ms"] = 1e3 * log.waited / max(1, log.steps_since(step))
        row["memory_gib"] = peaks.memory_gib(device)
        log.write(step, row)
        log.show(step, row)
        log.waited = log.paused = 0.0
        log.tokens = 0
        return now

    def on_signal(self, number: int, frame: object) -> None:
        """Only noted: `loop` saves and stops at the end of the step."""
        self.signalled = True
