"""Novelty search with the Deep GA (GA-NS; Lehman and Stanley 2011, Such et al. 2017): parents are chosen by novelty.

The novelty of a birth is the mean distance of its behaviour descriptor, such as the place where its robot came to rest,
from the nearest descriptors in its generation and in an archive of earlier births. Returns do not decide which
individuals become parents, unless `blend` mixes them in; but the winner is the best by return.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from germline.search.behaviours import descriptor
from germline.search.individual import Block, Individual, Proposal, Review, RngFor
from germline.search.strategies.truncation import Truncation, TruncationState
from germline.search.strategy import Strategy

Floats = NDArray[np.float64]

ROWS = 256
"""Number of descriptors whose distances to all others are held in memory at a time; an archive may be large."""


@dataclass(frozen=True, slots=True)
class NoveltyState:
    """`returns` is the state of the Deep GA, `archive` the descriptors in the archive, oldest first, and `parents` are
    the parents of the next generation."""

    returns: TruncationState
    archive: tuple[tuple[float, ...], ...] = ()
    parents: tuple[Individual, ...] = ()


class Novelty(Strategy[NoveltyState]):
    """The Deep GA with parents by novelty.

    Args:
        deep_ga: the Deep GA, which mutates the parents and chooses the elite by return; its own choice of parents is
            replaced.
        neighbours: number of nearest descriptors in the mean distance (k in the papers).
        archive: share, 0 to 1, of the births with an ok outcome and a finite descriptor that enter the archive; a hash
            of the fingerprint decides which.
        blend: weight of the return from 0 to 1. Ranks are mixed, since returns and distances have no common scale.
    """

    state_classes = (NoveltyState, TruncationState)

    def __init__(self, deep_ga: Truncation, neighbours: int, archive: float, blend: float = 0.0) -> None:
        self.deep_ga = deep_ga
        self.neighbours = neighbours
        self.archive = archive
        self.blend = blend

    def init(self) -> NoveltyState:
        return NoveltyState(self.deep_ga.init())

    def breed(self, state: NoveltyState, birth: int, rng_for: RngFor) -> Proposal:
        return self.deep_ga.breed(replace(state.returns, parents=state.parents), birth, rng_for)

    def advance(self, state: NoveltyState, block: Block) -> NoveltyState:
        state = replace(state, returns=self.deep_ga.advance(state.returns, block))
        ok = [scored for scored in block.births if scored.fitness is not None]
        located = [scored for scored in ok if np.isfinite(descriptor(scored.outcome)).all()]
        if not located:
            return state
        descriptors = [descriptor(scored.outcome) for scored in located]
        novelties = novelty(np.array(descriptors), np.array([*descriptors, *state.archive]), self.neighbours)
        fitness = [scored.fitness or 0.0 for scored in located]
        scores = (1 - self.blend) * rank_shares(novelties) + self.blend * rank_shares(fitness)
        parents = tuple(located[i].individual for i in descending(scores)[: self.deep_ga.parents])
        entering = [
            point for scored, point in zip(located, descriptors, strict=True) if self.enters_archive(scored.individual)
        ]
        return replace(state, archive=(*state.archive, *entering), parents=parents)

    def reviews(self, state: NoveltyState) -> Sequence[Review]:
        return self.deep_ga.reviews(state.returns)

    def closing(self, state: NoveltyState) -> Sequence[Review]:
        return self.deep_ga.closing(state.returns)

    def winner(self, state: NoveltyState) -> Individual | None:
        return self.deep_ga.winner(state.returns)

    def enters_archive(self, individual: Individual) -> bool:
        """Whether an individual enters the archive; decided by a hash of its fingerprint in the place of a random
        number."""
        digest = sha256(f"archive {individual.fingerprint}".encode()).digest()[:8]
        return int.from_bytes(digest) < self.archive * 2**64


def novelty(points: Floats, others: Floats, neighbours: int) -> Floats:
    """The novelty of each of n points, `[n]`: its mean distance from its nearest neighbours.

    Args:
        points: behaviour descriptors of b numbers, `[n, b]`.
        others: the m candidates for neighbours, `[m, b]`: all points in the same order, then the archive. No point is
            its own neighbour.
        neighbours: number of nearest neighbours; all others if there are fewer.
    """
    near = min(neighbours, len(others) - 1)
    distances = np.zeros(len(points))
    if not near:
        return distances
    for first in range(0, len(points), ROWS):
        rows = points[first : first + ROWS]
        # Axis by axis and neighbour by neighbour, so that the order of additions is the same on every machine.
        squares = np.zeros((len(rows), len(others)))
        for axis in range(points.shape[1]):
            squares += np.square(rows[:, axis, None] - others[:, axis])
        squares[np.arange(len(rows)), first + np.arange(len(rows))] = np.inf
        nearest = np.sqrt(np.sort(np.partition(squares, near - 1, 1)[:, :near], 1))
        for column in nearest.T:
            distances[first : first + ROWS] += column
    return distances / near


def descending(values: Floats) -> list[int]:
    """Indices of the values from the largest to the smallest; equal values keep their order."""
    return [int(place) for place in np.argsort(-values, kind="stable")]


def rank_shares(values: Sequence[float] | Floats) -> Floats:
    """The rank of each value, from 0 for the lowest to 1; equal values share their mean rank.

    >>> rank_shares([5.0, 7.0, 5.0, 9.0]).tolist()
    [0.16666666666666666, 0.6666666666666666, 0.16666666666666666, 1.0]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[which] / max(1, len(which) - 1))
