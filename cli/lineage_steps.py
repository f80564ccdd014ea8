"""The steps of a lineage: what each individual changed of its first parent, and what that brought."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from germline.cli.errors import BadReference
from germline.cli.genome_diff import Change, changes
from germline.db.records import ScoredIndividual


class Step(NamedTuple):
    """A step of a lineage.

    Attributes:
        scored: the individual.
        parent: its first parent; None for an individual without parents.
        gain: its fitness minus that of its first parent; None without a parent, or if either has no fitness.
    """

    scored: ScoredIndividual
    parent: ScoredIndividual | None
    gain: float | None

    @property
    def neutral(self) -> bool:
        """Whether the first parent has the same fingerprint."""
        return self.parent is not None and self.parent.individual.fingerprint == self.scored.individual.fingerprint

    def changes(self) -> Sequence[Change]:
        """The lines that differ from the first parent; none without a parent.

        Raises:
            BadReference: a genome in the database is not valid.
        """
        if self.parent is None:
            return ()
        individual = self.scored.individual
        try:
            return changes(self.parent.individual.genome, individual.genome)
        except ValueError as error:
            raise BadReference(
                f"{self.scored.run}:{individual.birth} or its parent is not a valid genome: {error}"
            ) from None


class Listed(NamedTuple):
    """A step to list, and the steps before it that are left out.

    Attributes:
        step: the step.
        omitted: the steps between it and the step listed before it.
    """

    step: Step
    omitted: Sequence[Step]


def steps_of(ancestry: Sequence[ScoredIndividual]) -> Iterator[Step]:
    """The steps of a lineage, oldest first."""
    by_birth = {scored.individual.birth: scored for scored in ancestry}
    for scored in ancestry:
        parents = [by_birth[birth] for birth in scored.individual.parents if birth in by_birth]
        parent = parents[0] if parents else None
        before, after = fitness_of(parent), fitness_of(scored)
        yield Step(scored, parent, None if before is None or after is None else after - before)


def listed(steps: Sequence[Step], count: int) -> list[Listed]:
    """The steps of a lineage to list: its ends, and of the others, neutral ones aside, those that moved fitness most.

    Args:
        steps: all steps, oldest first; at least one.
        count: the most steps to list, at least 2.
    """
    last = len(steps) - 1
    between = [place for place in range(1, last) if not steps[place].neutral]
    between.sort(key=lambda place: (-abs(steps[place].gain or 0.0), place))
    shown = sorted({0, last, *between[: count - 2]})
    return [Listed(steps[place], steps[before + 1 : place]) for before, place in pairwise([-1, *shown])]


def fitness_of(scored: ScoredIndividual | None) -> float | None:
    """The fitness of an individual; None without an ok outcome, and for None."""
    return scored.evaluation.fitness if scored and scored.evaluation else None
