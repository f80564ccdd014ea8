"""The course of `germline validate --against`."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.options import SessionOptions
from germline.cli.printing import say
from germline.cli.tuned_comparison.contenders import contenders_of
from germline.cli.tuned_comparison.kept import StoreMemo, version_of
from germline.db.store import Store
from germline.evaluators.device import resolve as resolved_device
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.class_trainer import class_step
from germline.evaluators.optimizer.step_cost import Step, program_step, step_microseconds
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.torch_classes import optimizer_class
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import absolute_name, task_class
from germline.search.run import make_executor
from germline.search.tuned_comparison.compare import ComparisonPlan, compared
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.results import TunedComparison
from germline.search.tuned_comparison.trainings import Trainings
from germline.search.tuning.class_box import ClassKnobs
from germline.search.tuning.program_box import ProgramKnobs
from germline.search.tuning.tuning import TuningPlan

TIMEOUT = 600.0
"""Seconds that a pack may take on Ray for each multiple of the steps of rung 0."""
PACK, GPU_PACK = 16, 128
"""Trainings done together."""


@dataclass(frozen=True)
class ComparisonOptions:
    """What the command line says of a comparison.

    Attributes:
        against: what is compared with.
        tasks: full names of tasks.
        rung: whose steps lengths are multiples of.
        trials: sampled points of each tuning.
        lengths: multiples of the rung's steps.
        seeds: final seeds; None: as many as decide.
        session: workers, executor, device and Ray address.
    """

    against: tuple[str, ...]
    tasks: tuple[str, ...]
    rung: int
    trials: int
    lengths: tuple[float, ...]
    seeds: int | None
    session: SessionOptions


def tuned_comparison(
    judged: Sequence[Candidate | str], options: ComparisonOptions, store: Store, url: str, stopped: Callable[[], bool]
) -> TunedComparison:
    """Compares candidates by the protocol of `docs/validation.md`; says on stderr what is done.

    Trainings that are recorded are not done again, and new ones are recorded as they are done, so that a comparison
    that was interrupted goes on where it was.

    Raises:
        BadReference, UserError: something that was named cannot be compared.
        Stopped: `stopped` returned True; what was trained is recorded.
        NoWorker, NoCluster, ClusterLost, DeviceLost: trainings cannot be done.
    """
    for candidate in judged:
        if not isinstance(candidate, str) and candidate.kind != "optimizer":
            raise UserError(f"expected optimizers with --against, got {candidate.label}, of kind {candidate.kind}")
    classes = {task: _task(task, options.rung) for task in options.tasks}
    contenders = contenders_of(judged, options.against, url)
    named = {c.knobs.name: absolute_name(c.label) for c in contenders if isinstance(c.knobs, ClassKnobs)}
    device = resolved_device(options.session.device)
    longest = max(options.lengths)

    @contextmanager
    def opened(task: str) -> Iterator[Trainings]:
        spec = EvaluatorSpec(
            "optimizer-training", task, 0, options.session.device, {"rung": options.rung, "classes": named}
        )
        session = options.session
        workers = session.workers or (1 if classes[task].light or session.executor == "inline" else os.cpu_count() or 1)
        timeout = TIMEOUT * 10**options.rung * max(1.0, longest)
        executor = make_executor(
            spec,
            workers,
            session.executor,  # type: ignore[arg-type]
            session.ray_address,
            timeout,
            stopped,
        )
        try:
            executor.wait_until_ready()
            memo = StoreMemo(store, task, version_of(classes[task], task, device), options.rung)
            yield Trainings(executor, memo, PACK if device == "cpu" else GPU_PACK, stopped)
        finally:
            executor.close()

    plan = ComparisonPlan(replace(TuningPlan(), trials=options.trials), options.lengths, options.seeds)
    steps = {task: _rung(each, options.rung).steps for task, each in classes.items()}
    cells, pairs, seeds = compared(contenders, steps, opened, plan, lambda text: say(text, err=True))
    costs = {task: _costs(each, contenders, device) for task, each in classes.items()}
    return TunedComparison(tuple(contenders), cells, pairs, seeds, costs)


def _task(name: str, rung: int) -> type[TrainingTask]:
    """The class of a training task that has held-out data and the rung."""
    chosen = task_class(name)
    if not issubclass(chosen, TrainingTask):
        raise BadReference(f"expected a task for kind optimizer, got {name}, which is for {chosen.kind}")
    if not chosen.heldout:
        raise BadReference(f"expected a task with held-out data, got {name}; write for example --task digits-mlp")
    if rung >= len(chosen.rungs):
        last = len(chosen.rungs) - 1
        raise UserError(f"expected a rung of {name}, at most {last}, got {rung}; germline tasks lists them")
    return chosen


def _rung(task: type[TrainingTask], rung: int) -> Rung:
    return task.rungs[rung]


def _costs(task: type[TrainingTask], contenders: Sequence[Contender], device: str) -> tuple[float | None, ...]:
    """Microseconds of a step of each contender."""
    steps: dict[int, Step] = {}
    for place, contender in enumerate(contenders):
        knobs = contender.knobs
        if isinstance(knobs, ProgramKnobs):
            steps[place] = program_step(task, knobs.program, device)
        elif isinstance(knobs, ClassKnobs) and device == "cpu":
            with suppress(Exception):  # of the user's class; its trainings have said why
                step = class_step(task, optimizer_class(contender.label), knobs.arguments_at(knobs.box.default))
                step(1)
                steps[place] = step
    measured = dict(zip(steps, step_microseconds(list(steps.values()), device), strict=True))
    return tuple(measured.get(place) for place in range(len(contenders)))
