"""The tuning of knobs on functions whose best point is known, and boxes of programs."""

from collections.abc import Callable
from math import inf, isclose, log10

import pytest
import torch

from germline.evaluators.optimizer.schedule import Schedule
from germline.programs.optimizer import library, parse, write
from germline.programs.optimizer.export.learning_rate import find_learning_rate
from germline.programs.optimizer.export.roles import constants
from germline.search.knob_tuning.class_box import class_knobs
from germline.search.knob_tuning.knobs import Box, Choice, Point, Range
from germline.search.knob_tuning.program_box import beta_range, program_knobs
from germline.search.knob_tuning.sobol import sobol
from germline.search.knob_tuning.tuning import KnobTuning, KnobTuningPlan, advance, propose

BOX = Box(
    (
        Range("rate", 1e-3, 1e-5, 1e-1),
        Range("decay", 0.01, 1e-4, 1.0, zero=True, ceiling=10.0),
        Range("beta of m", 0.9, 0.01, 0.9, complement=True, floor=1e-6, ceiling=0.9),
        Choice("schedule", "cosine", ("cosine", "linear", "constant")),
    )
)


def tuned(box: Box, loss: Callable[[Point, int], float], plan: KnobTuningPlan) -> KnobTuning:
    tuning = KnobTuning(box, plan)
    while (request := propose(tuning)) is not None:
        tuning = advance(tuning, [[loss(point, seed) for seed in range(request.seeds)] for point in request.points])
    return tuning


def bowl(rate: float, decay: float, size: float, shape: str, noise: float = 0.01) -> Callable[[Point, int], float]:
    """A loss that is least, 1.0, at given values; seeds differ by `noise`."""

    def loss(point: Point, seed: int) -> float:
        at_rate, at_decay, beta, schedule = point
        assert isinstance(at_rate, float) and isinstance(at_decay, float) and isinstance(beta, float)
        off = (log10(at_rate / rate) ** 2 + (log10(max(at_decay, 1e-5) / decay)) ** 2) / 10
        off += log10((1 - beta) / size) ** 2 / 10 + 0.3 * (schedule != shape)
        return inf if at_rate > 5 else 1.0 + off + noise * (seed - 1)

    return loss


def test_finds_the_best_point_of_a_bowl() -> None:
    tuning = tuned(BOX, bowl(0.02, 0.003, 0.2, "linear"), KnobTuningPlan())
    assert tuning.best is not None and tuning.phase == "done" and tuning.widened == ()
    values = BOX.named(tuning.best.point)
    assert 0.01 < values["rate"] < 0.04 and values["schedule"] == "linear"  # type: ignore[operator]
    assert tuning.best.loss < 1.03
    assert isclose(tuning.deviation or 0, 0.01)
    assert len(tuning.sampled) == 64 and tuning.sampled[0].point == BOX.default
    bests = [tuning.best_after(n) for n in (1, 5, 20, 64)]
    assert bests == sorted(bests, reverse=True) and bests[-1] > tuning.best.loss - 0.02
    # Rates up to log10² / 10 = 2 deviations away are good: a factor of about 2.8 on either side.
    assert tuning.good_rates is not None
    low, high = tuning.good_rates
    assert low <= values["rate"] <= high and 2.0 < high / low < 10.0  # type: ignore[operator]
    assert low < 0.02 < high


@pytest.mark.parametrize(
    ("trials", "reported"),
    [(1, (1,)), (16, (1, 5, 16)), (20, (1, 5, 20)), (64, (1, 5, 20, 64)), (100, (1, 5, 20, 64, 100))],
)
def test_best_losses_are_reported_after_no_more_trials_than_there_are(trials: int, reported: tuple[int, ...]) -> None:
    assert KnobTuningPlan(trials=trials).reported == reported


def test_same_plan_gives_the_same_points_and_another_seed_gives_others() -> None:
    first = propose(KnobTuning(BOX, KnobTuningPlan(seed=3)))
    assert first == propose(KnobTuning(BOX, KnobTuningPlan(seed=3))) != propose(KnobTuning(BOX, KnobTuningPlan(seed=4)))
    assert first is not None
    fewer = propose(KnobTuning(BOX, KnobTuningPlan(trials=5, seed=3)))
    assert fewer is not None and fewer.points == first.points[:5], "a smaller budget is the beginning of a larger one"
    assert sobol(3, 0, 0) == []


def test_sampled_points_fill_the_ranges() -> None:
    request = propose(KnobTuning(BOX, KnobTuningPlan()))
    assert request is not None
    rates, decays, betas, shapes = zip(*request.points, strict=True)
    assert min(rates) < 3e-5 and max(rates) > 3e-2 and all(1e-5 <= rate <= 0.1 for rate in rates)  # type: ignore
    assert 6 <= decays.count(0.0) <= 20 and max(decays) > 0.3
    assert all(0.1 <= beta <= 0.99 for beta in betas)  # type: ignore[operator]
    assert {shapes.count(shape) >= 15 for shape in ("cosine", "linear", "constant")} == {True}


