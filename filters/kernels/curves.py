"""Piecewise linear curves over columns of signals."""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import kernel
from filters.kernels.spec import Floats


@kernel
def add_curve(values: np.ndarray, knots: Floats, heights: Floats, out: Floats) -> None:
    """Adds to out[n] the height of the curve at values[n] (int32, float32 or float64).

    The curve is linear between knots (ascending, two or more) and level beyond them; a NaN stays
    NaN.
    """
    last = len(knots) - 1
    for i in range(len(values)):
        value = np.float64(values[i])
        if value <= knots[0]:
            out[i] += heights[0]
        elif value >= knots[last]:
            out[i] += heights[last]
        elif value == value:
            k = 1
            while knots[k] < value:
                k += 1
            along = (value - knots[k - 1]) / (knots[k] - knots[k - 1])
            out[i] += heights[k - 1] + along * (heights[k] - heights[k - 1])
        else:
            out[i] = np.nan
