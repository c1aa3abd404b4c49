"""The machines a run may be planned for: machines.toml, or a table of your own."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from trainer.config.settings import ConfigError

MACHINES = Path(__file__).parent / "machines.toml"


@dataclass(frozen=True)
class Machine:
    """One kind of node; see machines.toml for units and sources."""

    name: str
    gpus_per_node: int
    peak_tflops: float
    memory_gb: float
    watts_per_gpu: float
    yen_per_node_hour: float  # 0: unknown
    points_per_node_hour: float  # 0: the machine has none
    max_nodes: int
    max_hours: float
    max_node_hours: float
    date: str
    source: str
    price_source: str
    bfloat16: bool = True
    storage_gb_per_s: float = 2.0  # of one node to the shared file system
    storage_source: str = "an assumption"

    def job_hours(self, nodes: int) -> float:
        """How long one job on so many nodes may last."""
        return min(self.max_hours, self.max_node_hours / nodes)


def machines(file: str | Path = MACHINES) -> dict[str, Machine]:
    """The table of machines. Raises ConfigError for a file that cannot be read or a bad entry."""
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        known = {name: Machine(**entry) for name, entry in table.items()}
        for name, m in known.items():
            sizes = (m.gpus_per_node, m.peak_tflops, m.memory_gb, m.max_nodes, m.max_hours)
            if (
                min(*sizes, m.max_node_hours, m.storage_gb_per_s) <= 0
                or min(m.yen_per_node_hour, m.watts_per_gpu) < 0
            ):
                raise ValueError(f"{name}: sizes and limits are above 0, prices not below")
        return known
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: not a table of machines: {error}") from error
