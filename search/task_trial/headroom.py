"""How much there is to find on a training task: how far other optimizers of the library are below AdamW.

All are tuned with the same few trials, and the distance is in standard deviations between seeds. That is an estimate of
a minute or two; `germline validate --against` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import fmean, variance

from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.programs.optimizer import library, parse
from germline.search.knob_tuning.knobs import Point
from germline.search.knob_tuning.program_box import ProgramKnobs, program_knobs
from germline.search.knob_tuning.tuning import FINALISTS, KnobTuning, KnobTuningPlan, advance, propose
from germline.search.task_trial.report import Finding, Report
from germline.search.task_trial.speed import seconds_a_step
from germline.search.task_trial.subject import Subject

REFERENCE = "adamw"
OTHERS = ("muon", "lion", "sgd_momentum")
PLAN = KnobTuningPlan(trials=16, seeds=2, rounds=0)
SEEDS = 6
"""Fresh seeds with which the best point of each is trained."""
STEPS, LEAST_STEPS = 100, 25
SECONDS = 60.0
"""Trainings are shorter, down to `LEAST_STEPS`, if loss and gradients would take more seconds than this."""
LITTLE = 2.0
"""Standard deviations below which there is hardly anything to find."""


@dataclass(frozen=True)
class Tuned:
    """The losses of an optimizer at its best point, one for each fresh seed; infinite where it diverged."""

    losses: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.losses) if all(map(isfinite, self.losses)) else inf


def estimate_headroom(subject: Subject) -> Report | None:
    """Tunes AdamW and three other optimizers a little; None for tasks of other kinds."""
    evaluator = subject.evaluator()
    if not isinstance(evaluator, OptimizerEvaluator):
        return None
    task = evaluator.task
    rung = Rung(_steps(task), task.rungs[0].batch)
    results = {name: tuned(task, program_knobs(parse(library()[name])), rung) for name in (REFERENCE, *OTHERS)}
    amount = f"{PLAN.trials} trials of {rung}, then {SEEDS} seeds"
    losses = ", ".join(f"{name} {_text(result.mean)}" for name, result in results.items())
    deviations = headroom_of(results)
    best = min(OTHERS, key=lambda name: results[name].mean)
    findings = [Finding("tuned losses", f"{losses} ({amount})")]
    if deviations is None and all(isfinite(results[name].mean) for name in (REFERENCE, best)):
        return Report(findings, "No headroom can be told: losses depend on no seed. Do all parameters get a gradient?")
    if deviations is None:
        return Report(findings, "No headroom can be told: too many of these trainings diverged.")
    findings.append(Finding("headroom", f"{deviations:.1f} standard deviations between seeds, by {best} (an estimate)"))
    if deviations < LITTLE:
        return Report(findings, "No optimizer tried is clearly better than AdamW here: there may be little to find.")
    return Report(findings, f"{best} is better than AdamW at this length: there is something to find.")


def headroom_of(results: Mapping[str, Tuned]) -> float | None:
    """The loss of AdamW above that of the best other, in standard deviations between seeds, pooled over these two; None
    if AdamW or all others diverged, or if seeds make no difference."""
    reference, best = results[REFERENCE], min((results[name] for name in OTHERS), key=lambda result: result.mean)
    if not isfinite(reference.mean) or not isfinite(best.mean):
        return None
    deviation = fmean([variance(result.losses) for result in (reference, best)]) ** 0.5
    return float((reference.mean - best.mean) / deviation) if deviation else None


def tuned(task: TrainingTask, knobs: ProgramKnobs, rung: Rung) -> Tuned:
    """The losses, with fresh seeds, at the best of the points of `PLAN`, on the validation split."""
    tuning = KnobTuning(knobs.box, PLAN)
    while tuning.phase in ("sample", "confirm"):
        request = propose(tuning)
        assert request is not None
        by_seed = [_losses(task, knobs, request.points, rung, seed) for seed in range(request.seeds)]
        tuning = advance(tuning, list(zip(*by_seed, strict=True)))
    if tuning.best is None:
        return Tuned((inf,) * SEEDS)
    seeds = range(PLAN.seeds, PLAN.seeds + SEEDS)
    return Tuned(tuple(_losses(task, knobs, [tuning.best.point], rung, seed)[0] for seed in seeds))


def _losses(task: TrainingTask, knobs: ProgramKnobs, points: Sequence[Point], rung: Rung, seed: int) -> list[float]:
    """The loss of a training at each point, infinite if it diverged."""
    programs, schedules = zip(*map(knobs.at, points), strict=True)
    results = train(task, programs, rung, (seed,), schedules=schedules)
    return [inf if result.measures is None else result.measures["loss"] for result in results]


def _steps(task: TrainingTask) -> int:
    """The steps of a training, so that all take about `SECONDS` at most."""
    trainings = (1 + len(OTHERS)) * (PLAN.trials + FINALISTS * PLAN.seeds + SEEDS)
    steps, seconds = min(STEPS, task.rungs[0].steps), trainings * seconds_a_step(task, task.at_once)
    while steps > LEAST_STEPS and steps * seconds > SECONDS:
        steps //= 2
    return steps


def _text(loss: float) -> str:
    return f"{loss:.4g}" if isfinite(loss) else "diverged"
