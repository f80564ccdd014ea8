"""A contender of which no point could be trained on a task failed there with every seed, for all that is computed."""

from dataclasses import replace
from math import inf

import pytest

from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import library
from germline.search.knob_tuning.tuning import KnobTuning, KnobTuningPlan
from germline.search.tuned_comparison.compare import verdicts
from germline.search.tuned_comparison.contender import Contender, program_contender
from germline.search.tuned_comparison.overall import improvement, overall
from germline.search.tuned_comparison.results import Cell, ContenderResult, TunedComparison

SEEDS = 12
STEPS = (10, 20, 30, 40)


def result(contender: Contender, finals: tuple[Outcome, ...]) -> ContenderResult:
    return ContenderResult(contender, KnobTuning(contender.knobs.box, KnobTuningPlan()), finals)


def finals(loss: float) -> tuple[Outcome, ...]:
    """Trainings that end near a loss."""
    outcomes = []
    for seed in range(SEEDS):
        last = loss + 0.001 * (seed % 3)
        curve = {f"curve_{i:02}": last + 0.1 * (len(STEPS) - 1 - i) for i in range(len(STEPS))}
        outcomes.append(Outcome("ok", -last, {"loss": last}, curve))
    return tuple(outcomes)


def comparison(fails_on: int) -> TunedComparison:
    """A contender that is better on four tasks, but for those on which it cannot be trained."""
    judged = program_contender("judged", library()["lion"], True)
    baseline = program_contender("baseline", library()["adamw"], False)
    cells = tuple(
        Cell(
            f"task-{number}",
            1.0,
            STEPS[-1],
            STEPS,
            (result(judged, () if number < fails_on else finals(0.5)), result(baseline, finals(0.6))),
            1,
            0.6,
        )
        for number in range(4)
    )
    return TunedComparison((judged, baseline), cells, verdicts(cells), SEEDS, {})


def test_it_is_judged_on_the_tasks_on_which_it_could_not_be_trained_too() -> None:
    [whole] = comparison(0).pairs
    assert whole.verdict.word == "better"
    failing = comparison(2)
    [pair] = failing.pairs
    assert pair.verdict.word == "not better" and len(pair.verdict.cells) == 4
    assert [cell.worse for cell in pair.verdict.cells] == [True, True, False, False]
    assert improvement(failing, pair) == pytest.approx(0.5)


def test_its_speed_up_is_that_of_failed_trainings() -> None:
    failing = comparison(2)
    cell = failing.cells[0]
    diverged = replace(cell, results=(result(failing.contenders[0], (Outcome("diverged"),) * SEEDS), cell.results[1]))
    assert cell.speed_ups(0) == diverged.speed_ups(0) == (0.25,) * SEEDS
    assert cell.paired_losses(0, 1)[0] == (inf,) * SEEDS
    whole = overall(comparison(0))[0].speed_up
    half = overall(failing)[0].speed_up
    assert whole is not None and half is not None and half < 1 < whole
