"""Genomes from elsewhere as births of a run (`germline import`).

The texts stand in the run's config, so that the lineage still follows from the config alone: a resume and a replay find
the genomes there, and never the files that they came from. They take the place of the first births that the strategy
does not breed as start genomes: of a search from a start program, births 1, 2, … (with islands, those after the start
of each island); of a search that begins at random, births 0, 1, …. Their operator is `import`, and they have no
parents. From then on they are individuals like others: the strategy selects among them by their outcomes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.evaluators.hurdle import Limit
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Review, RngFor
from germline.search.kind import Kind
from germline.search.loop import rng_for
from germline.search.settings import BadSetting
from germline.search.strategy import Strategy

KEY = "imported"
"""The key of a run's config with the texts of the genomes; only runs with such genomes have it."""
OPERATOR = "import"
STRATEGIES = {
    "optimizer": ("aging", "islands", "front", "random"),
    "architecture": ("nsga2", "aging", "eeea", "random"),
    "policy": ("truncation", "novelty", "map-elites", "random"),
}
"""The strategies that select among whatever was born. The others, such as a climb from neighbour to neighbour or the
tuning of one program's constants, follow a plan in which each birth has its place."""
_MOST = 10_000


class Imported(Strategy[Any]):
    """A strategy with genomes from elsewhere in the place of its first births.

    Args:
        strategy: breeds and selects.
        genomes: of its space, in the order of their births.
    """

    def __init__(self, strategy: Strategy[Any], genomes: Sequence[Any]) -> None:
        self.strategy = strategy
        self.genomes = tuple(genomes)
        self.state_classes = strategy.state_classes
        self.first = first_birth(strategy)

    def init(self) -> Any:
        return self.strategy.init()

    def breed(self, state: Any, birth: int, rng_for: RngFor) -> Proposal:
        place = birth - self.first
        if 0 <= place < len(self.genomes):
            return Proposal(self.genomes[place], (), OPERATOR)
        return self.strategy.breed(state, birth, rng_for)

    def advance(self, state: Any, block: Block) -> Any:
        return self.strategy.advance(state, block)

    def limit(self, state: Any) -> Limit | None:
        return self.strategy.limit(state)

    def reviews(self, state: Any) -> Sequence[Review]:
        return self.strategy.reviews(state)

    def closing(self, state: Any) -> Sequence[Review]:
        return self.strategy.closing(state)

    def winner(self, state: Any) -> Individual | None:
        return self.strategy.winner(state)


def first_birth(strategy: Strategy[Any]) -> int:
    """The first birth that a strategy does not breed as a start genome; it does not depend on the run's seed."""
    state, birth = strategy.init(), 0
    while strategy.breed(state, birth, lambda each: rng_for(0, each)).operator == "seed":
        birth += 1
    return birth


def strategy_of(kind: Kind[Any, Any], settings: Any, space: Space[Any], config: Mapping[str, Any]) -> Strategy[Any]:
    """The strategy of a run by its config, with the imported genomes if there are any.

    Raises:
        BadSetting, ValueError: a setting or genome in the config that this version does not take.
    """
    strategy = kind.strategy(settings, space)
    texts = config.get(KEY, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadSetting(f"expected a list of genomes as {KEY} in the config of the run, got {texts!r:.60}")
    return Imported(strategy, [space.read(text) for text in texts]) if texts else strategy


def checked_genomes(kind: Kind[Any, Any], settings: Any, texts: Sequence[str], births: int | None) -> list[str]:
    """The canonical texts of genomes that a run with these settings can import.

    Args:
        kind: of the run.
        settings: of the run.
        texts: of the genomes.
        births: at which the run ends, or None.

    Raises:
        BadSetting: the strategy takes no genomes, a genome is not of the run's space, or there are more than births.
        ValueError: a text is no genome of this kind.
    """
    taking = STRATEGIES[kind.name]
    tune_every: int = getattr(settings, "tune_every", 0)
    litter: int = getattr(settings, "litter", 1)
    if settings.strategy not in taking or tune_every:
        got = settings.strategy if settings.strategy not in taking else "tune_every"
        raise BadSetting(f"expected a strategy that takes genomes from elsewhere ({', '.join(taking)}), got {got}")
    if litter > 1:  # variants of a leader would be born whose place a genome from elsewhere has taken
        raise BadSetting(f"expected litter=1 for genomes from elsewhere, got litter={litter}; use --set litter=1")
    space = kind.space(settings)
    last = first_birth(kind.strategy(settings, space)) + len(texts)
    if last > min(_MOST, _MOST if births is None else births):
        raise BadSetting(f"expected at least {last:,} births and at most {_MOST:,} for {len(texts):,} genomes")
    genomes = []
    for number, text in enumerate(texts, 1):
        genome = space.read(text)
        if why := space.check(genome) or _foreign_names(settings, space, genome):
            raise BadSetting(f"expected genomes of the run's space, got at place {number} another: {why}")
        genomes.append(space.write(genome))
    return genomes


def _foreign_names(settings: Any, space: Space[Any], genome: Any) -> str | None:
    """Why a program has inputs that the functions of a search do not give, or a state under the name of an input; None
    for other genomes."""
    if not isinstance(space, OptimizerSpace):
        return None
    if settings.functions == "core" and (genome.progress or genome.loss):
        return "it has the input progress or loss; use --set functions=extended"
    return space.names_clash(genome)
