"""Runs from end to end, and what of them must not depend on how they were run."""

from dataclasses import replace

from germline.db.records import EvaluationRecord, RunRecord
from germline.db.store import Store
from germline.search.progress import Progress
from germline.search.run import evolve

SESSION = """
import sys
from germline.db.store import Store
from germline.search.run import evolve
with Store(sys.argv[1]) as store:
    for progress in evolve(store, sys.argv[2], task=(sys.argv[3:] or [None])[0]):
        print(progress.evaluations, flush=True)
"""
"""A process that goes on with a run, to be killed: the database, the name of the run, and its task if it is a file."""


def lineage(store: Store, run: RunRecord) -> list[object]:
    """Everything that must not depend on how a run was run; of an evaluation, all but who did it and how fast."""
    kept: list[object] = list(store.individuals(run.id))
    kept += sorted((essence(evaluation) for evaluation in store.evaluations(run.id)), key=repr)
    return kept


def essence(record: EvaluationRecord) -> EvaluationRecord:
    return replace(record, seconds=0.0, worker="", birth=0)


def last(store: Store, run: RunRecord, **options: object) -> Progress:
    *_, progress = evolve(store, run.name, **options)  # type: ignore[arg-type]
    return progress
