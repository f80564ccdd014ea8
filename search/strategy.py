"""The contract of search strategies.

To add a strategy, write a file in `search/strategies/`, and add an entry to the table `STRATEGIES` of each kind that it
can search (in `search/kinds/`). The entry is a factory: it returns the strategy for the settings and the space of a
run, and raises `BadSetting` for settings that the strategy does not support. `--set strategy` and
`tests/search/test_strategies.py` take the names from these tables.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from germline.evaluators.hurdle import Limit
from germline.search.individual import Block, Individual, Proposal, Review, RngFor

S = TypeVar("S")


class Strategy(Protocol[S]):
    """A pure fold over blocks, for genomes of the space that its constructor takes.

    The state is immutable and holds everything that later proposals depend on: the same blocks in the same order give
    the same state. Therefore a run needs no checkpoint; its state is recomputed from the rows of the database.

    A strategy that derives from this class has no hurdle and asks for no reviews unless it overrides these methods.

    Attributes:
        state_classes: the dataclasses that the state consists of, besides plain values and the records of a search, so
            that a snapshot can be written; empty: a resume folds all blocks.
    """

    state_classes: tuple[type, ...] = ()

    def init(self) -> S:
        """The state before the first birth."""
        ...

    def breed(self, state: S, birth: int, rng_for: RngFor) -> Proposal:
        """The genome of a birth, drawn from `state` with the generator `rng_for(birth)`."""
        ...

    def advance(self, state: S, block: Block) -> S:
        """The state after a block of births, or after the outcomes of reviews."""
        ...

    def limit(self, state: S) -> Limit | None:
        """Early-stopping threshold for the next block: the largest intermediate loss allowed, or thresholds by the size
        of the genome (see `Limit`). None: no candidate is dropped."""
        return None

    def reviews(self, state: S) -> Sequence[Review]:
        """Reviews to score before the search goes on; their outcomes come in the next `advance`, and then the new state
        is asked for reviews again. Empty: the search goes on."""
        return ()

    def closing(self, state: S) -> Sequence[Review]:
        """Reviews to score when the budget has ended, to choose or test the winner. A resumed run goes on from the
        state before them."""
        return ()

    def winner(self, state: S) -> Individual | None:
        """The winner if the search stopped here. Before any individual has an ok outcome it is None or the start
        genome, which `germline.search.fold.winner_of` turns into None."""
        ...
