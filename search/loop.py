"""The block loop: one loop for every kind of genome.

Births are numbered and come in blocks. Block k is bred from the state after block k - 1 - depth, so that with depth 1
the workers have the next block while the last stragglers of this one finish. Births are recorded before they are
scored, and outcomes together with the winner of the block that they complete. The state is a fold over those records
(`germline.search.fold`): a resumed run reads them, folds them, and goes on where the first record is missing. Nothing
in the loop depends on time or on which job finishes first.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Any, Protocol

import numpy as np

from germline.db.records import Winner
from germline.evaluators.executors.executor import Executor, Job
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome
from germline.programs.space import Space
from germline.search.fold import Fold, ScoreKey, fold_block, fold_closing, review_key, winner_of
from germline.search.individual import Individual, Review, Scored
from germline.search.strategy import Strategy


class Journal(Protocol):
    """The records of a run. What a method was given is safe when it returns: all of it, or nothing if it raises."""

    def births(self) -> Iterable[Individual]:
        """Every recorded individual, in birth order."""
        ...

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        """Every recorded outcome."""
        ...

    def blocks_with_winner(self) -> Iterable[int]:
        """The complete blocks whose winner is recorded."""
        ...

    def record_births(self, individuals: Sequence[Individual]) -> None:
        """Records individuals, which follow the last recorded birth."""
        ...

    def record_outcomes(self, scored: Sequence[Scored], rung: int, seed: int, winners: Sequence[Winner]) -> None:
        """Records outcomes and, in the same transaction, the winners of the blocks that they complete."""
        ...

    def record_winners(self, winners: Sequence[Winner]) -> None:
        """Records winners alone."""
        ...


class SearchFailed(RuntimeError):
    """The search cannot go on: everything it scores fails."""


@dataclass(frozen=True)
class LoopSettings:
    """How a run is divided into blocks and packs; all of it changes the lineage, none of it depends on the machine.

    Args:
        seed: of the whole run.
        block: births a block.
        depth: blocks in flight beyond the one that is scored (0: generational).
        pack: genomes scored together.
        max_failures: the search stops when so many scorings in a row have failed.
        review_pack: genomes of reviews scored together, which may take much longer; 0: as many as `pack`.
    """

    seed: int
    block: int = 64
    depth: int = 1
    pack: int = 16
    max_failures: int = 50
    review_pack: int = 0


@dataclass(frozen=True)
class Progress:
    """The state of a search; yielded whenever outcomes were recorded and whenever a block is complete.

    Args:
        births, evaluations, cache_hits, reviews: counts from the beginning of the run.
        failures: evaluations by status, without ok.
        best: the fittest individual at rung 0.
        start: outcome of birth 0.
        new_best: True if this event brought a new best.
        complete: the block that this event completes, or None.
        replayed: births that were read from the records of an earlier session.
        dead_share: share of dead parts in the genomes of the last block that was bred.
        winner: the individual that the strategy would hand over.
        rejected: genomes that broke a limit of the space and were never scored.
        frames: frames that policies have played, reviews included.
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


@dataclass
class _OpenBlock:
    """A block that is under way, or the closing of a session (`closing`, numbered as the next block would be).

    `jobs` are at the executor: those of its births first, then those of each round of `reviews`. `fold` is its part of
    the strategy's fold, None until its births have outcomes and all earlier blocks are complete.
    """

    number: int
    individuals: Sequence[Individual]
    closing: bool = False
    jobs: int = 0
    fold: Fold[Any] | None = None
    reviews: Sequence[Review] = ()
    done: bool = False


