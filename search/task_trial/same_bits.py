"""Whether a genome gets the same bits again: in the same pack, in another process, beside others, and alone.

A run that is resumed, or whose worker was lost, scores genomes again, and has to get what it would have got.
`independent_rows` states the two ways in which a task can keep that.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from germline.evaluators.errors import one_line
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
"""What a task has to pass if it claims `batch_invariant`. All else every task has to pass."""


@dataclass(frozen=True)
class _Comparison:
    """Outcomes that should equal those of the whole pack; without outcomes, `error` says why there are none."""

    name: str
    scores: Scores
    error: str = ""


def same_bits(subject: Subject) -> Report:
    """Scores the genomes of a subject in several ways, and compares the outcomes to the last bit."""
    evaluator = subject.evaluator()
    whole = _scores(evaluator, subject.genomes, range(len(subject.genomes)))
    failures = [outcome for outcome in whole.values() if outcome.status != "ok"]
    if len(whole) - len(failures) < 2:
        text = f"{len(whole) - len(failures)} of {len(whole)} genomes have a fitness"
        cause = one_line(f"The task gives the genomes of this trial no fitness: {failures[0].error}")
        return Report([Finding(TOGETHER, text, broken=True)], cause)
    comparisons = [
        _Comparison(AGAIN, _scores(evaluator, subject.genomes, range(len(whole)))),
        _in_other_process(subject),
        _in_parts(evaluator, subject.genomes),
        *([] if subject.diverging is None else [_beside(evaluator, subject.genomes, subject.diverging)]),
        *([_in_few_slots(subject)] if subject.spec.kind == "policy" else []),
        *_in_other_packs(evaluator, subject.genomes),
    ]
    claimed = subject.task.batch_invariant
    findings = [_finding(each, whole, each.name not in CLAIMED or claimed) for each in comparisons]
    differing = {each.name for each in comparisons if _different(each, whole)}
    if isinstance(evaluator, OptimizerEvaluator):
        equal, compared = equal_rows(evaluator.task)
        findings.append(Finding(ROWS, f"{equal} of {compared} equal", broken=claimed and equal < compared))
        differing |= {ROWS} if equal < compared else set()
    return Report(findings, _conclusion(subject.spec.kind, claimed, differing))


def _scores(evaluator: Evaluator[Any], genomes: Sequence[str], places: Iterable[int]) -> dict[int, Outcome]:
    """The outcomes of the genomes in these places as a pack of their own."""
    places = list(places)
    return dict(zip(places, evaluator.score([genomes[i] for i in places], 0, 0), strict=True))


def _in_other_process(subject: Subject) -> _Comparison:
    try:
        return _Comparison(OTHER_PROCESS, dict(enumerate(score_in_other_process(subject))))
    except NoOutcomes as error:
        return _Comparison(OTHER_PROCESS, {}, str(error))


def _in_parts(evaluator: Evaluator[Any], genomes: Sequence[str]) -> _Comparison:
    """Parts of the pack in its shape, as they are scored after the pack as a whole has failed."""
    count = len(genomes)
    parts = [*((i,) for i in range(0, count, max(1, count // 4))), (count - 1, 1)]
    scores: dict[int, Outcome] = {}
    for part in parts:
        scores.update(zip(part, evaluator.score(genomes, 0, 0, only=part), strict=True))
    return _Comparison(PARTS, scores)


def _beside(evaluator: Evaluator[Any], genomes: Sequence[str], diverging: str) -> _Comparison:
    """A pack in which every second genome diverges, so that its rows are freed if rows are independent."""
    mixed = [diverging if i % 2 else genome for i, genome in enumerate(genomes)]
    scores = _scores(evaluator, mixed, range(len(mixed)))
    return _Comparison(DIVERGING, {i: outcome for i, outcome in scores.items() if not i % 2})


def _in_few_slots(subject: Subject) -> _Comparison:
    """Episodes one after another in two environments, which may keep traces of the episodes before."""
    return _Comparison(FEW_SLOTS, _scores(subject.evaluator(slots=2), subject.genomes, range(len(subject.genomes))))


def _in_other_packs(evaluator: Evaluator[Any], genomes: Sequence[str]) -> list[_Comparison]:
    some = range(min(ALONE, len(genomes)))
    alone: dict[int, Outcome] = {}
    pairs: dict[int, Outcome] = {}
    for i in some:
        alone.update(_scores(evaluator, genomes, [i]))
    for i in some[::2]:
        pairs.update(_scores(evaluator, genomes, some[i : i + 2]))
    backwards = _scores(evaluator, genomes, range(len(genomes))[::-1])
    return [_Comparison(ALONE_NAME, alone), _Comparison(PAIRS, pairs), _Comparison(BACKWARDS, backwards)]


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
    """Positions with another outcome than in the whole pack; all, if there are no outcomes."""
    if comparison.error:
        return list(whole)
    return [i for i, outcome in comparison.scores.items() if _bits(outcome) != _bits(whole[i])]


def _bits(outcome: Outcome) -> tuple[str, ...]:
    """All that a search may decide by: status, fitness, objectives and behaviour."""
    numbers = {**outcome.objectives, **{k: v for k, v in outcome.measures.items() if k.startswith("behaviour_")}}
    fitness = "" if outcome.fitness is None else outcome.fitness.hex()
    return (outcome.status, fitness, *(f"{name} {numbers[name].hex()}" for name in sorted(numbers)))


def _relative_difference(outcome: Outcome, expected: Outcome) -> float:
    """Of the fitness; infinite if only one of both has a fitness."""
    if outcome.fitness is None or expected.fitness is None:
        return 0.0 if outcome.fitness == expected.fitness else math.inf
    return abs(outcome.fitness - expected.fitness) / (abs(expected.fitness) or 1.0)


def _conclusion(kind: str, claimed: bool, differing: set[str]) -> str:
    if differing & {AGAIN, OTHER_PROCESS}:
        return (
            "The task gives other numbers each time it is loaded or asked: take all that is random from generators "
            "with fixed seeds, and let no order of a set decide."
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
    if claimed:
        return "The numbers of a candidate do not depend on its pack, as the task claims."
    return (
        "The numbers of these candidates do not depend on their pack: batch_invariant = True in the class saves work, "
        "since packs need not keep their shape."
    )
