"""Which versions a row was measured with, and whether they still hold."""

from hashlib import sha256

import torch

from germline.evaluators.evaluator import SCORING_VERSION
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.training_evaluator import TRAINING_VERSION
from germline.evaluators.tasks.name_grammar import file_and_class, is_in_file
from germline.evaluators.tasks.task_files import digest_of
from germline.programs.optimizer import parse, write
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.library import library_text
from germline.search.leaderboard.protocol import Protocol
from germline.search.leaderboard.table import BaselineRow, Versions


def versions_of(name: str, task: type[TrainingTask], baseline: str, device: str) -> Versions:
    """The versions that decide the numbers of a baseline on a task now, on a device `cpu` or `cuda`; `name` is the full
    name of the task."""
    text = write(live_program(parse(library_text(baseline.removeprefix("library:")))))
    program = sha256(text.encode()).hexdigest()[:16]
    code = digest_of(file_and_class(name)[0]) if is_in_file(name) else None
    return Versions(task.version, SCORING_VERSION, TRAINING_VERSION, program, code, device, torch.__version__)


def outdated(row: BaselineRow, task: type[TrainingTask], protocol: Protocol) -> str | None:
    """Returns what has changed since a row was measured, so that nothing may be compared with it; None if nothing has.
    Device and version of torch may differ: they change last bits only."""
    now, then = versions_of(row.task, task, row.baseline, row.versions.device), row.versions
    if then.task != now.task:
        return f"measured with version {then.task} of the task, which has version {now.task}"
    if then.code != now.code:
        return "measured with another file of the task"
    if (then.scoring, then.training) != (now.scoring, now.training):
        return (
            f"measured with version {then.scoring}.{then.training} of scoring and trainings, "
            f"which have version {now.scoring}.{now.training}"
        )
    if then.program != now.program:
        return f"measured with another program of the name {row.baseline}"
    steps = steps_of(task, protocol)
    return f"measured with {row.steps:,} steps, which are {steps:,} now" if row.steps != steps else None


def steps_of(task: type[TrainingTask], protocol: Protocol) -> int:
    """The steps of a training by a protocol."""
    return max(1, round(task.rungs[0].steps * protocol.length))
