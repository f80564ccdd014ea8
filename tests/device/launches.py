"""What a training step costs the host: launches of kernels, and waits for the device."""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

COPIES = ("Memcpy", "Memset")
KERNELS = {"cuda": "kernels", "cpu": "operations"}


class NoEvents(RuntimeError):
    """A profile is empty, and so says nothing."""


def per_step(train: Callable[[int], object], device: str, steps: tuple[int, int]) -> dict[str, Any]:
    """Counts per step of a training.

    Args:
        train: trains for a number of steps; it has run before.
        device: on which it trains.
        steps: of two trainings that are compared: what both have in common, such as their beginning, is not counted.

    Returns:
        `kernels` and `copies` on a GPU, `operations` of torch on a CPU; and on a GPU `waits`, where the host waited for
        the device, with the lines that made it wait, and where each of them was called first.

    Raises:
        NoEvents: the profiler has seen no kernels.
    """
    added = steps[1] - steps[0]
    _launches(lambda: train(1), device)  # the first profile may lack events
    few, more = (_launches(lambda count=count: train(count), device) for count in steps)
    if not more[KERNELS[device]]:
        raise NoEvents(f"expected {KERNELS[device]} in a profile, got none; is CUPTI there?")
    counts: dict[str, Any] = {name: (more[name] - few[name]) / added for name in more}
    if device == "cuda":
        (before, _), (after, stacks) = (_waits(lambda count=count: train(count)) for count in steps)
        counts["waits"] = (after.total() - before.total()) / added
        counts["waiting_lines"] = {
            line: (count - before[line]) / added for line, count in after.items() if count > before[line]
        }
        counts["waiting_stacks"] = {line: stacks[line] for line in counts["waiting_lines"]}
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


def _waits(action: Callable[[], object]) -> tuple[Counter[str], dict[str, list[str]]]:
    """How often each line made the host wait, and the stack of its first time; a line is `FILE:NUMBER`."""
    counts: Counter[str] = Counter()
    stacks: dict[str, list[str]] = {}

    def note(message: object, category: object, file: str, number: int, *_: object) -> None:
        if "synchroniz" in str(message):
            line = f"{Path(file).name}:{number}"
            counts[line] += 1
            frames = traceback.extract_stack()[:-1] if line not in stacks else []
            stacks.setdefault(line, [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames[-8:]])

    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = note
            action()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return counts, stacks
