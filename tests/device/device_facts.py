"""The machine of a session: the device, its memory, and versions."""

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "triton", "numba", "numpy", "click", "sqlalchemy", "alembic", "ale-py", "ray", "deap", "gymnasium")


def facts(device: str) -> dict[str, Any]:
    """Everything on which a measured figure depends, and when the session began."""
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device == "cuda" else _processor(),
        "device_facts": _gpu() if device == "cuda" else {},
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _gpu() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties("cuda")
    free, total = torch.cuda.mem_get_info("cuda")
    return {
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_gib": round(total / 2**30, 1),
        "free_gib": round(free / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _version(package: str) -> str | None:
    """The version of a package that is installed or comes from an unpacked wheel; None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
