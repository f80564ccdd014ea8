"""Learning curves: how far a run was after each of its blocks.

A curve has a row for each complete block, that is, each block with a recorded winner. A block that a budget cut short
is left out, unless it is the only block of its run.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, takewhile
from statistics import median
from typing import TYPE_CHECKING

from germline.db.records import BirthScore, ReviewScore, RunRecord, RunScores
from germline.search.analysis.hypervolume import ScoredPoints, hypervolume_by_block, reference_points, scored_points
from germline.search.analysis.map_scores import MappedRun, layout_of, mapped_run, qd_offsets, qd_score
from germline.search.analysis.review_curve import ReviewedProgram, review_curve
from germline.search.policy_rungs import REVIEW, TEST
from germline.search.winner import winners

if TYPE_CHECKING:
    from germline.db.store import Store

FRAMES = "frames"
"""The measure that counts the frames of a policy's episodes."""


@dataclass(frozen=True, slots=True)
class Row:
    """The state of a run at the end of a block.

    Attributes:
        block: the number of the block.
        births, evaluations, frames: totals since the beginning of the run, with reviews and without tests, as in the
            budget of a search; `frames` is None for other kinds than policies.
        best: highest fitness at rung 0 so far; None without an ok outcome.
        median: median fitness of the block; None without an ok outcome.
        elite: for policies, the mean return of the block's winner in its review; None without a review.
        deviation, episodes: standard deviation of the returns in this review, and their number.
        hypervolume: share of the box up to the curve's reference point that the front of all births so far dominates,
            0 to 1; None for a run with a single objective.
        coverage: share of the cells of the map that are occupied, 0 to 1; None for a strategy without a map.
        qd_score: sum of the fitness of the individuals in the map, less the offset of the curve for each; None without
            a map, or without an ok outcome.
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
    hypervolume: float | None = None
    coverage: float | None = None
    qd_score: float | None = None


@dataclass(frozen=True, slots=True)
class LastTest:
    """The last test of a run of policies: the block it followed, the mean return, the standard deviation of the returns
    and the number of episodes."""

    block: int
    mean: float
    deviation: float | None
    episodes: int | None


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The rows of a run, one for each complete block, in order.

    `test` is None for other kinds than policies, and before a test. `reference` is the reference point of the
    hypervolumes by objective; None for a run with a single objective. `reviewed` has the reviewed programs of a run of
    optimizers in the order of their reviews; empty for other kinds. `qd_offset` is the offset of the QD scores; None
    for a run without a map.
    """

    run: RunRecord
    rows: Sequence[Row]
    test: LastTest | None
    reference: Mapping[str, float] | None = None
    reviewed: Sequence[ReviewedProgram] = ()
    qd_offset: float | None = None


def learning_curve_of(store: "Store", name: str) -> LearningCurve:
    """Returns the learning curve of a run.

    Raises:
        UnknownRun: the database has no run of that name.
    """
    return learning_curves(store, [name])[0]


def learning_curves(store: "Store", names: Sequence[str]) -> list[LearningCurve]:
    """Returns the learning curves of runs. Runs with the same task and objectives share a reference point, so
    their hypervolumes are comparable; runs with the same task share the offset of their QD scores.

    Raises:
        UnknownRun: the database has no run of some name.
    """
    curves, mapped = [], []
    for name in names:
        scores, winner_births = store.scores(name, FRAMES), winners(store, name)
        curves.append(learning_curve(scores, winner_births))
        has_map = layout_of(scores.run) is not None
        mapped.append(mapped_run(store, scores.run, complete_blocks(scores, winner_births)) if has_map else None)
    curves = [_with_map(*each) for each in zip(curves, mapped, qd_offsets(mapped), strict=True)]
    points = [scored_points(store, name) for name in names]
    return [
        curve if run is None or reference is None else _with_hypervolume(curve, run, reference)
        for curve, run, reference in zip(curves, points, reference_points(points), strict=True)
    ]


def learning_curve(scores: RunScores, winner_births: Mapping[int, int | None]) -> LearningCurve:
    """Returns the learning curve of recorded scores, without hypervolumes.

    Args:
        scores: of a run.
        winner_births: the birth of each complete block's winner, by block; None before any outcome is ok.
    """
    blocks = complete_blocks(scores, winner_births)
    if scores.run.kind != "policy":
        by_time = _reviews_by_time(blocks, scores.reviews)
        reviewed = review_curve(blocks, by_time) if scores.run.kind == "optimizer" else ()
        return LearningCurve(scores.run, list(_rows(blocks, by_time)), None, reviewed=reviewed)
    reviews: list[list[ReviewScore]] = [[] for _ in blocks]
    for review in scores.reviews:
        if review.rung == REVIEW and 1 <= review.seed <= len(reviews):
            reviews[review.seed - 1].append(review)
    rows = _rows(blocks, reviews)
    elites = [winner_births.get(block[0].block) for block in blocks]
    policy_rows = list(map(_policy_row, rows, reviews, elites, _total_frames(blocks, reviews)))
    return LearningCurve(scores.run, policy_rows, _last_test(scores))