def test_a_best_point_on_the_border_widens_the_box() -> None:
    tuning = tuned(BOX, bowl(1.0, 0.003, 0.2, "linear"), KnobTuningPlan(rounds=16))
    assert tuning.best is not None and 0.4 < float(tuning.best.point[0]) < 2.5
    assert tuning.widened[0] == "rate above 0.1"
    assert isinstance(tuning.box.knobs[0], Range) and tuning.box.knobs[0].high >= 1.0


def test_a_range_that_grows_is_told_by_the_value_and_not_by_its_complement() -> None:
    beta = beta_range("beta of m", 0.99)
    box = Box((beta,))
    assert box.widened_at((1 - beta.low,))[1] == ["beta of m above 0.999"]
    assert box.widened_at((1 - beta.high,))[1] == ["beta of m below 0.9"]


def test_a_momentum_of_one_has_neighbours() -> None:
    assert all(isinstance(value, float) and 0 < value < 1 for value in beta_range("momentum", 1.0).neighbours(1.0))


def test_everything_that_diverges_ends_the_tuning_without_a_best_point() -> None:
    tuning = tuned(BOX, lambda point, seed: inf, KnobTuningPlan(trials=4))
    assert tuning.phase == "done" and tuning.best is None and tuning.trainings == 4
    later = tuned(BOX, lambda point, seed: inf if seed else 1.0, KnobTuningPlan(trials=4))
    assert later.phase == "done" and later.best is None


def test_equal_losses_end_the_descent() -> None:
    tuning = tuned(BOX, lambda point, seed: 1.0, KnobTuningPlan(trials=4))
    assert tuning.rounds == 1 and tuning.best is not None and tuning.best.point == BOX.default


def test_rounds_and_trainings_are_counted() -> None:
    tuning = tuned(BOX, bowl(0.02, 0.003, 0.2, "linear"), KnobTuningPlan(trials=8, seeds=2, rounds=0))
    assert tuning.rounds == 0 and tuning.trainings == 8 + 4 * 2 + 8 * 2


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("adamw", ["rate", "beta of m", "beta of v", "decay", "warm-up", "schedule"]),
        ("lion", ["rate", "beta of m", "beta of m 2", "warm-up", "schedule"]),
        ("sgd_momentum", ["rate", "beta of m", "warm-up", "schedule"]),
        ("hypergradient", ["rate", "warm-up", "schedule"]),
    ],
)
def test_knobs_of_library_programs(name: str, knobs: list[str]) -> None:
    assert [knob.name for knob in program_knobs(parse(library()[name])).box.knobs] == knobs


@pytest.mark.parametrize("name", sorted(library()))
def test_a_point_is_the_program_with_other_constants(name: str) -> None:
    """At its default a program stays as it is; elsewhere its rate, betas and decay are those of the point."""
    knobs = program_knobs(parse(library()[name]))
    assert knobs.at(knobs.box.default) == (knobs.program, Schedule())
    point = knobs.box.sample([0.7] * len(knobs.box.knobs))
    program, schedule = knobs.at(point)
    values = knobs.box.named(point)
    parse(write(program))
    assert schedule == Schedule(values["schedule"], values["warm-up"])  # type: ignore[arg-type]
    rate = find_learning_rate(program)
    if knobs.rates:
        assert isclose(rate.default, values["rate"], rel_tol=1e-9)  # type: ignore[arg-type]
    roles = {c.value for c in constants(program, rate.literals) if c.role in ("decay", "momentum", "weight decay")}
    assert roles >= {value for knob, value in values.items() if knob not in ("rate", "warm-up", "schedule")}


def test_a_program_without_a_rate_has_its_update_multiplied() -> None:
    knobs = program_knobs(parse("def train(w, g, lr):\n  update = sin(g)\n  return update\n"))
    assert knobs.rates == ()
    program, _ = knobs.at(knobs.box.sample([0.75, 0.0, 0.0]))
    assert "10.0" in write(program)
    twice, _ = program_knobs(program).at((20.0, 0.05, "cosine"))
    assert parse(write(twice)) == twice


def test_knobs_of_classes_are_those_of_the_programs_that_do_the_same() -> None:
    program = program_knobs(parse(library()["adamw"])).box.named(program_knobs(parse(library()["adamw"])).box.default)
    knobs = class_knobs(torch.optim.AdamW, "AdamW@1", "torch:AdamW")
    assert sorted(map(str, knobs.box.default)) == sorted(map(str, program.values()))
    use, schedule = knobs.training_at(knobs.box.default)
    assert use.name == "AdamW@1" and schedule == Schedule()
    assert use.arguments == {"lr": 1e-3, "betas": [0.9, 0.999], "weight_decay": 0.01}
    momentum = class_knobs(torch.optim.SGD, "SGD", "torch:SGD").box.knobs[1]
    assert isinstance(momentum, Range) and momentum.name == "momentum" and momentum.default == 0.0
    assert all(0.0 <= value < 1.0 for value in momentum.neighbours(0.0)) and momentum.border(0.0) is None
    with pytest.raises(ValueError, match="expected a class that takes lr"):
        class_knobs(torch.nn.Linear, "Linear", "torch:Linear")
