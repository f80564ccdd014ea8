"""Rows of `--json`: runs, individuals, candidates and evaluations."""

from typing import Any

from germline.cli.candidate import Candidate
from germline.db.records import EvaluationRecord, RunSummary, ScoredIndividual


def run_row(summary: RunSummary) -> dict[str, Any]:
    """A run; `best` is null while no individual has a fitness."""
    best = None
    if summary.best_birth is not None:
        best = {"birth": summary.best_birth, "fitness": summary.best_fitness}
    return {
        "name": summary.name,
        "kind": summary.kind,
        "task": summary.task,
        "preset": summary.preset,
        "seed": summary.seed,
        "status": summary.status,
        "births": summary.births,
        "evaluations": summary.evaluations,
        "cache_hits": summary.cache_hits,
        "failures": summary.failures,
        "rejected": summary.rejected,
        "seconds": summary.seconds,
        "best": best,
        "created": summary.created,
        "tags": list(summary.tags),
    }


def individual_row(scored: ScoredIndividual) -> dict[str, Any]:
    """An individual of a run; status and fitness are null and objectives empty while it has no outcome."""
    individual, outcome = scored.individual, scored.evaluation
    return {
        "run": scored.run,
        "birth": individual.birth,
        "parents": list(individual.parents),
        "operator": individual.operator,
        "status": outcome.status if outcome else None,
        "fitness": outcome.fitness if outcome else None,
        "objectives": dict(outcome.objectives) if outcome else {},
        "fingerprint": individual.fingerprint,
        "genome": individual.genome,
    }


def candidate_row(candidate: Candidate, facts: dict[str, Any]) -> dict[str, Any]:
    """A candidate, with the keys of `individual_row`.

    For the library and for files, only genome and fingerprint have a value; the others are null or empty. A simplified
    program has the operator `simplify` and as its parent the individual that it was.

    Args:
        candidate: the candidate.
        facts: what `genome_facts` returned for it; the fingerprint of a candidate outside a run comes from there.
    """
    if candidate.scored is not None:
        return individual_row(candidate.scored)
    simplified = candidate.simplified
    return {
        "run": candidate.run.name if candidate.run and simplified else None,
        "birth": None,
        "parents": [simplified.birth] if simplified else [],
        "operator": "simplify" if simplified else None,
        "status": None,
        "fitness": None,
        "objectives": {},
        "fingerprint": facts["fingerprint"],
        "genome": candidate.genome,
    }


def evaluation_row(evaluation: EvaluationRecord) -> dict[str, Any]:
    """An evaluation of an individual."""
    return {
        "task": evaluation.task,
        "rung": evaluation.rung,
        "seed": evaluation.seed,
        "status": evaluation.status,
        "fitness": evaluation.fitness,
        "objectives": dict(evaluation.objectives),
        "measures": dict(evaluation.measures),
        "seconds": evaluation.seconds,
        "error": evaluation.error,
    }
