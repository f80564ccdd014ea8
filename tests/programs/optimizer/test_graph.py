"""Abstract execution: types, rejections with a reason, and which statements and states matter."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from programs_of_lines import program_of
from reference_runs import mutants as random_mutants

from germline.programs.optimizer import InvalidProgram, Program, Statement, library, parse, trace
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.graph import Graph, live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.optimizer.types import COLUMN, LEAF, ROW, SCALAR, TREE, Type, type_of

SHAPES = ((), (4,), (3, 5), (2, 3, 2, 2))


def program(*lines: str, signature: str = "w, g, m, v, lr", returns: str = "update, m, v") -> Program:
    return program_of(signature, *lines, f"return {returns}")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("lr * 2.0", SCALAR),
        ("get_pi()", SCALAR),
        ("w * lr", TREE),
        ("max(lr, w)", TREE),
        ("norm(w)", LEAF),
        ("norm(w) * lr", LEAF),
        ("norm(w) + g", TREE),
        ("global_norm(w)", SCALAR),
        ("dot(w, g)", SCALAR),
        ("dot(norm(w), norm(g))", SCALAR),
        ("cosine_sim(w, g)", SCALAR),
        ("clip(g, lr)", TREE),
        ("clip(norm(w), 1.0)", LEAF),
        ("leaf_max(w)", LEAF),
        ("leaf_mean(row_mean(w))", LEAF),
        ("rank(w)", LEAF),
        ("row_mean(w)", ROW),
        ("column_mean(w)", COLUMN),
        ("row_mean(w) * column_mean(w)", TREE),
        ("rank_one(row_mean(w), column_mean(w))", TREE),
        ("orthogonalize(w)", TREE),
        ("transpose(w)", type_of(((), (3,), (2, 3), (4, 2), (8, 3)))),
        ("matmul(w, transpose(w))", type_of(((), (3,), (3, 3), (2, 2), (3, 3)))),
        ("matmul(matmul(w, transpose(w)), w)", TREE),
        ("where(greater(rank(w), 1.5), w, 0.0)", TREE),
    ],
)
def test_every_expression_has_its_type(expression: str, kind: Type) -> None:
    graph = trace(program(f"x = {expression}", "update = w"))
    assert graph.nodes[graph.statements[-2]].type == kind


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("norm(lr)", "expected a tree, got a scalar"),
        ("global_norm(lr)", "expected a tree, got a scalar"),
        ("dot(w, lr)", "expected a tree, got a scalar"),
        ("dot(w, norm(w))", "two trees of the same shapes, got a tree like w and a scalar per leaf"),
        ("clip(lr, lr)", "expected a tree, got a scalar"),
        ("clip(w, g)", "expected a scalar as the second argument, got a tree like w"),
        ("invert(w)", "use negative or reciprocal"),
        ("invert(lr)", "use negative or reciprocal"),
        (
            "w + transpose(w)",
            "(m = w + transpose(w)): expected shapes that broadcast, got (3, 2) and (2, 3)",
        ),
        (
            "matmul(w, w)",
            "(m = matmul(w, w)): expected as many columns of the first as rows of the second, got (3, 2) and (3, 2)",
        ),
        ("g * matmul(transpose(w), -g + w * 2.0) + w", "line 3 (g * matmul(transpose(w), negative(g) + (w * 2.0))): "),
        ("matmul(w, lr)", "expected a tree, got a scalar"),
        ("matmul(norm(w), w)", "expected as many columns"),
        ("inverse_root(w)", "expected as many columns as rows, such as matmul(x, transpose(x)) has, got (3, 2) for"),
        (
            "dot(w, transpose(w))",
            "got a tree like w and a tree of shape (2, 3) for a parameter of shape (3, 2), and (8, 3)",
        ),
        ("rank_one(column_mean(w), row_mean(w))", "expected row means and column means"),
        ("rank_one(w, g)", "expected row means and column means"),
        ("rank_one(row_mean(w), norm(w))", "expected row means and column means"),
        ("row_mean(lr)", "expected a tree, got a scalar"),
    ],
)
def test_a_function_of_the_wrong_types_is_rejected(expression: str, message: str) -> None:
    with pytest.raises(InvalidProgram) as rejected:
        trace(program("update = w", f"m = {expression}"))
    assert rejected.value.reason == "type"
    assert message in str(rejected.value)
    assert str(rejected.value).startswith("line 3 (")


def test_an_error_of_a_program_without_a_text_names_the_statement() -> None:
    given = program("update = w", "m = g + matmul(g, g)")
    message = r"statement 2 \(t1 = matmul\(g, g\)\): expected as many columns"
    with pytest.raises(InvalidProgram, match=message):
        trace(given.with_body(given.body))


def test_an_error_on_a_line_of_many_statements_stays_short() -> None:
    doubled = "; ".join(["x = w + g", *["x = x + x"] * 100, "x = x + y"])
    with pytest.raises(InvalidProgram, match=r"line 2 \(x = .{1,130}\): y is used"):
        trace(program(doubled, "update = x"))


@pytest.mark.parametrize(
    ("reason", "message", "invalid"),
    [
        ("unknown name", "line 2 (update = w + x): x is used", program("update = w + x")),
        ("unknown name", "x is used before it is assigned", program("update = w + x", "x = g * lr")),
        ("unknown name", "line 2 (update = x): x is used", program("update = x")),
        ("unknown name", "return line: update is never assigned", program("x = w * lr")),
        ("unknown name", "step is used", program("update = w * step")),
        ("return type", "expected update (the update) to be a tree like w, got a scalar", program("update = lr * 2.0")),
        ("return type", "got a scalar per leaf", program("update = norm(w)")),
        ("return type", "got row means", program("update = row_mean(w)")),
        ("return type", "expected m (the state m) to be a tree like w, got a scalar", program("update = w", "m = lr")),
        (
            "return type",
            "expected b (the state b) to be a scalar, got a tree like w",
            program("b = w", signature="w, g, b: scalar, lr", returns="w, b"),
        ),
        (
            "return type",
            "expected c (the state c) to be column means, got row means",
            program("c = row_mean(w)", signature="w, g, c: column, lr", returns="w, c"),
        ),
    ],
)
def test_an_invalid_program_is_rejected_with_place_and_reason(reason: str, message: str, invalid: Program) -> None:
    with pytest.raises(InvalidProgram) as rejected:
        trace(invalid)
    assert rejected.value.reason == reason
    assert message in str(rejected.value)


def live_targets(text: Program) -> list[str]:
    graph = trace(text)
    return [text.body[i].target for i in graph.live_statements]


def test_a_statement_that_reaches_no_update_is_dead() -> None:
    assert live_targets(program("x = cos(g)", "update = w * lr", "y = x * x")) == ["update"]


def test_a_statement_that_is_overwritten_before_it_is_read_is_dead() -> None:
    text = program("x = cos(g)", "x = sin(g)", "update = x * lr")
    assert trace(text).live_statements == (1, 2)


def test_a_state_is_alive_if_a_later_update_reads_it() -> None:
    text = program("update = m * lr", "m = interp(g, m, 0.9)")
    graph = trace(text)
    assert live_targets(text) == ["update", "m"]
    assert graph.live_states == (0,)


def test_a_state_that_is_returned_but_overwritten_before_it_is_read_is_dead() -> None:
    text = program("m = interp(g, v, 0.9)", "v = interp(g, m, 0.99)", "update = m * lr", "m = cosh(update)")
    graph = trace(text)
    assert graph.live_statements == (0, 1, 2)
    assert graph.live_states == (1,)


def test_states_that_only_feed_themselves_are_dead() -> None:
    text = program("m = interp(v, m, 0.9)", "v = interp(m, v, 0.9)", "update = g * lr")
    assert trace(text).live_states == ()
    assert live_targets(text) == ["update"]


def test_a_chain_through_several_states_is_alive_to_its_end() -> None:
    text = program("update = m * lr", "m = v * 0.5", "v = interp(g, v, 0.9)")
    assert trace(text).live_states == (0, 1)
    assert live_targets(text) == ["update", "m", "v"]


def test_the_cosh_of_the_raw_lion_is_dead_and_so_is_its_first_state() -> None:
    text = parse(library()["lion_raw"])
    short = live_program(text)
    assert [line for line in text.body if line not in short.body] == [Statement("m", "cosh", ("update",))]
    assert [state.name for state in short.states] == ["v"]
    assert short.returns == ("update", "v")


def test_a_step_count_that_is_not_used_leaves_the_signature() -> None:
    text = program("x = step * 2.0", "update = g * lr", signature="w, g, lr, step", returns="update")
    assert live_program(text).inputs == ("w", "g", "lr")
    used = program("update = g / step", signature="w, g, lr, step", returns="update")
    assert live_program(used).inputs == ("w", "g", "lr", "step")


@pytest.mark.slow
def test_the_live_program_gives_identical_updates(mutants: Callable[..., Iterator[Program]], scale: int) -> None:
    rng = np.random.default_rng(5)
    shorter = 0
    for _, mutant in zip(range(300 * scale), mutants(11, "whitening"), strict=False):
        short = live_program(mutant)
        assert live_program(short) == short
        shorter += len(short.body) < len(mutant.body)
        whole, part = Interpreter(mutant), Interpreter(short)
        for _ in range(3):
            w, g = ([torch.as_tensor(rng.standard_normal(shape)) for shape in SHAPES] for _ in range(2))
            for a, b in zip(whole.step(w, g, 0.7), part.step(w, g, 0.7), strict=True):
                assert torch.equal(a.nan_to_num(nan=7.0), b.nan_to_num(nan=7.0))
    assert shorter > 100


def live_part(program: Program, graph: Graph) -> tuple[object, ...]:
    """What a graph says of a program, but for the numbers of the nodes and what is left over."""
    number: dict[int, int] = {}
    nodes = []
    ends = [*graph.state_nodes, *graph.statements, graph.update, *graph.next_states]
    for end in ends:
        stack = [end]
        while stack:
            node = stack[-1]
            args = graph.nodes[node].args
            assert all(arg < node for arg in args)
            missing = [arg for arg in args if arg not in number]
            stack += reversed(missing)
            if not missing:
                stack.pop()
                if node not in number:
                    number[node] = len(number)
                    nodes.append((*graph.nodes[node][:1], tuple(number[arg] for arg in args), *graph.nodes[node][2:]))
    live = {number[node] for node in graph.live if node in number}
    return nodes, [number[end] for end in ends], live, graph.live_statements, graph.live_states


@pytest.mark.slow
def test_tracing_with_a_parent_changes_nothing() -> None:
    """Generation after generation, so that what is left over of parents mounts up."""
    rng = np.random.default_rng(0)
    space = OptimizerSpace(parse(library()["adamw_plain"]), "extended")
    valid = same = 0
    for parent in random_mutants(40, seed=2, functions="extended"):
        graph = trace(parent)
        for generation in range(40):
            operator = ("insert", "delete", "modify", "tune", "rate", "insert")[generation % 6]
            child = space.operators[operator](parent, rng)
            if child is None:
                continue
            try:
                alone = trace(child)
            except InvalidProgram as refused:
                with pytest.raises(InvalidProgram, match=re.escape(str(refused))):
                    trace(child, (parent, graph))
            else:
                extended = trace(child, (parent, graph))
                assert live_part(child, extended) == live_part(child, alone)
                assert fingerprint(extended) == fingerprint(alone)
                if extended.live is graph.live:
                    assert fingerprint(extended) == fingerprint(graph)
                    same += 1
                valid += 1
                parent, graph = child, extended
    assert valid > 800
    assert same > 200