def complete_blocks(scores: RunScores, winner_births: Mapping[int, int | None]) -> list[list[BirthScore]]:
    """Returns the births of each block that has a recorded winner; without any, see `_blocks_by_outcomes`."""
    blocks = [list(births) for _, births in groupby(scores.births, key=lambda birth: birth.block)]
    if not winner_births:
        return _blocks_by_outcomes(scores.run, blocks)
    return [births for births in blocks if births[0].block in winner_births]


def _blocks_by_outcomes(run: RunRecord, blocks: Sequence[list[BirthScore]]) -> list[list[BirthScore]]:
    """The blocks that are as large as the first and have all outcomes.

    They stand for the complete ones if a budget cut the first block short, and in runs of older databases whose config
    does not tell how they were searched. Of unfinished runs of policies there is none: the first block may wait for
    its reviews.
    """
    if run.kind == "policy" and run.status != "finished":
        return []
    return list(
        takewhile(
            lambda births: len(births) == len(blocks[0]) and all(birth.outcome_id is not None for birth in births),
            blocks,
        )
    )


def _with_hypervolume(curve: LearningCurve, run: ScoredPoints, reference: Mapping[str, float]) -> LearningCurve:
    volumes = hypervolume_by_block(run, reference, [row.block for row in curve.rows])
    rows = [replace(row, hypervolume=volume) for row, volume in zip(curve.rows, volumes, strict=True)]
    return replace(curve, rows=rows, reference=reference)


def _with_map(curve: LearningCurve, mapped: MappedRun | None, offset: float | None) -> LearningCurve:
    if mapped is None:
        return curve
    rows = [
        replace(row, coverage=mapped.coverage(known), qd_score=None if offset is None else qd_score(known, offset))
        for row, known in zip(curve.rows, mapped.maps(), strict=True)
    ]
    return replace(curve, rows=rows, qd_offset=offset)


def _reviews_by_time(blocks: Sequence[Sequence[BirthScore]], reviews: Sequence[ReviewScore]) -> list[list[ReviewScore]]:
    """The reviews of each block: recorded after the block's last outcome and before the next block's last outcome."""
    ends = list(accumulate((max(birth.outcome_id or 0 for birth in births) for births in blocks), max))
    by_block: list[list[ReviewScore]] = [[] for _ in blocks]
    for review in reviews:
        if after := bisect_left(ends, review.evaluation_id):
            by_block[after - 1].append(review)
    return by_block


def _rows(blocks: Sequence[Sequence[BirthScore]], reviews: Sequence[Sequence[ReviewScore]]) -> Iterator[Row]:
    births = evaluations = 0
    best: float | None = None
    for block, block_reviews in zip(blocks, reviews, strict=True):
        births += len(block)
        evaluations += sum(birth.cached_from is None for birth in block) + len(block_reviews)
        fitness = [birth.fitness for birth in block if birth.fitness is not None]
        best = max(fitness if best is None else [best, *fitness], default=None)
        yield Row(block[0].block, births, evaluations, best, median(fitness) if fitness else None)


def _total_frames(blocks: Sequence[Sequence[BirthScore]], reviews: Sequence[Sequence[ReviewScore]]) -> Iterator[int]:
    """Frames played up to the end of each block. A cache hit played none."""
    total = 0
    for block, block_reviews in zip(blocks, reviews, strict=True):
        total += sum(int(birth.measure or 0) for birth in block if birth.cached_from is None)
        total += sum(int(review.measures.get(FRAMES, 0)) for review in block_reviews)
        yield total


def _policy_row(row: Row, reviews: Sequence[ReviewScore], elite_birth: int | None, frames: int) -> Row:
    elite = next((review for review in reviews if review.birth == elite_birth and review.fitness is not None), None)
    if elite is None:
        return replace(row, frames=frames)
    deviation, episodes = _spread(elite)
    return replace(row, frames=frames, elite=elite.fitness, deviation=deviation, episodes=episodes)


def _last_test(scores: RunScores) -> LastTest | None:
    tests = [review for review in scores.reviews if review.rung == TEST and review.fitness is not None]
    last = max((test.seed for test in tests), default=0)
    fittest = _fittest([test for test in tests if test.seed == last])
    if fittest is None or fittest.fitness is None:
        return None
    return LastTest(fittest.seed - 1, fittest.fitness, *_spread(fittest))


def _fittest(reviews: Sequence[ReviewScore]) -> ReviewScore | None:
    """The review with the highest fitness, of the earlier birth if several are equal; None if all failed."""
    scored = [review for review in reviews if review.fitness is not None]
    return max(scored, key=lambda review: (review.fitness or 0.0, -review.birth), default=None)


def _spread(review: ReviewScore) -> tuple[float | None, int | None]:
    """The standard deviation of a review's returns, and the number of its episodes."""
    return review.measures.get("deviation"), round(review.measures.get("episodes", 0)) or None
