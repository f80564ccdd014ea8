"""Operators of two programs: the children compute what they promise, step by step, for pairs of library programs."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from programs_of_lines import program_of
from torch import Tensor

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.crossing import CROSSINGS, cross, crossed, graft, grafted
from germline.programs.optimizer.fragment import Limits, Place, live_places, scaled_updates
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.program import Statement
from germline.programs.optimizer.space import OptimizerSpace

PROGRAMS = {name: parse(text) for name, text in library().items()}
SOME = ("adamw_plain", "adafactor", "lion", "lamb", "muon", "sgd_momentum", "hypergradient")
PAIRS = list(product(SOME, SOME))
LIMITS = Limits(statements=200, states=20)
ADAMW = PROGRAMS["adamw_plain"]


def inputs(seed: int = 0, steps: int = 5) -> list[tuple[list[Tensor], list[Tensor], float]]:
    """Parameters, gradients and learning rate of each step."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((), (3,), (3, 2), (2, 4), (3, 2, 2))
    return [
        (
            [torch.randn(shape, generator=generator).double() for shape in shapes],
            [torch.randn(shape, generator=generator).double() for shape in shapes],
            1.0 / (1 + step),
        )
        for step in range(steps)
    ]


def updates(program: Program, gradients: Sequence[list[Tensor]] | None = None) -> list[list[Tensor]]:
    """The update of each step; `gradients` take the place of those of `inputs`."""
    interpreter = Interpreter(program)
    return [interpreter.step(w, g if gradients is None else gradients[i], lr) for i, (w, g, lr) in enumerate(inputs())]


def with_update(program: Program, node: int) -> Program:
    """The program whose update is the value of a statement or of an input."""
    if node < len(program.inputs):
        kept = Statement("kept", "=", (program.inputs[node],))
        return Program((kept, *program.body), program.states, program.step, ("kept", *program.returns[1:]))
    i = trace(program).statements.index(node)
    kept = Statement("kept", "=", (program.body[i].target,))
    body = (*program.body[: i + 1], kept, *program.body[i + 1 :])
    return Program(body, program.states, program.step, ("kept", *program.returns[1:]))


def assert_close(got: Sequence[list[Tensor]], expected: Sequence[list[Tensor]]) -> None:
    for step, (a, b) in enumerate(zip(got, expected, strict=True)):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12, equal_nan=True, msg=lambda m, s=step: f"{s}: {m}")


def child_of(way: str, first: str, second: str) -> Program | None:
    a, b = PROGRAMS[first], PROGRAMS[second]
    child = crossed(a, trace(a), b, trace(b), way, 0.3, LIMITS)
    if child is not None:
        assert parse(write(child)) == child
    return child


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_mixed_update_is_the_weighted_mean_of_both(first: str, second: str) -> None:
    child = child_of("mix", first, second)
    assert (child is None) == (first == second)
    if child is not None:
        own, other = updates(PROGRAMS[first]), updates(PROGRAMS[second])
        mean = [[0.7 * x + 0.3 * y for x, y in zip(a, b, strict=True)] for a, b in zip(own, other, strict=True)]
        assert_close(updates(child), mean)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_masked_update_is_that_of_the_first_where_both_agree(first: str, second: str) -> None:
    child = child_of("mask", first, second)
    if child is not None:
        own, other = updates(PROGRAMS[first]), updates(PROGRAMS[second])
        agreeing = [[x * (x * y > 0) for x, y in zip(a, b, strict=True)] for a, b in zip(own, other, strict=True)]
        assert_close(updates(child), agreeing)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_chained_updates_are_those_of_the_second_for_the_direction_of_the_first(first: str, second: str) -> None:
    child = child_of("chain", first, second)
    if child is None:  # the direction is the gradient itself
        assert first == second == "hypergradient"
        return
    direction = with_update(PROGRAMS[first], scaled_updates(trace(PROGRAMS[first]))[-1])
    assert_close(updates(child), updates(PROGRAMS[second], updates(direction)))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_grafted_value_is_the_donors_with_its_states(first: str, second: str) -> None:
    program, donor = PROGRAMS[first], PROGRAMS[second]
    graph, donor_graph = trace(program), trace(donor)
    place = Place(len(program.body), 0, graph.update)
    trees = [donor_graph.statements[i] for i in donor_graph.live_statements]
    for node in trees:
        if donor_graph.nodes[node].type != donor_graph.nodes[donor_graph.update].type:
            continue
        child = grafted(program, graph, place, donor, donor_graph, node, LIMITS)
        if child is not None:
            assert_close(updates(child), updates(with_update(donor, node)))


