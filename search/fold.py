"""The fold of a strategy over a run's blocks: the one rule by which a state, and with it the winner, follows from rows.

The loop runs it while outcomes come in; `germline.search.winner` runs it over the rows of a run that is at rest.
`fold_block` and `fold_closing` are generators: they yield the reviews whose outcomes they need next, and return the new
state.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import TypeVar

from germline.evaluators.outcome import Outcome
from germline.search.individual import Block, Individual, Review, Reviewed, Scored
from germline.search.strategy import Strategy

S = TypeVar("S")

ScoreKey = tuple[str, int, int]
"""Fingerprint, rung and seed: the key of an outcome within a run."""

Outcomes = Mapping[ScoreKey, Outcome]

Fold = Generator[Sequence[Review], None, S]
"""Yields the reviews whose outcomes must be known before it goes on; returns the state."""


def fold_block(strategy: Strategy[S], state: S, individuals: Sequence[Individual], outcomes: Outcomes) -> Fold[S]:
    """The state after a whole block of births, all of them with an outcome, and after the reviews that it leads to."""
    state = strategy.advance(state, scored_block(individuals, outcomes))
    while reviews := strategy.reviews(state):
        yield reviews
        state = strategy.advance(state, reviewed_block(reviews, outcomes))
    return state


def fold_closing(strategy: Strategy[S], state: S, individuals: Sequence[Individual], outcomes: Outcomes) -> Fold[S]:
    """The state at the end of a budget. It serves only to choose the winner: a resumed run goes on from `state`.

    Args:
        individuals: of the block that the budget cut short, all of them with an outcome; empty if it cut none.
    """
    if individuals:
        state = strategy.advance(state, scored_block(individuals, outcomes))
    if reviews := strategy.closing(state):
        yield reviews
        state = strategy.advance(state, reviewed_block(reviews, outcomes))
    return state


def scored_block(individuals: Sequence[Individual], outcomes: Outcomes) -> Block:
    """The block of these births, each with its outcome at rung 0 and seed 0; `outcomes` must hold all of them."""
    return Block(births=tuple(Scored(each, outcomes[each.fingerprint, 0, 0]) for each in individuals))


def reviewed_block(reviews: Sequence[Review], outcomes: Outcomes) -> Block:
    """The block of these reviews, each with its outcome; `outcomes` must hold all of them."""
    return Block(reviews=tuple(Reviewed(review, outcomes[review_key(review)]) for review in reviews))


def review_key(review: Review) -> ScoreKey:
    """The key of the outcome of a review."""
    return review.individual.fingerprint, review.rung, review.seed


def winner_of(strategy: Strategy[S], state: S, outcomes: Outcomes) -> Individual | None:
    """The individual that the strategy would hand over; None while it has none with an ok outcome."""
    winner = strategy.winner(state)
    if winner is None:
        return None
    outcome = outcomes.get((winner.fingerprint, 0, 0))
    return winner if outcome is not None and outcome.fitness is not None else None
