"""The steps of a lineage: what each individual changed of its first parent, and what that brought."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from germline.cli.errors import BadReference
from germline.cli.genome_diff import Change, changes
from germline.db.records import ScoredIndividual


class Step(NamedTuple):
    """A step of a lineage.

    Attributes:
        scored: the individual.
        gain: its fitness minus that of its first parent; None without a parent, or if either has no fitness.
        changes: the lines that differ from its first parent.
        neutral: whether its first parent has the same fingerprint.
    """

    scored: ScoredIndividual
    gain: float | None
    changes: Sequence[Change]
    neutral: bool


def steps_of(ancestry: Sequence[ScoredIndividual]) -> Iterator[Step]:
    """The steps of a lineage, oldest first.

    Raises:
        BadReference: a genome in the database is not valid.
    """
    by_birth = {scored.individual.birth: scored for scored in ancestry}
    for scored in ancestry:
        individual = scored.individual
        parents = [by_birth[birth] for birth in individual.parents if birth in by_birth]
        if not parents:
            yield Step(scored, None, (), neutral=False)
            continue
        parent = parents[0]
        before, after = fitness_of(parent), fitness_of(scored)
        fitness_gain = None if before is None or after is None else after - before
        try:
            differences = changes(parent.individual.genome, individual.genome)
        except ValueError as error:
            raise BadReference(
                f"{scored.run}:{individual.birth} or its parent is not a valid genome: {error}"
            ) from None
        yield Step(scored, fitness_gain, differences, individual.fingerprint == parent.individual.fingerprint)


def fitness_of(scored: ScoredIndividual) -> float | None:
    """The fitness of an individual; None without an ok outcome."""
    return scored.evaluation.fitness if scored.evaluation else None
