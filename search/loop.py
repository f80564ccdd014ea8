"""The block loop: one loop for every kind of genome.

Births are numbered and come in blocks. Block k is bred from the state after block k - 1 - depth, so that with depth 1
the workers have the next block while the last stragglers of this one finish. What was bred and scored is recorded
before it counts, and the state is a fold over those records: a resumed run reads them, folds them, and goes on where
the first record is missing. Nothing in the loop depends on time or on who finishes first.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Any, Protocol

import numpy as np

from germline.evaluators.executors.executor import Executor, Job
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Review, Reviewed, Scored
from germline.search.strategy import Strategy

ScoreKey = tuple[str, int, int]
"""Fingerprint, rung and seed: what an outcome is known by within a run."""


class Journal(Protocol):
    """Where a run is recorded. What a method took is safe when it returns."""

    def births(self) -> Iterable[Individual]:
        """Everything recorded so far, in birth order."""
        ...

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]: ...

    def record_births(self, individuals: Sequence[Individual]) -> None: ...

    def record_outcomes(self, scored: Sequence[Scored], rung: int, seed: int) -> None: ...


class SearchFailed(RuntimeError):
    """The search cannot go on: everything it scores fails."""


@dataclass(frozen=True)
class LoopSettings:
    """How a run is cut up; all of it changes the lineage, none of it depends on the machine.

    Args:
        seed: of the whole run.
        block: births a block.
        depth: blocks in flight beyond the one that is scored (0: generational).
        pack: genomes scored together.
        review_pack: the same in reviews, which may take much longer; 0: as many.
        max_failures: the search stops when so many scorings in a row have failed.
    """

    seed: int
    block: int = 64
    depth: int = 1
    pack: int = 16
    max_failures: int = 50
    review_pack: int = 0


@dataclass(frozen=True)
class Progress:
    """What has happened so far; yielded whenever outcomes were recorded and whenever a block is complete.

    `best` is the fittest individual at rung 0, `start` the outcome of birth 0, `new_best` says whether this event
    brought a new best. `complete` is the number of the block that this event completes, or None.
    `replayed` births were read from the records of an earlier session. `dead_share` is the share of dead parts in the
    genomes of the last block that was bred, `winner` what the strategy would hand over. `rejected` genomes broke a
    limit of the space and were never scored. `frames` is how much policies have played in all, reviews included.
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
class _InFlight:
    """A block that is being scored: its births, and how many of its jobs are still out."""

    number: int
    individuals: tuple[Individual, ...]
    jobs: int = 0


