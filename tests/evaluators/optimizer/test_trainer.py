"""The batched trainer against training one candidate at a time with the reference interpreter."""

import math
import os

import numpy as np
import pytest
import torch
from reference_runs import START, RoundsOnce, mutants
from torch import Tensor

from germline.evaluators import training_seeds
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.optimizer.schedule import SCHEDULE
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.optimizer.training_loop import TrainingResult
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.evaluators.training_seeds import batches
from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.interpret import Interpreter

SCALE = float(os.environ.get("GERMLINE_SCALE", "1"))
RUNG = Rung(steps=20, batch=16)
DIVERGES = "def train(w, g, m, v, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update, m, v\n"


@pytest.fixture(scope="module")
def digits() -> TrainingTask:
    torch.set_num_threads(1)
    return task_class("digits-mlp")("cpu")


def alone(task: TrainingTask, program: Program, rung: Rung, seed: tuple[int, ...]) -> TrainingResult:
    """One candidate with ordinary autograd and the reference interpreter, on the batches and weights of `train`."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
    weights = [leaf.clone() for leaf in task.start(generator).values()]
    interpreter = Interpreter(program, xp=RoundsOnce())
    batches = np.random.default_rng([*seed, 1])

    def views() -> dict[str, Tensor]:
        return {parameter.name: weight[None] for parameter, weight in zip(task.parameters, weights, strict=True)}

    for step in range(rung.steps):
        index = torch.as_tensor(batches.integers(0, task.size("train"), rung.batch))
        for weight in weights:
            weight.requires_grad_()
        loss = task.loss(views(), "train", index).sum()
        gradients = torch.autograd.grad(loss, weights)
        weights = [weight.detach() for weight in weights]
        progress = step / rung.steps
        updates = interpreter.step(weights, gradients, SCHEDULE.value(step, rung.steps), progress, float(loss.detach()))
        weights = [weight - update for weight, update in zip(weights, updates, strict=True)]
    weights = interpreter.evaluated(weights)
    if not all(torch.isfinite(weight).all() for weight in weights):
        return TrainingResult(None, rung.steps)
    measured = float(task.measure(views(), "validation")["loss"][0])
    return TrainingResult({"loss": measured} if math.isfinite(measured) else None, rung.steps)


@pytest.mark.slow
def test_programs_get_the_progress_of_the_training_and_their_own_loss(digits: TrainingTask) -> None:
    rule = "def train(w, g, b: scalar, lr, step, progress, loss):\n  b = interp(loss, b, 0.5)\n"
    texts = [
        rule + "  u = g * 0.1 * b * (1.0 - progress)\n  return u, b\n",
        rule + "  u = orthogonalize(g) * 0.01 * loss\n  return u, b\n",
        rule + "  u = sign(g) * 0.01 * loss * (step * 0.1 - progress)\n  return u, b\n",
    ]
    programs = [parse(DIVERGES), parse(texts[1]), *map(parse, texts), parse(texts[1].replace("0.01", "0.02"))]
    for program, found in zip(programs, train(digits, programs, RUNG, (3, 1)), strict=True):
        expected = alone(digits, program, RUNG, (3, 1))
        assert (found.measures is None) == (expected.measures is None)
        if found.measures is not None and expected.measures is not None:
            assert found.measures["loss"] == pytest.approx(expected.measures["loss"], rel=1e-3)
    results = train(digits, programs[2:], RUNG, (3, 1))
    without = [parse(text.replace("b * (1.0 - progress)", "b")) for text in texts]
    assert results[0] != train(digits, without, RUNG, (3, 1))[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "batch", "steps"),
    [("digits-mlp", 100, 16, 20), ("mnist5k-conv", 8, 8, 10), ("text-transformer", 4, 4, 10)],
)
def test_a_pack_trains_as_each_candidate_would_alone(name: str, count: int, batch: int, steps: int) -> None:
    task = task_class(name)("cpu")
    rung = Rung(steps=steps, batch=batch)
    programs = [*map(parse, library().values()), *mutants(int(count * SCALE), seed=1)]
    together = [found for i in range(0, len(programs), 40) for found in train(task, programs[i : i + 40], rung, (5, 0))]
    expected = [alone(task, program, rung, (5, 0)) for program in programs]
    assert [found.measures is None for found in together] == [one.measures is None for one in expected]
    # SOAP divides noise by noise where a direction has no gradient yet, so that rounding decides its first steps.
    soap = [*library()].index("soap")
    soaps = [results[soap].measures for results in (together, expected)]
    assert soaps[0]["loss"] == pytest.approx(soaps[1]["loss"], rel=1e-2)  # type: ignore[index]
    del together[soap], expected[soap]
    pairs = zip(together, expected, strict=True)
    losses = [(a.measures["loss"], b.measures["loss"]) for a, b in pairs if a.measures and b.measures]
    assert [a for a, _ in losses] == pytest.approx([b for _, b in losses], rel=1e-5)
    # Only what works on matrices runs in torch's own float32; all else agrees to the last bit.
    assert sum(a == b for a, b in losses) >= len(losses) - len(library())


def test_batches_are_the_same_however_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rung = Rung(steps=25, batch=7)
    at_once = torch.stack(list(batches(1000, rung, (3, 1), "cpu")))
    monkeypatch.setattr(training_seeds, "DRAWN_AT_ONCE", 4)
    assert torch.equal(at_once, torch.stack(list(batches(1000, rung, (3, 1), "cpu"))))


@pytest.mark.slow
def test_plain_torch_trains_to_the_same_loss(digits: TrainingTask) -> None:
    programs = [*map(parse, library().values())]
    compiled = [found.measures for found in train(digits, programs, RUNG, (7, 0))]
    plain = [found.measures for found in train(digits, programs, RUNG, (7, 0), compiled=False)]
    for a, b in zip(compiled, plain, strict=True):
        assert a is not None and b is not None and a["loss"] == pytest.approx(b["loss"], rel=1e-4)


@pytest.mark.slow
def test_a_hurdle_drops_the_same_candidates_in_any_pack(digits: TrainingTask) -> None:
    programs = [*map(parse, library().values()), parse(DIVERGES)]
    rung = Rung(steps=40, batch=16)
    free = train(digits, programs, rung, (7, 0))
    looked = train(digits, programs, rung, (7, 0), hurdle=Hurdle(0.5))
    assert [found.measures for found in looked] == [found.measures for found in free]
    seen = sorted(found.hurdle_loss for found in looked if found.hurdle_loss is not None)
    assert len(seen) == len(library())
    limit = seen[len(seen) // 2]
    strict = train(digits, programs, rung, (7, 0), hurdle=Hurdle(0.5, (limit,) * len(programs)))
    alone = [train(digits, [program], rung, (7, 0), hurdle=Hurdle(0.5, (limit,)))[0] for program in programs]
    assert strict == alone
    for before, after in zip(looked, strict, strict=True):
        over = before.hurdle_loss is not None and before.hurdle_loss > limit
        assert after.dropped == over
        assert after == (TrainingResult(None, 20, before.hurdle_loss, dropped=True) if over else before)
    assert sum(found.dropped for found in strict) == len(seen) - len(seen) // 2 - 1


def test_the_loss_at_the_hurdle_does_not_depend_on_candidates_that_diverge(digits: TrainingTask) -> None:
    rung, hurdle = Rung(steps=35, batch=16), Hurdle(1.0)
    alone = train(digits, [START], rung, (7, 0), hurdle=hurdle)
    crowd = train(digits, [START, *[parse(DIVERGES)] * 3], rung, (7, 0), hurdle=hurdle)
    assert alone[0] == crowd[0] and alone[0].hurdle_loss is not None


def test_a_loss_that_is_not_finite_exceeds_every_limit(digits: TrainingTask) -> None:
    there_and_back = ("z = w * 0.0", "a = greater(1.5, step)", "far = z - a * 1e30", "u = far - m", "m = far")
    body = "".join(f"  {line}\n" for line in there_and_back)
    recovers = parse(f"def train(w, g, m, lr, step):\n{body}  return u, m\n")
    rung = Rung(steps=10, batch=16)
    limits = (math.inf, 5.0)
    free, dropped = (train(digits, [recovers], rung, (7, 0), hurdle=Hurdle(1.0, (one,)))[0] for one in limits)
    assert free.measures is not None and not free.dropped
    assert dropped.dropped and dropped.hurdle_loss is None


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, 2.1])
def test_a_loss_exceeds_a_limit_unless_it_is_a_number_below(loss: float) -> None:
    assert Hurdle(0.5, (2.0,)).is_exceeded(0, loss)
    assert not Hurdle(0.5, (2.0,)).is_exceeded(0, 2.0)
    assert not Hurdle(0.5, (math.inf,)).is_exceeded(0, loss) and not Hurdle(0.5).is_exceeded(0, loss)


@pytest.mark.parametrize(("steps", "share", "expected"), [(200, 0.25, 50), (40, 0.01, 10), (7, 0.5, 0), (15, 1, 10)])
def test_where_a_hurdle_stands(steps: int, share: float, expected: int) -> None:
    assert Hurdle(share).step(steps, 10) == expected


@pytest.mark.slow
def test_the_result_of_a_candidate_does_not_depend_on_its_pack(digits: TrainingTask) -> None:
    programs = [*map(parse, library().values()), *mutants(12, seed=2)]
    together = train(digits, programs, RUNG, (7, 0))
    backwards = train(digits, programs[::-1], RUNG, (7, 0))[::-1]
    singly = [train(digits, [program], RUNG, (7, 0))[0] for program in programs]
    assert [found.measures for found in together] == [found.measures for found in backwards]
    assert [found.measures for found in together] == [found.measures for found in singly]


def test_a_candidate_that_diverges_does_not_change_the_others(digits: TrainingTask) -> None:
    programs = [START, parse(DIVERGES), *map(parse, list(library().values())[:3]), parse(DIVERGES), parse(DIVERGES)]
    with_dead = train(digits, programs, RUNG, (1, 0))
    without = train(digits, [programs[i] for i in (0, 2, 3, 4)], RUNG, (1, 0))
    assert [found.measures is None for found in with_dead] == [False, True, False, False, False, True, True]
    assert [with_dead[i].measures for i in (0, 2, 3, 4)] == [found.measures for found in without]
    assert with_dead[1].step < RUNG.steps


def test_a_pack_in_which_all_candidates_diverge_has_a_result_for_each(digits: TrainingTask) -> None:
    assert [found.measures for found in train(digits, [parse(DIVERGES)] * 3, RUNG, (1, 0))] == [None, None, None]


def test_the_held_out_split_gives_other_numbers_than_validation(digits: TrainingTask) -> None:
    validation = train(digits, [START], RUNG, (1, 0))[0].measures
    heldout = train(digits, [START], RUNG, (1, 0), split="heldout")[0].measures
    assert validation is not None and heldout is not None and validation["loss"] != heldout["loss"]


def test_the_schedule_rises_to_one_and_falls_to_nearly_zero() -> None:
    values = [SCHEDULE.value(step, 200) for step in range(200)]
    assert max(values) == 1.0 and values.index(1.0) == 9
    assert values[:10] == sorted(values[:10]) and values[10:] == sorted(values[10:], reverse=True)
    assert 0.0 < values[-1] < 1e-3
    assert SCHEDULE.value(0, 1) == 1.0
