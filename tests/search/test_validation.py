"""Finds are trained anew beside what people would use in their place."""

from dataclasses import replace

import pytest

from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import read, write
from germline.programs.architecture.handmade import RESIDUAL, SEPARABLE, of_size
from germline.programs.optimizer import library
from germline.search.kinds import KINDS
from germline.search.kinds.architecture_network import skeleton
from germline.search.validation import ValidatedGenome, validate, with_baselines

ARCHITECTURE, OPTIMIZER = KINDS["architecture"], KINDS["optimizer"]
DIGITS = ARCHITECTURE.resolve(ARCHITECTURE.presets["quick"].values, ["full_channels=4"])


@pytest.mark.slow
def test_a_hand_made_network_has_nearly_as_many_parameters() -> None:
    for inputs, made in ((2, SEPARABLE), (1, RESIDUAL)):
        network = SPACES["eeea" if inputs == 2 else "nb201"].skeleton
        for params in (300_000, 2_000_000):
            cells, sized = of_size(params, inputs, network)
            assert cells == made and sized.cells == network.cells
            assert abs(count(cells, sized).params - params) < 0.1 * params


@pytest.mark.slow
def test_an_architecture_and_its_baseline_are_trained_in_full_size_on_the_held_out_images() -> None:
    values = ARCHITECTURE.prepare(DIGITS, task_class("digits-cells"))
    found = ValidatedGenome("mine", write(SPACES["eeea-paper"].smallest()), values)
    contenders = with_baselines(ARCHITECTURE, "digits-cells", [found, found])
    assert [contender.baseline for contender in contenders] == [False, False, True]
    first, again, baseline = validate(ARCHITECTURE, "digits-cells", contenders, 0, 2)
    assert first.measure == "heldout_error" and first.values == again.values and len(first.values) == 2
    assert all(value is not None and 0 <= value <= 100 for value in (*first.values, *baseline.values))
    assert first.mean is not None and first.deviation is not None and len(set(first.values)) == 2
    assert first.facts["params"] == count(read(found.genome), skeleton(values)).params
    assert "hand-made" in baseline.contender.label


def test_an_optimizer_stands_beside_its_start_and_a_failure_is_no_number() -> None:
    values = OPTIMIZER.prepare(OPTIMIZER.resolve({}, []), task_class("digits-mlp"))
    diverges = "def train(w, g, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update\n"
    contenders = [ValidatedGenome("lion", library()["lion"], values), ValidatedGenome("bad", diverges, values)]
    every = with_baselines(OPTIMIZER, "digits-mlp", contenders)
    lion, bad, start = validate(OPTIMIZER, "digits-mlp", every, 0, 1)
    assert lion.measure == "heldout_loss" and lion.mean is not None and lion.deviation is None
    assert bad.values == [None] and bad.mean is None
    assert bad.error == bad.outcomes[0].error and "not finite by step" in str(bad.error) and lion.error is None
    assert start.contender.label == "start program" and start.mean is not None
    again = [ValidatedGenome("start", values.start, values)]
    assert len(with_baselines(OPTIMIZER, "digits-mlp", again)) == 1  # it is its own baseline


def test_limits_of_a_search_do_not_bind_a_validation() -> None:
    """Neither on another task, whose networks are larger, nor by latencies of parts that a baseline does not have."""
    table = {"device": "cpu", "parts": []}
    home = {"classes": 10, "image": [1, 8, 8], "latency_table": table, "max_latency": 1.0, "max_macs": 1_000}
    found = ValidatedGenome("mine", write(SPACES["eeea-paper"].smallest()), replace(DIGITS, **home))
    contenders = with_baselines(ARCHITECTURE, "mnist5k-cells", [found])
    assert [contender.values.image for contender in contenders] == [[1, 28, 28]] * 2
    facts = [ARCHITECTURE.describe(contender.genome, contender.values) for contender in contenders]
    assert all(fact["macs"] > 1_000 and "latency" not in fact for fact in facts)
