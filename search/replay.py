"""The replay of a run: every decision of its search derived again from its rows, and compared.

It is the loop itself (`germline.search.loop`) that decides again, over a journal that compares what it is given with
the rows, and an executor that answers with recorded outcomes, a share of which it scores again if that is asked for.
Nothing is written.
"""

import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from germline.db.records import Individual, ProposalRecord, ProposalTotals, RunRecord, Snapshot, Winner
from germline.db.store import Store
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import confirmed_name
from germline.search.environment import RunOutdated, check_lineage_versions, check_versions, warn_of_other_versions
from germline.search.fold import ScoreKey
from germline.search.imports import strategy_of
from germline.search.individual import Scored
from germline.search.journal import recorded_outcomes
from germline.search.kinds import kind_named
from germline.search.loop import Search
from germline.search.proposers.asking import NotRecorded
from germline.search.rescoring import Rescoring
from germline.search.settings import BadSetting


@dataclass(frozen=True)
class Replay:
    """What a replay has derived.

    Attributes:
        births: number of births that were derived and are equal to their rows.
        winners: number of winners of blocks that were derived and are equal to their rows.
        rescored: number of outcomes that were scored again and are equal to their rows.
        waiting: number of births in the first block that lacks an outcome and after it: nothing follows from them yet.
        difference: in one line, the first row that differs from what the search decides or scores; None if all are
            equal.
    """

    births: int
    winners: int
    rescored: int
    waiting: int
    difference: str | None


class Different(Exception):
    """A row is not what the search decides or scores."""


def replay(store: Store, name: str, rescore: float = 0.0, task: str | None = None, device: str = "auto") -> Replay:
    """Derives the births and winners of a run again, and compares them with its rows, all columns included.

    A run that was stopped or killed is derived up to the first outcome that is missing.

    Args:
        store: the database.
        name: of the run.
        rescore: the share of the outcomes to score again, 0 to 1, spread evenly over the run (see `Rescoring`); unless
            it is 0, that of the winner is among them. With 0 the task is not loaded. Outcomes have the same bits on
            CPUs of the same kind. What an earlier session has reviewed at its end, from which nothing follows, is not
            reached.
        task: with `rescore`, the run's task, where `evolve` must be given it too.
        device: with `rescore`, the device to score on: `auto`, `cpu` or `cuda`.

    Raises:
        UnconfirmedTask: the run's task has to be named, or another task is named.
        NoDevice, NoWorker: there is no such device, or the task cannot be loaded.
        UnknownRun: there is no such run.
        RunOutdated: the run has no settings, or began with another version of the genome or of its operators; with
            `rescore` also of the task or of scoring.
        UnknownTask, InvalidTask: with `rescore`, the task cannot be loaded.
        UnknownKind: this version does not know the kind of the run.
        BadSetting: a setting in the run's config that this version does not take, or a share below 0 or above 1.
    """
    if not 0.0 <= rescore <= 1.0:
        raise BadSetting(f"expected a share from 0 to 1 to score again, got {rescore:g}")
    run = store.run(name)
    if "settings" not in run.config:
        raise RunOutdated(f"expected settings in the config of {run.name}, got none; it cannot be replayed")
    check_lineage_versions(run)
    kind = kind_named(run.kind)
    settings = kind.from_config(run.config["settings"])
    space = kind.space(settings)
    rescoring = _rescoring(store, run, rescore, task, device) if rescore else None
    journal = _Comparison(store, run)
    executor = _Recorded(journal.fingerprints, dict(recorded_outcomes(store, run)), rescoring)
    # Order and number of failures are no decision about genomes, and Ray workers may have had another order.
    loop_settings = replace(kind.loop_settings(settings, run.seed), max_failures=sys.maxsize)
    strategy = strategy_of(kind, settings, space, run.config)
    caps = kind.caps(settings)
    search = Search(space, strategy, executor, journal, loop_settings, snapshot_every=sys.maxsize, caps=caps)
    difference = None
    try:
        for _ in search.events(births=len(journal.rows)):
            pass
        journal.compare_announced(search.winner)
    except _OutcomeMissing:
        pass
    except (Different, NotRecorded) as error:
        difference = str(error)
    finally:
        executor.close()
    answered = search.complete_blocks * loop_settings.block + len(search.cut_short)
    waiting = 0 if difference else max(0, len(journal.rows) - answered)
    rescored = rescoring.outcomes if rescoring else 0
    return Replay(journal.births_compared, journal.winners_compared, rescored, waiting, difference)


def _rescoring(store: Store, run: RunRecord, share: float, task: str | None, device: str) -> Rescoring:
    """Prepares to score a share of the outcomes of a run again."""
    confirmed_name(run.task, task)
    check_versions(run)
    warn_of_other_versions(run)
    kind = kind_named(run.kind)
    options = kind.evaluator_options(kind.from_config(run.config["settings"]))
    winner = store.winner(run.name)
    always = () if winner is None else (winner.individual.birth,)
    return Rescoring(EvaluatorSpec(run.kind, run.task, run.seed, device, options), share, always)