def rng_for(seed: int, birth: int) -> np.random.Generator:
    """The random generator of a birth in a run with this seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(birth,)))


class Search:
    """One run of a strategy over a space. Iterate over `events()`, and stop at any event.

    Args:
        space, strategy: what is searched and how.
        executor: scores jobs; the search submits to it and leaves it open.
        journal: where births, outcomes and winners are recorded and read back from.
        settings: how the run is divided into blocks and packs.
    """

    def __init__(
        self, space: Space[Any], strategy: Strategy[Any], executor: Executor, journal: Journal, settings: LoopSettings
    ) -> None:
        self.space = space
        self.strategy = strategy
        self.executor = executor
        self.journal = journal
        self.settings = settings
        self.rng_for = partial(rng_for, settings.seed)
        self.recorded = deque(journal.births())
        self.outcomes: dict[ScoreKey, Outcome] = dict(journal.outcomes())
        self.blocks_with_winner = set(journal.blocks_with_winner())
        self.replayed = len(self.recorded)
        self.first_with: dict[str, int] = {}
        self.state = strategy.init()
        self.winner: Individual | None = None
        self.complete_blocks = 0
        self.cut_short: Sequence[Individual] = ()
        self.open_blocks: deque[_OpenBlock] = deque()
        self.under_way: dict[tuple[int, ...], tuple[_OpenBlock, Sequence[Individual]]] = {}
        self.unrecorded: list[Winner] = []
        self.counts = Counter[str]()
        self.failures = Counter[str]()
        self.failed_in_a_row = 0
        self.best: Scored | None = None
        self.start: Outcome | None = None
        self.dead_share: float | None = None
        self.spent_evaluations = 0
        self.spent_frames = 0

    def events(
        self, births: int | None = None, evaluations: int | None = None, frames: int | None = None
    ) -> Iterator[Progress]:
        """Runs the search until `births` are born and scored, or begins no block after so many `evaluations` or after
        policies have played so many `frames`.

        All count from the beginning of the run; None means without end. Evaluations and frames are counted when a block
        is complete, so a run may overshoot by the blocks in flight, and by the same ones for any number of workers.
        Reviews count, but not those of the closing.

        Raises:
            SearchFailed: nothing can be scored; the message holds the last cause.
        """
        number = 0
        while True:
            while (
                len(self.open_blocks) <= self.settings.depth
                and (births is None or number * self.settings.block < births)
                and (evaluations is None or self.spent_evaluations < evaluations)
                and (frames is None or self.spent_frames < frames)
            ):
                self._open_block(number, births)
                number += 1
            if not self.open_blocks:
                self.open_blocks.append(_OpenBlock(number, self.cut_short, closing=True))
                yield from self._finish_first()
                yield self._progress()
                return
            yield from self._finish_first()
            yield self._progress(complete=self.open_blocks.popleft().number)

    def _open_block(self, number: int, births: int | None) -> None:
        """Breeds a block from the present state, or takes it from the records, and submits its packs."""
        first = number * self.settings.block
        last = first + self.settings.block if births is None else min(first + self.settings.block, births)
        individuals = []
        fresh: list[Individual] = []
        sizes: list[tuple[int, int]] = []
        for birth in range(first, last):
            if self.recorded and self.recorded[0].birth == birth:
                individual = self.recorded.popleft()
            else:
                individual, size = self._breed(birth, number)
                fresh.append(individual)
                sizes.append(size)
            self.first_with.setdefault(individual.fingerprint, birth)
            individuals.append(individual)
        if fresh:
            self.journal.record_births(fresh)
            self.dead_share = 1.0 - sum(acting for _, acting in sizes) / max(1, sum(parts for parts, _ in sizes))
        self.counts["births"] += len(individuals)
        self.counts["cache_hits"] += sum(individual.cached_from is not None for individual in individuals)
        self.counts["rejected"] += sum(individual.rejected for individual in individuals)
        block = _OpenBlock(number, individuals)
        self.open_blocks.append(block)
        self._submit(block, _without_cache_hits(individuals), 0, 0, self.strategy.limit(self.state))

    def _breed(self, birth: int, number: int) -> tuple[Individual, tuple[int, int]]:
        """A new individual, and how many parts its genome has and how many of them act."""
        proposal = self.strategy.breed(self.state, birth, self.rng_for)
        fingerprint = self.space.fingerprint(proposal.genome)
        individual = Individual(
            birth,
            number,
            proposal.parents,
            proposal.operator,
            self.space.write(proposal.genome),
            fingerprint,
            cached_from=self.first_with.get(fingerprint),
            rejected=proposal.rejected,
        )
        return individual, self.space.sizes(proposal.genome)

    def _submit(
        self, block: _OpenBlock, individuals: Sequence[Individual], rung: int, seed: int, limit: Limit | None = None
    ) -> None:
        """Submits packs in birth order, leaving out individuals whose outcome is recorded already."""
        size = self.settings.pack if (rung, seed) == (0, 0) else self.settings.review_pack or self.settings.pack
        for place in range(0, len(individuals), size):
            missing = []
            for individual in individuals[place : place + size]:
                outcome = self.outcomes.get((individual.fingerprint, rung, seed))
                if outcome is None:
                    missing.append(individual)
                else:
                    self._count(individual, outcome, rung, seed)
            if missing:
                genomes = tuple(individual.genome for individual in missing)
                job = Job((block.number, rung, seed, place), genomes, rung, seed, limit)
                self.under_way[job.key] = block, missing
                self.executor.submit(job)
                block.jobs += 1

    def _finish_first(self) -> Iterator[Progress]:
        """Receives jobs until the first open block is done; its winner is recorded by then."""
        block = self.open_blocks[0]
        self._advance(block)
        while not block.done:
            yield self._receive()
        # Winners that came with no outcome are recorded alone; while records are replayed they wait for each other.
        if self.unrecorded and (block.closing or not self.recorded):
            self.journal.record_winners(self._taken_winners())

    def _receive(self) -> Progress:
        """Waits for a job, and records its outcomes with the winner of the block that they complete."""
        before = self.best
        job, outcomes = self.executor.next()
        block, individuals = self.under_way.pop(job.key)
        block.jobs -= 1
        scored = [Scored(*pair) for pair in zip(individuals, outcomes, strict=True)]
        for each in scored:
            self.outcomes[each.individual.fingerprint, job.rung, job.seed] = each.outcome
        self._advance(self.open_blocks[0])
        self.journal.record_outcomes(scored, job.rung, job.seed, self._taken_winners())
        for each in scored:
            self._count(each.individual, each.outcome, job.rung, job.seed)
            self._check_failures(each.outcome)
        return self._progress(new_best=self.best is not before)

    def _advance(self, block: _OpenBlock) -> None:
        """Advances the fold of the first open block as far as outcomes are known, submitting the reviews it needs."""
        while not (block.jobs or block.done):
            if block.fold is None:
                if not block.closing:
                    self._spend(block.individuals)
                if not block.closing and len(block.individuals) < self.settings.block:
                    # A budget cut it short. A later session may complete it, so it does not enter the state.
                    self.cut_short = block.individuals
                    block.done = True
                    return
                fold = fold_closing if block.closing else fold_block
                block.fold = fold(self.strategy, self.state, block.individuals, self.outcomes)
            elif not block.closing:
                self.spent_frames += sum(_frames(self.outcomes[review_key(review)]) for review in block.reviews)
            try:
                block.reviews = next(block.fold)
            except StopIteration as end:
                self._complete(block, end.value)
                return
            if not block.closing:
                self.spent_evaluations += len(block.reviews)
            self._submit_reviews(block)

    def _complete(self, block: _OpenBlock, state: Any) -> None:
        """Takes the state after a block, and notes its winner to be recorded unless it is."""
        block.done = True
        self.winner = winner_of(self.strategy, state, self.outcomes)
        if not block.closing:
            self.state = state
            self.complete_blocks += 1
        winner = Winner(self.complete_blocks - 1, self.winner.birth if self.winner else None, block.closing)
        if winner.closing or winner.block not in self.blocks_with_winner:
            self.unrecorded.append(winner)

    def _submit_reviews(self, block: _OpenBlock) -> None:
        """Submits the reviews that a block needs, level by level."""
        levels = dict.fromkeys((review.rung, review.seed) for review in block.reviews)
        for rung, seed in levels:
            individuals = [review.individual for review in block.reviews if (review.rung, review.seed) == (rung, seed)]
            self._submit(block, individuals, rung, seed)

    def _spend(self, individuals: Sequence[Individual]) -> None:
        """Counts the births of a block against the budget."""
        scored = _without_cache_hits(individuals)
        self.spent_evaluations += len(scored)
        self.spent_frames += sum(_frames(self.outcomes[individual.fingerprint, 0, 0]) for individual in scored)

    def _taken_winners(self) -> list[Winner]:
        """The winners that are not recorded yet; the caller records them."""
        winners, self.unrecorded = self.unrecorded, []
        return winners

    def _count(self, individual: Individual, outcome: Outcome, rung: int, seed: int) -> None:
        self.counts["evaluations"] += 1
        self.counts["frames"] += _frames(outcome)
        if outcome.status != "ok":
            self.failures[outcome.status] += 1
        if (rung, seed) != (0, 0):
            self.counts["reviews"] += 1
            return
        if individual.birth == 0:
            self.start = outcome
        scored = Scored(individual, outcome)
        if outcome.fitness is not None and (self.best is None or _beats(scored, self.best)):
            self.best = scored

    def _check_failures(self, outcome: Outcome) -> None:
        """Ends a search in which everything fails, with the cause, rather than let it go on for ever."""
        if outcome.status in ("diverged", "rejected") and self.best is not None:
            return  # the genome's own fault: scoring works
        self.failed_in_a_row = 0 if outcome.status == "ok" else self.failed_in_a_row + 1
        broken = outcome.status in ("crashed", "timeout", "oom") or self.best is None
        if broken and self.failed_in_a_row >= self.settings.max_failures:
            raise SearchFailed(
                f"the last {self.failed_in_a_row} scorings failed ({_failures_text(self.failures)}); "
                f"the last one: {outcome.error or outcome.status}"
            )

    def _progress(self, new_best: bool = False, complete: int | None = None) -> Progress:
        return Progress(
            births=self.counts["births"],
            evaluations=self.counts["evaluations"],
            cache_hits=self.counts["cache_hits"],
            reviews=self.counts["reviews"],
            failures=dict(self.failures),
            best=self.best,
            start=self.start,
            new_best=new_best,
            complete=complete,
            replayed=self.replayed,
            dead_share=self.dead_share,
            winner=self.winner,
            rejected=self.counts["rejected"],
            frames=self.counts["frames"],
        )


def _without_cache_hits(individuals: Sequence[Individual]) -> list[Individual]:
    return [individual for individual in individuals if individual.cached_from is None]


def _beats(scored: Scored, other: Scored) -> bool:
    """True if the fitness is higher or, of equals, the birth earlier, so that the order of packs does not matter."""
    assert scored.fitness is not None and other.fitness is not None
    return (scored.fitness, -scored.individual.birth) > (other.fitness, -other.individual.birth)


def _frames(outcome: Outcome) -> int:
    """Frames that a policy played; 0 for other kinds, whose tasks may measure under that name what is no count."""
    frames = outcome.measures.get("frames", 0.0)
    return int(frames) if isfinite(frames) else 0


def _failures_text(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(failures.items()))
