"""Launch scripts: valid shell, a dry run that prints the job, workers named by Slurm or MPI."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.config import Config, to_toml

REPO = Path(__file__).resolve().parents[2]
LAUNCH = REPO / "trainer" / "launch"
SCRIPTS = ["torchrun.sh", "slurm.sbatch", "abci3.pbs", "tsubame4.sh"]


def free_port() -> str:
    """A port below the range from which the system gives ports to others."""
    for port in random.SystemRandom().sample(range(20000, 32000), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return str(port)
    raise OSError("no free port")


def dry_run(script: str, *args: str, **env: str) -> str:
    return subprocess.run(
        ["bash", str(LAUNCH / script), *args],
        env={**os.environ, "DRY_RUN": "1", **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_is_valid_shell(script: str) -> None:
    subprocess.run(["bash", "-n", str(LAUNCH / script)], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_prints_the_command_with_its_arguments(script: str) -> None:
    args = ["--config", "1.3b", "--train.lr=1e-4"]
    out = dry_run(script, *args, ARGS=" ".join(args))
    assert "-m trainer train --config 1.3b --train.lr=1e-4" in out


def test_abci_starts_a_worker_for_each_gpu_of_each_node_and_a_shorter_chain(
    tmp_path: Path,
) -> None:
    (tmp_path / "nodes").write_text("hnode002\nhnode002\nhnode001\n")
    out = dry_run(
        "abci3.pbs", ARGS="--config 7b", CHAIN="3", GROUP="gxx50000", WALLTIME="604800",
        PBS_NODEFILE=str(tmp_path / "nodes"),
    )  # fmt: skip
    assert "nodes: hnode002 hnode001; 3 jobs may follow" in out
    assert "mpirun -np 16 --npernode 8" in out
    assert "--signal=USR1 604200" in out
    assert "qsub -P gxx50000 -l select=2 -l walltime=168:00:00" in out
    assert "CHAIN=2" in out
    assert "qsub" not in dry_run("abci3.pbs", ARGS="--config 7b", CHAIN="0")


def test_ray_dry_run_and_its_errors() -> None:
    command = [sys.executable, str(LAUNCH / "ray_train.py"), "--dry-run", "--config"]
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    good = subprocess.run([*command, "150m"], env=env, capture_output=True, text=True)
    assert good.returncode == 0 and "2 workers, CPU, out runs/150m" in good.stdout
    bad = subprocess.run([*command, "150x"], env=env, capture_output=True, text=True)
    assert bad.returncode == 1 and "no configuration '150x'" in bad.stderr


@pytest.mark.parametrize(
    "names",
    [
        ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ],
)
def test_workers_started_by_slurm_or_mpi_find_each_other(
    config: Config, tmp_path: Path, names: tuple[str, str, str]
) -> None:
    config = replace(config, train=replace(config.train, steps=2, warmup_steps=1))
    file = tmp_path / "c.toml"
    file.write_text(to_toml(replace(config, eval=replace(config.eval, every=0))))
    port = free_port()
    workers = []
    for rank in range(2):
        env = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        env |= dict(zip(names, (str(rank), "2", str(rank)), strict=True))
        command = [sys.executable, "-m", "trainer", "train", "--config", str(file)]
        workers.append(subprocess.Popen(command, env=env, cwd=REPO, stderr=subprocess.PIPE))
    for worker in workers:
        _, errors = worker.communicate(timeout=180)
        assert worker.returncode == 0, errors.decode()[-2000:]
    assert (Path(config.out) / "latest").read_text() == "step-00000002"
