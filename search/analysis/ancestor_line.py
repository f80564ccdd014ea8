"""The line of first parents that leads to an individual, with the operator and the gain of each step."""

from collections.abc import Sequence
from dataclasses import dataclass

from germline.db.records import ScoredIndividual


@dataclass(frozen=True, slots=True)
class LineStep:
    """An individual on a line of ancestors.

    Attributes:
        scored: the individual.
        operator: how it was made from its first parent, without the name of a donor: `graft` for `graft(lion)`.
        gain: its fitness minus that of its first parent; None without a parent, or if either has no fitness.
    """

    scored: ScoredIndividual
    operator: str
    gain: float | None

    @property
    def birth(self) -> int:
        return self.scored.individual.birth

    @property
    def fitness(self) -> float | None:
        """The fitness in the search; None without an ok outcome."""
        return self.scored.evaluation.fitness if self.scored.evaluation else None


@dataclass(frozen=True, slots=True)
class OperatorGain:
    """What an operator brought along a line: the number of its steps, and the sum of their known gains."""

    operator: str
    steps: int
    gain: float


def line_of(ancestry: Sequence[ScoredIndividual], birth: int) -> list[LineStep]:
    """Returns the line of first parents that leads to a birth, oldest first.

    Args:
        ancestry: the individual and all its ancestors; a parent that is not among them ends the line.
        birth: of the individual.
    """
    by_birth = {scored.individual.birth: scored for scored in ancestry}
    line: list[LineStep] = []
    scored = by_birth.pop(birth, None)
    while scored is not None:
        parents = scored.individual.parents
        parent = by_birth.pop(parents[0], None) if parents else None
        before, after = None if parent is None else _fitness(parent), _fitness(scored)
        gain = None if before is None or after is None else after - before
        line.append(LineStep(scored, scored.individual.operator.partition("(")[0], gain))
        scored = parent
    return line[::-1]


def operator_gains(line: Sequence[LineStep]) -> list[OperatorGain]:
    """Returns what each operator brought along a line, the largest gain first; the first step, which has no parent, is
    left out."""
    steps: dict[str, list[float]] = {}
    for step in line[1:]:
        steps.setdefault(step.operator, []).append(step.gain or 0.0)
    gains = [OperatorGain(operator, len(values), float(sum(values))) for operator, values in steps.items()]
    return sorted(gains, key=lambda each: (-each.gain, each.operator))


def _fitness(scored: ScoredIndividual) -> float | None:
    return scored.evaluation.fitness if scored.evaluation else None
