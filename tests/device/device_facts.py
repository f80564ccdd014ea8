"""The machine of a session: the device, its memory, and versions."""

import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    *("torch", "triton", "numba", "llvmlite", "numpy", "click", "sqlalchemy", "alembic", "ale-py", "ray", "deap"),
    "gymnasium",
)


def machine_facts() -> dict[str, Any]:
    """What a measured figure depends on, as far as it is known without torch; and when the session began."""
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def device_facts(device: str) -> dict[str, Any]:
    """What a measured figure depends on, as far as torch knows it."""
    import torch  # here, since the watching process takes the facts of the machine only

    if device == "cpu":
        return {"device_name": _processor(), "device_facts": {}}
    properties = torch.cuda.get_device_properties("cuda")
    free, total = torch.cuda.mem_get_info("cuda")
    return {
        "device_name": torch.cuda.get_device_name(device),
        "device_facts": {
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "memory_gib": round(total / 2**30, 1),
            "free_gib": round(free / 2**30, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "tf32": {
                "products": torch.backends.cuda.matmul.allow_tf32,
                "convolutions": torch.backends.cudnn.allow_tf32,
            },
            "deterministic_convolutions": torch.backends.cudnn.deterministic,
        },
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
