"""The tuning of knobs as a pure state machine: `propose` says which points to train next, `advance` takes their losses.

It makes optimizers comparable. What tunes the constants of programs in a search, the strategy `constant_tuning` and the
operator `tune`, is something else.

1. The optimizer's own values and scrambled Sobol points, with one tuning seed.
2. The best few of them again, with all tuning seeds: one point wins, and the spread of its losses is known.
3. Coordinate descent: the neighbours of the best point, one knob changed in each, until the gain is below the standard
   deviation between seeds. Where the best point lies on the border of the box, the box grows, and descent goes on.
4. The rate alone, up and down from the best point: over which range is it good?

A loss is infinite where training diverged or failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from statistics import fmean, variance
from typing import Literal

from germline.search.knob_tuning.knobs import Box, Point, Range
from germline.search.knob_tuning.sobol import sobol

Phase = Literal["sample", "confirm", "descend", "sweep", "done"]

FINALISTS = 4
"""Sampled points that are trained with all tuning seeds."""
SWEEP = tuple(10 ** (k / 4) for k in range(-4, 5) if k)
"""Multiples of the best rate whose losses tell how wide the range of good rates is."""
GOOD = 2.0
"""A rate is good if its mean loss exceeds the best by at most so many standard deviations between seeds."""
REPORTED = (1, 5, 20, 64)
"""Numbers of sampled points after which the best loss is reported, as far as there are as many."""


@dataclass(frozen=True)
class KnobTuningPlan:
    """How thoroughly knobs are tuned, the same for each contender.

    Attributes:
        trials: sampled points, the optimizer's own values first.
        seeds: tuning seeds with which the best points are trained, at least 2.
        rounds: most rounds of coordinate descent.
        seed: of the Sobol points.
    """

    trials: int = 64
    seeds: int = 3
    rounds: int = 8
    seed: int = 0

    @property
    def reported(self) -> tuple[int, ...]:
        """Numbers of sampled points after which the best loss is reported; the last is that of all."""
        return (*(count for count in REPORTED if count < self.trials), self.trials)


@dataclass(frozen=True)
class Trial:
    """A point and its loss with each tuning seed."""

    point: Point
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The mean; infinite if any loss is."""
        return fmean(self.losses) if all(map(isfinite, self.losses)) else inf


@dataclass(frozen=True)
class TrialRequest:
    """Points to train, each with the first `seeds` tuning seeds."""

    points: tuple[Point, ...]
    seeds: int


@dataclass(frozen=True)
class KnobTuning:
    """The tuning of an optimizer's knobs, under way or done.

    Attributes:
        box: the box now.
        plan: how much is tuned.
        phase: what is proposed next.
        sampled: the trials of the sampled points, in order, with one seed each.
        best: the best point so far with all tuning seeds; None before, or if every point failed.
        deviation: standard deviation between tuning seeds, pooled over the finalists; None before.
        rounds: rounds of coordinate descent so far.
        trainings: all trainings so far.
        widened: what was widened, such as `rate above 0.1`.
        good_rates: lowest and highest good rate around the best; None before the sweep.
    """

    box: Box
    plan: KnobTuningPlan
    phase: Phase = "sample"
    sampled: tuple[Trial, ...] = ()
    best: Trial | None = None
    deviation: float | None = None
    rounds: int = 0
    trainings: int = 0
    widened: tuple[str, ...] = ()
    good_rates: tuple[float, float] | None = None

    def best_after(self, trials: int) -> float:
        """The least loss among the first so many sampled points."""
        return min((trial.loss for trial in self.sampled[:trials]), default=inf)


def propose(tuning: KnobTuning) -> TrialRequest | None:
    """Returns what to train next; None if the tuning is done."""
    box, plan = tuning.box, tuning.plan
    if tuning.phase == "sample":
        shares = sobol(len(box.knobs), plan.trials - 1, plan.seed)
        return TrialRequest((box.default, *map(box.sample, shares)), 1)
    if tuning.phase == "confirm":
        return TrialRequest(tuple(trial.point for trial in _finalists(tuning)), plan.seeds)
    if tuning.phase == "done":
        return None
    assert tuning.best is not None
    if tuning.phase == "descend":
        return TrialRequest(tuple(box.neighbours(tuning.best.point)), plan.seeds)
    return TrialRequest(tuple(map(tuple, _sweep(tuning))), plan.seeds)


