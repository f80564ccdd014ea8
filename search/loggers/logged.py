"""The events of a search, told to loggers as they pass."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from germline.db.errors import DatabaseError
from germline.db.records import ScoredIndividual
from germline.db.store import Store
from germline.search.loggers.delivery import Delivery
from germline.search.loggers.run_logger import RunLogger, WinnerFile
from germline.search.loggers.scalars import scalars_of
from germline.search.progress import Progress
from germline.search.winner import winner as winner_of


def logged(store: Store, run_name: str, events: Iterator[Progress], loggers: Sequence[RunLogger]) -> Iterator[Progress]:
    """Yields the events of a search as they are, and tells the loggers of them.

    Figures are logged whenever a block is complete and at the end, unless they are those that were logged last; blocks
    of earlier sessions, which a resume reads back, are not logged again. The winner is logged when the events end, for
    whatever reason.

    Args:
        store: holds the run.
        run_name: name of the run.
        events: of `germline.search.run.evolve`; closed when this iterator is.
        loggers: whom to tell.
    """
    if not loggers:
        yield from events
        return
    deliveries = [Delivery(logger) for logger in loggers]
    run = store.run(run_name)
    earlier = max(store.winners(run_name), default=-1)  # the last block that is complete by the records
    for delivery in deliveries:
        delivery.tell("begin", run)
    last: Progress | None = None
    figures = _Figures(deliveries)
    try:
        for progress in events:
            last = progress
            if progress.complete is not None and progress.complete > earlier:
                figures.tell(progress)
            yield progress
    finally:
        if close := getattr(events, "close", None):
            close()  # records the status of the run
        if last is not None and last.births >= last.replayed:
            figures.tell(last)
        status, winner = "stopped", None
        with suppress(DatabaseError):  # no outcome is ok, or the database is gone, which the search reports itself
            status = store.run(run_name).status
            winner = _file_of(winner_of(store, run_name), run.kind)
        for delivery in deliveries:
            delivery.tell("finish", status, winner)
        for delivery in deliveries:
            delivery.close()


class _Speed:
    """Evaluations per second since it was last asked; left out if there were none, so that the end of a session does
    not take the place of what was logged at the same step."""

    def __init__(self) -> None:
        self.before: tuple[float, int] | None = None

    def of(self, progress: Progress) -> dict[str, float]:
        now, before = time.monotonic(), self.before
        if before is not None and (progress.evaluations == before[1] or now - before[0] < 1e-6):
            return {}
        self.before = now, progress.evaluations
        if before is None:
            return {}
        return {"evaluations_per_second": (progress.evaluations - before[1]) / (now - before[0])}


class _Figures:
    """Tells loggers the figures of a run, over its births."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.deliveries = deliveries
        self.speed = _Speed()
        self.last: tuple[int, Mapping[str, float]] | None = None

    def tell(self, progress: Progress) -> None:
        values = scalars_of(progress)
        if self.last == (progress.births, values):
            return
        self.last = progress.births, values
        values = values | self.speed.of(progress)
        for delivery in self.deliveries:
            delivery.tell("scalars", progress.births, values)


def _file_of(winner: ScoredIndividual, kind: str) -> WinnerFile:
    individual, evaluation = winner.individual, winner.evaluation
    facts = {
        "run": winner.run,
        "birth": individual.birth,
        "operator": individual.operator,
        "fingerprint": individual.fingerprint,
        "fitness": evaluation.fitness if evaluation else None,
        "objectives": dict(evaluation.objectives) if evaluation else {},
        "measures": dict(evaluation.measures) if evaluation else {},
    }
    return WinnerFile("winner.txt" if kind == "optimizer" else "winner.json", individual.genome, facts)
