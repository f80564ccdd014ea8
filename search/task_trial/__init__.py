"""Trials of a task, which `germline tasks TASK --check` makes: whether it keeps what a run relies on.

A trial is a function of a `Subject`, the task with genomes to score on it, and returns a `Report`.
"""

from collections.abc import Callable

from germline.search.task_trial.report import Report
from germline.search.task_trial.same_bits import same_bits
from germline.search.task_trial.subject import Subject

TRIALS: tuple[Callable[[Subject], Report], ...] = (same_bits,)
"""Every trial, in the order in which they are made."""
