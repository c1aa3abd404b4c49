"""The Ray engine on a real cluster: the same bytes, whatever is lost on the way."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray
import ray_units
from ray.cluster_utils import Cluster
from ray.util.state import list_tasks

from corpus.build import Build
from corpus.config import override_keys
from corpus.engine.ray import LOSSES, RayEngine
from corpus.errors import RunError
from corpus.folder.folder import Folder
from corpus.settings import Settings

INPUTS = [f"tests/data/{name}" for name in (
    "sample.warc.gz", "documents.jsonl.gz", "html", "encodings.warc.gz", "plain.warc")]  # fmt: skip
SETTINGS = ["input.unit_mib=1", "publish.shard_mib=1", "select.profile=none"]
FLAGS = [part for setting in SETTINGS for part in ("--set", setting)]
SMALL = {"object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster(repo: Path) -> Iterator[Cluster]:
    """A head without CPUs and two nodes of one CPU, which notice a dead node in a second."""
    health = {
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 2,
        "health_check_initial_delay_ms": 500,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # whatever token the user has
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(repo), str(repo / "tests" / "corpus" / "engine")])
        )
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": health}
            | SMALL,
        )
        for _ in range(2):
            cluster.add_node(num_cpus=1, **SMALL)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def engine(cluster: Cluster, tmp_path: Path) -> Iterator[RayEngine]:
    with RayEngine(cluster.address, name=str(tmp_path), straggler_seconds=1) as engine:
        yield engine


@pytest.fixture(scope="module")
def local(
    run_corpus: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The build of the local engine."""
    out = tmp_path_factory.mktemp("local") / "out"
    run_corpus("build", *INPUTS, "--out", out, "-j", 2, *FLAGS, "-q")
    files = tree(out)
    assert sum(name.startswith("documents/") for name in files) >= 6
    assert sum(name.startswith("corpus/") for name in files) >= 2
    return files


