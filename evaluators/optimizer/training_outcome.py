"""The outcome of trainings: fitness and objective from what was measured, or why there are none."""

from collections.abc import Mapping

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import Split


def scored(
    task: TrainingTask, measured: Mapping[str, float], split: Split, others: Mapping[str, float] | None = None
) -> Outcome:
    """The outcome of trainings that ended well.

    Args:
        task: its first objective decides.
        measured: what the task measured, or the mean of that over replicates. Every task measures `loss`, which is the
            value of an objective that has no measure of its own.
        split: the data that it was measured on; `heldout` gives the objective its held-out name.
        others: the measures of the outcome; None: what was measured beside the loss and the objective.
    """
    objective = task.objectives[0]
    value = measured.get(objective.name, measured["loss"])
    sign = -1.0 if objective.direction == "min" else 1.0
    name = objective.heldout_name if split == "heldout" else objective.name
    if others is None:
        others = {key: number for key, number in measured.items() if key not in ("loss", objective.name)}
    return Outcome("ok", sign * value, {name: value}, others)


def diverged(step: int) -> Outcome:
    """The outcome of a training that was not finite at a step."""
    error = f"loss or parameters not finite by step {step}"
    return Outcome("diverged", measures={"step": step}, error=error)