def test_a_state_of_both_programs_is_kept_once() -> None:
    child = child_of("mix", "adamw_plain", "lamb")
    assert child is not None
    assert [state.name for state in child.states] == ["m", "v"]


def test_a_state_under_the_same_name_but_with_another_decay_is_kept_apart() -> None:
    child = child_of("mix", "adamw_plain", "lion")
    assert child is not None
    assert [state.name for state in child.states] == ["m", "v", "s1"]


def test_a_graft_into_a_recurrence_does_not_share_the_state_that_it_changes() -> None:
    """The donor's value goes where the average `m` of the program takes its gradient: both averages go on."""
    program = program_of("w, g, m, lr", "m = interp(g, m, 0.9)", "update = m * lr", "return update, m")
    graph = trace(program)
    place = next(place for place in live_places(program, graph) if place[:2] == (0, 0))
    child = grafted(program, graph, place, program, graph, graph.statements[0], LIMITS)
    assert child is not None
    expected = program_of(
        "w, g, m, s1, lr",
        "x1 = interp(g, s1, 0.9)",
        "m = interp(x1, m, 0.9)",
        "update = m * lr",
        "return update, m, x1",
    )
    assert child == expected


def test_what_is_there_already_is_no_graft() -> None:
    program = program_of("w, g, lr", "u = g * lr", "return u")
    graph = trace(program)
    assert grafted(program, graph, Place(1, 0, graph.update), program, graph, graph.update, LIMITS) is None


def test_a_donor_without_operations_has_nothing_to_graft() -> None:
    donor = program_of("w, g, lr", "return g")
    assert graft(ADAMW, trace(ADAMW), donor, trace(donor), LIMITS, np.random.default_rng(0)) is None


def test_the_same_program_has_nothing_to_mix() -> None:
    assert child_of("mix", "lion", "lion") is None
    assert child_of("mask", "lion", "lion") is None


@pytest.mark.parametrize("operator", ["graft", "cross"])
def test_a_child_is_a_function_of_the_generator(operator: str) -> None:
    space = OptimizerSpace(ADAMW, "extended")

    def children(seed: int) -> list[Program]:
        rng = np.random.default_rng(seed)
        return [space.combine(ADAMW, PROGRAMS["lamb"], operator, rng).genome for _ in range(10)]

    assert children(1) == children(1)
    assert children(1) != children(2)


def test_all_ways_of_crossing_are_drawn() -> None:
    rng = np.random.default_rng(0)
    a, b = ADAMW, PROGRAMS["lion"]
    children = [cross(a, trace(a), b, trace(b), LIMITS, rng) for _ in range(40)]
    last = {child.body[-1].function for child in children if child}
    signs = {sum(line.function == "sign" for line in child.body) for child in children if child}
    assert "interp" in last and signs == {1, 3}
    assert len(CROSSINGS) == 3


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["graft", "cross"])
def test_generations_of_children_stay_valid_and_within_their_limits(operator: str) -> None:
    space = OptimizerSpace(ADAMW, "extended", max_statements=40, max_states=4)
    rng = np.random.default_rng(0)
    population = [program for program in PROGRAMS.values() if len(program.states) <= 4 and len(program.body) <= 40]
    fingerprints = set()
    for _ in range(300):
        parent, donor = (population[int(rng.integers(len(population)))] for _ in range(2))
        child = space.combine(parent, donor, operator, rng).genome
        child = space.vary(child, ("modify", "delete")[int(rng.integers(2))], rng).genome
        assert space.check(child) is None
        assert parse(write(child)) == child
        assert len(child.body) <= 40 and len(child.states) <= 4
        fingerprints.add(space.fingerprint(child))
        population[int(rng.integers(len(population)))] = child
    assert len(fingerprints) > 100
