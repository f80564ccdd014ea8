"""How long a candidate-step takes on a training task: with many candidates at once, and with each alone."""

import time
from collections.abc import Callable

from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.gradient_cost import gradient_call
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.task import TrainingTask
from germline.search.task_trial.report import Finding, Report
from germline.search.task_trial.subject import Subject

ROUNDS = 3
USUAL = "2 to 15 times"
"""How much faster a candidate is beside others than alone, from attention to a small perceptron (docs/own_model.md)."""


def measure_speed(subject: Subject) -> Report | None:
    """Measures loss and gradients of candidates on a CPU; None for tasks of other kinds."""
    evaluator = subject.evaluator()
    if not isinstance(evaluator, OptimizerEvaluator):
        return None
    task = evaluator.task
    together = seconds_a_step(task, task.at_once)
    alone, count = task, 1
    if isinstance(task, ModuleTask):
        alone, count = type(task)(), task.at_once
        alone.set_way("alone")
    one_by_one = seconds_a_step(alone, count)
    obstacle = task.obstacle if isinstance(task, ModuleTask) else None
    findings = [
        Finding("candidates at once", f"{task.at_once}" if obstacle is None else f"one after the other: {obstacle}"),
        Finding("a candidate-step", f"{_text(together)} for loss and gradients, {_text(one_by_one)} alone"),
    ]
    if obstacle is not None:
        conclusion = f"Candidates run one after the other. Together they would be about {USUAL} as fast."
    else:
        conclusion = f"A candidate is {one_by_one / together:.1f} times as fast beside others as alone."
    return Report(findings, conclusion)


def seconds_a_step(task: TrainingTask, count: int) -> float:
    """The least processor seconds for loss and gradients of a candidate, of `count` at once."""
    call = gradient_call(task, task.rungs[0], count)
    call()
    return min(_seconds(call) for _ in range(ROUNDS)) / count


def _seconds(call: Callable[[], None]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _text(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
