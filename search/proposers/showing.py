"""The individuals that a request shows: the parent with its ancestors, fit individuals, and others far from it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from germline.search.individual import Ask, Individual, Scored
from germline.search.journal import Journal
from germline.search.known_outcomes import KnownOutcomes
from germline.search.proposers.request import Candidate

BIOGRAPHY, GOOD, FAR = 4, 3, 2
"""How many ancestors, fit and far individuals are shown at most."""
_WORD = re.compile(r"[A-Za-z_]\w+|[-+*/]")


@dataclass(frozen=True)
class Shown:
    """The individuals of a request, as `Request` has them."""

    parent: Candidate
    biography: tuple[Candidate, ...]
    good: tuple[Candidate, ...]
    far: tuple[Candidate, ...]


class Showing:
    """Chooses them, from the state of the strategy and from records alone."""

    def __init__(self, journal: Journal, known: KnownOutcomes) -> None:
        self.journal = journal
        self.known = known

    def of(self, parent: int, ask: Ask) -> Shown:
        """What is shown of a parent (a birth) and of the individuals that the strategy remembers."""
        individual = self.journal.individuals([parent])[parent]
        used = {individual.fingerprint}
        good = _others(ask.best, used)[:GOOD]
        used.update(scored.individual.fingerprint for scored in good)
        words = _words(individual.genome)
        others = _others((*ask.best, *ask.recent), used)
        far = sorted(others, key=lambda scored: (shared(words, _words(scored.individual.genome)), _birth(scored)))
        line = self._ancestors(individual)
        self.known.meet(each.fingerprint for each in (individual, *line))
        return Shown(
            self._candidate(individual),
            tuple(map(self._candidate, line)),
            tuple(map(_candidate_of, good)),
            tuple(map(_candidate_of, far[:FAR])),
        )

    def _ancestors(self, individual: Individual) -> list[Individual]:
        line: list[Individual] = []
        while individual.parents and len(line) < BIOGRAPHY:
            individual = self.journal.individuals(individual.parents[:1])[individual.parents[0]]
            line.append(individual)
        return line

    def _candidate(self, individual: Individual) -> Candidate:
        outcome = self.known.outcomes[individual.fingerprint, 0, 0]
        return _candidate_of(Scored(individual, outcome))


def shared(words: Counter[str], others: Counter[str]) -> float:
    """How much two texts have in common, from 0 to 1: the size of the intersection of their words by that of the
    union, each word as often as it occurs (Jaccard)."""
    return (words & others).total() / max(1, (words | others).total())


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))


def _others(individuals: Iterable[Scored], used: set[str]) -> list[Scored]:
    """The first individual of each fingerprint that is not in `used`."""
    first = {scored.individual.fingerprint: scored for scored in reversed(tuple(individuals))}
    return [scored for scored in reversed(first.values()) if scored.individual.fingerprint not in used]


def _birth(scored: Scored) -> int:
    return scored.individual.birth


def _candidate_of(scored: Scored) -> Candidate:
    each, outcome = scored.individual, scored.outcome
    numbers = (dict(outcome.objectives), dict(outcome.measures))
    return Candidate(each.birth, each.operator, each.genome, outcome.status, outcome.fitness, *numbers, outcome.error)
