"""Paired trials: programs trained with the same fresh seeds as a reference, and how much worse they are.

A trial with a seed gives all programs the same initial weights and batches, so most of the spread that seeds cause
cancels in the difference of two losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from germline.evaluators.evaluator import Evaluator
from germline.search.analysis.statistics import deviation, half_width, mean

FIRST_SEED = 2_000
"""First evaluation seed of an ablation, above those of searches (0), reviews (from 1 on) and validations (1,000 to
1,999)."""

MOST_SEEDS = 1_000
"""Most seeds of an ablation; its confirmation uses as many, from `FIRST_SEED + MOST_SEEDS` on."""

FIRST_LOOK = 4
"""Seeds after which programs that are clearly worse are not trained any further."""


@dataclass(frozen=True)
class Comparison:
    """A program beside the reference, both trained with the same seeds.

    Attributes:
        seeds: how many seeds.
        reference_loss: mean loss of the reference.
        loss: mean loss of the program; None if it failed with any seed.
        worsening: mean of the paired differences of both losses, above 0 if the program is worse; None if it failed.
        half_width: half width of the 95 % confidence interval of `worsening`; None if it failed.
        error: why it failed; None if it did not.
    """

    seeds: int
    reference_loss: float
    loss: float | None
    worsening: float | None
    half_width: float | None
    error: str | None = None

    @property
    def upper(self) -> float:
        """The upper end of the interval; infinity if the program failed."""
        return float("inf") if self.worsening is None or self.half_width is None else self.worsening + self.half_width

    @property
    def lower(self) -> float:
        """The lower end of the interval; infinity if the program failed."""
        return float("inf") if self.worsening is None or self.half_width is None else self.worsening - self.half_width

    def within(self, margin: float) -> bool:
        """True if the upper end of the interval of `worsening` is below `margin` (a loss); False if it failed."""
        return self.upper < margin


class ReferenceFailed(ValueError):
    """The reference could not be trained with some seed, so that nothing can be compared with it."""


@dataclass
class Trials:
    """The losses of programs by seed, each trained once.

    Args:
        evaluator: trains and measures on validation data.
        rung: index into the task's rungs.
        seeds: the evaluation seeds.
    """

    evaluator: Evaluator[Any]
    rung: int
    seeds: range
    losses: dict[tuple[str, int], float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def compare(self, texts: Sequence[str], reference: str, margin: float | None = None) -> list[Comparison]:
        """Each program beside the reference.

        Args:
            texts: the programs.
            reference: the program that they are compared with.
            margin: programs that are worse by more, by the lower end of the interval over the first `FIRST_LOOK` seeds,
                are not trained with the other seeds; None: all are.

        Raises:
            ReferenceFailed: the reference fails with a seed.
        """
        looks = [self.seeds] if margin is None else [self.seeds[:FIRST_LOOK], self.seeds]
        comparisons: dict[str, Comparison] = {}
        alive = list(dict.fromkeys(texts))
        for seeds in looks:
            self._train(list(dict.fromkeys((reference, *alive))), seeds)
            comparisons |= {text: self._comparison(text, reference, seeds) for text in alive}
            if margin is not None:
                alive = [text for text in alive if comparisons[text].lower <= margin]
        return [comparisons[text] for text in texts]

    def _train(self, texts: Sequence[str], seeds: Sequence[int]) -> None:
        """Trains the programs that have no loss for a seed yet, all of a seed together. A program that has failed with
        a seed is not trained again."""
        for seed in seeds:
            pack = [text for text in texts if (text, seed) not in self.losses and text not in self.errors]
            outcomes = self.evaluator.score(pack, self.rung, seed) if pack else []
            for text, outcome in zip(pack, outcomes, strict=True):
                if outcome.fitness is None:
                    self.errors[text] = outcome.error or outcome.status
                else:
                    self.losses[text, seed] = -outcome.fitness

    def _comparison(self, text: str, reference: str, seeds: Sequence[int]) -> Comparison:
        if reference in self.errors:
            raise ReferenceFailed(f"expected a program that trains with every seed, got: {self.errors[reference]}")
        base = [self.losses[reference, seed] for seed in seeds]
        if text in self.errors:
            return Comparison(len(seeds), mean(base), None, None, None, self.errors[text])
        losses = [self.losses[text, seed] for seed in seeds]
        differences = [loss - other for loss, other in zip(losses, base, strict=True)]
        width = half_width(deviation(differences), len(seeds))
        return Comparison(len(seeds), mean(base), mean(losses), mean(differences), width)
