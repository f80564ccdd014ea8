"""Individuals and other candidates as the rows of `--json`."""

from typing import TYPE_CHECKING, Any

from germline.cli.reference import BadReference, Candidate

if TYPE_CHECKING:
    from germline.db.records import EvaluationRecord, ScoredIndividual
    from germline.programs.architecture.genome import Architecture
    from germline.programs.architecture.skeleton import Skeleton


def individual_row(scored: "ScoredIndividual") -> dict[str, Any]:
    """The row of an individual of a run. What its outcome says is null (objectives: empty) before it has one."""
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
    """The same row for anything a reference names; `run` and `birth` are null for the library and for files."""
    if candidate.scored is not None:
        return individual_row(candidate.scored)
    return {
        "run": None,
        "birth": None,
        "parents": [],
        "operator": None,
        "status": None,
        "fitness": None,
        "objectives": {},
        "fingerprint": facts["fingerprint"],
        "genome": candidate.genome,
    }


def evaluation_row(evaluation: "EvaluationRecord") -> dict[str, Any]:
    """One evaluation of an individual, for instance a review."""
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


def describe(candidate: Candidate, **asked: Any) -> dict[str, Any]:
    """The facts of a candidate's genome; of an architecture for the network of its run, or what is asked for.

    Raises:
        BadReference: its text is not a genome of its kind; the message says whose, where and why.
    """
    from germline.search.kinds import kind_named

    if asked and candidate.kind == "policy":
        raise BadReference(
            f"expected no {', '.join(asked)} for {candidate.label}, which is a policy: these are of architectures"
        )
    kind = kind_named(candidate.kind)
    try:
        config = settings(candidate)
        facts = kind.describe(candidate.genome, kind.from_config(config) if config else None, **asked)
    except ValueError as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    if candidate.scored is None:
        return facts
    # In a run the recorded one is what outcomes are known by, also when a later version would compute another.
    return {**facts, "fingerprint": candidate.scored.individual.fingerprint}


def settings(candidate: Candidate) -> dict[str, Any]:
    """Those of its run; empty for one of no run."""
    return dict(candidate.run.config.get("settings", {})) if candidate.run else {}


def network_size(candidate: Candidate, architecture: "Architecture", **size: Any) -> "Skeleton":
    """The network around the cells of an architecture: that of its run, that of the papers for one of no run, or, where
    `size` says so, another."""
    from germline.search.kinds.architecture import ArchitectureKind, skeleton

    config = settings(candidate)
    return skeleton(ArchitectureKind().from_config(config) if config else None, architecture, **size)
