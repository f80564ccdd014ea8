"""Runs the steps in a process of its own, and watches it.

A step may wait for the device where no signal interrupts it, and a fault may end the process. The watching process
imports no torch: it kills what hangs, records what happened, and goes on with the next step in a fresh process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from device_report import Report

CHILD = Path(__file__).with_name("device_child.py")
MOST_PROCESSES = 6
NO_DEVICE, LOST_DEVICE = 3, 4
"""Exit statuses of the process with the steps: the device is not there, or cannot be used by that process any more."""


@dataclass(frozen=True)
class Plan:
    """What the process with the steps is told.

    Args:
        names: of the steps, in their order.
        device: `cuda` or `cpu`.
        small: whether to take the small sizes.
        out: the JSON file of the report, which exists.
        deadline: the time at which the session ends, as of `time.monotonic`, which is the same in all processes.
        steps: the module whose `STEPS` are meant.
    """

    names: Sequence[str]
    device: str
    small: bool
    out: str
    deadline: float
    steps: str = "device_steps"


@dataclass(frozen=True)
class Patience:
    """Seconds that the process with the steps gets.

    Args:
        start: without a step that runs, such as for importing torch.
        step: after the limit of a step.
        end: after the deadline.
    """

    start: float = 120.0
    step: float = 20.0
    end: float = 10.0


def watch(plan: Plan, patience: Patience = Patience()) -> int:
    """Runs all steps of a plan that its report lacks; returns the exit status.

    The report then has a record for each step.
    """
    path, ended_between_steps = Path(plan.out), 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for _ in range(MOST_PROCESSES):
        process = subprocess.Popen([sys.executable, str(CHILD), json.dumps(asdict(plan))], start_new_session=True)
        try:
            killed, seconds = _wait(process, path, plan.deadline, patience)
        finally:
            _kill(process)
        if process.returncode == NO_DEVICE:
            return 2
        report = Report.read(path)
        if process.returncode == 0 and not report.running:
            break
        cause = killed or _ending(process.returncode)
        if running := report.running:
            print(f"failed, {seconds:.1f} s: {cause}", flush=True)
            report.record({**running, "status": "failed", "error": cause, "seconds": round(seconds, 3)})
        elif process.returncode != LOST_DEVICE or killed:
            ended_between_steps += 1
            earlier = report.facts.get("process_errors", [])
            report.facts["process_errors"] = [*earlier, f"between steps: {cause}"]
            report.write()
        if ended_between_steps == 2 or time.monotonic() >= plan.deadline:
            break
    report = Report.read(path)
    for name in plan.names:
        if name not in {step["name"] for step in report.steps}:
            report.record({"name": name, "status": "skipped", "seconds": 0.0, "error": "the session ended before"})
    report.write(finished=True)
    print(report.table(), end="", flush=True)
    return 0 if report.is_good else 1


def _wait(
    process: subprocess.Popen[bytes], path: Path, deadline: float, patience: Patience
) -> tuple[str | None, float]:
    """Waits for the end of the process, or until it has to be killed.

    Returns:
        Why it has to be killed, or None; and for how long the step that ran, or what lay between steps, took.
    """
    doing, since = (None, -1), time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        report = Report.read(path)
        running, now = report.running, time.monotonic()
        state = (running["name"] if running else None, len(report.steps))
        if state != doing:
            doing, since = state, now
        if process.returncode is not None:
            return None, now - since
        allowed = running["limit"] + patience.step if running else patience.start
        if now - since > allowed:
            return f"the process was killed: it did not react for {now - since:.0f} s", now - since
        if now > deadline + patience.end:
            return "the process was killed: it did not react at the end of the session", now - since


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and those that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ending(status: int) -> str:
    if status < 0:
        return f"the process was ended by {signal.Signals(-status).name}"
    return f"the process ended with exit status {status}"