def tree(folder: Path) -> dict[str, bytes]:
    """Relative path → bytes of every file of a build, without what is hidden."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited for half a minute in vain")


def assert_same(got: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    assert sorted(got) == sorted(wanted)
    assert [name for name, data in wanted.items() if got[name] != data] == []


# the engine ---------------------------------------------------------------------------------------


def test_every_unit_gives_its_result_and_all_nodes_work(engine: RayEngine) -> None:
    results = dict(engine.map(ray_units.node_of, range(12), "square"))
    assert {unit: square for unit, (square, _) in results.items()} == {n: n * n for n in range(12)}
    assert len({node for _, node in results.values()}) == 2


def test_a_failing_unit_is_tried_twice_reported_with_its_host_and_costs_only_itself(
    engine: RayEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    done = []
    with pytest.raises(RunError, match=r"step failed on 3: ValueError: three is bad \(on \S+\);"):
        for unit, _ in engine.map(ray_units.fail_on_three, range(6), "step"):
            done.append(unit)
    assert sorted(done) == [0, 1, 2, 4, 5]
    said = capfd.readouterr().err
    assert said.count("three is bad") == 2 and "trying once more" in said and "given up" in said


def test_a_killed_worker_is_replaced_and_its_unit_done_again(
    engine: RayEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    function = functools.partial(ray_units.die_on_two, folder=tmp_path, once=True)
    assert sorted(dict(engine.map(function, range(6), "step")).values()) == list(range(6))
    assert "warning: 2: worker lost" in capfd.readouterr().err


@pytest.mark.slow
def test_a_unit_that_kills_every_worker_fails_alone(
    engine: RayEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    function = functools.partial(ray_units.die_on_two, folder=tmp_path, once=False)
    done = []
    with pytest.raises(RunError, match="step failed on 2: worker lost"):
        for unit, _ in engine.map(function, range(4), "step"):
            done.append(unit)
    assert sorted(done) == [0, 1, 3]
    assert capfd.readouterr().err.count("worker lost") == LOSSES + 1


@pytest.mark.parametrize("workers", [1, 0])
def test_never_more_units_in_flight_than_workers(
    cluster: Cluster, tmp_path: Path, workers: int
) -> None:
    function = functools.partial(ray_units.in_flight, folder=tmp_path)
    with RayEngine(cluster.address, workers, name=str(tmp_path)) as engine:
        assert engine.workers == (workers or 2)
        counts = [count for _, count in engine.map(function, range(12), "step")]
    assert max(counts) <= (workers or 2)


def test_a_model_is_loaded_once_a_process_and_stays_between_stages(engine: RayEngine) -> None:
    uses: dict[int, int] = {}
    for stage in range(2):
        for _, (process, count) in engine.map(ray_units.use_model, range(8), f"stage {stage}"):
            uses[process] = max(count, uses.get(process, 0))
    assert len(uses) <= 2 and sum(uses.values()) == 16


def test_a_straggler_is_started_again_elsewhere_and_its_first_copy_ended(
    engine: RayEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "pid"
    results = dict(engine.map(functools.partial(ray_units.hang_once, mark=mark), range(6), "step"))
    assert results == {n: n for n in range(6)}
    assert "note: 0 runs for" in capfd.readouterr().err
    wait_until(lambda: not Path("/proc", mark.read_text()).exists())


def test_a_worker_that_does_not_see_the_folder_is_an_error_of_one_line(
    cluster: Cluster, tmp_path: Path
) -> None:
    with (
        RayEngine(cluster.address, name="x", shared=tmp_path / "not there") as engine,
        pytest.raises(RunError, match=r"does not see .*not there: .* all nodes share"),
    ):
        list(engine.map(ray_units.fail_on_three, [1], "step"))


# whole builds -------------------------------------------------------------------------------------


def test_a_build_has_the_bytes_of_the_local_engine(
    cluster: Cluster, run_corpus: Callable[..., Any], local: dict[str, bytes], tmp_path: Path
) -> None:
    result = run_corpus("build", *INPUTS, "--out", tmp_path / "out", *FLAGS,
                        "--engine", "ray", "--ray-address", cluster.address)  # fmt: skip
    assert "Ray: 3 nodes, 2 CPUs" in result.stderr
    assert_same(tree(tmp_path / "out"), local)


class DoomedNodes(RayEngine):
    """Kills the node of the first unit of every map whose label is among `stages`."""

    cluster: Cluster
    marks: Path
    stages: tuple[str, ...]

    def map(
        self, function: Callable[[Any], Any], units: Sequence[Any], label: str, here: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        mark = self.marks / label
        if label not in self.stages or mark.exists():
            yield from super().map(function, units, label)
            return
        assert units, f"{label} has no unit"
        killer = threading.Thread(target=self._kill, args=(mark,))
        killer.start()
        doomed = functools.partial(ray_units.on_doomed_node, function=function, mark=mark)
        yield from super().map(doomed, units, label)
        killer.join()
        self.cluster.add_node(num_cpus=1, **SMALL)  # Ray sets signal handlers: main thread only

    def _kill(self, mark: Path) -> None:
        while not mark.exists():
            time.sleep(0.05)
        victim = next(n for n in self.cluster.list_all_nodes() if n.node_id == mark.read_text())
        self.cluster.remove_node(victim, allow_graceful=False)


def build_on_doomed_nodes(cluster: Cluster, folder: Path, stages: tuple[str, ...]) -> Path:
    out = folder / "out"
    settings = override_keys(Settings(), SETTINGS)
    with DoomedNodes(cluster.address, name=str(out), shared=out / ".lock") as engine:
        engine.cluster, engine.marks, engine.stages = cluster, folder, stages
        Build(Folder(out), settings, tuple(INPUTS), engine).run()
    assert all((folder / stage).exists() for stage in stages)
    return out


def test_a_node_lost_in_harvest_changes_no_byte(
    cluster: Cluster,
    local: dict[str, bytes],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = build_on_doomed_nodes(cluster, tmp_path, ("harvest",))
    assert_same(tree(out), local)
    assert capfd.readouterr().err.count("worker lost") == 1


STAGES = (
    "harvest", "sign", "dedup: keys", "dedup: candidates", "dedup: verify",
    "dedup: label components", "dedup: members", "dedup: judge", "dedup: sort",
    "select", "publish",
)  # fmt: skip


@pytest.mark.slow
def test_a_node_lost_in_every_stage_changes_no_byte(
    cluster: Cluster, local: dict[str, bytes], tmp_path: Path
) -> None:
    assert_same(tree(build_on_doomed_nodes(cluster, tmp_path, STAGES)), local)


def test_a_unit_that_always_fails_ends_the_build_with_status_1(
    cluster: Cluster, run_corpus: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "documents" / "0000001.parquet").mkdir(parents=True)  # no file can take its place
    command = ("harvest", "tests/data/html", "tests/data/plain.warc", "--out", out, *FLAGS,
               "--engine", "ray", "--ray-address", cluster.address)  # fmt: skip
    result = run_corpus(*command, check=False)
    assert result.returncode == 1
    lines = result.stderr.strip().splitlines()
    assert [line.endswith("trying once more") for line in lines[1:3]] == [True, False]
    assert lines[-1].startswith("error: harvest failed on tests/data/html/")
    assert "cannot write" in lines[-1] and "run the same command again" in lines[-1]
    assert (out / "documents" / "0000000.parquet").is_file()
    (out / "documents" / "0000001.parquet").rmdir()
    run_corpus(*command, "-q")


@pytest.mark.slow
def test_a_killed_driver_goes_on_where_it_was(
    cluster: Cluster, run_corpus: Callable[..., Any], repo: Path, local: dict[str, bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    out = tmp_path / "out"
    command = [sys.executable, "-m", "corpus", "build", *INPUTS, "--out", str(out), *FLAGS, "-q",
               "--engine", "ray", "--ray-address", cluster.address]  # fmt: skip
    moments = (
        "harvest/0000001.json", "dedup/signatures/0000002.parquet",
        "dedup/exchange/done/texts/000001.json", "select/0000001.json",
    )  # fmt: skip
    for receipt in moments:
        process = subprocess.Popen(command, cwd=repo)
        while not (out / "state" / receipt).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=repo, check=True)
    assert_same(tree(out), local)


@pytest.mark.slow
def test_without_an_address_a_ray_of_its_own_runs_and_ends_with_the_command(
    run_corpus: Callable[..., Any], tmp_path: Path
) -> None:
    result = run_corpus("build", "tests/data/html", "--out", tmp_path / "out", "-j", 2,
                        "--engine", "ray")  # fmt: skip
    assert "Ray: 1 node, 2 CPUs, dashboard http://" in result.stderr


@pytest.mark.slow
def test_the_dashboard_names_tasks_by_stage_and_unit() -> None:
    with RayEngine(workers=1, name="dashboard") as engine:
        assert dict(engine.map(abs, [1, 2], "harvest")) == {1: 1, 2: 2}
        assert ray.worker.get_dashboard_url()

        def listed() -> bool:  # by the dashboard's server, with the token that it asks for
            return {"harvest 1", "harvest 2"} <= {task.name for task in list_tasks()}

        wait_until(listed)


# the command --------------------------------------------------------------------------------------


def test_without_ray_the_error_names_the_extra(repo: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from corpus.cli.app import main; main()"
    args = ["build", "tests/data/html", "--out", str(tmp_path / "out"), "--engine", "ray"]
    result = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=repo, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr == "error: --engine ray needs Ray: pip install 'inaho[ray]'\n"


def test_a_wrong_engine_or_address_is_wrong_usage(
    run_corpus: Callable[..., Any], tmp_path: Path
) -> None:
    build = ("build", "tests/data/html", "--out", tmp_path / "out")
    for flags, words in (
        (("--engine", "dask"), "unknown engine 'dask'"),
        (("--ray-address", "auto"), "--ray-address needs --engine ray"),
        (("--engine", "ray", "--ray-address", "127.0.0.1:9"), "no Ray cluster at 127.0.0.1:9"),
    ):
        result = run_corpus(*build, *flags, check=False)
        assert result.returncode == 2, result.stderr
        assert words in result.stderr and result.stderr.count("\n") == 1
