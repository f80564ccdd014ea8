"""What a training step costs the host: launches of kernels, and waits for the device."""

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

COPIES = ("Memcpy", "Memset")


def per_step(train: Callable[[int], object], device: str, steps: tuple[int, int]) -> dict[str, Any]:
    """Counts per step of a training.

    Args:
        train: trains for a number of steps; it has run before.
        device: on which it trains.
        steps: of two trainings that are compared: what both have in common, such as their beginning, is not counted.

    Returns:
        `kernels` and `copies` on a GPU, `operations` of torch on a CPU; and on a GPU `waits`, where the host waited for
        the device, with the lines that made it wait.
    """
    added = steps[1] - steps[0]
    few, more = (_launches(lambda count=count: train(count), device) for count in steps)
    counts: dict[str, Any] = {name: (more[name] - few[name]) / added for name in more}
    if device == "cuda":
        before, after = (_waits(lambda count=count: train(count)) for count in steps)
        counts["waits"] = (after.total() - before.total()) / added
        counts["waiting_lines"] = {
            line: (count - before[line]) / added for line, count in after.items() if count > before[line]
        }
    return counts


def said(counts: dict[str, Any]) -> str:
    """Counts per step in a few words."""
    numbers = {name: value for name, value in counts.items() if isinstance(value, float)}
    return ", ".join(f"{value:.1f} {name}" for name, value in numbers.items()) + " a step"


def _launches(action: Callable[[], object], device: str) -> Counter[str]:
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as profiler:
        action()
        if device == "cuda":
            torch.cuda.synchronize()
    events = profiler.events()
    if device == "cpu":
        return Counter(operations=sum(event.cpu_parent is None and event.name[:6] == "aten::" for event in events))
    names = [event.name for event in events if event.device_type == DeviceType.CUDA]
    copies = sum(name.startswith(COPIES) for name in names)
    return Counter(kernels=len(names) - copies, copies=copies)


def _waits(action: Callable[[], object]) -> Counter[str]:
    """How often each line made the host wait; a line is `FILE:NUMBER`."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            action()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return Counter(
        f"{Path(warning.filename).name}:{warning.lineno}" for warning in caught if "synchroniz" in str(warning.message)
    )
