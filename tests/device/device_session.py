"""A session of steps within a budget of time."""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from device_facts import facts
from device_report import Report

from germline.evaluators.device import compute_exactly, lost
from germline.evaluators.errors import in_a_line
from germline.evaluators.memory import keep_freed_memory

PATIENCE = 3.0


class UnknownStep(ValueError):
    """No step has this name."""


class NotHere(Exception):
    """What a step needs is not on this machine; the message says what."""


class OutOfTime(Exception):
    """A step has used up its time, or that of the session."""


@dataclass(frozen=True)
class Step:
    """A step of a session.

    Args:
        name: of the step.
        run: called with the device and, as named arguments, the sizes. Returns its result: a `summary` of one line;
            `passed`, if it checks something; `rows`, as of benchmarks, if it measures against a baseline; and further
            values.
        sizes: the sizes on a GPU.
        small: the sizes in a rehearsal.
        seconds: about how long the step takes on a GPU. It is left out if less time is left, and stopped after
            `PATIENCE` times as long.
    """

    name: str
    run: Callable[..., Mapping[str, Any]]
    sizes: Mapping[str, Any]
    small: Mapping[str, Any]
    seconds: float


def run_session(options: argparse.Namespace) -> int:
    """Runs steps as the command line says; returns the exit status.

    Raises:
        UnknownStep: the command line names a step that does not exist.
    """
    from device_steps import STEPS  # here, since the steps import this file

    if unknown := set(options.names) - {step.name for step in STEPS}:
        known = ", ".join(step.name for step in STEPS)
        raise UnknownStep(f"expected names of steps ({known}), got {', '.join(sorted(unknown))}")
    steps = [step for step in STEPS if not options.names or step.name in options.names]
    if options.device == "cuda" and not torch.cuda.is_available():
        print("expected a GPU, found none; rehearse with --device cpu --small", file=sys.stderr)
        return 2
    report, spent = opened_report(options.out, options.device, options.go_on)
    report.facts |= {"small": options.small, "budget_seconds": options.budget}
    report.write()
    torch.set_num_threads(1)
    keep_freed_memory()
    compute_exactly(options.device)
    run_steps(steps, options.device, options.small, options.budget - spent, report, start_again)
    report.write(finished=True)
    print(report.table(), end="", flush=True)
    return 0 if report.is_good else 1


def opened_report(path: Path, device: str, go_on: bool) -> tuple[Report, float]:
    """A report, and the seconds that its steps have taken. With `go_on` it is the report of an earlier process."""
    if not (go_on and path.exists()):
        return Report(path, facts(device), []), 0.0
    content = json.loads(path.read_text(encoding="utf-8"))
    steps = [_cut(step) if step["status"] == "running" else step for step in content.pop("steps")]
    for key in ("version", "finished"):
        content.pop(key)
    return Report(path, content, steps), sum(step.get("seconds", 0.0) for step in steps)


def _cut(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "status": "failed", "error": "the process ended within this step"}


def run_steps(
    steps: Sequence[Step],
    device: str,
    small: bool,
    budget: float,
    report: Report,
    on_lost_device: Callable[[], None] = lambda: None,
) -> None:
    """Runs the steps that the report does not have, one after the other, and records each of them.

    Args:
        steps: in the order of their worth.
        device: `cuda` or `cpu`.
        small: whether to take the small sizes.
        budget: seconds for all steps.
        report: gets a record of each step, before and after it.
        on_lost_device: called after a step that has made the device unusable for this process.
    """
    deadline = time.monotonic() + budget
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
        report.record({"name": step.name, "status": "running", "sizes": sizes})
        limit = left if small else min(left, PATIENCE * step.seconds)
        record = {"name": step.name, "sizes": sizes, **_outcome(step, device, sizes, limit)}
        report.record(record)
        said = record.get("summary") or record.get("error") or ""
        print(f"{record['status']}, {record['seconds']:.1f} s: {said}", flush=True)
        if record["status"] == "failed" and (cause := lost(device)):
            report.record({**record, "lost_device": cause})
            on_lost_device()


def _outcome(step: Step, device: str, sizes: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The result of a step, or why it ended early."""
    began = time.monotonic()
    try:
        with time_limit(seconds):
            result = {"status": "ok", **step.run(device, **sizes)}
    except NotHere as missing:
        result = {"status": "skipped", "error": str(missing)}
    except Exception as error:
        result = {"status": "failed", "error": in_a_line(error), "traceback": traceback.format_exc()[-4_000:]}
    result["seconds"] = round(time.monotonic() - began, 3)
    if device == "cuda":
        result["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        torch.cuda.reset_peak_memory_stats()
        with suppress(RuntimeError):  # the device may be lost
            torch.cuda.empty_cache()
    return result


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in the main thread after some seconds, or as soon as compiled code that runs then returns."""

    def stop(*_: object) -> None:
        raise OutOfTime(f"stopped after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def start_again() -> None:
    """Goes on with the remaining steps in a fresh process, which can use the device."""
    sys.stdout.flush()
    again = [] if "--go-on" in sys.argv else ["--go-on"]
    os.execv(sys.executable, [sys.executable, *sys.argv, *again])
