"""Rounds of reviews, by which a run of policies decides who is handed over: when one of them is complete.

After each generation, counted from 1, its best and the old elite are reviewed with the generation as seed. A run that
was stopped meanwhile has recorded a part of its last round, and its strategy still goes by the round before.
"""

from collections import Counter
from collections.abc import Hashable, Set

from germline.db.records import RunScores

REVIEW, TEST = 1, 2
"""The rungs of reviews, and of the last test of who is handed over."""


def complete(scores: RunScores, generation: int) -> bool:
    """Whether all reviews of a generation are done.

    They are if something was done since that had to wait for them: a birth that was bred from them, the last test, the
    end of the run. Else they are counted. A run that asks for no reviews has nothing to wait for.

    Args:
        scores: of a run; or of it at least, in their order, the births of the generation's block, those that were
            reviewed and the last one, and the reviews of the generation and of the last one in which any went well.
        generation: counted from 1, so that its block is one less.
    """
    settings = scores.run.config.get("settings", {})
    # Block k is bred from the state after block k - 1 - depth.
    if scores.run.status == "finished" or scores.births[-1].block >= generation + settings.get("depth", 0):
        return True
    made = Counter((one.rung, one.seed) for one in scores.reviews)
    if made[TEST, generation]:
        return True
    first = {one.birth: one.birth if one.cached_from is None else one.cached_from for one in scores.births}
    well = {first[one.birth] for one in scores.births if one.block == generation - 1 and one.fitness is not None}
    elite = _elite_before(scores, generation)
    found = asked(settings.get("candidates", 0), well, None if elite is None else first[elite])
    return made[REVIEW, generation] >= found


def asked(candidates: int, well: Set[Hashable], elite: Hashable | None) -> int:
    """How many reviews a generation asks for: of the old elite, and of the best others, but at least one of them.

    Args:
        candidates: the setting: how many in all; 0: none.
        well: the fingerprints of the generation that were scored well, or whatever stands for them.
        elite: the old one's; None while there is none.
    """
    if not candidates:
        return 0
    if elite is None:
        return min(candidates, len(well))
    return 1 + min(max(1, candidates - 1), len(well - {elite}))


def _elite_before(scores: RunScores, generation: int) -> int | None:
    """The birth that was the elite when a generation began; seed 0 is of reviews that the strategy forgets."""
    well = [
        ((one.seed, one.fitness, -one.birth), one.birth)
        for one in scores.reviews
        if one.rung == REVIEW and 0 < one.seed < generation and one.fitness is not None
    ]
    return max(well)[1] if well else None