def rng_for(seed: int, birth: int) -> np.random.Generator:
    """The generator of a birth."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(birth,)))


class Search:
    """One run of a strategy over a space. Iterate over `events()`, and stop whenever you like.

    Args:
        space, strategy: what is searched and how.
        executor: scores jobs; the search submits to it and leaves it open.
        journal: where births and outcomes are recorded and read back from.
        settings: how the run is cut up.
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
        self.replayed = len(self.recorded)
        self.first_with: dict[str, int] = {}
        self.in_flight: deque[_InFlight] = deque()
        self.state = strategy.init()
        self.counts = Counter[str]()
        self.failures = Counter[str]()
        self.failed_in_a_row = 0
        self.best: Scored | None = None
        self.start: Outcome | None = None
        self.under_way: dict[tuple[int, ...], list[Individual]] = {}
        self.dead_share: float | None = None
        self.completed = 0
        self.played = 0
        self.winner: Individual | None = None
        self.rest: Block | None = None

    def events(
        self, births: int | None = None, evaluations: int | None = None, frames: int | None = None
    ) -> Iterator[Progress]:
        """Runs the search until `births` are born and scored, or no block is begun after so many `evaluations`, or
        after policies have played so many `frames`.

        All count from the beginning of the run; None means without end. Evaluations and frames are looked at when a
        block is complete, so a run may overshoot by the blocks in flight, and by the same ones for any number of
        workers. Reviews count, but not those of the end.

        Raises:
            SearchFailed: nothing can be scored; the message holds the last cause.
        """
        number = 0
        while True:
            while (
                len(self.in_flight) <= self.settings.depth
                and (births is None or number * self.settings.block < births)
                and (evaluations is None or self.completed < evaluations)
                and (frames is None or self.played < frames)
            ):
                self._start_block(number, births)
                number += 1
            if not self.in_flight:
                yield from self._close(number)
                return
            block = self.in_flight[0]
            while block.jobs:
                yield self._receive()
            self.in_flight.popleft()
            yield from self._complete(block)

    def _start_block(self, number: int, births: int | None) -> None:
        """Breeds a block from the state as it is now, or takes it from the records, and hands out its packs."""
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
        self.counts["cache_hits"] += sum(one.cached_from is not None for one in individuals)
        self.counts["rejected"] += sum(one.rejected for one in individuals)
        block = _InFlight(number, tuple(individuals))
        self.in_flight.append(block)
        firsts = [one for one in individuals if one.cached_from is None]
        block.jobs = self._submit((number,), firsts, 0, 0, self.strategy.limit(self.state))

    def _breed(self, birth: int, number: int) -> tuple[Individual, tuple[int, int]]:
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
        self, key: tuple[int, ...], individuals: Sequence[Individual], rung: int, seed: int, limit: Limit | None = None
    ) -> int:
        """Hands out packs in birth order; those whose outcomes are recorded already are not scored again."""
        jobs = 0
        size = self.settings.pack if (rung, seed) == (0, 0) else self.settings.review_pack or self.settings.pack
        for i in range(0, len(individuals), size):
            pack = individuals[i : i + size]
            missing = []
            for one in pack:
                known = self.outcomes.get((one.fingerprint, rung, seed))
                if known is None:
                    missing.append(one)
                else:
                    self._count(one, known, rung, seed)
            if missing:
                job = Job((*key, i), tuple(one.genome for one in missing), rung, seed, limit)
                self.under_way[job.key] = missing
                self.executor.submit(job)
                jobs += 1
        return jobs

    def _receive(self) -> Progress:
        """Waits for one job, records it, and says where the search stands."""
        before = self.best
        job, outcomes = self.executor.next()
        individuals = self.under_way.pop(job.key)
        scored = [Scored(one, outcome) for one, outcome in zip(individuals, outcomes, strict=True)]
        self.journal.record_outcomes(scored, job.rung, job.seed)
        for one in scored:
            self.outcomes[one.individual.fingerprint, job.rung, job.seed] = one.outcome
            self._count(one.individual, one.outcome, job.rung, job.seed)
            self._watch(one.outcome)
        for block in self.in_flight:
            if job.key[0] == block.number and len(job.key) == 2:
                block.jobs -= 1
        return self._progress(new_best=self.best is not before)

    def _complete(self, block: _InFlight) -> Iterator[Progress]:
        self.completed += sum(one.cached_from is None for one in block.individuals)
        scored = tuple(Scored(one, self.outcomes[one.fingerprint, 0, 0]) for one in block.individuals)
        self.played += sum(_frames(one.outcome) for one in scored if one.individual.cached_from is None)
        news = Block(births=scored)
        if len(block.individuals) == self.settings.block:
            self.state = self.strategy.advance(self.state, news)
            while asked := self.strategy.reviews(self.state):
                self.completed += len(asked)
                yield from self._review(block.number, asked)
                answers = self._answers(asked)
                self.played += sum(_frames(one.outcome) for one in answers.reviews)
                self.state = self.strategy.advance(self.state, answers)
            self.winner = self.strategy.best(self.state)
        else:
            # Cut short by the budget: a later session may complete it, so it does not enter the state.
            self.rest = news
        yield self._progress(complete=block.number)

    def _close(self, number: int) -> Iterator[Progress]:
        """The last reviews, so that what is handed over has been reviewed; the state stays as it is, for a resume."""
        state = self.strategy.advance(self.state, self.rest) if self.rest else self.state
        if asked := self.strategy.closing(state):
            yield from self._review(number, asked)
            state = self.strategy.advance(state, self._answers(asked))
        self.winner = self.strategy.best(state)
        yield self._progress()

    def _answers(self, asked: Sequence[Review]) -> Block:
        keys = [(review.individual.fingerprint, review.rung, review.seed) for review in asked]
        return Block(reviews=tuple(Reviewed(one, self.outcomes[key]) for one, key in zip(asked, keys, strict=True)))

    def _review(self, number: int, asked: Sequence[Review]) -> Iterator[Progress]:
        levels = dict.fromkeys((review.rung, review.seed) for review in asked)
        for rung, seed in levels:
            individuals = [review.individual for review in asked if (review.rung, review.seed) == (rung, seed)]
            self._submit((number, rung, seed), individuals, rung, seed)
        while any(len(key) > 2 for key in self.under_way):
            yield self._receive()

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

    def _watch(self, outcome: Outcome) -> None:
        """A search in which everything fails must end, with the cause, rather than go on for ever."""
        if outcome.status in ("diverged", "rejected") and self.best is not None:
            return  # says something of the genome, and nothing of whether scoring works
        self.failed_in_a_row = 0 if outcome.status == "ok" else self.failed_in_a_row + 1
        broken = outcome.status in ("crashed", "timeout", "oom") or self.best is None
        if broken and self.failed_in_a_row >= self.settings.max_failures:
            raise SearchFailed(
                f"the last {self.failed_in_a_row} scorings failed ({_counted(self.failures)}); "
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
            winner=self.winner if self.best else None,
            rejected=self.counts["rejected"],
            frames=self.counts["frames"],
        )


def _beats(one: Scored, other: Scored) -> bool:
    """Higher fitness wins; of equals the earlier birth, so that the order in which packs finish does not matter."""
    assert one.fitness is not None and other.fitness is not None
    return (one.fitness, -one.individual.birth) > (other.fitness, -other.individual.birth)


def _frames(outcome: Outcome) -> int:
    """How much a policy played; 0 for other kinds, which may call a measure the same that is no count."""
    frames = outcome.measures.get("frames", 0.0)
    return int(frames) if isfinite(frames) else 0


def _counted(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(failures.items()))
