"""What a comparison has found, as data."""

from dataclasses import dataclass
from math import inf, isfinite
from statistics import fmean, median_low, stdev

from germline.evaluators.outcome import Outcome
from germline.search.knob_tuning.tuning import KnobTuning
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.speed_up import median_curve, speed_up, steps_to
from germline.search.tuned_comparison.verdict import Verdict


def loss_of(outcome: Outcome) -> float:
    """The loss of a training: minus its fitness; infinite if it failed."""
    return inf if outcome.fitness is None else -outcome.fitness


def curve_of(outcome: Outcome) -> tuple[float, ...]:
    """The losses of a training on the way; empty if it failed."""
    return tuple(value for name, value in sorted(outcome.measures.items()) if name.startswith("curve_"))


@dataclass(frozen=True)
class ContenderResult:
    """A contender on one task at one length.

    Attributes:
        contender: the optimizer.
        tuning: its tuning, done.
        finals: the outcome of its best point with each final seed, on held-out data; empty if no point could be
            trained.
        error: why a training failed, of the latest that did; None if none did.
    """

    contender: Contender
    tuning: KnobTuning
    finals: tuple[Outcome, ...] = ()
    error: str | None = None

    @property
    def losses(self) -> tuple[float, ...]:
        """The final held-out losses; infinite where a training failed. Empty if no point could be trained."""
        return tuple(map(loss_of, self.finals))

    @property
    def curves(self) -> tuple[tuple[float, ...], ...]:
        """The losses on the way with each final seed."""
        return tuple(map(curve_of, self.finals))

    @property
    def mean(self) -> float | None:
        """The mean of the finite final losses; None if there are none."""
        finite = [loss for loss in self.losses if isfinite(loss)]
        return fmean(finite) if finite else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation of the finite final losses; None for fewer than two."""
        finite = [loss for loss in self.losses if isfinite(loss)]
        return stdev(finite) if len(finite) > 1 else None

    @property
    def failed(self) -> float | None:
        """The share of final trainings that diverged or failed; None without any."""
        return sum(not isfinite(loss) for loss in self.losses) / len(self.losses) if self.losses else None


@dataclass(frozen=True)
class Cell:
    """All contenders on one task at one length.

    Attributes:
        task, length: of the cell.
        steps: steps of a training.
        curve_steps: the steps after which losses of a curve were measured.
        results: one for each contender.
        reference: index into `results` of the baseline with the lowest loss in its tuning or, on a leaderboard, of the
            yardstick; None if no baseline could be trained.
        target: the median final loss of the reference, over seeds that are used for nothing else; None without a
            reference, before it is measured, or if it is not finite.
    """

    task: str
    length: float
    steps: int
    curve_steps: tuple[int, ...]
    results: tuple[ContenderResult, ...]
    reference: int | None
    target: float | None = None

    def steps_to_target(self, place: int) -> float | None:
        """The steps within which half of the trainings of a contender reach the target; infinite if fewer do, None
        without a target or without final trainings."""
        curves = self.results[place].curves
        if self.target is None or not curves:
            return None
        return median_low(steps_to(curve, self.curve_steps, self.target) for curve in curves)

    def speed_ups(self, place: int) -> tuple[float, ...]:
        """The speed-up of a contender over the reference with each final seed; empty without a target. A contender of
        which no point could be trained failed with each seed."""
        if self.target is None or self.reference is None:
            return ()
        curves = self.results[self.reference].curves
        reference = median_curve(curves)
        own = self.results[place].curves or ((),) * len(curves)
        return tuple(speed_up(curve, reference, self.curve_steps, self.target) for curve in own)

    def paired_losses(self, place: int, other: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The final losses of two contenders, paired by seed. A contender of which no point could be trained failed
        with each seed; both are empty if that is so of both."""
        ours, theirs = self.results[place].losses, self.results[other].losses
        return ours or (inf,) * len(theirs), theirs or (inf,) * len(ours)


@dataclass(frozen=True)
class Pair:
    """The verdict on a judged contender beside another, by their places."""

    place: int
    other: int
    verdict: Verdict


@dataclass(frozen=True)
class TunedComparison:
    """The result of a tuned comparison.

    Attributes:
        contenders: all contenders; the judged ones come first.
        cells: one for each task and length of training, with results in the order of `contenders`.
        pairs: the verdicts on judged contenders.
        seeds: number of final seeds.
        microseconds: by task, the time of one update step of each contender, None where it was not measured; empty for
            a leaderboard.
    """

    contenders: tuple[Contender, ...]
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]
    seeds: int
    microseconds: dict[str, tuple[float | None, ...]]
