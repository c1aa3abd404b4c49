"""The workers of the Ray engine: where the cluster is, how many fit, starting and ending them.

A worker is an actor: a process that keeps what it loaded (models, profiles, compiled kernels) from
unit to unit and holds the CPUs and the memory of one unit. The engine (corpus.engine.ray) decides
what each does.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from rich.console import Console

from corpus.engine.units import Failure, failure_text
from corpus.errors import RunError, UsageError, one_line

BAD_STARTS = 8  # workers in a row that could not start: something is wrong with the installation
POLL_SECONDS = 0.5
COUNT_SECONDS = 5.0  # how often the cluster's CPUs are counted: nodes come and go
WAIT_SECONDS = 60.0  # without any worker: say what is missing
OBJECT_STORE = 256 << 20  # of a local Ray; only the function of a stage travels through it


class Worker:
    """The actor: a process on some node that runs one unit after the other."""

    def __init__(self, cwd: str, shared: str) -> None:
        self.problem = ""
        self.function: tuple[str, Callable[[Any], Any] | None] = ("", None)
        with contextlib.suppress(OSError):
            os.chdir(cwd)  # relative paths of the plan mean the same as in the driver
        if shared and not os.path.exists(shared):
            self.problem = (
                f"{socket.gethostname()} does not see {shared}: with --engine ray the build "
                "folder must be on a file system that all nodes share"
            )

    def start(self) -> tuple[str, str, str]:
        """(host, node id, what is wrong here or "")."""
        return socket.gethostname(), ray.get_runtime_context().get_node_id(), self.problem

    def run(self, function: list[Any], unit: Any) -> Any:
        """The unit's result, or a Failure. `function`: its reference, fetched once a stage."""
        reference = function[0]
        if self.function[0] != reference.hex():
            self.function = (reference.hex(), ray.get(reference))
        assert self.function[1] is not None
        try:
            return self.function[1](unit)
        except Exception as error:
            text = f"{failure_text(error)} (on {socket.gethostname()})"
            return Failure(unit, text, traceback.format_exc())


@dataclass(eq=False)
class Hand:
    """A worker as the driver sees it."""

    actor: Any
    starting: Any  # reference to the answer of start(), None when it is ready
    host: str = ""
    node: str = ""
    index: int = -1  # of the unit in flight
    call: Any = None  # reference to its result
    since: float = 0.0


