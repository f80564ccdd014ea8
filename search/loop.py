"""The block loop: one loop for every kind of genome.

Births are numbered and come in blocks. Block k is bred from the state after block k - 1 - depth, so that with depth 1
the workers have the next block while the last stragglers of this one finish. Births are recorded before they are
scored, and outcomes together with the winner of the block that they complete. The state is a fold over those records
(`germline.search.fold`): a resumed run reads them, folds them, and goes on where the first record is missing. From time
to time a snapshot of the state is recorded, so that only the blocks after it are read and folded. Nothing in the loop
depends on time or on which job finishes first.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from germline.db.errors import unreadable_row
from germline.db.records import Snapshot, Winner
from germline.evaluators.executors.caller_executor import CallerExecutor
from germline.evaluators.executors.executor import Executor, Job
from germline.evaluators.hurdle import Limit
from germline.programs.space import Space
from germline.search import snapshot
from germline.search.failures import FailureLimit
from germline.search.fold import Fold, fold_block, fold_closing, review_key, winner_of
from germline.search.individual import Individual, Review, Scored
from germline.search.journal import Journal
from germline.search.known_outcomes import KnownOutcomes
from germline.search.progress import Progress, Tally, frames_of
from germline.search.proposers.asking import Asking, Cap, Facts
from germline.search.proposers.operator import Operator
from germline.search.snapshot import SearchState
from germline.search.strategy import Strategy

SNAPSHOT_EVERY = 4096
"""Births between two snapshots: a resume folds about as many at most, in a fraction of a second."""


@dataclass(frozen=True)
class LoopSettings:
    """How a run is divided into blocks and packs. The lineage depends on all of it but `max_failures`.

    Args:
        seed: of the whole run.
        block: births in a block.
        depth: blocks in flight beyond the one that is scored (0: generational).
        pack: genomes scored together.
        max_failures: the search stops when so many scorings in a row have failed.
        review_pack: genomes scored together in a review, which may take much longer; 0: as many as `pack`.
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

    `jobs` is the number of its jobs at the executor, for its births or a round of `reviews`. `fold` is its part of
    the strategy's fold, None until its births have outcomes and all earlier blocks are complete. `limit` is its
    early-stopping threshold.
    """

    number: int
    individuals: Sequence[Individual]
    closing: bool = False
    jobs: int = 0
    fold: Fold[Any] | None = None
    reviews: Sequence[Review] = ()
    done: bool = False
    limit: Limit | None = None


def rng_for(seed: int, birth: int) -> np.random.Generator:
    """The random generator of a birth in a run with this seed: that of `SeedSequence(seed, spawn_key=(birth,))`."""
    from germline.programs.seed_sequences import generator  # imports Numba, which listing kinds does not need

    return generator(seed, birth)


class Search:
    """One run of a strategy over a space. Iterate over `events()`, and stop at any event.

    Args:
        space, strategy: what is searched and how.
        executor: scores jobs; the search submits to it and leaves it open. While the caller has to score, the search
            yields its progress again and again.
        journal: where births, outcomes and winners are recorded and read back from.
        settings: how the run is divided into blocks and packs.
        snapshot_every: births between two snapshots.
        operators, caps, facts: operators from outside, see `Asking`; None: all that they proposed is recorded.
    """

    def __init__(
        self,
        space: Space[Any],
        strategy: Strategy[Any],
        executor: Executor | CallerExecutor,
        journal: Journal,
        settings: LoopSettings,
        snapshot_every: int = SNAPSHOT_EVERY,
        operators: Mapping[str, Operator] | None = None,
        caps: Mapping[str, Cap] | None = None,
        facts: Facts | None = None,
    ) -> None:
        self.space = space
        self.strategy = strategy
        self.executor = executor
        self.journal = journal
        self.settings = settings
        self.rng_for = partial(rng_for, settings.seed)
        self.snapshot_every = snapshot_every
        self.records_read = False
        self.recorded: deque[Individual] = deque()
        self.known = KnownOutcomes(journal)
        self.outcomes = self.known.outcomes
        self.asking = Asking(space, journal, self.known, operators or {}, caps or {}, facts or Facts())
        self.blocks_with_winner: set[int] = set()
        self.replayed = 0
        self.state = strategy.init()
        self.winner: Individual | None = None
        self.complete_blocks = 0
        self.snapshot_block = -1
        self.restored_limits: deque[Limit | None] = deque()
        self.cut_short: Sequence[Individual] = ()
        self.open_blocks: deque[_OpenBlock] = deque()
        self.under_way: dict[tuple[int, ...], tuple[_OpenBlock, Sequence[Individual]]] = {}
        self.unrecorded: list[Winner] = []
        self.unrecorded_snapshot: Snapshot | None = None
        self.uncounted: Sequence[tuple[Scored, bool]] = ()
        """Outcomes that are being recorded, and are not in the tally yet, each with True if it is of a review."""
        self.tally = Tally()
        self.failure_limit = FailureLimit(settings.max_failures)
        self.dead_share: float | None = None
        self.spent_evaluations = 0
        self.spent_frames = 0

    def events(
        self, births: int | None = None, evaluations: int | None = None, frames: int | None = None
    ) -> Iterator[Progress]:
        """Runs the search; yields its progress whenever outcomes are recorded or a block is complete, and at the end.

        Args:
            births: the search ends when so many births are born and scored; the last block may be cut short.
            evaluations: no block begins after so many evaluations.
            frames: no block begins after policies have played so many frames.

        All count from the beginning of the run; None means no limit. Evaluations and frames are counted when a block is
        complete, so a run exceeds them by the blocks in flight, which are the same for any number of workers. Reviews
        count, but not those of the closing.

        Raises:
            SearchFailed: `max_failures` scorings in a row have failed; the message holds the last cause.
        """
        self.read_records(evaluations, frames)
        number = self.complete_blocks
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
                yield self._progress(unscored=self._unscored())
                return
            yield from self._finish_first()
            yield self._progress(complete=self.open_blocks.popleft().number)

    def read_records(self, evaluations: int | None, frames: int | None) -> None:
        """Reads the records of earlier sessions, once: those after the last snapshot or, without one, all.

        The budgets are those of `events`. A search whose budget ends before the snapshot folds all blocks instead.
        """
        if self.records_read:
            return
        self.records_read = True
        saved = snapshot.restore(self.journal, self.known, self.strategy.state_classes)
        if saved is None or not saved.within(evaluations, frames):
            self.recorded.extend(self.journal.births())
            self.known.read_all()
            self.blocks_with_winner.update(self.journal.blocks_with_winner())
            self.replayed = len(self.recorded)
            return
        self.complete_blocks = saved.block + 1
        first = self.complete_blocks * self.settings.block
        self.snapshot_block = saved.block
        self.state, self.winner = saved.state, saved.winner
        self.restored_limits.extend(saved.limits)
        self.spent_evaluations, self.spent_frames = saved.evaluations, saved.frames
        self.tally = Tally(saved.counts, saved.failures, saved.best, saved.start)
        self.recorded.extend(self.journal.births(first))
        self.known.meet(individual.fingerprint for individual in self.recorded)
        self.blocks_with_winner.update(self.journal.blocks_with_winner(self.complete_blocks))
        self.replayed = first + len(self.recorded)

    def _open_block(self, number: int, births: int | None) -> None:
        """Takes a block from the records, breeds from the present state what is missing, and submits its packs."""
        first = number * self.settings.block
        last = first + self.settings.block if births is None else min(first + self.settings.block, births)
        by_birth: dict[int, Individual] = {}
        while self.recorded and self.recorded[0].birth < last:
            individual = self.recorded.popleft()
            by_birth[individual.birth] = individual
            first_birth = self.known.first_births.setdefault(individual.fingerprint, individual.birth)
            if individual.cached_from is not None and first_birth == individual.birth:
                why = f"its outcome is that of birth {individual.cached_from}, which has another fingerprint"
                raise unreadable_row(f"birth {individual.birth}", why)
        if missing := [birth for birth in range(first, last) if birth not in by_birth]:
            by_birth |= {individual.birth: individual for individual in self._breed(missing, number)}
        individuals = [by_birth[birth] for birth in range(first, last)]
        self.tally.add_births(individuals)
        limit = self.restored_limits.popleft() if self.restored_limits else self.strategy.limit(self.state)
        block = _OpenBlock(number, individuals, limit=limit)
        self.open_blocks.append(block)
        self._submit(block, _without_cache_hits(individuals), 0, 0, limit)

    def _breed(self, births: Sequence[int], number: int) -> list[Individual]:
        """Breeds these births of block `number` from the present state, and records the individuals."""
        bred = [self.strategy.breed(self.state, birth, self.rng_for) for birth in births]
        proposals = self.asking.settled(births, bred)
        fingerprints = [self.space.fingerprint(proposal.genome) for proposal in proposals]
        self.known.meet(fingerprints)
        individuals = []
        for birth, proposal, fingerprint in zip(births, proposals, fingerprints, strict=True):
            cached_from = self.known.first_births.get(fingerprint)
            self.known.first_births.setdefault(fingerprint, birth)
            genome, origin = self.space.write(proposal.genome), (proposal.parents, proposal.operator)
            individuals.append(Individual(birth, number, *origin, genome, fingerprint, cached_from, proposal.rejected))
        self.journal.record_births(individuals)
        sizes = [self.space.sizes(proposal.genome) for proposal in proposals]
        self.dead_share = 1.0 - sum(acting for _, acting in sizes) / max(1, sum(parts for parts, _ in sizes))
        return individuals

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
                births = tuple(individual.birth for individual in missing)
                job = Job((block.number, rung, seed, place), genomes, rung, seed, limit, births)
                self.under_way[job.key] = block, missing
                self.executor.submit(job)
                block.jobs += 1

    def _finish_first(self) -> Iterator[Progress]:
        """Receives jobs until the first open block is done, and yields the progress after each.

        The winner of the block is recorded by then; while records are replayed it may be recorded later. A block that a
        budget cut short has no winner.
        """
        block = self.open_blocks[0]
        self._advance(block)
        while not block.done:
            yield self._receive()
        # Winners that came with no outcome are recorded alone; while records are replayed they wait for each other.
        if self.unrecorded and (block.closing or not self.recorded):
            self.journal.record_winners(self._take_winners(), self._take_snapshot())

    def _receive(self) -> Progress:
        """Waits for a job, and records its outcomes with the winner of the block that they complete.

        Records nothing if the caller of the search has to act first.
        """
        before = self.tally.best
        received = self.executor.next()
        if received is None:
            return self._progress()
        job, outcomes = received
        block, individuals = self.under_way.pop(job.key)
        block.jobs -= 1
        scored = [Scored(*pair) for pair in zip(individuals, outcomes, strict=True)]
        for each in scored:
            self.outcomes[each.individual.fingerprint, job.rung, job.seed] = each.outcome
        review = (job.rung, job.seed) != (0, 0)
        self.uncounted = [(each, review) for each in scored]
        self._advance(self.open_blocks[0])
        self.uncounted = ()
        winners, snapshot = self._take_winners(), self._take_snapshot()
        self.journal.record_outcomes(scored, job.rung, job.seed, winners, snapshot)
        for each in scored:
            self.tally.add_outcome(each.individual, each.outcome, review)
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
        """Ends a block. Its winner is queued for recording unless it is recorded already; that of a closing always is.

        Unless the block is a closing, the search goes on from `state`, and a snapshot is prepared if one is due.
        """
        block.done = True
        self.winner = winner_of(self.strategy, state, self.outcomes)
        if not block.closing:
            self.state = state
            self.complete_blocks += 1
        winner = Winner(self.complete_blocks - 1, self.winner.birth if self.winner else None, block.closing)
        if winner.closing or winner.block not in self.blocks_with_winner:
            self.unrecorded.append(winner)
        if not block.closing:
            self._save_state(block)

    def _save_state(self, block: _OpenBlock) -> None:
        """If a snapshot is due after a complete block, prepares it for recording together with the block's winner.

        All blocks that were bred from earlier states must be in flight and whole, since a search that goes on from the
        snapshot could not breed them again.
        """
        in_flight = [each for each in self.open_blocks if each.number > block.number]
        due = (block.number - self.snapshot_block) * self.settings.block >= self.snapshot_every
        whole = all(len(each.individuals) == self.settings.block for each in in_flight)
        if not (due and whole and len(in_flight) == self.settings.depth and self.unrecorded) or self.recorded:
            return
        settled = self.tally.settled(self.uncounted, [each.individuals for each in in_flight], self.outcomes)
        state = SearchState(
            block.number,
            self.state,
            limits=tuple(each.limit for each in in_flight),
            winner=self.winner,
            evaluations=self.spent_evaluations,
            frames=self.spent_frames,
            counts=settled.counts,
            failures=settled.failures,
            best=settled.best,
            start=settled.start,
        )
        self.snapshot_block = block.number
        self.unrecorded_snapshot = snapshot.record(state, self.strategy.state_classes)

    def _submit_reviews(self, block: _OpenBlock) -> None:
        """Submits the reviews that a block needs; those of a rung and seed are packed together."""
        self.known.meet(review.individual.fingerprint for review in block.reviews)
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

    def _take_snapshot(self) -> Snapshot | None:
        """Returns the snapshot that is not recorded yet, for the caller to record."""
        snapshot, self.unrecorded_snapshot = self.unrecorded_snapshot, None
        return snapshot

    def _unscored(self) -> int:
        """The number of recorded births without an outcome in blocks that this session has not opened."""
        return sum((individual.fingerprint, 0, 0) not in self.outcomes for individual in self.recorded)

    def _reviewing(self) -> int:
        """The number of reviews that are submitted and have no outcome yet."""
        return sum(
            len(individuals)
            for (_, rung, seed, _), (_, individuals) in self.under_way.items()
            if (rung, seed) != (0, 0)
        )

    def _progress(self, new_best: bool = False, complete: int | None = None, unscored: int = 0) -> Progress:
        return self.tally.progress(
            winner=self.winner,
            replayed=self.replayed,
            dead_share=self.dead_share,
            new_best=new_best,
            complete=complete,
            unscored=unscored,
            reviewing=self._reviewing(),
        )


def _without_cache_hits(individuals: Sequence[Individual]) -> list[Individual]:
    return [individual for individual in individuals if individual.cached_from is None]