class _OutcomeMissing(Exception):
    """The search needs an outcome that is not recorded."""


class _Recorded:
    """An executor that answers with recorded outcomes.

    Args:
        fingerprints: by genome text, of the genomes that were derived so far.
        outcomes: all recorded outcomes of the run.
        rescoring: scores some of them again; None: none.
    """

    def __init__(
        self, fingerprints: Mapping[str, str], outcomes: Mapping[ScoreKey, Outcome], rescoring: Rescoring | None
    ) -> None:
        self.fingerprints = fingerprints
        self.outcomes = outcomes
        self.rescoring = rescoring
        self.waiting: deque[Job] = deque()

    def wait_until_ready(self) -> None:
        return

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def next(self) -> tuple[Job, list[Outcome]]:
        """The first job all of whose outcomes are recorded.

        Raises:
            _OutcomeMissing: there is none.
            Different: an outcome is another when it is scored again.
        """
        for job in self.waiting:
            keys = [(self.fingerprints[genome], job.rung, job.seed) for genome in job.genomes]
            if all(key in self.outcomes for key in keys):
                self.waiting.remove(job)
                outcomes = [self.outcomes[key] for key in keys]
                if self.rescoring and (difference := self.rescoring.difference(job, outcomes)):
                    raise Different(difference)
                return job, outcomes
        raise _OutcomeMissing

    def close(self) -> None:
        self.waiting.clear()
        if self.rescoring:
            self.rescoring.close()


class _Comparison:
    """A journal that compares what it is given to record with the rows of a run, and raises Different."""

    def __init__(self, store: Store, run: RunRecord) -> None:
        self.store = store
        self.run = run
        self.rows = list(store.individuals(run.id, kept=True))
        self.winners = store.winners(run.name)
        self.fingerprints: dict[str, str] = {}
        """Fingerprints of the genomes that were derived so far, by genome text."""
        self.births_compared = 0
        self.winners_compared = 0

    def births(self, first: int = 0) -> Iterable[Individual]:
        return ()

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        return ()

    def blocks_with_winner(self, first: int = 0) -> Iterable[int]:
        return ()

    def snapshot(self) -> str | None:
        return None

    def individuals(self, births: Sequence[int]) -> Mapping[int, Individual]:
        return {}

    def outcomes_of(self, fingerprints: Sequence[str]) -> Iterable[tuple[int, ScoreKey, Outcome]]:
        return ()

    def proposals(self, first: int, last: int) -> Sequence[ProposalRecord]:
        return self.store.proposals(self.run.id, first, last)

    def refused_proposals(self, before: int, most: int) -> Sequence[ProposalRecord]:
        return ()  # only questions show them, and nobody is asked

    def proposal_totals(self, before: int) -> Sequence[ProposalTotals]:
        return self.store.proposal_totals(self.run.id, before)

    def record_proposal(self, record: ProposalRecord) -> None:
        raise AssertionError("a replay asks nobody")

    def record_births(self, individuals: Sequence[Individual]) -> None:
        for individual in individuals:
            row = self.rows[individual.birth]
            for field in fields(Individual):
                decided, recorded = getattr(individual, field.name), getattr(row, field.name)
                if decided != recorded:
                    raise Different(
                        f"birth {individual.birth}: the search decides {field.name} {decided!s:.200}, "
                        f"recorded is {recorded!s:.200}"
                    )
            self.fingerprints[individual.genome] = individual.fingerprint
            self.births_compared += 1

    def record_outcomes(
        self,
        scored: Sequence[Scored],
        rung: int,
        seed: int,
        winners: Sequence[Winner],
        snapshot: Snapshot | None = None,
    ) -> None:
        self.record_winners(winners)

    def record_winners(self, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        for winner in winners:
            # Winners of blocks before schema 0003 are not recorded; a closing's is compared by `compare_announced`.
            if winner.closing or winner.block not in self.winners:
                continue
            if self.winners[winner.block] != winner.birth:
                recorded = self.winners[winner.block]
                raise Different(
                    f"block {winner.block}: the search decides winner {winner.birth}, recorded is {recorded}"
                )
            self.winners_compared += 1

    def compare_announced(self, winner: Individual | None) -> None:
        """Compares the winner of a finished run, which the closing of its last session chose. Raises Different."""
        if self.run.status != "finished" or not self.winners:
            return
        row = self.store.winner(self.run.name)
        announced = None if row is None else row.individual.birth
        decided = None if winner is None else winner.birth
        if announced != decided:
            raise Different(f"the search decides winner {decided}, announced is {announced}")