class Pool:
    """The workers of one build.

    address: "auto" or HOST:PORT of a running cluster; "" starts a Ray on this machine with
    `workers` CPUs. workers: most units in flight; 0: as many as there is room for. cpus, memory
    (bytes, 0: not reserved): what a unit takes of its node. name: the build folder; workers of an
    earlier driver of the same name are ended. shared: a file that every node must see.
    """

    def __init__(
        self,
        console: Console,
        address: str,
        workers: int,
        cpus: float,
        memory: int,
        name: str,
        shared: Path | None,
    ) -> None:
        self.console = console
        self.cpus, self.memory, self.most = cpus, memory, workers
        self.shared = str(shared.absolute()) if shared else ""
        self.hands: list[Hand] = []
        self.hired = self._bad_starts = 0
        self._counted = self._worked = time.monotonic()
        self._connect(address, workers, "inaho " + name.replace("/", "|"))
        self.room = self._count()

    @property
    def size(self) -> int:
        """Workers at most, by the CPUs of the cluster as it is now."""
        return max(1, self.room)

    def _connect(self, address: str, workers: int, namespace: str) -> None:
        """Join the cluster, or start one here; UsageError when it does not answer."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no report to anybody
        options: dict[str, Any] = {
            "namespace": namespace,
            "log_to_driver": False,
            "logging_level": "ERROR",
        }
        where = address or os.environ.get("RAY_ADDRESS", "")
        if not where:
            cores = workers or len(os.sched_getaffinity(0))
            options |= {"num_cpus": cores, "object_store_memory": OBJECT_STORE}
        try:
            _reach(where)
            context = ray.init(where or "local", **options)
        except Exception as error:
            raise UsageError(
                f"no Ray cluster at {where or 'this machine'}: {failure_text(error)[:300]}; "
                "start one with `ray start --head`, or leave --ray-address away; "
                "if it has a token, set RAY_AUTH_MODE=token"
            ) from error
        nodes = [node for node in ray.nodes() if node["Alive"]]
        board = f", dashboard http://{context.dashboard_url}" if context.dashboard_url else ""
        cores = int(ray.cluster_resources().get("CPU", 0))
        count = f"{len(nodes)} node" + "s" * (len(nodes) != 1)
        self.say(f"Ray: {count}, {cores} CPUs{board}")

    def _dismiss_left_over(self) -> None:
        """End the workers of a driver that is gone, before another writes to its folder."""
        for name in ray.util.list_named_actors():
            with contextlib.suppress(ValueError, RayError):
                ray.kill(ray.get_actor(name))
        until = time.monotonic() + WAIT_SECONDS
        while ray.util.list_named_actors() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)

    def _count(self) -> int:
        """Workers that the living nodes have room for, at most `most`."""
        room = 0
        for node in ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                places = int(has.get("CPU", 0) / self.cpus)
                if self.memory:
                    places = min(places, int(has.get("memory", 0) / self.memory))
                room += places
        self._counted = time.monotonic()
        # With a number given, more workers than there is room for wait, and an autoscaler sees it.
        return self.most or room

    def hire(self, wanted: int) -> None:
        """Start workers until there are `wanted`, as far as the cluster is known to have room."""
        if not self.hired:  # the first units of the build: it holds the folder's lock now
            self._dismiss_left_over()
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self.room = self._count()
        while len(self.hands) < min(wanted, self.size):
            self.hired += 1
            options = {"memory": self.memory} if self.memory else {}
            worker: Any = ray.remote(Worker).options(
                name=f"worker {os.getpid()}-{self.hired}",
                num_cpus=self.cpus,
                max_restarts=0,
                scheduling_strategy="SPREAD",
                **options,
            )
            actor = worker.remote(os.getcwd(), self.shared)
            self.hands.append(Hand(actor, actor.start.options(name="start").remote()))

    def started(self, hand: Hand) -> None:
        """Take note of a worker that started, or not; RunError if none of BAD_STARTS could."""
        try:
            hand.host, hand.node, problem = ray.get(hand.starting)
        except RayError as error:
            self.dismiss(hand)
            self._bad_starts += 1
            if self._bad_starts >= BAD_STARTS:
                raise RunError(f"no worker can be started: {lost_text(error)}") from error
            return
        hand.starting = None
        self._bad_starts = 0
        if problem:
            raise RunError(problem)

    def dismiss(self, hand: Hand) -> None:
        """End a worker, dead or alive."""
        with contextlib.suppress(RayError, ValueError):
            ray.kill(hand.actor)
        if hand in self.hands:
            self.hands.remove(hand)

    def close(self) -> None:
        """End the workers and leave the cluster (or end it, if this engine started it)."""
        for hand in list(self.hands):
            self.dismiss(hand)
        ray.shutdown()

    def say(self, text: str) -> None:
        """A line for the user, as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def complain_if_idle(self) -> None:
        """Say every WAIT_SECONDS what is missing while no worker could be started."""
        now = time.monotonic()
        if any(not hand.starting for hand in self.hands):
            self._worked = now
        elif now - self._worked > WAIT_SECONDS:
            self._worked = now
            memory = f" and {self.memory / 2**30:.1f} GiB" if self.memory else ""
            self.say(
                f"warning: no node has room for a worker ({self.cpus:g} CPU{memory}); waiting for "
                "a node (`ray status` shows what there is)"
            )


def _reach(address: str) -> None:
    """OSError if nobody listens at HOST:PORT; Ray itself would try for two minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def lost_text(error: BaseException) -> str:
    """Ray's reason in a few words; its message is a page."""
    text = one_line(error, None)
    for words, reason in (
        ("node has died", "its node died"),
        ("out of memory", "out of memory"),
        ("memory on the node", "out of memory"),
        ("ray.kill", "killed"),
    ):
        if words in text:
            return reason
    return f"{type(error).__name__}: {text[-160:]}"
