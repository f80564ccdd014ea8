"""Ablation: what a program does not need on a task goes, and what is left of its constants is rounded.

Every comparison is with the given program, not with that of the step before, so that many small losses cannot add up to
more than the margin. The seeds on which steps are chosen flatter what they choose; so the program of each step is
compared once more with other seeds, in the order of the steps, and from the first that does not hold there on all steps
are taken back. (To test in a fixed order and to stop at the first failure keeps the error rate of a single test.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from germline.evaluators.evaluator import Evaluator
from germline.programs.optimizer import Program, write
from germline.programs.optimizer.simplify import Simplified, Tier, simplify
from germline.programs.optimizer.simplify.cuts import cuts
from germline.programs.optimizer.simplify.proof import Check, proved
from germline.programs.optimizer.simplify.rounding import round_numbers, with_constant
from germline.search.ablation.trials import FIRST_SEED, MOST_SEEDS, Comparison, Trials

MAX_ROUNDINGS = 200
"""Most constants that are rounded: a simplification after a rounding may lead to new constants."""


@dataclass(frozen=True)
class Attempt:
    """A smaller or rounder program, and how it compares with the given program."""

    what: str
    comparison: Comparison


@dataclass(frozen=True)
class AblationStep:
    """One step of an ablation.

    Attributes:
        kind: whether a statement or state was removed, or a constant rounded.
        what: what became what: `g = clip(g, lr) → g`, or `0.899 → 0.9`.
        before: the program before the step.
        simplified: the smaller or rounder program, and its simplification.
        checks: of the steps of the simplification.
        comparison: of the simplified program with the given program.
        attempts: all cuts, or all numbers for the constant, that were tried, with the one that was taken.
    """

    kind: Literal["removed", "rounded"]
    what: str
    before: Program
    simplified: Simplified
    checks: tuple[Check, ...]
    comparison: Comparison
    attempts: tuple[Attempt, ...]

    @property
    def after(self) -> Program:
        """The program that came out."""
        return self.simplified.program


@dataclass(frozen=True)
class Ablation:
    """A program and what is left of it on a task.

    Attributes:
        given: the program at first.
        loss: its mean loss.
        margin: the largest worsening allowed, in the unit of the loss.
        steps: from the given program to `program`.
        taken_back: the steps after those, of which the first did not hold with other seeds.
        confirmation: of `program` with the given program, with other seeds.
        kept: the cuts of the last round, and the numbers for constants, whose worsening may exceed the margin.
    """

    given: Program
    loss: float
    margin: float
    steps: tuple[AblationStep, ...]
    taken_back: tuple[AblationStep, ...]
    confirmation: Comparison
    kept: tuple[Attempt, ...]

    @property
    def program(self) -> Program:
        """The program at last."""
        return self.steps[-1].after if self.steps else self.given


def ablate(
    program: Program,
    evaluator: Evaluator[Any],
    rung: int,
    seeds: int,
    share: float,
    tier: Tier = "bounded",
    on_step: Callable[[AblationStep], None] = lambda step: None,
) -> Ablation:
    """What is left of a program on a task.

    A program is allowed if the upper end of the 95 % confidence interval of the mean paired difference between its loss
    and that of the given program is below the margin. Of all allowed cuts that with the lowest upper end is made, the
    program is simplified, and so on until no cut is allowed. Then each constant becomes the allowed number with the
    fewest digits, and of those the nearest.

    Args:
        program: a simplified program.
        evaluator: trains programs and measures on validation data.
        rung: index into the task's rungs.
        seeds: number of seeds, from 2 to `MOST_SEEDS`; as many others confirm the result.
        share: the margin as a share of the given program's mean loss.
        tier: the weakest rules that simplify what is left.
        on_step: called after each step.

    Raises:
        ReferenceFailed: the given program fails with a seed.
    """
    trials = Trials(evaluator, rung, range(FIRST_SEED, FIRST_SEED + seeds))
    work = _Work(program, trials, share, tier, on_step)
    kept = [*work.remove(), *work.round_constants()]
    first = FIRST_SEED + MOST_SEEDS
    holding, confirmation = _confirm(program, work.steps, Trials(evaluator, rung, range(first, first + seeds)), share)
    steps, taken_back = tuple(work.steps[:holding]), tuple(work.steps[holding:])
    return Ablation(program, work.loss, work.margin, steps, taken_back, confirmation, tuple(kept))


class _Work:
    """An ablation under way: tries cuts and rounder constants, and takes those that keep the loss within a margin.

    Attributes:
        given: the program to ablate.
        program: what is left of it so far.
        trials: trains programs and compares their losses.
        tier: the weakest rules that simplify a program after a cut.
        on_step: called after each step.
        loss: mean loss of the given program.
        margin: the largest worsening allowed, in the unit of the loss.
        steps: the steps taken so far.
    """

    def __init__(
        self, given: Program, trials: Trials, share: float, tier: Tier, on_step: Callable[[AblationStep], None]
    ) -> None:
        self.given = self.program = given
        self.trials, self.tier, self.on_step = trials, tier, on_step
        self.loss = trials.compare([write(given)], write(given))[0].reference_loss
        self.margin = share * abs(self.loss)
        self.steps: list[AblationStep] = []

    def remove(self) -> list[Attempt]:
        """Makes cuts until none is allowed; returns the last that were tried."""
        while True:
            options = cuts(self.program)
            attempts = self._attempts([(cut.what, cut.program) for cut in options])
            allowed = [i for i, attempt in enumerate(attempts) if attempt.comparison.within(self.margin)]
            if not allowed:
                return attempts
            chosen = min(allowed, key=lambda i: (attempts[i].comparison.upper, i))
            self._take("removed", options[chosen].what, options[chosen].program, attempts)

    def round_constants(self) -> list[Attempt]:
        """Rounds each constant in turn, in the order of the text, if the loss then stays within the margin.

        Equal constants are rounded together, at most `MAX_ROUNDINGS` different ones are tried, and the result of a
        rounding is not rounded again. Returns the failed attempts for all constants that could not be rounded.
        """
        settled: set[float] = set()
        kept: list[Attempt] = []
        for _ in range(MAX_ROUNDINGS):
            constant = next((number for number in self.program.constants if number not in settled), None)
            if constant is None:
                break
            numbers = round_numbers(constant)
            options = [(f"{constant!r} → {n!r}", with_constant(self.program, constant, n)) for n in numbers]
            attempts = self._attempts(options)
            allowed = [i for i, attempt in enumerate(attempts) if attempt.comparison.within(self.margin)]
            settled.add(constant)
            if allowed:
                settled.add(numbers[allowed[0]])
                self._take("rounded", *options[allowed[0]], attempts)
            else:
                kept += attempts
        return kept

    def _attempts(self, options: Sequence[tuple[str, Program]]) -> list[Attempt]:
        texts = [write(program) for _, program in options]
        comparisons = self.trials.compare(texts, write(self.given), self.margin)
        return [Attempt(what, comparison) for (what, _), comparison in zip(options, comparisons, strict=True)]

    def _take(self, kind: Literal["removed", "rounded"], what: str, program: Program, attempts: list[Attempt]) -> None:
        simplified, checks = proved(simplify(program, self.tier))
        comparison = self._attempts([(what, simplified.program)])[0].comparison
        if not comparison.within(self.margin):  # what was allowed is the program as it was trained
            simplified, checks = Simplified(program, program, ()), ()
            comparison = self._attempts([(what, program)])[0].comparison
        step = AblationStep(kind, what, self.program, simplified, checks, comparison, tuple(attempts))
        self.steps.append(step)
        self.program = step.after
        self.on_step(step)


def _confirm(given: Program, steps: Sequence[AblationStep], trials: Trials, share: float) -> tuple[int, Comparison]:
    """How many steps, in their order, lead to programs that are all allowed with these seeds too, and the comparison of
    the last of them."""
    programs = [given, *(step.after for step in steps)]
    comparisons = trials.compare([write(program) for program in programs], write(given))
    margin = share * abs(comparisons[0].reference_loss)
    holding = 0  # the given program is no worse than itself, even where the margin is zero
    while holding < len(steps) and comparisons[holding + 1].within(margin):
        holding += 1
    return holding, comparisons[holding]
