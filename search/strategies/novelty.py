"""Novelty search with the Deep GA (GA-NS; Lehman and Stanley 2011, Such et al. 2017): parents are who did new things.

The novelty of a birth is the mean distance of its behaviour, such as where its robot came to rest, from the nearest
ones in its generation and in an archive of some earlier births. Returns play no part in who has children, unless
`blend` mixes them in; but who is handed over is still the best by return.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.outcome import Outcome
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Review, RngFor, Scored
from germline.search.loop import SearchFailed
from germline.search.strategies.truncation import Truncation, TruncationState
from germline.search.strategy import Strategy

Floats = NDArray[np.float64]

ROWS = 256
"""Behaviours that are compared with all others at a time, so that a large archive needs little memory."""


@dataclass(frozen=True, slots=True)
class NoveltyState:
    """What the Deep GA knows of returns, the behaviours in the archive, the oldest first, and the next parents."""

    returns: TruncationState
    archive: tuple[tuple[float, ...], ...] = ()
    parents: tuple[Individual, ...] = ()


class Novelty(Strategy[NoveltyState]):
    """The Deep GA with parents by novelty.

    Args:
        returns: mutates parents, and finds the elite by return. It has parents by novelty in place of its own.
        neighbours: how many of the nearest behaviours tell how novel one is (k).
        archive: the probability that a birth enters the archive.
        blend: weight of the return from 0 to 1. Ranks are what is mixed, since returns and distances have no common
            scale.
    """

    def __init__(self, returns: Truncation, neighbours: int, archive: float, blend: float = 0.0) -> None:
        self.returns = returns
        self.neighbours = neighbours
        self.archive = archive
        self.blend = blend

    def init(self) -> NoveltyState:
        return NoveltyState(self.returns.init())

    def breed(self, state: NoveltyState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        return self.returns.breed(replace(state.returns, parents=state.parents), birth, space, rng_for)

    def advance(self, state: NoveltyState, block: Block) -> NoveltyState:
        state = replace(state, returns=self.returns.advance(state.returns, block))
        well = [one for one in block.births if one.fitness is not None and np.isfinite(behaviour(one.outcome)).all()]
        if not well:
            return state
        behaviours = [behaviour(one.outcome) for one in well]
        novelties = novelty(np.array(behaviours), np.array([*behaviours, *state.archive]), self.neighbours)
        scores = (1 - self.blend) * shares(novelties) + self.blend * shares([one.fitness or 0.0 for one in well])
        parents = tuple(well[i].individual for i in descending(scores)[: self.returns.parents])
        entering = (does for one, does in zip(well, behaviours, strict=True) if self.enters(one))
        return replace(state, archive=(*state.archive, *entering), parents=parents)

    def enters(self, one: Scored) -> bool:
        """Whether a birth enters the archive: a hash of its fingerprint says so, the same one whenever it is asked."""
        word = sha256(f"archive {one.individual.fingerprint}".encode()).digest()[:8]
        return int.from_bytes(word) < self.archive * 2**64

    def reviews(self, state: NoveltyState) -> Sequence[Review]:
        return self.returns.reviews(state.returns)

    def closing(self, state: NoveltyState) -> Sequence[Review]:
        return self.returns.closing(state.returns)

    def best(self, state: NoveltyState) -> Individual | None:
        return self.returns.best(state.returns)


def behaviour(outcome: Outcome) -> tuple[float, ...]:
    """What a policy did: the measures `behaviour_0`, `behaviour_1`, …

    Raises:
        SearchFailed: the task does not tell.
    """
    names = takewhile(outcome.measures.__contains__, (f"behaviour_{number}" for number in count()))
    found = tuple(outcome.measures[name] for name in names)
    if not found:
        raise SearchFailed(
            "expected a task that says what episodes did, which novelty is measured in, got one without behaviours; "
            "--set strategy=truncation"
        )
    return found


def novelty(points: Floats, others: Floats, neighbours: int) -> Floats:
    """The mean distance of each point `[n, b]` from the nearest others, `[n]`.

    Args:
        points: behaviours.
        others: `[m, b]`, the points first; a point is no neighbour of its own.
        neighbours: how many of the nearest count; all others if there are fewer.
    """
    near = min(neighbours, len(others) - 1)
    found = np.zeros(len(points))
    if not near:
        return found
    for first in range(0, len(points), ROWS):
        rows = points[first : first + ROWS]
        # Axis by axis, and the nearest one by one: the order of sums is the same on every machine.
        squares = np.zeros((len(rows), len(others)))
        for axis in range(points.shape[1]):
            squares += np.square(rows[:, axis, None] - others[:, axis])
        squares[np.arange(len(rows)), first + np.arange(len(rows))] = np.inf
        nearest = np.sqrt(np.sort(np.partition(squares, near - 1, 1)[:, :near], 1))
        for column in nearest.T:
            found[first : first + ROWS] += column
    return found / near


def descending(values: Floats) -> list[int]:
    """Places from the largest value down; of equals the first one first."""
    return [int(place) for place in np.argsort(-values, kind="stable")]


def shares(values: Sequence[float] | Floats) -> Floats:
    """The rank of each value from 0, the lowest, to 1; equals share theirs.

    >>> shares([5.0, 7.0, 5.0, 9.0]).tolist()
    [0.16666666666666666, 0.6666666666666666, 0.16666666666666666, 1.0]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[which] / max(1, len(which) - 1))
