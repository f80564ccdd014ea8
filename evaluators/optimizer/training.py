"""One training as data: which optimizer, under which schedule, for how long, and on which data it is measured.

The text of a training is JSON, so that executors carry it as they carry the text of a genome. A class of torch is known
by a name only: which class that is, the process that made the evaluator says, never the text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from germline.evaluators.optimizer.schedule import SHAPES, Schedule
from germline.evaluators.task import Split

SPLITS: Mapping[str, Split] = {"validation": "validation", "heldout": "heldout"}
LONGEST = 1_000.0
"""Longest training, as a multiple of a rung."""


class InvalidTraining(ValueError):
    """A text is not a training."""


@dataclass(frozen=True)
class ClassUse:
    """A class of torch with the arguments that its optimizer is made with: numbers, or pairs of numbers."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """A training of one model.

    Attributes:
        optimizer: the text of a program, or the use of a class.
        schedule: what multiplies its learning rate.
        length: multiple of the rung's steps.
        split: the data on which the trained model is measured.
        curve: True: the loss on these data is measured on the way too.
    """

    optimizer: str | ClassUse
    schedule: Schedule
    length: float = 1.0
    split: Split = "validation"
    curve: bool = False


def write_training(training: Training) -> str:
    """Returns the text of a training; equal trainings have equal texts."""
    optimizer = training.optimizer
    named: dict[str, Any] = (
        {"program": optimizer}
        if isinstance(optimizer, str)
        else {"class": optimizer.name, "arguments": dict(optimizer.arguments)}
    )
    schedule = {"shape": training.schedule.shape, "warmup": training.schedule.warmup}
    rest = {"length": training.length, "split": training.split, "curve": training.curve}
    return json.dumps({**named, **schedule, **rest}, sort_keys=True)


def read_training(text: str) -> Training:
    """Returns the training of a text.

    Raises:
        InvalidTraining: the text is no training.
    """
    try:
        data = json.loads(text)
        optimizer = data["program"] if "program" in data else ClassUse(data["class"], data["arguments"])
        training = Training(
            optimizer,
            Schedule(SHAPES[data["shape"]], float(data["warmup"])),
            float(data["length"]),
            SPLITS[data["split"]],
            data["curve"] is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidTraining(f"expected a training, got {text!r:.80}") from error
    if (
        not 0.0 <= training.schedule.warmup <= 1.0
        or not isfinite(training.length)
        or not 0 < training.length <= LONGEST
    ):
        raise InvalidTraining(f"expected a warm-up up to 1 and a length up to {LONGEST:g}, got {text!r:.80}")
    return training
