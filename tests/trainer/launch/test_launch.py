"""Launch scripts: valid shell, dry runs, and whole chains of jobs with workers that really train.

The chains need Open MPI (Debian: openmpi-bin) and run its mpirun on this machine; `qsub`, `srun`
and `scontrol` are stand-ins that record what they are given. That mpirun passes SIGUSR1 on, and
that a successor goes on where its predecessor stopped, is therefore tested; queues are not.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from trainer_helpers import chains, losses

from trainer.config.load import as_toml
from trainer.config.settings import Config
from trainer.run.train import train

REPO = Path(__file__).resolve().parents[3]
LAUNCH = REPO / "trainer" / "launch"
SCRIPTS = ["torchrun.sh", "slurm.sbatch", "abci3.pbs", "tsubame4.sh"]
ALL = [*SCRIPTS, "first_hour.sh"]


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


@pytest.mark.parametrize("script", ALL)
def test_the_script_is_valid_shell(script: str) -> None:
    subprocess.run(["bash", "-n", str(LAUNCH / script)], check=True)


@pytest.mark.parametrize("script", ALL)
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck: scripts NOT checked")
def test_the_script_has_nothing_shellcheck_minds(script: str) -> None:
    subprocess.run(["shellcheck", "--shell=bash", str(LAUNCH / script)], check=True)


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
        "abci3.pbs",
        ARGS="--config 7b",
        CHAIN="3",
        GROUP="gxx50000",
        WALLTIME="604800",
        PBS_NODEFILE=str(tmp_path / "nodes"),
    )
    assert "nodes: hnode002 hnode001; 3 jobs may follow" in out
    assert f"mpirun -np 16 --hostfile {tmp_path / 'nodes'} --map-by ppr:8:node" in out
    assert "--signal=USR1 604200" in out
    assert "CHAIN=2 qsub -P gxx50000 -l select=2:mpiprocs=8 -l walltime=168:00:00" in out
    assert "qsub" not in dry_run("abci3.pbs", ARGS="--config 7b", CHAIN="0")


def test_workers_on_other_nodes_are_told_the_network() -> None:
    for script in ("abci3.pbs", "tsubame4.sh"):
        command = shlex.split(dry_run(script, ARGS="--config 7b", IFNAME="ib0").splitlines()[1])
        passed = [command[i + 1] for i, word in enumerate(command) if word == "-x"]
        assert {"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"} <= set(passed)
        assert "IFNAME" not in dry_run(script, ARGS="--config 7b")


@pytest.mark.parametrize(("devices", "steps"), [(1, 13), (2, 15), (8, 16)])
def test_the_first_hour_does_what_the_devices_allow_and_short_what_matters_most(
    devices: int, steps: int
) -> None:
    lines = dry_run("first_hour.sh", DEVICES=str(devices)).splitlines()
    skipped = [line for line in lines if line.startswith("skipped")]
    done = [line.partition(": ")[0] for line in lines if line and line not in skipped]
    assert len(done) == steps and len(skipped) == 2 - (devices >= 2) - (devices >= 8)
    short = dry_run("first_hour.sh", "--short", DEVICES=str(devices)).splitlines()
    assert [line.partition(": ")[0] for line in short if ": " in line] == done[:8]
    first = ["device", "torch", "tests", "tokenizer", "tokens", "resume, 1 process"]
    assert done[:6] == first and done[6].startswith("MFU of 150m, compiled")


def test_arguments_keep_their_spaces_and_commas() -> None:
    """They travel in the environment: `qsub -v NAME=a,b` would be cut at the comma."""
    args = "--config 7b '--out=my runs/a' '--data.weights={ web = 1, law = 2 }'"
    out = dry_run("abci3.pbs", ARGS=args, CHAIN="1")
    asked = shlex.split(out.splitlines()[1])
    assert asked[asked.index("trainer") + 1 :] == ["train", *shlex.split(args)]
    assert "-v ARGS\\,CHAIN\\,GROUP" in out
    other = dry_run("tsubame4.sh", *shlex.split(args), CHAIN="1", LIMIT="3600", GROUP="tga")
    command, successor = (shlex.split(line) for line in other.splitlines()[1:])
    assert command[-4:] == successor[-4:] == shlex.split(args)
    assert successor[:7] == ["qsub", "-g", "tga", "-l", "node_f=1", "-l", "h_rt=1:00:00"]
    assert "CHAIN=0" in successor[8]


def test_the_wall_time_is_asked_of_the_queue(tmp_path: Path) -> None:
    stand_in(tmp_path / "qstat", "echo '    Resource_List.walltime = 02:30:00'")
    out = dry_run("abci3.pbs", PATH=f"{tmp_path}:{os.environ['PATH']}", PBS_JOBID="7.pbs")
    assert "--signal=USR1 8400" in out  # 9000 s less MARGIN
    assert "--signal=USR1 85800" in dry_run("abci3.pbs", PBS_JOBID="7.pbs")


def stand_in(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a job sees: stand-ins first, this Python, a port of its own."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    common = {"PATH": path, "PYTHONPATH": str(REPO), "VENV": "none", "OMP_NUM_THREADS": "1"}
    common |= {"MASTER_PORT": free_port(), "GPUS": "2"}
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **common, **root, **more}


def until_it_trains(job: subprocess.Popen[bytes], run: Path) -> None:
    """Wait for three rows of metrics; fails when the job ends first."""
    for _ in range(1200):
        assert job.poll() is None, (run.parent / "job.out").read_text()[-3000:]
        with contextlib.suppress(FileNotFoundError):
            if (run / "metrics.jsonl").read_text().count('"train"') >= 3:
                return
        time.sleep(0.1)
    pytest.fail("no step in two minutes")


def children(pid: int, name: str) -> list[int]:
    """Processes called `name` whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            who, rest = stat.read_text().rsplit(")", 1)
            if who.endswith(f"({name}") and int(rest.split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not shutil.which("mpirun"), reason="no Open MPI: job chains are NOT tested")
