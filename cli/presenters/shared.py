"""Text that the presenters of several kinds share."""

from collections.abc import Mapping
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.errors import UserError
from germline.cli.printing import command_line


def no_latency(candidate: Candidate) -> UserError:
    """The error for a candidate of a kind that has no latency."""
    return UserError(
        f"expected an architecture or an optimizer for --latency, got {candidate.label} of kind {candidate.kind}; "
        "leave out --latency"
    )


def no_notation(candidate: Candidate) -> UserError:
    """The error for a candidate of a kind that has one notation."""
    return UserError(
        f"expected an architecture for --as, got {candidate.label} of kind {candidate.kind}; germline show prints it"
    )


def training_rungs(task: Mapping[str, Any]) -> list[str]:
    """Lines about the rungs of a task that trains; `task` is its row in `germline tasks --json`."""
    steps = " → ".join(f"{rung['steps']:,}" for rung in task["rungs"])
    batches = "/".join(dict.fromkeys(str(rung["batch"]) for rung in task["rungs"]))
    size = f"; {task['parameters']:,} parameters" if task["parameters"] else ""
    return [f"rungs of {steps} steps, {batches} examples a step{size}"]


def compare_with_start(label: str) -> str:
    """The command that compares an individual `RUN:BIRTH` with the start of its run; of the start itself, the command
    that lists the best of its run."""
    run, _, birth = label.rpartition(":")
    return command_line("top", run) if birth == "0" else command_line("diff", f"{run}:0", label)
