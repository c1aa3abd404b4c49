"""Two processes: a signal to one stops both, an error of one is one line and nobody waits."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from trainer_helpers import REPO, launch, losses, with_

from trainer.config.settings import Config
from trainer.folder.load import newest
from trainer.run import evaluate, processes
from trainer.run.start import locked
from trainer.run.train import Run, train

# Children are forked from a server that has imported torch: torchrun starts one in seconds.
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["trainer.run.train"])


def member(rank: int, port: int, config: Config, where: str, answer: Path) -> None:
    """A process as torchrun starts it; rank 1 sends itself SIGUSR1 the fourth time at `where`."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({k: str(v) for k, v in place.items()}, MASTER_ADDR="127.0.0.1")
    times = []

    def hit() -> None:
        times.append(1)
        if rank == 1 and len(times) == 4:
            os.kill(os.getpid(), signal.SIGUSR1)

    def around(function: Callable[..., Any], late: bool) -> Callable[..., Any]:
        def patched(*args: Any) -> Any:
            if not late:
                hit()
            result = function(*args)
            if late:
                hit()
            return result

        return patched

    if where == "step":
        Run.step = around(Run.step, late=False)  # type: ignore[method-assign]
    elif where == "evaluation":
        evaluate.held_out = around(evaluate.held_out, late=True)
    elif where == "save":
        Run._save = around(Run._save, late=True)  # type: ignore[method-assign]
    try:
        result = train(config)
        told = [result["step"], result["done"]]
    except Exception as error:
        told = [type(error).__name__, str(error)]
    answer.write_text(json.dumps(told), encoding="utf-8")
    processes.leave()


def run_two(config: Config, where: str, folder: Path) -> list[Any]:
    """What each process says at its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answers = [folder / f"answer-{rank}" for rank in range(2)]
    children = [
        SERVER.Process(target=member, args=(rank, port, config, where, answers[rank]))
        for rank in range(2)
    ]
    for child in children:
        child.start()
    try:
        for child in children:
            child.join(60)
            assert child.exitcode == 0, "they wait for each other"
    finally:
        for child in children:
            child.kill()
    return [json.loads(a.read_text(encoding="utf-8")) for a in answers]


@pytest.mark.parametrize(
    ("where", "stands"), [("step", 4), ("evaluation", 4), ("save", 5)], ids=str
)
def test_a_signal_that_reaches_one_process_of_two_stops_both_with_a_checkpoint(
    config: Config, tmp_path: Path, where: str, stands: int
) -> None:
    config = with_(config, train={"micro_rows": 1}, eval={"every": 0}, checkpoint={"every": 100})
    config = with_(config, checkpoint={"ask_every": 1})
    if where == "evaluation":  # the fourth: before training, after steps 1, 2 and 3
        config = with_(config, eval={"every": 1})
    elif where == "save":
        config = with_(config, checkpoint={"every": 1})
    assert run_two(config, where, tmp_path) == [[stands, False]] * 2
    assert newest(Path(config.out)).name == f"step-{stands:08d}"
    assert sorted(losses(Path(config.out))) == list(range(1, stands + 1))


def test_all_are_asked_for_a_signal_every_few_steps(config: Config, tmp_path: Path) -> None:
    """It comes in step 4; both stop after step 5, where they are asked."""
    config = with_(config, train={"micro_rows": 1}, eval={"every": 0})
    config = with_(config, checkpoint={"every": 100, "ask_every": 5})
    assert run_two(config, "step", tmp_path) == [[5, False]] * 2


@pytest.mark.parametrize("work", ["prepare", "describe"])
def test_an_error_of_the_main_process_ends_the_other_too(
    config: Config, corpus: Path, tmp_path: Path, work: str
) -> None:
    if work == "prepare":
        none = tmp_path / "none"
        wrong = {"tokens": "", "corpus": str(corpus), "tokenizer": str(none)}
        config = with_(config, data=wrong)
        expected = f"no tokenizer.model or tokenizer.json in {none}"
    else:
        Path(config.out).mkdir()
        (Path(config.out) / "latest").write_text("step-00000020")
        expected = f"{config.out} stands at step 20, beyond the 12 asked for"
    first, second = run_two(with_(config, train={"micro_rows": 1}), "", tmp_path)
    assert first[0] == "ConfigError" and first[1].startswith(expected)
    assert second == ["StoppedError", "stopped with the main process"]


def test_an_error_of_the_main_process_is_one_line_under_torchrun(
    config: Config, tmp_path: Path
) -> None:
    """The folder is in use, which the main process alone finds out."""
    config = with_(config, train={"micro_rows": 1})
    with locked(Path(config.out), processes.start(config.parallel)):
        done = launch(config, 2, tmp_path)  # with a limit of time
    assert done.returncode != 0
    # The other process says nothing; no trace of either.
    own = done.stderr.splitlines()
    start = next(i for i, line in enumerate(own) if "torch/distributed/elastic" in line)
    there = [x for x in own[:start] if x.startswith("trainer: ") or "Traceback" in x]
    assert there == [f"trainer: another process is training in {config.out}"], done.stderr
    assert str(REPO / "trainer") not in done.stderr
    assert not (Path(config.out) / "run.json").exists()
