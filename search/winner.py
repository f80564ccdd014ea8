"""The winner of a run, read from its records: the individual that its search hands over.

`Strategy.winner` decides, and the loop records its answer with every complete block and at the end of a budget. For a
run made before winners were recorded, the same answer follows from its rows by the fold that the loop runs
(`germline.search.fold`); resuming it records them.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from germline.db.records import Individual, RunRecord, ScoredIndividual, Winner
from germline.db.store import Store

if TYPE_CHECKING:
    from germline.search.fold import Fold, Outcomes


def winner(store: Store, run_name: str) -> ScoredIndividual:
    """The winner of a run; before its first block is complete, the best (the highest fitness at rung 0).

    Raises:
        UnknownRun: there is no such run.
        NothingScored: no outcome is ok yet.
    """
    recorded = store.winner(run_name)
    if recorded is not None:
        return recorded
    replayed = [] if store.winners(run_name) else list(_replayed(store, store.run(run_name)))
    if not replayed or replayed[-1].birth is None:
        return store.best(run_name)
    return store.individual(run_name, replayed[-1].birth)


def winners(store: Store, run_name: str) -> Mapping[int, int | None]:
    """The winner's birth of each complete block, by block in order; None: no outcome was ok up to then.

    Raises:
        UnknownRun: there is no such run.
    """
    recorded = store.winners(run_name)
    if recorded:
        return recorded
    replayed = _replayed(store, store.run(run_name))
    return {each.block: each.birth for each in replayed if not each.closing}


def _replayed(store: Store, run: RunRecord) -> Iterator[Winner]:
    """The winner of each block that is complete by its rows, and of the closing of a run that is finished.

    Ends before the first block that lacks an outcome. Yields nothing for a run whose config does not say how it was
    searched, or which this version cannot search.
    """
    # Only runs of older databases need what follows, and its imports take a second.
    from germline.search.fold import fold_block, fold_closing, winner_of
    from germline.search.imports import strategy_of
    from germline.search.journal import recorded_outcomes
    from germline.search.kinds import KINDS

    if run.kind not in KINDS or "settings" not in run.config:
        return
    kind = KINDS[run.kind]
    try:
        settings = kind.from_config(run.config["settings"])
        strategy = strategy_of(kind, settings, kind.space(settings), run.config)
        size = kind.loop_settings(settings, run.seed).block
    except (ValueError, LookupError, TypeError):
        return  # values, names or types that no search of this version has
    outcomes = dict(recorded_outcomes(store, run))
    state: Any = strategy.init()
    complete = -1
    cut_short: list[Individual] = []
    for number, births in groupby(store.individuals(run.id), key=lambda individual: individual.block):
        individuals = list(births)
        if any((individual.fingerprint, 0, 0) not in outcomes for individual in individuals):
            return
        if len(individuals) < size:
            cut_short = individuals
            break
        after = _result(fold_block(strategy, state, individuals, outcomes), outcomes)
        if after is None:
            return
        state, complete = after, number
        yield _winner(complete, winner_of(strategy, state, outcomes))
    if run.status == "finished":
        end = _result(fold_closing(strategy, state, cut_short, outcomes), outcomes)
        if end is not None:
            yield _winner(complete, winner_of(strategy, end, outcomes), closing=True)


def _result(fold: "Fold[Any]", outcomes: "Outcomes") -> Any:
    """The state that a fold returns; None if a review that it needs has no outcome."""
    from germline.search.fold import review_key

    while True:
        try:
            reviews = next(fold)
        except StopIteration as end:
            return end.value
        if any(review_key(review) not in outcomes for review in reviews):
            return None


def _winner(block: int, individual: Individual | None, closing: bool = False) -> Winner:
    return Winner(block, None if individual is None else individual.birth, closing)
