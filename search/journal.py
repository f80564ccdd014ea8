"""The journal of a run: what the loop records and reads back, and its form as rows of the database."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from germline.db.records import (
    EvaluationRecord,
    Individual,
    ProposalRecord,
    ProposalTotals,
    RunRecord,
    Snapshot,
    Winner,
)
from germline.evaluators.outcome import Outcome
from germline.search.fold import ScoreKey
from germline.search.individual import Scored

if TYPE_CHECKING:
    from germline.db.store import Store  # imports SQLAlchemy, which listing kinds and presets does not need

# An outcome is defined twice: neither the database nor the evaluators may import the other, since each is used without
# the other. The two definitions meet here alone, by the names of the fields: all of an `Outcome` are of the record too.
_OUTCOME_FIELDS = tuple(field.name for field in fields(Outcome))
_outcome_values = attrgetter(*_OUTCOME_FIELDS)

STOP_POLL = 0.1
"""Seconds between two questions to the database whether the run shall stop."""


class Journal(Protocol):
    """The records of a run. When a `record_…` method returns, all that it was given is stored; if it raises, nothing
    is."""

    def births(self, first: int = 0) -> Iterable[Individual]:
        """Every recorded individual from birth `first` on, in birth order."""
        ...

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        """Every recorded outcome on the run's own task, by its key."""
        ...

    def blocks_with_winner(self, first: int = 0) -> Iterable[int]:
        """The complete blocks from block `first` on whose winner is recorded."""
        ...

    def snapshot(self) -> str | None:
        """The text of the latest snapshot; None if there is none."""
        ...

    def individuals(self, births: Sequence[int]) -> Mapping[int, Individual]:
        """The individuals of these births, by birth; a birth that is not recorded is left out."""
        ...

    def outcomes_of(self, fingerprints: Sequence[str]) -> Iterable[tuple[int, ScoreKey, Outcome]]:
        """The recorded outcomes of these fingerprints on the run's own task, in any order: the birth that was scored,
        the key and the outcome of each."""
        ...

    def proposals(self, first: int, last: int) -> Sequence[ProposalRecord]:
        """The recorded proposals of operators from outside for births from `first` to `last`, in their order."""
        ...

    def refused_proposals(self, before: int, most: int) -> Sequence[ProposalRecord]:
        """The last proposals, at most `most`, for births below `before` that were not accepted, oldest first; without
        those that gave no answer."""
        ...

    def proposal_totals(self, before: int) -> Sequence[ProposalTotals]:
        """The calls and tokens of each operator from outside for births below `before`."""
        ...

    def record_proposal(self, record: ProposalRecord) -> None:
        """Records a proposal for a birth that is not recorded yet."""
        ...

    def record_births(self, individuals: Sequence[Individual]) -> None:
        """Records individuals, which follow the last recorded birth."""
        ...

    def record_outcomes(
        self,
        scored: Sequence[Scored],
        rung: int,
        seed: int,
        winners: Sequence[Winner],
        snapshot: Snapshot | None = None,
    ) -> None:
        """Records the outcomes of individuals at a rung with a seed and, in the same transaction, the winners of the
        blocks that they complete and the new snapshot, if there is one, in the place of the last."""
        ...

    def record_winners(self, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        """Records winners and, if there is one, the new snapshot, without outcomes."""
        ...


class StoreJournal:
    """The `Journal` of a run in a database, for the process that drives the run."""

    def __init__(self, store: "Store", run: RunRecord) -> None:
        self.store = store
        self.run = run
        self.reported = time.monotonic()
        self.asked_for_stop = -math.inf

    def births(self, first: int = 0) -> Iterable[Individual]:
        return self.store.individuals(self.run.id, first)

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        return recorded_outcomes(self.store, self.run)

    def blocks_with_winner(self, first: int = 0) -> Iterable[int]:
        return self.store.winners(self.run.name, first)

    def snapshot(self) -> str | None:
        snapshot = self.store.snapshot(self.run.id)
        return None if snapshot is None else snapshot.content

    def individuals(self, births: Sequence[int]) -> Mapping[int, Individual]:
        return {individual.birth: individual for individual in self.store.individuals_of(self.run.id, births)}

    def outcomes_of(self, fingerprints: Sequence[str]) -> Iterable[tuple[int, ScoreKey, Outcome]]:
        for record in self.store.evaluations_of(self.run.id, self.run.task, fingerprints):
            yield record.birth, (record.fingerprint, record.rung, record.seed), outcome_of(record)

    def proposals(self, first: int, last: int) -> Sequence[ProposalRecord]:
        return self.store.proposals(self.run.id, first, last)

    def refused_proposals(self, before: int, most: int) -> Sequence[ProposalRecord]:
        return self.store.refused_proposals(self.run.id, before, most)

    def proposal_totals(self, before: int) -> Sequence[ProposalTotals]:
        return self.store.proposal_totals(self.run.id, before)

    def record_proposal(self, record: ProposalRecord) -> None:
        self.store.add_proposal(self.run.id, record)

    def record_births(self, individuals: Sequence[Individual]) -> None:
        self.store.add_individuals(self.run.id, self.run.kind, individuals)

    def record_outcomes(
        self,
        scored: Sequence[Scored],
        rung: int,
        seed: int,
        winners: Sequence[Winner],
        snapshot: Snapshot | None = None,
    ) -> None:
        records = [evaluation_of(each, self.run.task, rung, seed) for each in scored]
        self.store.add_evaluations(self.run.id, records, self.unreported_seconds(), winners, snapshot)

    def record_winners(self, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        self.store.add_winners(self.run.id, winners, snapshot)

    def stop_requested(self, poll: float) -> bool:
        """True if a request to stop the run has not been handled yet; False if `poll` seconds have not passed since the
        database was last asked."""
        now = time.monotonic()
        if now - self.asked_for_stop < poll:
            return False
        self.asked_for_stop = now
        return self.store.stop_requested(self.run.id)

    def unreported_seconds(self) -> float:
        """Driver seconds since they were last recorded."""
        now = time.monotonic()
        spent, self.reported = now - self.reported, now
        return spent


def recorded_outcomes(store: "Store", run: RunRecord) -> Iterable[tuple[ScoreKey, Outcome]]:
    """Every recorded outcome of a run on its own task, by its key."""
    for record in store.evaluations(run.id):
        if record.task == run.task:
            yield (record.fingerprint, record.rung, record.seed), outcome_of(record)


def outcome_of(record: EvaluationRecord) -> Outcome:
    """The outcome that a record holds."""
    return Outcome(*_outcome_values(record))


def evaluation_of(scored: Scored, task: str, rung: int, seed: int) -> EvaluationRecord:
    """The record of an individual's outcome on a task at a rung with a seed."""
    individual = scored.individual
    outcome = dict(zip(_OUTCOME_FIELDS, _outcome_values(scored.outcome), strict=True))
    return EvaluationRecord(individual.birth, individual.fingerprint, task, rung, seed, **outcome)
