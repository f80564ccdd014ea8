"""The search fitness of an optimizer run's best programs beside their reviews, and where the two part.

A search selects for its proxy: short trainings on one seed. After a while a better fitness there may come from the seed
and the length, and no longer from a better program (meta-overfitting; figure 3 of Chen et al. 2023, arXiv 2302.06675).
Reviews tell: they score the best program so far with fresh seeds, and at a longer rung.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from germline.db.records import BirthScore, ReviewScore
from germline.search.analysis.statistics import mean


@dataclass(frozen=True, slots=True)
class ReviewedProgram:
    """The scores of a reviewed program.

    Attributes:
        block: the block after which it was reviewed.
        birth: its birth; 0 is the start program.
        search: its fitness in the search, at rung 0.
        fresh: its mean fitness at rung 0 over fresh seeds; None if it was not reviewed so, or a training failed.
        fresh_seeds: the number of these seeds.
        longer: its fitness at the longer rung; None if it was not reviewed so, or the training failed.
        rung: the longer rung; None without a review at one.
    """

    block: int
    birth: int
    search: float | None
    fresh: float | None
    fresh_seeds: int
    longer: float | None
    rung: int | None


def review_curve(
    blocks: Sequence[Sequence[BirthScore]], reviews: Sequence[Sequence[ReviewScore]]
) -> list[ReviewedProgram]:
    """Returns the reviewed programs of a run in the order of their reviews.

    Args:
        blocks: the births of each complete block, in order.
        reviews: those that were recorded after each of these blocks and before the next, in the order of recording. A
            review of a birth that is in no block is left out.
    """
    births = {birth.birth: birth for births in blocks for birth in births}
    after: dict[int, int] = {}
    by_birth: dict[int, list[ReviewScore]] = {}
    for block, of_block in zip(blocks, reviews, strict=True):
        for review in of_block:
            if review.birth in births:
                after.setdefault(review.birth, block[0].block)
                by_birth.setdefault(review.birth, []).append(review)
    return [_reviewed_program(births[birth], answers, after[birth]) for birth, answers in by_birth.items()]


def turning_point(reviewed: Sequence[ReviewedProgram]) -> ReviewedProgram | None:
    """Returns the program after which the search and the longer rung part.

    It is the program with the highest fitness at the longer rung, if programs that were reviewed later have a higher
    search fitness: what they gained is no gain in a longer training. None if the last best program of the search is
    also the best at the longer rung, and if fewer than two programs have both scores.
    """
    both = [program for program in reviewed if program.search is not None and program.longer is not None]
    if len(both) < 2:
        return None
    best = max(both, key=lambda program: program.longer or 0.0)
    later = both[both.index(best) + 1 :]
    return best if any((program.search or 0.0) > (best.search or 0.0) for program in later) else None


def _reviewed_program(birth: BirthScore, answers: Sequence[ReviewScore], block: int) -> ReviewedProgram:
    fresh = [answer.fitness for answer in answers if answer.rung == 0]
    scored = [fitness for fitness in fresh if fitness is not None]
    longer: Mapping[int, float | None] = {answer.rung: answer.fitness for answer in answers if answer.rung > 0}
    rung = max(longer, default=None)
    return ReviewedProgram(
        block,
        birth.birth,
        birth.fitness,
        mean(scored) if scored and len(scored) == len(fresh) else None,
        len(fresh),
        None if rung is None else longer[rung],
        rung,
    )