@pytest.mark.parametrize(
    "script", ["abci3.pbs", pytest.param("tsubame4.sh", marks=pytest.mark.slow)]
)
def test_a_job_saves_before_its_limit_and_submits_a_successor_until_the_run_is_done(
    config: Config, tmp_path: Path, script: str
) -> None:
    work = tmp_path / "my runs"
    stand_in(
        work / "bin" / "qsub",
        f'printf \'%s\\n\' "$@" ARGS="${{ARGS:-}}" CHAIN="${{CHAIN:-}}" >> \'{work}/submitted\'',
    )
    run, submitted = work / "run", work / "submitted"
    long = replace(config.train, steps=100_000, schedule="constant")
    file = work / "c.toml"
    file.write_text(
        as_toml(
            replace(
                config,
                out=str(run),
                train=long,
                eval=replace(config.eval, every=0),
                checkpoint=replace(config.checkpoint, every=50_000),
            )
        )
    )
    (work / "nodes").write_text("localhost\nlocalhost\n")

    def start(chain: int, *args: str) -> subprocess.Popen[bytes]:
        env = environment(work, CHAIN=str(chain), GROUP="gxx50000", SCRIPT=str(LAUNCH / script))
        env |= {"WALLTIME": "1800", "LIMIT": "1800", "PBS_O_WORKDIR": str(work)}
        env |= {"ARGS": shlex.join(args), "PBS_NODEFILE": str(work / "nodes")}
        env |= {"PBS_JOBID": "1234.pbs1", "JOB_ID": "1234"}
        command = ["bash", str(LAUNCH / script), *(args if script == "tsubame4.sh" else [])]
        with (work / "job.out").open("wb") as out:
            return subprocess.Popen(command, env=env, cwd=work, stdout=out, stderr=out)

    job = start(2, "--config", str(file))
    until_it_trains(job, run)
    (watch,) = children(job.pid, "timeout")
    os.kill(watch, signal.SIGALRM)  # what its clock sends it at the end of the time
    assert job.wait(120) == 0, (work / "job.out").read_text()[-3000:]
    step = int((run / "latest").read_text().removeprefix("step-"))
    assert 3 <= step < 100_000
    assert f"step {step} is saved" in (work / "logs" / "inaho-1234.log").read_text()
    given = submitted.read_text().splitlines()
    expected = {
        "abci3.pbs": [
            "qsub",
            "-P",
            "gxx50000",
            "-l",
            "select=1:mpiprocs=2",
            "-l",
            "walltime=0:30:00",
            "-v",
            "ARGS,CHAIN,GROUP,WALLTIME,MARGIN,SCRIPT,USE_SSH=1",
            str(LAUNCH / script),
            f"ARGS=--config '{file}'",
            "CHAIN=1",
        ],
        "tsubame4.sh": [
            "qsub",
            "-g",
            "gxx50000",
            "-l",
            "node_f=1",
            "-l",
            "h_rt=0:30:00",
            "-v",
            "LIMIT=1800,MARGIN=600,CHAIN=1,GROUP=gxx50000",
            str(LAUNCH / script),
            "--config",
            str(file),
            f"ARGS=--config '{file}'",
            "CHAIN=2",
        ],
    }
    assert given == expected[script][1:]

    # The successor goes on from there; it reaches the end and nothing is submitted any more.
    last = start(1, "--config", str(file), f"--train.steps={step + 2}")
    assert last.wait(120) == 0, (work / "job.out").read_text()[-3000:]
    assert f"going on from step {step:,} of {step + 2:,}" in (work / "job.out").read_text()
    assert (run / "latest").read_text() == f"step-{step + 2:08d}"
    # A run that fails submits nothing either, and its status is that of the job.
    assert start(1, "--config", "nothing").wait(120) == 2
    assert "no configuration 'nothing'" in (work / "job.out").read_text()
    assert submitted.read_text().splitlines() == given
    alone = replace(config, out=str(tmp_path / "alone"), eval=replace(config.eval, every=0))
    train(replace(alone, train=replace(long, steps=step + 2)))
    assert chains(run) == chains(tmp_path / "alone")


