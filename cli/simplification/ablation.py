"""Ablation of a candidate: the task, the trainings and the seeds that it is measured with."""

from contextlib import closing
from dataclasses import dataclass

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.printing import say
from germline.cli.simplification.ablation_report import AblationReport, worsening
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.tasks.name_grammar import absolute_name, names_of
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify import Tier
from germline.search.ablation.ablate import AblationStep, ablate
from germline.search.kinds.optimizer import OptimizerKind

RUNG, SEEDS, SHARE = 1, 8, 0.02
"""Defaults: the rung, the seeds, and the margin as a share of the given program's loss."""


@dataclass(frozen=True)
class AblationOptions:
    """The values of the options, None for those that were not given."""

    task: str | None
    rung: int | None
    seeds: int | None
    margin: float | None
    device: str


def ablation_report(candidate: Candidate, program: Program, tier: Tier, options: AblationOptions) -> AblationReport:
    """Ablates the simplified program of a candidate.

    Raises:
        UserError, BadReference: an option does not fit the task or the candidate.
        UnconfirmedTask: the user has to name the task of the run.
        ReferenceFailed: the program fails with a seed.
    """
    kind = OptimizerKind()
    task, rung = _task(kind, candidate, options.task), options.rung if options.rung is not None else RUNG
    if len(names := names_of(task)) > 1:
        raise BadReference(f"expected one task to ablate on, got several; write for example --task {names[0]}")
    chosen = task_class(task)
    if chosen.kind != kind.name:
        raise BadReference(f"expected a task for optimizers, got {task}, which is for kind {chosen.kind}")
    if rung >= len(chosen.rungs):
        last = len(chosen.rungs) - 1
        raise UserError(f"expected a rung of {task}, at most {last}, got {rung}; germline tasks lists them")
    seeds = options.seeds if options.seeds is not None else SEEDS
    share = options.margin if options.margin is not None else SHARE
    seed = candidate.run.seed if candidate.run else 0
    evaluator = EvaluatorSpec(kind.name, task, seed, options.device).build()
    with closing(evaluator):
        ablation = ablate(program, evaluator, rung, seeds, share, tier, _say_step)
    return AblationReport(ablation, task, rung, str(chosen.rungs[rung]), seeds, share)


def _task(kind: OptimizerKind, candidate: Candidate, given: str | None) -> str:
    """The full name of the given task, else of the run's task, else of the default task."""
    if given is not None:
        return absolute_name(given)
    return confirmed_name(candidate.run.task) if candidate.run else kind.default_task


def _say_step(step: AblationStep) -> None:
    say(f"{step.what}: worse by {worsening(step.comparison)}", err=True)
