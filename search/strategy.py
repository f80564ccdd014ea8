"""The contract of search strategies."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from germline.evaluators.hurdle import Limit
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Review, RngFor

S = TypeVar("S")


class Strategy(Protocol[S]):
    """A pure fold over blocks. The state is immutable, and the same news in the same order give the same state.

    Because of that a run needs no checkpoint: its state is recomputed from the rows of the database. A strategy that
    derives from this has no hurdle and asks for no reviews unless it says otherwise.
    """

    def init(self) -> S:
        """The state before anything is born."""
        ...

    def breed(self, state: S, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        """The genome of a birth, drawn from `state` with the generator `rng_for(birth)`."""
        ...

    def advance(self, state: S, block: Block) -> S:
        """The state after some news."""
        ...

    def limit(self, state: S) -> Limit | None:
        """What a genome of the next block may show at the hurdle; None: anything."""
        return None

    def reviews(self, state: S) -> Sequence[Review]:
        """What should be scored again before the search goes on; the answers come in the next `advance`."""
        return ()

    def closing(self, state: S) -> Sequence[Review]:
        """What should be scored again when the budget has ended; the answers change only what is handed over."""
        return ()

    def best(self, state: S) -> Individual | None:
        """The individual that the search would hand over if it stopped here; None before anything was scored well."""
        ...