def torchrun_sh(folder: Path, *args: str, restarts: int) -> subprocess.Popen[bytes]:
    env = environment(folder, PROCESSES="2", RESTARTS=str(restarts))
    with (folder / "job.out").open("wb") as out:
        return subprocess.Popen(
            ["bash", str(LAUNCH / "torchrun.sh"), *args], env=env, stdout=out, stderr=out
        )


@pytest.mark.slow  # twenty starts of two processes: minutes
def test_a_killed_worker_comes_back_each_time(config: Config, tmp_path: Path) -> None:
    """kill -9 of one of two; each time both start again and a new checkpoint stands."""
    kills = 20
    long = replace(config.train, steps=100_000, schedule="constant", micro_rows=3)
    often = replace(config.checkpoint, every=5)
    config = replace(config, train=long, checkpoint=often, eval=replace(config.eval, every=0))
    file, run = tmp_path / "c.toml", tmp_path / "run"
    file.write_text(as_toml(replace(config, out=str(run))))
    job = torchrun_sh(tmp_path, "--config", str(file), restarts=kills)
    try:
        pids: set[int] = set()
        for turn in range(kills + 1):
            saved, deadline = newest_step(run), time.monotonic() + 300
            fresh: list[int] = []
            while len(fresh) < 2 or newest_step(run) <= saved:
                assert job.poll() is None, (tmp_path / "job.out").read_text()[-3000:]
                assert time.monotonic() < deadline, f"no checkpoint after {turn} kills"
                time.sleep(0.1)
                fresh = [p for p in children(job.pid, "python") if p not in pids]
            pids.update(fresh)
            if turn < kills:
                os.kill(fresh[turn % 2], signal.SIGKILL)
        said = (tmp_path / "job.out").read_text()
        assert said.count("going on from step") == kills
    finally:
        job.terminate()
        job.wait(60)


