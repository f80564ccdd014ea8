"""The steps of a session, one after the other, within its time."""

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from device_facts import device_facts
from device_limits import time_limit
from device_report import Report
from device_step import NotHere, Step
from device_watch import LOST_DEVICE, NO_DEVICE, Plan

from germline.evaluators.device import compute_exactly, lost
from germline.evaluators.errors import in_a_line
from germline.evaluators.memory import keep_freed_memory, release_memory

PATIENCE = 3.0


class DeviceGone(Exception):
    """A step has made the device unusable for this process."""


def run_session(plan: Plan) -> int:
    """Runs the steps of a plan that its report lacks; returns the exit status."""
    if plan.device == "cuda" and not torch.cuda.is_available():
        print("expected a GPU, found none; rehearse with --device cpu --small", flush=True)
        return NO_DEVICE
    report = Report.read(Path(plan.out))
    torch.set_num_threads(1)
    keep_freed_memory()
    compute_exactly(plan.device)
    report.facts |= device_facts(plan.device)
    report.write()
    steps = [step for step in import_module(plan.steps).STEPS if step.name in plan.names]
    try:
        run_steps(steps, plan.device, plan.small, plan.deadline, report)
    except DeviceGone:
        return LOST_DEVICE
    return 0


def run_steps(steps: Sequence[Step], device: str, small: bool, deadline: float, report: Report) -> None:
    """Runs the steps that the report does not have, and records each of them.

    Args:
        steps: in the order of their worth.
        device: `cuda` or `cpu`.
        small: whether to take the small sizes.
        deadline: the end of the session, as of `time.monotonic`.
        report: gets a record of each step, before and after it, and each result that it yields.

    Raises:
        DeviceGone: a step has made the device unusable. It has failed; the others need another process.
    """
    done = {step["name"] for step in report.steps}
    for step in steps:
        if step.name in done:
            continue
        sizes = dict(step.small if small else step.sizes)
        left = deadline - time.monotonic()
        needed = 1.0 if small else step.seconds
        if left < needed:
            cause = f"{max(left, 0.0):.0f} s were left, and it takes about {needed:.0f} s"
            report.record({"name": step.name, "status": "skipped", "sizes": sizes, "seconds": 0.0, "error": cause})
            continue
        print(f"{step.name} …", end=" ", flush=True)
        limit = left if small else min(left, PATIENCE * step.seconds)
        record = {"name": step.name, "status": "running", "sizes": sizes, "limit": limit}
        report.record(record)
        began = time.monotonic()

        def note(results: dict[str, Any], record: dict[str, Any] = record) -> None:
            record |= results
            report.record(record)

        record |= _ending(step, device, sizes, limit, note)
        record |= _memory(device)
        # An error of the device may show only now: its work goes on after the step has ended.
        if cause := lost(device):
            record |= {"status": "failed", "lost_device": cause, "error": record.get("error", cause)}
        record["seconds"] = round(time.monotonic() - began, 3)
        report.record(record)
        said = record.get("error") or record.get("summary") or ""
        print(f"{record['status']}, {record['seconds']:.1f} s: {said}", flush=True)
        if cause:
            raise DeviceGone(cause)


def _ending(
    step: Step, device: str, sizes: dict[str, Any], seconds: float, note: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Runs a step, and notes its results as it yields them. Returns its status, and why it ended early if it did."""
    try:
        with time_limit(seconds):
            for results in step.function()(device, **sizes):
                note(results)
    except NotHere as missing:
        return {"status": "skipped", "error": str(missing)}
    except Exception as error:
        return {"status": "failed", "error": in_a_line(error), "traceback": traceback.format_exc()[-4_000:]}
    return {"status": "ok"}


def _memory(device: str) -> dict[str, Any]:
    """The most memory of the device that a step has used. Returns to the device what the step has left."""
    peak = {}
    with suppress(RuntimeError):  # the device may be lost
        if device == "cuda":
            peak = {"peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)}
        release_memory(device)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
    return peak
