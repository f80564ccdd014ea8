"""Ablation removes and rounds what a task does not need, by paired trials with fresh seeds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import Rung
from germline.programs.optimizer import parse, write
from germline.search.ablation.ablate import ablate
from germline.search.ablation.trials import FIRST_LOOK, FIRST_SEED, MOST_SEEDS, ReferenceFailed, Trials

SIGNS = """def train(w, g, lr):
  tiny = w * 1.3e-07
  x = sign(g)
  x = x * 0.00497
  x = x + tiny
  update = x * lr
  return update
"""


@pytest.fixture(scope="module")
def digits() -> Iterator[Any]:
    """The evaluator of real, short trainings on the digits."""
    evaluator: Any = EvaluatorSpec("optimizer", "digits-mlp", 0).build()
    evaluator.rungs = (Rung(40, 32),)
    with closing(evaluator):
        yield evaluator


@pytest.mark.slow
def test_what_a_task_does_not_need_goes_and_constants_become_round(digits: Any) -> None:
    result = ablate(parse(SIGNS), digits, 0, 5, 0.03)
    assert [step.what for step in result.steps] == ["x = x + tiny → x", "0.00497 → 0.005"]
    assert write(result.program).count("\n") == 5 and result.program.constants == (0.005,)
    assert all(step.comparison.within(result.margin) for step in result.steps)
    assert result.confirmation.within(result.margin) and not result.taken_back
    assert all(not attempt.comparison.within(result.margin) for attempt in result.kept)
    assert ablate(parse(SIGNS), digits, 0, 5, 0.03) == result


@pytest.mark.slow
def test_programs_are_compared_by_paired_differences(digits: Any) -> None:
    slower, diverging = SIGNS.replace("0.00497", "0.002"), SIGNS.replace("0.00497", "1e30")
    trials = Trials(digits, 0, range(FIRST_SEED, FIRST_SEED + 6))
    same, worse, failed = trials.compare([SIGNS, slower, diverging], SIGNS)
    assert (same.worsening, same.half_width, same.seeds) == (0.0, 0.0, 6)
    assert worse.loss is not None and worse.worsening is not None and worse.half_width is not None
    assert worse.worsening == pytest.approx(worse.loss - worse.reference_loss) and worse.lower > 0
    losses = [trials.losses[slower, seed] for seed in trials.seeds]
    assert worse.half_width < (max(losses) - min(losses)) / 2  # far below the spread of the losses themselves
    assert failed.loss is None and not failed.within(1e9) and "not finite" in str(failed.error)


@pytest.mark.slow
def test_a_program_that_fails_cannot_be_ablated(digits: Any) -> None:
    with pytest.raises(ReferenceFailed, match="trains with every seed"):
        ablate(parse(SIGNS.replace("0.00497", "1e30")), digits, 0, 3, 0.02)


class Formula:
    """An evaluator whose losses are a formula of the program's text and the seed."""

    def __init__(self, loss: Callable[[str, int], float]) -> None:
        self.loss = loss

    def score(self, genomes: Sequence[str], rung: int, seed: int) -> list[Outcome]:
        return [Outcome("ok", -self.loss(text, seed)) for text in genomes]


def test_steps_that_do_not_hold_with_other_seeds_are_taken_back() -> None:
    """Whoever is chosen for its luck on some seeds has none on others."""

    def loss(text: str, seed: int) -> float:
        is_lucky = seed < FIRST_SEED + MOST_SEEDS or "arcsin" in text
        return 1.0 + seed % 3 + (0.0 if is_lucky else 0.5)

    program = parse("def train(w, g, lr):\n  x = sign(g)\n  x = arcsin(x)\n  update = x * lr\n  return update\n")
    result = ablate(program, Formula(loss), 0, 6, 0.01)  # type: ignore[arg-type]
    assert result.taken_back and result.taken_back[-1].after != result.program
    assert "arcsin" in write(result.program)
    assert result.confirmation.seeds == 6 and result.confirmation.within(result.margin)


def test_programs_that_are_clearly_worse_are_not_trained_with_all_seeds() -> None:
    evaluator: Any = Formula(lambda text, seed: 2.0 if text == "bad" else 1.0)
    trials = Trials(evaluator, 0, range(FIRST_SEED, FIRST_SEED + 9))
    good, bad = trials.compare(["good", "bad"], "reference", 0.1)
    assert (good.seeds, bad.seeds) == (9, FIRST_LOOK) and good.within(0.1) and not bad.within(0.1)


def test_no_step_after_the_first_that_does_not_hold_is_kept() -> None:
    """Or else each further step would be one more chance to hold by luck."""

    def loss(text: str, seed: int) -> float:
        first_seeds = seed < FIRST_SEED + MOST_SEEDS
        return 1.0 if first_seeds or ("arcsin" in text) == ("sign" in text) else 1.5  # without one of the two worse

    program = parse("def train(w, g, lr):\n  x = sign(g)\n  x = arcsin(x)\n  update = x * lr\n  return update\n")
    result = ablate(program, Formula(loss), 0, 6, 0.01)  # type: ignore[arg-type]
    assert not result.steps and result.program == program and len(result.taken_back) > 1
    assert "sign" not in write(result.taken_back[-1].after) and "arcsin" not in write(result.taken_back[-1].after)


def test_a_step_whose_simplification_is_worse_stays_as_it_was_tried() -> None:
    """The simplified program is trained too, and a rule that holds but for rounding may change what a training does."""

    def loss(text: str, seed: int) -> float:
        return 2.0 if "abs" not in text and "arcsin" not in text else 1.0

    program = parse(
        "def train(w, g, lr):\n  x = abs(g)\n  x = abs(x)\n  x = arcsin(x)\n  update = x * lr\n  return update\n"
    )
    result = ablate(program, Formula(loss), 0, 6, 0.01)  # type: ignore[arg-type]
    assert all(step.comparison.within(result.margin) for step in result.steps)
    assert result.confirmation.within(result.margin)
