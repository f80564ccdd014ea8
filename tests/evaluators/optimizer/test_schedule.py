"""Schedules, and candidates of one pack that each follow their own."""

import math

import pytest
import torch

from germline.evaluators.optimizer.schedule import SCHEDULE, SHAPES, Schedule
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import library, parse


def test_default_is_the_schedule_of_searches() -> None:
    assert Schedule() == SCHEDULE
    for steps in (1, 7, 200, 301):
        for step in range(steps):
            warmup = max(1, round(0.05 * steps))
            risen = (step + 1) / warmup
            fallen = 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / max(1, steps - warmup))
            assert SCHEDULE.value(step, steps) == (risen if step < warmup else fallen)


def test_shapes_after_a_warm_up_of_ten_steps() -> None:
    line, constant = Schedule("linear", 0.1), Schedule("constant", 0.1)
    assert [line.value(step, 100) for step in (0, 9, 10, 55)] == [0.1, 1.0, 1.0, 0.5]
    assert [constant.value(step, 100) for step in (4, 9, 50, 99)] == [0.5, 1.0, 1.0, 1.0]
    assert all(Schedule(shape, 0.0).value(0, 100) == 1.0 for shape in SHAPES.values())


@pytest.mark.slow
def test_a_candidate_gets_the_same_bits_beside_others_with_other_schedules() -> None:
    torch.set_num_threads(1)
    task = task_class("digits-mlp")("cpu")
    names = ["adamw", "muon", "lion", "muon", "sgd_momentum", "adamw"]
    schedules = [Schedule(), Schedule("linear", 0.0), Schedule("constant", 0.1), Schedule("constant", 0.0)]
    schedules += [Schedule("linear", 0.02), Schedule("linear", 0.0)]
    programs, rung = [parse(library()[name]) for name in names], Rung(20, 16)
    together = train(task, programs, rung, (0, 0, 0), schedules=schedules, curve_steps=(10, 20))
    for program, each, result in zip(programs, schedules, together, strict=True):
        assert train(task, [program], rung, (0, 0, 0), schedules=[each], curve_steps=(10, 20)) == [result]
        assert result.measures is not None and len(result.curve) == 2
        assert result.curve[1] == result.measures["loss"] < result.curve[0]
    [ordinary] = train(task, programs[:1], rung, (0, 0, 0))
    assert ordinary.measures == together[0].measures and ordinary.curve == ()
    assert together[0].measures != together[5].measures
