"""Whether a genome gets the same bits again: in the same pack, in another process, beside others, and alone.

A run that is resumed, or whose worker was lost, scores genomes again, and has to get what it would have got.
`independent_rows` in `germline.evaluators.task` states the two ways in which a task can keep that.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from germline.evaluators.errors import in_a_line, of_foreign_code, one_line
from germline.evaluators.evaluator import Evaluator
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.outcome import Outcome
from germline.search.task_trial.other_process import NoOutcomes, score_in_other_process
from germline.search.task_trial.report import Finding, Report
from germline.search.task_trial.rows import equal_rows
from germline.search.task_trial.subject import Subject

ALONE = 8
"""Most genomes that are scored alone, and in pairs."""

Scores = Mapping[int, Outcome]
"""Outcomes by the position of their genome in the pack."""

TOGETHER, AGAIN, OTHER_PROCESS, PARTS = "all together", "the same pack again", "in another process", "parts of the pack"
DIVERGING, FEW_SLOTS = "beside genomes that diverge", "two episodes at a time"
ALONE_NAME, PAIRS, BACKWARDS, ROWS = "alone", "in pairs", "in another order", "losses and gradients"
CLAIMED = (ALONE_NAME, PAIRS, BACKWARDS)
"""Comparisons that, like `ROWS`, only a task that claims `batch_invariant` has to pass; every task has to pass the
others."""


@dataclass(frozen=True)
class _Comparison:
    """The outcomes of one way to score, to compare with those of the whole pack, by position. If the way failed there
    are none, and `error` says why."""

    name: str
    scores: Scores
    error: str = ""


def same_bits(subject: Subject) -> Report:
    """Scores the genomes of a subject in several ways, and compares the outcomes to the last bit."""
    evaluator, genomes = subject.evaluator(), subject.genomes
    together = _tried(TOGETHER, lambda: _scores(evaluator, genomes, range(len(genomes))))
    whole = together.scores
    failures = [outcome.error or outcome.status for outcome in whole.values() if outcome.status != "ok"]
    if len(whole) - len(failures) < 2:
        text = f"{len(whole) - len(failures)} of {len(genomes)} genomes have a fitness"
        cause = one_line(f"The task gives the genomes of this trial no fitness: {together.error or failures[0]}")
        return Report([Finding(TOGETHER, text, broken=True)], cause)
    comparisons = [_tried(name, function) for name, function in _ways(subject, evaluator).items()]
    claimed = subject.task.batch_invariant
    findings = [_finding(each, whole, each.name not in CLAIMED or claimed) for each in comparisons]
    differing = {each.name for each in comparisons if _different(each, whole)}
    if isinstance(evaluator, OptimizerEvaluator) and not any(each.error for each in comparisons):
        equal, compared = equal_rows(evaluator.task)
        findings.append(Finding(ROWS, f"{equal} of {compared} equal", broken=claimed and equal < compared))
        differing |= {ROWS} if equal < compared else set()
    return Report(findings, _conclusion(subject.spec.kind, claimed, differing))


def _ways(subject: Subject, evaluator: Evaluator[Any]) -> dict[str, Callable[[], Scores]]:
    """The ways to score the genomes again, by name. Each is a function that returns outcomes by position."""
    genomes, all_places = subject.genomes, range(len(subject.genomes))
    ways: dict[str, Callable[[], Scores]] = {
        AGAIN: lambda: _scores(evaluator, genomes, all_places),
        OTHER_PROCESS: lambda: dict(enumerate(score_in_other_process(subject))),
        PARTS: lambda: _in_parts(evaluator, genomes),
    }
    if subject.diverging is not None:
        diverging = subject.diverging
        ways[DIVERGING] = lambda: _beside(evaluator, genomes, diverging)
    if subject.spec.kind == "policy":
        # One episode after another in two environments, which may keep traces of the episodes before.
        ways[FEW_SLOTS] = lambda: _scores(subject.evaluator(slots=2), genomes, all_places)
    ways[ALONE_NAME] = lambda: _in_packs_of(1, evaluator, genomes)
    ways[PAIRS] = lambda: _in_packs_of(2, evaluator, genomes)
    ways[BACKWARDS] = lambda: _scores(evaluator, genomes, reversed(all_places))
    return ways


def _tried(name: str, way: Callable[[], Scores]) -> _Comparison:
    """The comparison of one way to score, which it calls. Whatever the task raises becomes its `error`."""
    try:
        return _Comparison(name, way())
    except NoOutcomes as error:
        return _Comparison(name, {}, str(error))
    except of_foreign_code() as error:
        return _Comparison(name, {}, in_a_line(error))


def _scores(evaluator: Evaluator[Any], genomes: Sequence[str], places: Iterable[int]) -> dict[int, Outcome]:
    """Scores the genomes at the given positions as a pack of their own; returns outcomes by position."""
    places = list(places)
    return dict(zip(places, evaluator.score([genomes[i] for i in places], 0, 0), strict=True))


def _in_parts(evaluator: Evaluator[Any], genomes: Sequence[str]) -> Scores:
    """Outcomes, by position, of some of the genomes, scored a few at a time in the shape of the pack, as a search does
    after the pack as a whole has failed."""
    count = len(genomes)
    parts = [*((i,) for i in range(0, count, max(1, count // 4))), (count - 1, 1)]
    scores: dict[int, Outcome] = {}
    for part in parts:
        scores.update(zip(part, evaluator.score(genomes, 0, 0, only=part), strict=True))
    return scores


def _beside(evaluator: Evaluator[Any], genomes: Sequence[str], diverging: str) -> Scores:
    """Outcomes, by position, of every second genome, scored in a pack in which the program `diverging` stands in the
    place of the others. If rows are independent, the trainer frees the rows of programs that diverge."""
    mixed = [diverging if i % 2 else genome for i, genome in enumerate(genomes)]
    scores = _scores(evaluator, mixed, range(len(mixed)))
    return {i: outcome for i, outcome in scores.items() if not i % 2}


def _in_packs_of(size: int, evaluator: Evaluator[Any], genomes: Sequence[str]) -> Scores:
    count = min(ALONE, len(genomes))
    scores: dict[int, Outcome] = {}
    for first in range(0, count, size):
        scores.update(_scores(evaluator, genomes, range(first, min(first + size, count))))
    return scores


def _finding(comparison: _Comparison, whole: Scores, required: bool) -> Finding:
    if comparison.error:
        return Finding(comparison.name, comparison.error, broken=True)
    different = _different(comparison, whole)
    text = f"{len(comparison.scores) - len(different)} of {len(comparison.scores)} equal"
    differences = [_relative_difference(comparison.scores[i], whole[i]) for i in different]
    if differences:
        text += f", relative difference up to {max(differences):.1e}"
    return Finding(comparison.name, text, broken=bool(different) and required)


def _different(comparison: _Comparison, whole: Scores) -> list[int]:
    """Positions of the genomes whose outcome differs from that in the whole pack; all positions if there are no
    outcomes."""
    if comparison.error:
        return list(whole)
    return [i for i, outcome in comparison.scores.items() if _bits(outcome) != _bits(whole[i])]


def _bits(outcome: Outcome) -> tuple[str, ...]:
    """All that a search may decide by, as text that is equal for equal bits: status, fitness, objectives and
    behaviour."""
    numbers = {**outcome.objectives, **{k: v for k, v in outcome.measures.items() if k.startswith("behaviour_")}}
    fitness = "" if outcome.fitness is None else outcome.fitness.hex()
    return (outcome.status, fitness, *(f"{name} {numbers[name].hex()}" for name in sorted(numbers)))


def _relative_difference(outcome: Outcome, expected: Outcome) -> float:
    """The relative difference of the fitness; infinite if only one outcome has a fitness."""
    if outcome.fitness is None or expected.fitness is None:
        return 0.0 if outcome.fitness == expected.fitness else math.inf
    return abs(outcome.fitness - expected.fitness) / (abs(expected.fitness) or 1.0)


def _conclusion(kind: str, claimed: bool, differing: set[str]) -> str:
    if OTHER_PROCESS in differing or (AGAIN in differing and kind != "policy"):
        return (
            "The task gives other numbers each time it is loaded or asked: take all that is random from generators "
            "with fixed seeds"
            + (", which reset sets (super().reset(seed=seed), then self.np_random)" if kind == "policy" else "")
            + ", and let no order of a set decide."
        )
    if kind == "policy" and differing:
        return (
            "An episode depends on other episodes: reset has to remove their traces (or leave clean = True out), and "
            "a step has to treat each slot by itself."
        )
    if differing & {DIVERGING, PARTS}:
        return (
            "The numbers of a candidate depend on what is beside it, though the pack keeps its shape: each entry of a "
            "loss or measure has to depend on its own candidate alone."
            if not claimed
            else "batch_invariant = True is wrong: leave it out, and packs keep their shape."
        )
    if differing:
        return (
            "batch_invariant = True is wrong: leave it out, and packs keep their shape."
            if claimed
            else "Last bits depend on the number of candidates or their places, as is common: leave batch_invariant "
            "out. Packs keep their shape, and a run gets the same bits again."
        )
    if kind == "policy":
        return "An episode depends on its policy and its seed alone, as it has to."
    if claimed:
        return "The numbers of a candidate do not depend on its pack, as the task claims."
    return (
        "The numbers of these candidates do not depend on their pack: batch_invariant = True in the class saves work, "
        "since packs need not keep their shape."
    )
