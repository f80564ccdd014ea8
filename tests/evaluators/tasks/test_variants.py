"""Variants of a task: stored at other scales its model is the same, and all that is drawn follows from the seed."""

from pathlib import Path

import pytest
import torch

from germline.evaluators.errors import InvalidTask, UnknownTask
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.step_trace import StepTrace
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import describe, task_class
from germline.evaluators.tasks.variants import TaskVariant
from germline.programs.optimizer import library

torch.set_num_threads(1)
SIGN = "def train(w, g, lr):\n  update = sign(g)\n  return update\n"


def variant(name: str, seed: int = 0) -> TaskVariant:
    task = task_class(name)()
    assert isinstance(task, TrainingTask)
    drawn = task.for_training((seed, 0, 0))
    assert isinstance(drawn, TaskVariant)
    return drawn


def test_a_rescaled_task_starts_with_the_same_model_and_has_scaled_gradients() -> None:
    own, plain = variant("digits-mlp@rescaled"), task_class("digits-mlp")()
    assert isinstance(plain, TrainingTask)
    stored, start = (each.start(torch.Generator().manual_seed(5)) for each in (own, plain))
    index = torch.arange(20)
    stacked = {name: value[None].requires_grad_() for name, value in stored.items()}
    model = {name: value[None].requires_grad_() for name, value in start.items()}
    losses = own.loss(stacked, "train", index), plain.loss(model, "train", index)
    torch.testing.assert_close(*losses)
    gradients = (
        torch.autograd.grad(loss.sum(), list(of.values())) for loss, of in zip(losses, (stacked, model), strict=True)
    )
    for name, found, expected in zip(start, *gradients, strict=True):
        torch.testing.assert_close(found / own.scales[name], expected, rtol=1e-4, atol=1e-6)
    measured = own.measure(stacked, "validation"), plain.measure(model, "validation")
    torch.testing.assert_close(measured[0]["loss"], measured[1]["loss"].detach())


def test_scales_are_spread_over_six_decades_and_follow_from_the_seed() -> None:
    draws = [variant("digits-mlp@rescaled", seed).scales for seed in range(40)]
    assert draws[3] == variant("digits-mlp@rescaled", 3).scales != draws[4]
    scales = torch.tensor([scale for drawn in draws for scale in drawn.values()]).log10()
    assert len(scales) == 40 * 6
    assert scales.min() >= -3 and scales.max() <= 3
    assert scales.mean().abs() < 0.4
    assert scales.std().item() == pytest.approx(6 / 12**0.5, rel=0.15)


@pytest.mark.slow
def test_a_candidate_of_a_rescaled_task_scores_the_same_bits_alone_and_other_numbers_than_without() -> None:
    programs = [library()["adamw"], SIGN, library()["lamb"]]
    scores = {}
    for name in ("digits-mlp@rescaled", "digits-mlp"):
        evaluator = OptimizerEvaluator(name, seed=1)
        evaluator.rungs = (Rung(30, 64),)
        scores[name] = [outcome.fitness for outcome in evaluator.score(programs, 0, 0)]
        assert scores[name][1] == evaluator.score(programs[1:2], 0, 0)[0].fitness
    assert all(one != other for one, other in zip(*scores.values(), strict=True))


@pytest.mark.parametrize("name", ["digits-mlp", "mnist5k-conv", "text-transformer", "text-gru", "text-conv"])
def test_bf16_is_the_type_of_products_alone(name: str) -> None:
    plain, own = (task_class(each)() for each in (name, f"{name}@bf16"))
    assert isinstance(own, TrainingTask) and isinstance(plain, TrainingTask)
    start = {key: value[None].repeat(2, *[1] * value.dim()) for key, value in plain.start(torch.Generator()).items()}
    found = {}
    for task in (plain, own):
        parameters = {key: value.clone().requires_grad_() for key, value in start.items()}
        trace = StepTrace("cpu")
        with trace:
            losses = task.loss(parameters, "train", torch.arange(8))
        gradients = torch.autograd.grad(losses.sum(), list(parameters.values()))
        assert {each.dtype for each in (losses, *gradients)} == {torch.float32}
        products = [each for each in trace.operations if each.name in ("bmm", "baddbmm", "mm", "addmm")]
        assert products and all(("bfloat16" in each.arguments) == (task is own) for each in products)
        measured = task.measure(start, "validation")
        assert measured["loss"].dtype == torch.float32
        found[task] = losses, torch.cat([each.flatten() for each in gradients]), measured["loss"]
    for ours, theirs in zip(found[own], found[plain], strict=True):
        assert not torch.equal(ours, theirs)
        assert (ours - theirs).norm() < 0.03 * theirs.norm()


def test_bf16_keeps_the_shape_of_packs() -> None:
    task = task_class("digits-mlp@steps=50,bf16")
    assert (task.name, task.batch_invariant) == ("digits-mlp@bf16,steps=50", False)


def test_batch_and_steps_are_replaced_and_other_rungs_keep_their_proportion() -> None:
    task = task_class("digits-mlp@steps=50,batch=8")
    assert task.rungs == (Rung(50, 8), Rung(500, 8), Rung(5_000, 8))
    assert (task.name, task.version, task.batch_invariant) == ("digits-mlp@batch=8,steps=50", 1, True)
    assert task is task_class("digits-mlp@batch=8,steps=50")
    assert task_class("digits-deep@rescaled").held_out_task
    assert task_class("digits-mlp+digits-deep@rescaled").held_out_task
    told = describe("digits-mlp@rescaled,batch=8")
    assert told.parameters == describe("digits-mlp").parameters
    assert told.summary.endswith("A variant: rescaled,batch=8.")


@pytest.mark.parametrize(
    "text", ["", "rescaled,rescaled", "batch", "batch=0", "batch=-1", "steps=1e3", "sticky", "batch=٣"]
)
def test_what_is_no_variant_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(UnknownTask, match="expected a variant like TASK@rescaled,bf16,batch=N,steps=N") as told:
        task_class(f"digits-mlp@{text}")
    assert "\n" not in str(told.value)


def test_only_tasks_for_optimizers_have_variants() -> None:
    with pytest.raises(InvalidTask, match="digits-cells, which is for architecture"):
        task_class("digits-cells@rescaled")
    with pytest.raises(UnknownTask, match="'digits-mlp'"):
        task_class("digits-mpl@rescaled")


def test_a_task_in_a_file_has_variants(tmp_path: Path) -> None:
    path = tmp_path / "at@home.py"
    path.write_text(
        "from germline.evaluators.tasks.digits_mlp import DigitsMLP\nclass Mine(DigitsMLP):\n  name = 'mine'\n"
    )
    assert task_class(f"{path}:Mine@rescaled,batch=4").name == "mine@rescaled,batch=4"
