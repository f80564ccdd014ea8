"""The progress of a search: its counts and its best individual, from the outcomes in the order in which they come."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from germline.evaluators.outcome import Outcome
from germline.search.fold import ScoreKey
from germline.search.individual import Individual, Scored


@dataclass(frozen=True)
class Progress:
    """The state of a search; yielded whenever outcomes were recorded and whenever a block is complete.

    Args:
        births: the number of births, from the beginning of the run.
        evaluations: the number of evaluations, reviews included.
        cache_hits: the number of births that share an earlier outcome.
        reviews: the number of reviews.
        failures: number of evaluations by status, without ok.
        best: the individual with the highest fitness at rung 0; None without an ok outcome.
        start: outcome of birth 0; None before it is known.
        new_best: True if this event brought a new best.
        complete: the block that this event completes, or None.
        replayed: births that were read from the records of an earlier session.
        dead_share: share of dead parts in the genomes of the last block that was bred; None before a block was bred.
        winner: the individual that the strategy would hand over; None without any.
        rejected: genomes that broke a limit of the space and were never scored.
        frames: frames that policies have played, reviews included.
        unscored: at the end, the number of births of earlier sessions that have no outcome, because the budget ends
            before their blocks.
        reviewing: reviews whose outcomes the search waits for.
    """

    births: int = 0
    evaluations: int = 0
    cache_hits: int = 0
    reviews: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    best: Scored | None = None
    start: Outcome | None = None
    new_best: bool = False
    complete: int | None = None
    replayed: int = 0
    dead_share: float | None = None
    winner: Individual | None = None
    rejected: int = 0
    frames: int = 0
    unscored: int = 0
    reviewing: int = 0


class Tally:
    """The counts behind `Progress`. The order of outcomes within a block does not change them."""

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        failures: Mapping[str, int] | None = None,
        best: Scored | None = None,
        start: Scored | None = None,
    ) -> None:
        self.counts = Counter(counts or {})
        self.failures = Counter(failures or {})
        self.best = best
        self.start = start

    def settled(
        self,
        uncounted: Sequence[tuple[Scored, bool]],
        in_flight: Sequence[Sequence[Individual]],
        outcomes: Mapping[ScoreKey, Outcome],
    ) -> "Tally":
        """The tally of the complete blocks alone. Its `best` may be of a block in flight, which is counted later.

        Args:
            uncounted: outcomes that are not in this tally yet; True for those of reviews.
            in_flight: the individuals of the blocks in flight, whose counts are taken out.
            outcomes: every outcome that is known.
        """
        whole, others = Tally(self.counts, self.failures, self.best, self.start), Tally()
        for scored, review in uncounted:
            whole.add_outcome(scored.individual, scored.outcome, review)
        for individuals in in_flight:
            others.add_births(individuals)
            for individual in individuals:
                outcome = outcomes.get((individual.fingerprint, 0, 0))
                if individual.cached_from is None and outcome is not None:
                    others.add_outcome(individual, outcome, review=False)
        return Tally(whole.counts - others.counts, whole.failures - others.failures, whole.best, whole.start)

    def add_births(self, individuals: Sequence[Individual]) -> None:
        """Counts the births of a block, the cache hits among them, and the genomes that were rejected before them."""
        self.counts["births"] += len(individuals)
        self.counts["cache_hits"] += sum(individual.cached_from is not None for individual in individuals)
        self.counts["rejected"] += sum(individual.rejected for individual in individuals)

    def add_outcome(self, individual: Individual, outcome: Outcome, review: bool) -> None:
        """Counts an evaluation; the outcome of a review changes neither `best` nor `start`."""
        self.counts["evaluations"] += 1
        self.counts["frames"] += frames_of(outcome)
        if outcome.status != "ok":
            self.failures[outcome.status] += 1
        if review:
            self.counts["reviews"] += 1
            return
        scored = Scored(individual, outcome)
        if individual.birth == 0:
            self.start = scored
        if outcome.fitness is not None and (self.best is None or _beats(scored, self.best)):
            self.best = scored

    def progress(
        self,
        *,
        winner: Individual | None,
        replayed: int,
        dead_share: float | None,
        new_best: bool = False,
        complete: int | None = None,
        unscored: int = 0,
        reviewing: int = 0,
    ) -> Progress:
        """The progress by the present counts."""
        return Progress(
            births=self.counts["births"],
            evaluations=self.counts["evaluations"],
            cache_hits=self.counts["cache_hits"],
            reviews=self.counts["reviews"],
            failures=dict(self.failures),
            best=self.best,
            start=self.start.outcome if self.start else None,
            new_best=new_best,
            complete=complete,
            replayed=replayed,
            dead_share=dead_share,
            winner=winner,
            rejected=self.counts["rejected"],
            frames=self.counts["frames"],
            unscored=unscored,
            reviewing=reviewing,
        )


def frames_of(outcome: Outcome) -> int:
    """Frames that a policy played: the measure `frames`. 0 if it is missing or not finite; tasks of other kinds may
    have a measure of this name."""
    frames = outcome.measures.get("frames", 0.0)
    return int(frames) if isfinite(frames) else 0


def _beats(scored: Scored, other: Scored) -> bool:
    """True if the fitness is higher or, of equals, the birth earlier, so that the order of packs does not matter."""
    assert scored.fitness is not None and other.fitness is not None
    return (scored.fitness, -scored.individual.birth) > (other.fitness, -other.individual.birth)
