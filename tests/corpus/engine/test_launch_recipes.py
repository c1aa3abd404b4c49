"""Recipes that start a cluster: valid for the tools that read them, and the commands they run."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
import yaml

SCRIPTS = ["slurm.sbatch", "abci3.pbs"]


@pytest.fixture(scope="module")
def launch(repo: Path) -> Path:
    return repo / "corpus" / "engine" / "launch"


def dry_run(script: Path, *args: str, **env: str) -> str:
    return subprocess.run(
        ["bash", str(script), *args],
        env={**os.environ, "USER": "taro", "DRY_RUN": "1", **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_is_valid_shell(launch: Path, script: str) -> None:
    subprocess.run(["bash", "-n", str(launch / script)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(
            ["shellcheck", "--exclude=SC1091", str(launch / script)], check=True
        )  # SC1091: modules.sh is not on this machine


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_prints_the_command_with_its_arguments(launch: Path, script: str) -> None:
    args = "build in.warc.gz --out out --profile web"
    out = dry_run(launch / script, *args.split(), ARGS=args)
    assert f"python -m corpus {args} --engine ray --ray-address 127.0.0.1:6379" in out
    assert "ray symmetric-run --address 127.0.0.1:6379 --min-nodes 1" in out


def test_abci_starts_ray_once_a_node_and_names_its_successor(launch: Path, tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("hnode002\nhnode002\nhnode001\n")
    out = dry_run(
        launch / "abci3.pbs", ARGS="build in --out out", CHAIN="3", GROUP="gxx50000",
        WALLTIME="604800", PBS_NODEFILE=str(tmp_path / "nodes"),
    )  # fmt: skip
    assert "nodes: hnode002 hnode001; 3 jobs may follow" in out
    assert "mpirun -np 2 --npernode 1" in out and "--signal=INT 604200" in out
    assert "--address hnode002:6379 --min-nodes 2" in out
    assert "qsub -P gxx50000 -l select=2 -l walltime=168:00:00" in out and "CHAIN=2" in out


@pytest.mark.parametrize("name", ["ray-aws.yaml", "ray-own-machines.yaml"])
def test_ray_up_accepts_the_configuration(launch: Path, name: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((launch / name).read_text())
    validate_config(prepare_config(copy.deepcopy(config)))  # ray's own schema and checks
    with pytest.raises(Exception, match=r"[Aa]dditional"):
        validate_config(prepare_config({**copy.deepcopy(config), "max_wrokers": 1}))


def test_images_are_given_what_is_packed_and_nothing_else(launch: Path, repo: Path) -> None:
    setup = tomllib.loads((repo / "pyproject.toml").read_text())
    project, packages = setup["project"], setup["tool"]["setuptools"]["packages"]["find"]["include"]
    packed = {"pyproject.toml", "constraints.txt", project["readme"], *project["license-files"]}
    packed |= {package.rstrip("*") for package in packages}

    lines = (launch / "Containerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    assert {path for paths in copies for path in paths if paths[0] != "--from=wheel"} == packed

    files = (launch / "apptainer.def").read_text().partition("%files\n")[2].partition("\n\n")[0]
    pairs = dict(line.split() for line in files.splitlines())
    assert pairs == {path: f"/src/{path}" for path in packed}


@pytest.mark.slow
def test_the_slurm_script_starts_ray_builds_and_stops_it(
    launch: Path, repo: Path, tmp_path: Path
) -> None:
    """A real Ray on one node; srun and scontrol, which need a Slurm, only pass the command on."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, does in (("srun", 'exec "$@"'), ("scontrol", "echo 127.0.0.1")):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    out = tmp_path / "out"
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as short:  # sockets: 107 bytes
        run = subprocess.run(
        ["bash", str(launch / "slurm.sbatch"), "build", "tests/data/html", "--out", str(out)],
        cwd=repo, capture_output=True, text=True, timeout=200,
        env={**os.environ, "PATH": path, "USER": "taro", "SLURM_JOB_NODELIST": "node01",
             "SLURM_JOB_NUM_NODES": "1", "PORT": "26379", "RAY_TMP": short},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert (out / "manifest.json").exists() and "Ray: 1 node" in run.stderr
