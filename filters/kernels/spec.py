"""What a signal is: the record that the schema, the profiles and the documentation share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scalar: TypeAlias = Any  # one number inside a kernel; numba gives it its machine type
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]
Points = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]

SWALLOW = "Swallow Corpus v1 quality.py (Okazaki et al., COLM 2024)"
GOPHER = "Gopher (Rae et al. 2021, arXiv:2112.11446, table A1)"
OWN = "Inaho"


@dataclass(frozen=True)
class Signal:
    """One measured quantity of a document, and one column of `quality`.

    `kind` is `count` (int32, saturated at 2**31 - 1) or `share` / `number` (float32). float32 loses
    nothing that a threshold can see: two ratios of integers below 5 million that differ, differ by
    more than its rounding, so comparing in float32 decides as comparing in float64 would.
    """

    name: str
    unit: str
    description: str
    source: str = OWN
    kind: str = "share"


def count(name: str, unit: str, description: str, source: str = OWN) -> Signal:
    return Signal(name, unit, description, source, "count")


def share(name: str, unit: str, description: str, source: str = OWN) -> Signal:
    return Signal(name, unit, description, source, "share")


def number(name: str, unit: str, description: str, source: str = OWN) -> Signal:
    return Signal(name, unit, description, source, "number")
