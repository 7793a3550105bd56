"""What this machine computes with: which CPU, how many of its cores are ours, and whether it has a GPU."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # control groups v2, which containers are limited by
GPU_DRIVERS = (
    Path("/dev/nvidiactl"),
    Path("/dev/kfd"),  # ROCm
    Path("/usr/lib/wsl/lib/libcuda.so.1"),  # Windows' own driver, seen from WSL
)


@cache
def cpu_model() -> str:
    """What the CPU calls itself, and ten hex digits of what it can do (AVX-512, VNNI, AMX …)."""
    text = ""
    with suppress(OSError):
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    names = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    can = hashlib.sha256((flags[1] if flags else "").encode()).hexdigest()[:10]
    return f"{names[1].strip() if names else platform.processor() or platform.machine()} {can}"


def cores() -> int:
    """Logical cores that this process may use, by its affinity and its container's quota; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = QUOTA.read_text(encoding="ascii").split()
        if quota != "max":
            count = min(count, max(1, round(int(quota) / int(period))))
    return count


def physical_cores() -> int:
    """Cores without their second threads, as far as it is known; at most `cores`."""
    found = set()
    with suppress(OSError):
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
        for block in text.split("\n\n"):
            where = dict(re.findall(r"^(physical id|core id)\s*:\s*(\d+)$", block, re.MULTILINE))
            if len(where) == 2:
                found.add((where["physical id"], where["core id"]))
    return min(len(found) or cores(), cores())


def gpu_driver() -> bool:
    """Whether a GPU's driver is there at all, without asking a library for it: torch takes seconds."""
    return any(path.exists() for path in GPU_DRIVERS)


def torch_for_gpu() -> bool:
    """Whether the torch that is installed is built for a GPU, as a file of it says, without importing it.

    Where that says nothing, it may be.
    """
    found = importlib.util.find_spec("torch")
    if found is None:
        return False
    text = ""
    for folder in found.submodule_search_locations or ():
        with suppress(OSError):
            text += (Path(folder) / "version.py").read_text(encoding="utf-8", errors="replace")
    builds = re.findall(r"^(?:cuda|hip|rocm)\b[^=\n]*=\s*(\S+)", text, re.MULTILINE)
    return not builds or any(build != "None" for build in builds)


def gpu_decoders() -> int:
    """Processes that keep a GPU busy with decoded pictures: a core is left to it and one to the worker."""
    return max(2, min(64, cores() - 2))


def load() -> float:
    """How many processes want a core, on average over the last minute; 0 where nobody knows."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0
