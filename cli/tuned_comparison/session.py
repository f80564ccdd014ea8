"""A tuned comparison of candidates, with what is recorded of it: the course of `germline validate --against`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from germline.cli.candidate import Candidate
from germline.cli.printing import say
from germline.cli.session_options import SessionOptions
from germline.cli.tuned_comparison.contenders import contenders_of, require_optimizers
from germline.cli.tuned_comparison.training_place import TrainingPlace, class_names, compared_task
from germline.db.store import Store
from germline.evaluators.optimizer.class_trainer import class_step
from germline.evaluators.optimizer.step_cost import Step, program_step, step_microseconds
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.torch_classes import optimizer_class
from germline.evaluators.task import Rung
from germline.search.knob_tuning.class_box import ClassKnobs
from germline.search.knob_tuning.program_box import ProgramKnobs
from germline.search.knob_tuning.tuning import KnobTuningPlan
from germline.search.tuned_comparison.compare import ComparisonPlan, compared
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.results import TunedComparison


@dataclass(frozen=True)
class ComparisonOptions:
    """The options of a comparison, with the defaults filled in.

    Attributes:
        against: names of the contenders that the judged ones are compared with.
        tasks: names of tasks, with absolute paths of files.
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
    require_optimizers(judged)
    classes = {task: compared_task(task, options.rung) for task in options.tasks}
    contenders = contenders_of(judged, options.against, url)
    place = TrainingPlace(store, options.session, options.rung, max(options.lengths), class_names(contenders), stopped)
    plan = ComparisonPlan(replace(KnobTuningPlan(), trials=options.trials), options.lengths, options.seeds)
    steps = {task: _rung(each, options.rung).steps for task, each in classes.items()}
    cells, pairs, seeds = compared(contenders, steps, place.opened, plan, lambda text: say(text, err=True))
    costs = {task: _costs(each, contenders, place.device) for task, each in classes.items()}
    return TunedComparison(tuple(contenders), cells, pairs, seeds, costs)


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
                step = class_step(task, optimizer_class(knobs.given), knobs.arguments_at(knobs.box.default))
                step(1)
                steps[place] = step
    measured = dict(zip(steps, step_microseconds(list(steps.values()), device), strict=True))
    return tuple(measured.get(place) for place in range(len(contenders)))