def newest_step(run: Path) -> int:
    latest = run / "latest"
    return int(latest.read_text().removeprefix("step-")) if latest.exists() else 0


def test_a_mistake_in_the_settings_is_said_once_and_not_tried_again(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text(as_toml(config))
    job = torchrun_sh(
        tmp_path, "--config", str(tmp_path / "c.toml"), "--data.tokens=none", restarts=3
    )
    assert job.wait(120) != 0
    said = (tmp_path / "job.out").read_text()
    assert len([line for line in said.splitlines() if line.startswith("trainer: ")]) == 1, said


@pytest.mark.slow
def test_slurm_requeues_a_job_until_the_run_is_done(config: Config, tmp_path: Path) -> None:
    """srun starts two workers as Slurm would name them; the signal goes to the workers."""
    stand_in(
        tmp_path / "bin" / "srun",
        'shift\nfor i in 0 1; do SLURM_PROCID=$i SLURM_LOCALID=$i SLURM_NTASKS=2 "$@" & '
        f"echo $! >> '{tmp_path}/pids'; done\n"
        "wait -n; a=$?; wait -n; b=$?; exit $(( a > b ? a : b ))",
    )
    stand_in(
        tmp_path / "bin" / "scontrol",
        f"[ $1 = show ] && printf '127.0.0.1\\nother\\n' || echo \"$@\" >> '{tmp_path}/asked'",
    )
    run = tmp_path / "run"
    settings = replace(config.train, steps=100_000, schedule="constant")
    file = tmp_path / "c.toml"
    file.write_text(
        as_toml(replace(config, out=str(run), train=settings, eval=replace(config.eval, every=0)))
    )

    def start(*args: str, restarts: str = "0") -> subprocess.Popen[bytes]:
        env = environment(tmp_path, SLURM_JOB_ID="77", SLURM_JOB_NODELIST="n[1-2]")
        env["SLURM_RESTART_COUNT"] = restarts
        command = ["bash", str(LAUNCH / "slurm.sbatch"), "--config", *args]
        with (tmp_path / "job.out").open("wb") as out:
            return subprocess.Popen(command, env=env, cwd=tmp_path, stdout=out, stderr=out)

    job = start(str(file))
    until_it_trains(job, run)
    for pid in (tmp_path / "pids").read_text().split():
        os.kill(int(pid), signal.SIGUSR1)
    assert job.wait(120) == 0, (tmp_path / "job.out").read_text()[-3000:]
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    step = int((run / "latest").read_text().removeprefix("step-"))
    last = start(str(file), f"--train.steps={step + 2}", restarts="1")
    assert last.wait(120) == 0, (tmp_path / "job.out").read_text()[-3000:]
    assert (run / "latest").read_text() == f"step-{step + 2:08d}"
    assert start("nothing").wait(120) == 2
    assert (tmp_path / "asked").read_text() == "requeue 77\n"


def ray_train(
    *args: str, out: Path | None = None, address: str = "local"
) -> subprocess.Popen[bytes]:
    """The command a user types, from another folder than the checkout."""
    command = [sys.executable, "-m", "trainer.launch.ray_train", *args]
    env = {**os.environ, "PYTHONPATH": str(REPO), "RAY_ADDRESS": address, "OMP_NUM_THREADS": "1"}
    with (out or Path(os.devnull)).open("wb") as sink:
        return subprocess.Popen(
            command, env=env, cwd=out.parent if out else REPO, stdout=sink, stderr=sink
        )


def test_ray_dry_run_and_its_errors(config: Config, tmp_path: Path) -> None:
    def said(*args: str) -> tuple[int, str]:
        code = ray_train("--dry-run", *args, out=tmp_path / "out").wait(120)
        return code, (tmp_path / "out").read_text()

    code, text = said("--config", "150m", "--workers", "4:8")
    assert code == 0 and f"4:8 workers, CPU, out {tmp_path / 'runs/150m'}" in text
    for args, message in [
        (["--config", "150x"], "ray_train: no configuration '150x'"),
        (["--config", "150m", "--workers", "8:4"], "ray_train: --workers is '8:4'"),
    ]:
        code, text = said(*args)
        assert code == 2 and message in text and len(text.splitlines()) == 1


def ray_run(config: Config, folder: Path) -> tuple[Config, Path, Path, Path]:
    """(settings, their file, output, run folder) of a run of 40 steps that saves every five."""
    # A low rate: at 3e-3 sums in another order alone move the loss by 4e-4 within 40 steps.
    longer = replace(config.train, steps=40, schedule="constant", lr=1e-4)
    config = replace(config, train=longer)
    config = replace(config, checkpoint=replace(config.checkpoint, every=5, keep_last=2))
    data = replace(config.data, tokens=os.path.relpath(config.data.tokens, folder))
    file = folder / "c.toml"
    file.write_text(as_toml(replace(config, out="run", data=data)))  # paths from where it starts
    return config, file, folder / "out", folder / "run"


@pytest.mark.slow  # two local Ray clusters: about 80 s on two cores
def test_ray_goes_on_after_a_killed_worker_and_on_fewer_workers(
    config: Config, tmp_path: Path
) -> None:
    pytest.importorskip("ray.train", reason="Ray Train is not installed: NOT tested")
    config, file, out, run = ray_run(config, tmp_path)
    job, killed = ray_train("--workers", "2", "--config", file.name, out=out), False
    deadline = time.monotonic() + 240
    while job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
        pids = re.findall(r"pid=(\d+)\) world_rank=1", out.read_text(errors="replace"))
        if not killed and pids and (run / "latest").is_file():
            os.kill(int(pids[0]), signal.SIGKILL)
            killed = True
    assert killed and job.wait(10) == 0, out.read_text()[-3000:]
    assert "going on from step" in out.read_text()
    more = ["--workers", "1", "--config", file.name, "--train.steps=44"]
    assert ray_train(*more, out=out).wait(240) == 0, out.read_text()[-3000:]
    assert "going on from step 40 of 44" in out.read_text()
    alone = replace(config, out=str(tmp_path / "alone"))
    train(replace(alone, train=replace(config.train, steps=44)))
    assert chains(run) == chains(tmp_path / "alone")
    ours, theirs = losses(run), losses(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[s] - theirs[s]) for s in theirs) < 1e-5


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
    file.write_text(as_toml(replace(config, eval=replace(config.eval, every=0))))
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


