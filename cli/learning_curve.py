"""The learning curve of a run: where it stood after each of its blocks.

A block is on it when it is complete: the search has named its winner. One that a budget cut short is left out, unless
the run has no other.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from statistics import median
from typing import TYPE_CHECKING

from germline.search.rungs import REVIEW, TEST

if TYPE_CHECKING:
    from germline.db.records import BirthScore, ReviewScore, RunRecord, RunScores
    from germline.db.store import Store

FRAMES = "frames"
"""The measure that says how much a policy played."""


@dataclass(frozen=True, slots=True)
class Row:
    """A block, and how far the run was when it was complete.

    `births`, `evaluations` and `frames` are counted from the beginning of the run, reviews among them, but no tests: as
    in the budget of a search. `best` is the highest fitness at rung 0 so far, `median` that of the block. Policies
    alone have `frames` and an `elite`: the best mean of the block's reviews, with the standard `deviation` of its
    returns and the number of `episodes`.
    """

    block: int
    births: int
    evaluations: int
    best: float | None
    median: float | None
    frames: int | None = None
    elite: float | None = None
    deviation: float | None = None
    episodes: int | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """The last test of a run of policies: the block that it came after, the mean, and as of reviews the rest."""

    block: int
    mean: float
    deviation: float | None
    episodes: int | None


@dataclass(frozen=True, slots=True)
class Curve:
    """The rows of a run, in the order of its blocks; none while no block is complete."""

    run: "RunRecord"
    rows: Sequence[Row]
    test: Test | None


def curve_of(store: "Store", name: str) -> Curve:
    """The learning curve of a run.

    Raises:
        UnknownRun: there is no such run.
    """
    from germline.search.winner import winners

    return curve(store.scores(name, FRAMES), winners(store, name))


def curve(scores: "RunScores", winners: Mapping[int, int | None]) -> Curve:
    """The learning curve of what was scored; `winners` are births by complete block."""
    blocks = complete(scores, winners)
    if scores.run.kind != "policy":
        return Curve(scores.run, list(_rows(blocks, _by_time(blocks, scores.reviews))), None)
    reviews: list[list[ReviewScore]] = [[] for _ in blocks]
    for one in scores.reviews:
        if one.rung == REVIEW and 1 <= one.seed <= len(reviews):
            reviews[one.seed - 1].append(one)
    rows = _rows(blocks, reviews)
    elites = [winners.get(block[0].block) for block in blocks]
    frames = _frames(blocks, reviews)
    return Curve(scores.run, list(map(_of_policies, rows, reviews, elites, frames)), _test(scores))


def complete(scores: "RunScores", winners: Mapping[int, int | None]) -> "list[list[BirthScore]]":
    """The births of the complete blocks, block by block; of a finished run without any, those of the first block."""
    blocks = [list(births) for _, births in groupby(scores.births, key=lambda one: one.block)]
    if not winners and scores.run.status == "finished":
        return [births for births in blocks[:1] if all(one.outcome is not None for one in births)]
    return [births for births in blocks if births[0].block in winners]


def _by_time(blocks: "Sequence[Sequence[BirthScore]]", reviews: "Sequence[ReviewScore]") -> "list[list[ReviewScore]]":
    """The reviews of each block: those that were recorded after its last outcome, and before that of the next one."""
    ends = list(accumulate((max(one.outcome or 0 for one in births) for births in blocks), max))
    found: list[list[ReviewScore]] = [[] for _ in blocks]
    for one in reviews:
        if after := bisect_left(ends, one.place):
            found[after - 1].append(one)
    return found


def _rows(blocks: "Sequence[Sequence[BirthScore]]", reviews: "Sequence[Sequence[ReviewScore]]") -> Iterator[Row]:
    births = evaluations = 0
    best: float | None = None
    for block, asked in zip(blocks, reviews, strict=True):
        births += len(block)
        evaluations += sum(one.cached_from is None for one in block) + len(asked)
        fitness = [one.fitness for one in block if one.fitness is not None]
        best = max(fitness if best is None else [best, *fitness], default=None)
        yield Row(block[0].block, births, evaluations, best, median(fitness) if fitness else None)


def _frames(blocks: "Sequence[Sequence[BirthScore]]", reviews: "Sequence[Sequence[ReviewScore]]") -> Iterator[int]:
    """How much was played up to the end of each block. A birth that shares an outcome played nothing."""
    played = 0
    for block, asked in zip(blocks, reviews, strict=True):
        played += sum(int(one.measure or 0) for one in block if one.cached_from is None)
        played += sum(int(one.measures.get(FRAMES, 0)) for one in asked)
        yield played


def _of_policies(row: Row, reviews: "Sequence[ReviewScore]", winner: int | None, frames: int) -> Row:
    elite = next((one for one in reviews if one.birth == winner and one.fitness is not None), None)
    if elite is None:
        return replace(row, frames=frames)
    deviation, episodes = _spread(elite)
    return replace(row, frames=frames, elite=elite.fitness, deviation=deviation, episodes=episodes)


def _test(scores: "RunScores") -> Test | None:
    tests = [one for one in scores.reviews if one.rung == TEST and one.fitness is not None]
    last = max((one.seed for one in tests), default=0)
    found = _fittest([one for one in tests if one.seed == last])
    if found is None or found.fitness is None:
        return None
    return Test(found.seed - 1, found.fitness, *_spread(found))


def _fittest(reviews: "Sequence[ReviewScore]") -> "ReviewScore | None":
    """Of equals the earlier birth."""
    well = [one for one in reviews if one.fitness is not None]
    return max(well, key=lambda one: (one.fitness or 0.0, -one.birth), default=None)


def _spread(review: "ReviewScore") -> tuple[float | None, int | None]:
    """The standard deviation of its returns, and of how many episodes they are."""
    return review.measures.get("deviation"), round(review.measures.get("episodes", 0)) or None
