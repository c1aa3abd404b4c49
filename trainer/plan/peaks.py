"""What a device can do and has used: peak FLOP/s from data sheets or measured, memory."""

from __future__ import annotations

import resource
import time
from functools import lru_cache

import torch

# Dense bfloat16 peak of one device in FLOP/s, vendor data sheets. H200 SXM equals H100 SXM.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "V100": 125e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}


def memory_gib(device: torch.device) -> float:
    """The most memory in use so far: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@lru_cache(maxsize=4)
def peak(device: torch.device, dtype: torch.dtype) -> tuple[float, str]:
    """(FLOP/s, how it is known) of a device: the table, or a measured matmul where it is silent."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for key, value in PEAKS.items():
            if key in name and dtype == torch.bfloat16:
                return value, f"{key}, dense bfloat16, data sheet"
    return _measured(device, dtype), f"measured: matmul 2048³ in {dtype}, {device.type}"


def _measured(device: torch.device, dtype: torch.dtype) -> float:
    a = torch.ones(2048, 2048, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(6):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        begin = time.perf_counter()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - begin)
    return 2 * 2048**3 / best
