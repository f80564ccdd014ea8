"""Evolution strategies: OpenAI-ES (Salimans et al. 2017, arXiv 1703.03864) and sep-CMA-ES (Ros and Hansen 2008).

Both move the mean of a normal distribution to better parameters. The first birth of a generation is the mean itself,
the others are its members: the mean with noise. The ranks of their returns, and no returns, decide how the mean moves,
so that no scale has to be set. Of each generation a genome keeps the seed of the noise and the ranks, from which
`germline.programs.policy.trajectory` computes the mean where the genome is scored: the search itself sees no weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from germline.programs.policy.evolution import Generation, Member, Rule
from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import SEEDS
from germline.programs.policy.space import PolicySpace
from germline.search.individual import Block, Individual, Proposal, Review, RngFor
from germline.search.strategies.truncation import Truncation, TruncationState, ranking
from germline.search.strategy import Strategy

MEAN, MEMBER = "mean", "perturb"
"""Operators of a mean after the first, and of the members of a generation."""


@dataclass(frozen=True, slots=True)
class EvolutionState:
    """The state after a generation.

    Attributes:
        returns: the state of the Deep GA, which chooses the winner.
        mean: the mean of the last generation; None before the first.
        best: its member with the highest return; None if no member has an ok outcome, and then the mean stays.
        ranks: of the last generation, see `Generation`.
    """

    returns: TruncationState
    mean: Individual | None = None
    best: Individual | None = None
    ranks: tuple[int, ...] = ()


class EvolutionStrategy(Strategy[EvolutionState]):
    """An evolution strategy with the elite reviews of the Deep GA, to which the mean is the first candidate of a
    generation.

    A mean has two parents: the best member of the last generation, and the last mean.

    Args:
        deep_ga: the Deep GA, which chooses the winner; its population and σ are those of the generations, and it has no
            parents of its own.
        rule: how generations move the mean.
    """

    state_classes = (EvolutionState, TruncationState)

    def __init__(self, deep_ga: Truncation, rule: Rule) -> None:
        self.deep_ga = deep_ga
        self.space: PolicySpace = deep_ga.space
        self.rule = rule

    def init(self) -> EvolutionState:
        return EvolutionState(self.deep_ga.init())

    def breed(self, state: EvolutionState, birth: int, rng_for: RngFor) -> Proposal:
        index = birth % self.deep_ga.population
        first = birth - index
        mean = self._mean(state, first, rng_for)
        if index:
            member = Member(self._seed(first, rng_for), self._sigma(first), index - 1)
            return Proposal(mean.after(member), (first,), MEMBER)
        if state.mean is None:
            return Proposal(mean, (), "random")
        # The best member comes first, since it differs from the new mean by as much as the last mean does, and the
        # database keeps genomes as differences to first parents: so those of members stay small.
        best = () if state.best is None else (state.best.birth,)
        return Proposal(mean, (*best, state.mean.birth), MEAN)

    def advance(self, state: EvolutionState, block: Block) -> EvolutionState:
        if block.reviews:
            return replace(state, returns=self.deep_ga.advance(state.returns, block))
        mean, *members = block.births
        ranked = ranking(members)
        candidates = (mean.individual, *ranked) if mean.fitness is not None else ranked
        returns = self.deep_ga.after_generation(state.returns, candidates, block.births)
        ranks = self.rule.ranks([member.fitness for member in members])
        return EvolutionState(returns, mean.individual, ranked[0] if ranked else None, ranks)

    def reviews(self, state: EvolutionState) -> Sequence[Review]:
        return self.deep_ga.reviews(state.returns)

    def closing(self, state: EvolutionState) -> Sequence[Review]:
        return self.deep_ga.closing(state.returns)

    def winner(self, state: EvolutionState) -> Individual | None:
        return self.deep_ga.winner(state.returns)

    def _mean(self, state: EvolutionState, first: int, rng_for: RngFor) -> Policy:
        """The mean of the generation whose first birth is `first`."""
        if state.mean is None:
            return replace(self.space.draw(rng_for(first)).genome, evolution=self.rule)
        mean = self.space.read(state.mean.genome)
        if state.best is None:
            return mean
        last = state.mean.birth
        return mean.after(Generation(self._seed(last, rng_for), self._sigma(last), state.ranks))

    def _seed(self, first: int, rng_for: RngFor) -> int:
        """The seed of a generation's noise: the second draw of its first birth, which may draw initial weights."""
        return int(rng_for(first).integers(SEEDS, size=2)[1])

    def _sigma(self, first: int) -> float:
        return self.deep_ga.sigma.at(first // self.deep_ga.population)
