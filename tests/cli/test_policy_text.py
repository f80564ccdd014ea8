"""Networks and scores of policies as text."""

from itertools import permutations

import numpy as np
import pytest

from germline.cli.genome_diff import change_text, changes
from germline.cli.policy_score_text import mean_return_text, reviews_text
from germline.cli.presenters.policy import network_text
from germline.db.records import EvaluationRecord
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Box, Network, Normalisation


def continuous(*bounds: tuple[float, float]) -> Box:
    return Box(tuple(low for low, _ in bounds), tuple(high for _, high in bounds))


SINGLE = float(np.float32(0.4))
"""A bound in single precision: 0.4000000059604645."""

NETWORKS = {
    "mlp 3-8-1 tanh to [-2, 2]": Network("mlp", (3,), continuous((-2, 2)), (8,)),
    "mlp 3-8-1 relu to [-2, 2]": Network("mlp", (3,), continuous((-2, 2)), (8,), "relu"),
    "mlp 3-8-1 tanh to [-1, 1]": Network("mlp", (3,), continuous((-1, 1)), (8,)),
    "mlp 3-8-1 tanh to [-2, 2], normalised": Network(
        "mlp", (3,), continuous((-2, 2)), (8,), normalisation=Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    ),
    "mlp 3-2 linear": Network("mlp", (3,), 2),
    "mlp 3-8-2 tanh": Network("mlp", (3,), 2, (8,)),
    "mlp 3-8-2 tanh to [-1, 1]^2": Network("mlp", (3,), continuous((-1, 1), (-1, 1)), (8,)),
    "mlp 3-8-3 tanh to [0, 1]×[-0.4, 0.4]^2": Network(
        "mlp", (3,), continuous((0, 1), (-SINGLE, SINGLE), (-SINGLE, SINGLE)), (8,)
    ),
    "conv 4×84×84-18 same": Network("conv", (4, 84, 84), 18),
    "conv 4×84×84-18 valid": Network("conv", (4, 84, 84), 18, padding="valid"),
}


def test_a_network_is_complete_on_a_line() -> None:
    assert {network_text(network): network for network in NETWORKS.values()} == NETWORKS


@pytest.mark.parametrize(("before", "after"), list(permutations(NETWORKS, 2)))
def test_another_network_is_a_changed_line(before: str, after: str) -> None:
    [change] = changes(*(write(Policy(NETWORKS[side], 1)) for side in (before, after)))
    assert change.kind == "changed"
    shown = change_text(change).plain
    assert f"network {before}" in shown and f"network {after}" in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Normalisation((0.0, 0.0), (1.0, 1.0)), Normalisation((0.0, 0.0), (1.0, 1.5))),
        (Normalisation((0.0, 0.0), (1.0, 1.0)), Normalisation((0.0, 1e-9), (1.0, 1.0))),
    ],
)
def test_another_normalisation_is_a_visible_change(before: Normalisation, after: Normalisation) -> None:
    both = [Policy(Network("mlp", (2,), 2, (4,), normalisation=side), 1) for side in (before, after)]
    [change] = changes(*map(write, both))
    assert change.before and change.after and change.before.text != change.after.text
    assert changes(write(both[0]), write(both[0])) == []


def test_many_different_bounds_become_the_widest_and_a_hash() -> None:
    boxes = [continuous((-1, 1), (-2, 2), (-3, last), (0, 1)) for last in (3, 4)]
    first, second = (network_text(Network("mlp", (3,), box, (8,))) for box in boxes)
    assert first.startswith("mlp 3-8-4 tanh to [-3, 3]^4 #") and second.startswith("mlp 3-8-4 tanh to [-3, 4]^4 #")


def test_a_bound_that_differs_less_than_its_text_is_a_change_too() -> None:
    boxes = [continuous((-1, 1)), continuous((-1, 1 + 1e-12))]
    [change] = changes(*(write(Policy(Network("mlp", (3,), box, (8,)), 1)) for box in boxes))
    assert change.kind == "changed"


def evaluation(rung: int, seed: int, fitness: float) -> EvaluationRecord:
    measures = {"episodes": 9.0, "deviation": 6.0, "steps": 90.0}
    return EvaluationRecord(1, "abc", "task", rung, seed, "ok", fitness, {"return": fitness}, measures, 1.0, "me", None)


def test_a_score_has_its_interval_or_its_use_for_selection() -> None:
    assert mean_return_text(evaluation(1, 2, 20.0)) == "20.0000 over 9 episodes used for selection"
    assert mean_return_text(evaluation(2, 2, 15.0)) == "15.0000 ± 4.6120 over 9 episodes"


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([], ""),
        ([2], ""),
        ([0], ""),
        ([3, 1, 2], "reviewed 3 times, after generations 0 to 2"),
        ([0, 1, 2, 3], "reviewed 4 times, at the end of a session, and after generations 0 to 2"),
        ([0, 3], "reviewed 2 times, at the end of a session, and after generation 2"),
    ],
)
def test_rounds_of_reviews_are_named_by_their_generations(seeds: list[int], expected: str) -> None:
    assert reviews_text(
        [evaluation(0, 0, 1.0), *(evaluation(1, seed, 1.0) for seed in seeds), evaluation(2, 3, 1.0)]
    ) == (expected)
