"""What a training task is, in numbers, and how long a candidate-step takes: with many candidates at once, and alone."""

import time
from collections.abc import Callable, Mapping
from numbers import Integral

import torch

from germline.evaluators.errors import in_a_line, of_foreign_code, shown
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.gradient_cost import gradient_call
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Split
from germline.search.task_trial.report import Finding, Report
from germline.search.task_trial.subject import Subject

USES: Mapping[Split, str] = {"train": "for training", "validation": "for validation", "heldout": "held out"}
ROUNDS = 3
USUAL = "2 to 15 times"
"""How much faster a candidate is beside others than alone, from attention to a small perceptron (docs/own_model.md)."""


def measure_speed(subject: Subject) -> Report | None:
    """Counts a task's examples, and measures loss and gradients on a CPU; None for tasks of other kinds."""
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
        _examples(task),
        Finding("untrained", f"{_measured_untrained(task, 'validation')} on the validation split"),
        Finding("candidates at once", f"{task.at_once}" if obstacle is None else f"one after the other: {obstacle}"),
        Finding("a candidate-step", f"{_text(together)} for loss and gradients, {_text(one_by_one)} alone"),
    ]
    if findings[0].broken:
        conclusion = "The task has a split that cannot be used."
    elif obstacle is not None:
        conclusion = f"Candidates run one after the other. Together they would be about {USUAL} as fast."
    else:
        conclusion = f"A candidate is {one_by_one / together:.1f} times as fast beside others as alone."
    return Report(findings, conclusion)


def _examples(task: TrainingTask) -> Finding:
    """The sizes of the splits. No search reads the held-out split, so that a mistake in it would show only later."""
    sizes = []
    for split, use in USES.items():
        if split == "heldout" and not task.heldout:
            sizes.append("none held out")
            continue
        try:
            size = task.size(split)
            if split == "heldout":
                _measured_untrained(task, split)
        except of_foreign_code() as error:
            what = f"size or measure of the task fails for the split {split}: {in_a_line(error)}"
            hint = "; a task without held-out data has heldout = False" if split == "heldout" else ""
            return Finding("examples", what + hint, broken=True)
        if not isinstance(size, Integral) or size < 1:
            what = f"expected size of the task to give a whole number from 1 for the split {split}, got {shown(size)}"
            return Finding("examples", what, broken=True)
        sizes.append(f"{size:,} {use}")
    return Finding("examples", ", ".join(sizes))


def _measured_untrained(task: TrainingTask, split: Split) -> str:
    """The measures of a candidate with the initial parameters of a seed."""
    start = task.start(torch.Generator().manual_seed(0))
    measures = task.measure({name: value[None].clone() for name, value in start.items()}, split)
    return ", ".join(f"{name} {float(values[0]):.4g}" for name, values in measures.items())


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
