"""Verdicts from paired losses, and steps to a target."""

from math import inf

import numpy as np
import pytest

from germline.search.tuned_comparison.speed_up import median_curve, speed_up, steps_to
from germline.search.tuned_comparison.verdict import PairedCell, judge


def cell(gain: float, spread: float = 0.1, seeds: int = 10, task: str = "t", length: float = 1.0) -> PairedCell:
    """Losses around 2 whose paired differences have exactly this mean and standard deviation."""
    noise = np.random.default_rng(seeds).normal(size=seeds)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    others = 2.0 + 0.1 * np.random.default_rng(1).normal(size=seeds)
    return PairedCell(task, length, tuple(others - gain - spread * noise), tuple(others))


def test_a_clear_gain_on_every_task_is_better() -> None:
    verdict = judge([cell(1.0), cell(1.0, length=4.0)])
    assert str(verdict) == verdict.word == "better"
    [first, second] = verdict.cells
    assert first.p == 2 / 1024 and first.holm == second.holm == 4 / 1024 and first.better
    assert first.low < 1.0 < first.high and abs(first.gain - 1.0) < 1e-9


def test_three_quarters_of_the_tasks_suffice_unless_another_is_much_worse() -> None:
    clear = [cell(1.0)] * 3
    assert judge([*clear, cell(-0.05)]).word == "better"
    assert judge([*clear, cell(-0.5)]).word == "not better", "worse by more than a standard deviation"
    assert judge([*clear[:2], cell(-0.05), cell(-0.05)]).word == "not better"


def test_each_of_several_looks_has_its_share_of_the_level() -> None:
    """The p-value of ten seeds that all have a gain is 2 / 1024, near 0.01 / 5 and below 0.01."""
    one = cell(1.0)
    assert judge([one], looks=5).word == "better" and judge([one], looks=6).word == "undecided"
    assert judge([one, one]).word == "better" and judge([one, one], looks=5).word == "undecided"


def test_a_gain_that_is_not_significant_needs_more_seeds() -> None:
    verdict = judge([cell(0.1, spread=0.1, seeds=5)])
    # An effect of one standard deviation needs 15 seeds at p < 0.01 (see the test of `pairs_needed`).
    assert verdict.word == "undecided" and verdict.more == 10
    assert str(verdict) == "undecided: needs about 10 more seeds"
    assert judge([cell(1.0, seeds=7)]).more == 1, "seven seeds cannot reach p < 0.01"


def test_five_seeds_cannot_decide_whatever_the_gain() -> None:
    assert judge([cell(100.0, seeds=5)]).word == "undecided"


def test_no_gain_is_not_better() -> None:
    assert judge([cell(-0.01)]).word == "not better"
    assert judge([PairedCell("t", 1.0, (1.0, 1.0), (1.0, 1.0))]).word == "not better"


def test_holm_corrects_for_the_number_of_tasks() -> None:
    assert judge([cell(1.0)] * 5).word == "better"
    verdict = judge([cell(1.0)] * 6)
    assert verdict.word == "undecided" and verdict.more == 1, "2 / 1024 times 6 is above 0.01"


def test_a_training_that_diverges_counts_as_much_worse() -> None:
    others = tuple(2.0 + 0.01 * i for i in range(10))
    ours = tuple(loss - 0.5 for loss in others[:-1])
    assert judge([PairedCell("t", 1.0, (*ours, inf), others)]).word == "not better"
    assert judge([PairedCell("t", 1.0, others, (inf,) * 10)]).word == "better"
    assert judge([PairedCell("t", 1.0, (inf,) * 10, (inf,) * 10)]).word == "not better"


def test_steps_to_a_target_are_interpolated() -> None:
    steps = (10, 20, 30)
    assert steps_to([3.0, 2.0, 1.0], steps, 1.5) == 25.0
    assert steps_to([3.0, 2.0, 1.0], steps, 3.5) == 10.0
    assert steps_to([3.0, 2.0, 1.0], steps, 0.5) == inf
    assert steps_to([inf, 2.0], steps[:2], 2.5) == 20.0


def test_speed_up_above_and_below_one() -> None:
    steps, reference = (10, 20, 30), [3.0, 2.0, 1.0]
    assert speed_up([1.5, 0.9, 0.8], reference, steps, 1.2) == pytest.approx(30 / 15)
    # It ends at 2.0, which the reference had at step 20 of 30.
    assert speed_up([4.0, 3.0, 2.0], reference, steps, 1.0) == pytest.approx(20 / 30)
    assert speed_up([], reference, steps, 1.0) == pytest.approx(10 / 30)
    assert median_curve([[3.0, 1.0], [2.0, 2.0], [4.0]]) == [3.0, 2.0]
