"""Trials of a task, which `germline tasks TASK --check` makes: whether it keeps what a run relies on.

A trial is a function of a `Subject`, the task with genomes to score on it, and returns a `Report`, or None if it is not
for tasks of that kind.
"""

from collections.abc import Callable

from germline.search.task_trial.headroom import estimate_headroom
from germline.search.task_trial.report import Report
from germline.search.task_trial.same_bits import same_bits
from germline.search.task_trial.speed import measure_speed
from germline.search.task_trial.subject import Subject

TRIALS: tuple[Callable[[Subject], Report | None], ...] = (same_bits, measure_speed, estimate_headroom)
"""Every trial, in the order in which they are made."""
