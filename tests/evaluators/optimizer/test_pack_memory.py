"""How many candidates fit a device, against what a step on the CPU makes."""

import pytest
import torch

from germline.evaluators.optimizer.gradient_cost import gradient_call
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.pack_memory import LARGEST, SMALLEST, bytes_of_candidate, largest_pack
from germline.evaluators.optimizer.step_trace import traced
from germline.evaluators.tasks.registry import task_class

GIB = 2**30


@pytest.mark.slow
def test_the_bytes_of_a_candidate_are_those_of_its_step_and_its_program() -> None:
    task = task_class("digits-mlp")
    counted = bytes_of_candidate(task)
    made = [
        sum(each.written for each in traced(gradient_call(task("cpu"), task.rungs[0], count), "cpu").operations)
        for count in (2, 4)
    ]
    program = 8 * 4 * sum(spec.size for spec in task.parameters)
    assert counted == pytest.approx((made[1] - made[0]) / 2 + program, rel=0.02)


@pytest.mark.slow
def test_a_pack_fills_half_of_the_memory_between_limits() -> None:
    task = task_class("text-transformer")
    each = bytes_of_candidate(task)
    assert each is not None
    size = largest_pack(task, 8 * GIB)
    assert size is not None and size % 16 == 0
    assert size * each <= 4 * GIB < (size + 16) * each
    assert largest_pack(task, 1) == SMALLEST and largest_pack(task, 10**6 * GIB) == LARGEST
    assert largest_pack(task_class("text-transformer@batch=80"), 8 * GIB) < size / 4  # type: ignore[operator]


@pytest.mark.slow
def test_of_several_tasks_the_largest_model_decides() -> None:
    both = largest_pack(task_class("digits-mlp+text-transformer"), 8 * GIB)
    assert (
        both == largest_pack(task_class("text-transformer"), 8 * GIB) != largest_pack(task_class("digits-mlp"), 8 * GIB)
    )


class Own(ModuleTask):
    """A task of an ordinary module, which is tried on its data when it is made."""

    name = "own"

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(3, 2)

    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(100, 3), torch.randint(0, 2, (100,))


def test_what_needs_its_data_or_is_no_training_is_not_known() -> None:
    assert largest_pack(Own, GIB) is None
    assert largest_pack(task_class("digits-cells"), GIB) is None