def advance(tuning: KnobTuning, losses: Sequence[Sequence[float]]) -> KnobTuning:
    """Returns the next state.

    Args:
        tuning: a state that is not done.
        losses: for each point of its proposal the loss with each seed.
    """
    request = propose(tuning)
    assert request is not None
    trials = tuple(Trial(p, tuple(values)) for p, values in zip(request.points, losses, strict=True))
    tuning = replace(tuning, trainings=tuning.trainings + len(trials) * request.seeds)
    if tuning.phase == "sample":
        sampled = replace(tuning, sampled=trials)
        return replace(sampled, phase="confirm" if _finalists(sampled) else "done")
    best = min(trials, key=lambda trial: trial.loss)
    if tuning.phase == "confirm":
        if not isfinite(best.loss):
            return replace(tuning, phase="done")
        return _widened(replace(tuning, best=best, deviation=_pooled(trials), phase=_after(0, tuning.plan)))
    if tuning.phase == "descend":
        return _descended(tuning, best)
    return replace(tuning, good_rates=_good_rates(tuning, trials), phase="done")


def _finalists(tuning: KnobTuning) -> list[Trial]:
    finite = [trial for trial in tuning.sampled if isfinite(trial.loss)]
    return sorted(finite, key=lambda trial: trial.loss)[:FINALISTS]


def _after(rounds: int, plan: KnobTuningPlan) -> Phase:
    return "descend" if rounds < plan.rounds else "sweep"


def _descended(tuning: KnobTuning, neighbour: Trial) -> KnobTuning:
    """The state after a round of descent, of which `neighbour` is the best point."""
    assert tuning.best is not None and tuning.deviation is not None
    gain = tuning.best.loss - neighbour.loss
    rounds = tuning.rounds + 1
    moved = replace(tuning, best=neighbour if gain > 0 else tuning.best, rounds=rounds)
    wider = _widened(moved) if gain > 0 else moved
    if (gain <= 0 or gain < tuning.deviation) and wider.box == tuning.box:
        return replace(wider, phase="sweep")
    return replace(wider, phase=_after(rounds, tuning.plan))


def _widened(tuning: KnobTuning) -> KnobTuning:
    """The state with a wider box, if its best point lies on the border."""
    assert tuning.best is not None
    box, phrases = tuning.box.widened_at(tuning.best.point)
    return replace(tuning, box=box, widened=(*tuning.widened, *phrases))


def _pooled(trials: Sequence[Trial]) -> float:
    """The standard deviation between seeds, from the mean variance of the points that never failed."""
    variances = [variance(trial.losses) for trial in trials if isfinite(trial.loss) and len(trial.losses) > 1]
    return float(fmean(variances) ** 0.5) if variances else 0.0


def _sweep(tuning: KnobTuning) -> list[Point]:
    """The best point at multiples of its rate."""
    assert tuning.best is not None
    rate, (value, *others) = tuning.box.knobs[0], tuning.best.point
    assert isinstance(rate, Range)
    return [(rate.scaled(value, factor), *others) for factor in SWEEP]


def _good_rates(tuning: KnobTuning, trials: Sequence[Trial]) -> tuple[float, float]:
    """The lowest and highest rate that are good together with all rates between them and the best."""
    assert tuning.best is not None and tuning.deviation is not None
    bound = tuning.best.loss + GOOD * tuning.deviation
    lowest = highest = tuning.best.point[0]
    assert isinstance(lowest, float) and isinstance(highest, float)
    below = [trial for trial, factor in zip(trials, SWEEP, strict=True) if factor < 1]
    above = [trial for trial, factor in zip(trials, SWEEP, strict=True) if factor > 1]
    for trial in reversed(below):
        if trial.loss > bound:
            break
        lowest = float(trial.point[0])
    for trial in above:
        if trial.loss > bound:
            break
        highest = float(trial.point[0])
    return float(lowest), float(highest)
