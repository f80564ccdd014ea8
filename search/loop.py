"""The block loop: one loop for every kind of genome.

Births are numbered and come in blocks. Block k is bred from the state after block k - 1 - depth, so that with depth 1
the workers have the next block while the last stragglers of this one finish. Births are recorded before they are
scored, and outcomes together with the winner of the block that they complete. The state is a fold over those records
(`germline.search.fold`): a resumed run reads them, folds them, and goes on where the first record is missing. Nothing
in the loop depends on time or on which job finishes first.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from germline.db.records import Winner
from germline.evaluators.executors.executor import Executor, Job
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome
from germline.programs.space import Space
from germline.search.failures import FailureLimit
from germline.search.fold import Fold, ScoreKey, fold_block, fold_closing, review_key, winner_of
from germline.search.individual import Individual, Review, Scored
from germline.search.journal import Journal
from germline.search.progress import Progress, Tally, frames_of
from germline.search.strategy import Strategy


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
        self.tally = Tally()
        self.failure_limit = FailureLimit(settings.max_failures)
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
        self.tally.add_births(individuals)
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
                    self.tally.add_outcome(individual, outcome, (rung, seed) != (0, 0))
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
            self.journal.record_winners(self._take_winners())

    def _receive(self) -> Progress:
        """Waits for a job, and records its outcomes with the winner of the block that they complete."""
        before = self.tally.best
        job, outcomes = self.executor.next()
        block, individuals = self.under_way.pop(job.key)
        block.jobs -= 1
        scored = [Scored(*pair) for pair in zip(individuals, outcomes, strict=True)]
        for each in scored:
            self.outcomes[each.individual.fingerprint, job.rung, job.seed] = each.outcome
        self._advance(self.open_blocks[0])
        self.journal.record_outcomes(scored, job.rung, job.seed, self._take_winners())
        for each in scored:
            self.tally.add_outcome(each.individual, each.outcome, (job.rung, job.seed) != (0, 0))
            self.failure_limit.check(each.outcome, self.tally.best is not None, self.tally.failures)
        return self._progress(new_best=self.tally.best is not before)

    def _advance(self, block: _OpenBlock) -> None:
        """Advances the fold of the first open block as far as outcomes are known, submitting the reviews it needs."""
        while not (block.jobs or block.done):
            if block.fold is None:
                block.fold = self._fold_of(block)
                if block.fold is None:
                    block.done = True
                    return
            elif not block.closing:
                self.spent_frames += sum(frames_of(self.outcomes[review_key(review)]) for review in block.reviews)
            try:
                block.reviews = next(block.fold)
            except StopIteration as end:
                self._complete(block, end.value)
                return
            if not block.closing:
                self.spent_evaluations += len(block.reviews)
            self._submit_reviews(block)

    def _fold_of(self, block: _OpenBlock) -> Fold[Any] | None:
        """The fold of a block whose births have outcomes; None if a budget cut the block short.

        A later session may complete such a block, so it does not enter the state.
        """
        if block.closing:
            return fold_closing(self.strategy, self.state, block.individuals, self.outcomes)
        self._spend(block.individuals)
        if len(block.individuals) < self.settings.block:
            self.cut_short = block.individuals
            return None
        return fold_block(self.strategy, self.state, block.individuals, self.outcomes)

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
        self.spent_frames += sum(frames_of(self.outcomes[individual.fingerprint, 0, 0]) for individual in scored)

    def _take_winners(self) -> list[Winner]:
        """Returns the winners that are not recorded yet, for the caller to record."""
        winners, self.unrecorded = self.unrecorded, []
        return winners

    def _progress(self, new_best: bool = False, complete: int | None = None) -> Progress:
        return self.tally.progress(
            winner=self.winner,
            replayed=self.replayed,
            dead_share=self.dead_share,
            new_best=new_best,
            complete=complete,
        )


def _without_cache_hits(individuals: Sequence[Individual]) -> list[Individual]:
    return [individual for individual in individuals if individual.cached_from is None]
