"""Outcomes as they are recorded, whatever a task has put into them."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from germline.evaluators.outcome import Outcome, mean_of, recordable


def ok(fitness: Any = -0.5, objectives: Any = None, **measures: Any) -> Outcome:
    return recordable(Outcome("ok", fitness, {"loss": 0.5} if objectives is None else objectives, measures))


def test_numbers_of_any_library_become_floats() -> None:
    found = ok(np.float32(-0.5), {"loss": torch.tensor(0.5)}, a=True, b=np.int64(3), c=Fraction(1, 2), d=np.array(1.0))
    assert found == Outcome("ok", -0.5, {"loss": 0.5}, {"a": 1.0, "b": 3.0, "c": 0.5, "d": 1.0})
    values = [found.fitness, *found.objectives.values(), *found.measures.values()]
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32(math.nan)])
def test_an_objective_that_is_not_finite_has_diverged(value: Any) -> None:
    for found in (ok(objectives={"loss": value}), ok(value), ok(None), ok(-1.0, {"loss": 1.0, "other": value})):
        assert (found.status, found.fitness, found.objectives) == ("diverged", None, {})
        assert found.error and " was " in found.error


def test_other_measures_may_be_infinite_and_floats_keep_their_bits() -> None:
    found = ok(a=math.nan, b=-math.inf, c=-0.0, d=5e-324)
    assert found.status == "ok" and math.isnan(found.measures["a"]) and found.measures["b"] == -math.inf
    assert math.copysign(1, found.measures["c"]) == -1 and found.measures["d"] == 5e-324


@pytest.mark.parametrize("value", ["0.5", b"1", None, [1.0], torch.ones(2), 10**400, 1j, object(), {}])
def test_what_is_no_number_has_crashed_in_a_line(value: Any) -> None:
    for found in (ok(value if value is not None else "x"), ok(objectives={"loss": value}), ok(accuracy=value)):
        assert (found.status, found.fitness, found.objectives, found.measures) == ("crashed", None, {}, {})
        assert found.error and "to be a number, got" in found.error and found.error.isprintable()


@pytest.mark.parametrize("name", [5, "", "x" * 101, "a\x1b[31m", None])
def test_a_measure_has_a_short_printable_name(name: Any) -> None:
    found = recordable(Outcome("ok", 1.0, {"loss": 1.0}, {name: 1.0}))
    assert found.status == "crashed" and "name of a measure" in str(found.error)


def test_the_error_is_a_printable_line() -> None:
    found = recordable(Outcome("crashed", error="a\x1b[31m" * 1_000_000 + "\nb"))
    assert found.error and len(found.error) <= 300 and found.error.isprintable()
    assert recordable(Outcome("crashed", error=5)).error == "5"  # type: ignore[arg-type]


def test_a_mean_is_nan_where_there_is_none() -> None:
    assert mean_of([1.0, 2.0]) == 1.5
    assert all(map(math.isnan, (mean_of([math.inf, -math.inf]), mean_of([1e308, 1e308]), mean_of([]))))