@pytest.mark.slow  # a Ray cluster of four nodes: about 2 minutes on two cores
def test_ray_goes_on_when_one_node_of_four_is_lost_for_good(config: Config, tmp_path: Path) -> None:
    """--workers 2:4 begins with four, one on each node; with one node gone it ends with three."""
    pytest.importorskip("ray.train", reason="Ray Train is not installed: NOT tested")
    from ray.cluster_utils import Cluster

    config, file, out, run = ray_run(config, tmp_path)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        lost = [cluster.add_node(num_cpus=1) for _ in range(3)][-1]
        cluster.wait_for_nodes()
        args = ("--workers", "2:4", "--config", file.name)
        job = ray_train(*args, out=out, address=cluster.address)
        deadline = time.monotonic() + 300
        while job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            if lost is not None and (run / "latest").is_file():
                cluster.remove_node(lost, allow_graceful=False)
                lost = None
        assert lost is None and job.wait(10) == 0, out.read_text()[-3000:]
    finally:
        cluster.shutdown()
    said = out.read_text(errors="replace")
    assert "going on from step" in said
    assert {int(n) for n in re.findall(r"world_size=(\d+)", said)} >= {3, 4}, said[-3000:]
    alone = replace(config, out=str(tmp_path / "alone"))
    train(alone)
    assert chains(run) == chains(tmp_path / "alone")
    ours, theirs = losses(run), losses(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    assert max(abs(ours[s] - theirs[s]) for s in theirs) < 1e-5
