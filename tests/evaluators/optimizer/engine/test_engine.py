"""The program engine against the reference interpreter, row by row and bit by bit."""

import os

import pytest
import torch
from programs_of_lines import program_of
from reference_runs import RoundsOnce, mutants, run_alone, same
from torch import Tensor

from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.engine import engine as engine_module
from germline.evaluators.optimizer.engine.micro import MicroProgram, Unsupported, lower
from germline.evaluators.optimizer.engine.torch_rows import APPROXIMATE
from germline.programs.optimizer import Graph, Program, library, parse, trace
from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.primitives import PRIMITIVES, WHITENING

SCALE = float(os.environ.get("GERMLINE_SCALE", "1"))
LAYOUT = Layout(((70, 40), (5,), (), (3, 2, 2)))
"""The first leaf is longer than a chunk."""
STEPS = 4


def program(*lines: str, inputs: str = "m, v, lr", returns: str = "m, v") -> Program:
    return program_of(f"w, g, {inputs}", *lines, f"return u, {returns}")


def using(name: str) -> Program:
    """A program in which the update depends on a function, also through a state."""
    if name in ("+", "-", "*", "/"):
        call = f"g {name} m"
    elif name == "rank_one":
        call = "rank_one(row_mean(g), column_mean(g))"
    elif name in ("row_mean", "column_mean"):
        call = f"m + {name}(g)"
    elif name in ("transpose", "matmul"):
        call = "matmul(matmul(g, transpose(m)), g)"
    elif name in ("inverse_root", "eigenbasis"):
        left = ", ".join(["matmul(g, transpose(g))", "matmul(m, transpose(m))"][: PRIMITIVES[name].arity])
        call = f"matmul({name}({left}), g)"
    elif name == "rotate_back":
        call = "rotate_back(m, matmul(transpose(g), g))"
    else:
        call = f"{name}({', '.join(('g', '0.3' if name == 'clip' else 'w', 'm')[: PRIMITIVES[name].arity])})"
    return program("m = interp(m, g, 0.1)", f"a = {call}", "u = a * w", "v = v + a * g")


def run(programs: list[Program], w: Tensor, gradients: Tensor, compiled: bool = True) -> Tensor:
    """Every program's parameters after a step for each row of gradients, in the order of the programs."""
    engine = ProgramEngine(programs, LAYOUT, compiled=compiled)
    engine.parameters.copy_(w.expand(len(programs), -1))
    for step, g in enumerate(gradients, 1):
        engine.gradients.copy_(g.expand(len(programs), -1))
        engine.step(lr=1.0 / step, step=step)
    found = torch.empty_like(engine.parameters)
    found[engine.order] = engine.parameters
    return found


@pytest.fixture(scope="module")
def numbers() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    w = 0.5 * torch.randn(LAYOUT.elements, generator=generator)
    gradients = 0.5 * torch.randn(STEPS, LAYOUT.elements, generator=generator)
    gradients[:, ::7] = 0.0
    return w, gradients


def is_compiled(one: Program) -> bool:
    try:
        lower(trace(one), LAYOUT)
    except Unsupported:
        return False
    return True


def check(programs: list[Program], numbers: tuple[Tensor, Tensor]) -> None:
    w, gradients = numbers
    for one, found in zip(programs, run(programs, w, gradients), strict=True):
        # A basis of the directions in which a matrix is zero follows from rounding alone.
        by_rounding = any(line.function == "eigenbasis" for line in one.body)
        expected = run_alone(one, LAYOUT.shapes, w, gradients, torch if by_rounding else RoundsOnce())
        if is_compiled(one):
            assert same(found, expected).all(), one
        else:
            # Matrix functions run in torch's own float32.
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in WHITENING if name not in ("invert",)])
def test_every_function(name: str, numbers: tuple[Tensor, Tensor]) -> None:
    check([using(name)], numbers)


@pytest.mark.parametrize("name", [name for name in WHITENING if PRIMITIVES[name].scope == "leaf"])
def test_a_function_of_matrices_on_a_number_a_leaf(name: str, numbers: tuple[Tensor, Tensor]) -> None:
    args = ", ".join(["a", "a * a"][: PRIMITIVES[name].arity])
    check([program("m = g", "a = columns(g)", f"b = {name}({args})", "u = b * g")], numbers)


BY_ROUNDING = "soap"
"""Adam in a basis divides noise by noise where a direction has no gradient, so that in float32 rounding decides. In
float64 it is compared with its formula, and its rows with the interpreter."""


def test_the_library(numbers: tuple[Tensor, Tensor]) -> None:
    check([parse(text) for name, text in library().items() if name != BY_ROUNDING], numbers)


@pytest.mark.parametrize("basis", ["ql", "sinh(ql)", "exp(ql)"])
def test_a_state_stays_in_the_order_in_which_a_function_returned_it(basis: str, numbers: tuple[Tensor, Tensor]) -> None:
    """`eigenbasis` returns a matrix by columns. Recorded runs have its bits, which other functions change with the
    order: torch computes the last elements in memory by another method."""
    w, gradients = numbers
    one = parse(library()["soap"].replace("ql = eigenbasis(l, ql)", f"x = {basis}\n  ql = eigenbasis(l, x)"))
    flat = FlatProgram(trace(one), LAYOUT, torch, torch.tensor(LAYOUT.leaf_of), None)
    graph = flat.graph
    types = {k: graph.nodes[graph.state_nodes[k]] for k in graph.live_states}
    names = {k: node.function.removeprefix("input:") for k, node in types.items()}
    states = {k: LAYOUT.zeros(node.type, 1, torch.zeros) for k, node in types.items()}
    literals = [torch.tensor([[graph.nodes[i].literal]]) for i in flat.literals]
    expected = w[None].clone()
    for step, g in enumerate(gradients, 1):
        given = {"lr": torch.tensor([[1.0 / step]]), "step": torch.tensor([[float(step)]])}
        inputs = {key: value for key, value in given.items() if key in flat.inputs}
        inputs |= {"w": expected, "g": g[None]} | {names[k]: value for k, value in states.items()}
        update, states = flat.run(inputs, literals)
        expected = expected - update
    assert same(run([one], w, gradients)[0], expected[0]).all()


@pytest.mark.parametrize("matrix", ["ql", "transpose(g)", "transpose(m)"])
@pytest.mark.parametrize("of", ["row_mean({0})", "column_mean({0})", "rank_one(row_mean({0}), column_mean({0}))"])
def test_a_matrix_by_columns_has_the_same_bits_beside_others_of_its_structure(
    matrix: str, of: str, numbers: tuple[Tensor, Tensor]
) -> None:
    w, gradients = numbers
    one, other = (
        program(
            f"m = interp(m, g, {decay})",
            "l = interp(matmul(g, transpose(g)), l, 0.9)",
            "ql = eigenbasis(l, ql)",
            f"x = sinh({matrix})",
            f"y = {of.format('x')}",
            "u = m * global_norm(y)",
            inputs="m, l: left, ql: left, lr",
            returns="m, l, ql",
        )
        for decay in (0.1, 0.2)
    )
    assert same(run([one, other], w, gradients)[0], run([one], w, gradients)[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("functions", ["core", "extended", "whitening"])
def test_random_programs(functions: str, numbers: tuple[Tensor, Tensor]) -> None:
    programs = mutants(int(150 * SCALE), seed=5, functions=functions)
    assert sum(map(is_compiled, programs)) > len(programs) / 3
    check(programs, numbers)


@pytest.mark.parametrize(
    "one",
    [
        program("u = m * lr", returns="v, m"),
        program("u = m + v", returns="g, w"),
        program("u = m + v", "m = g * 0.5", returns="m, m"),
        program("u = m", "m = g * 0.5", "v = m"),
        program("u = g * v", "v = v + 1.0", "m = m + v"),
        program("n = norm(g)", "u = g * n", "v = v + n", "m = g * global_norm(v)"),
        program("u = g * t", "t = t + norm(g) * b", "b = b + 1.0", inputs="t: leaf, b: scalar, lr", returns="t, b"),
        program("u = g * t + b", inputs="t: scalar, b: scalar, lr, step", returns="b, step"),
        program("u = g * t", "b = norm(g) + t", inputs="t: leaf, b: leaf, lr", returns="b, t"),
        program("a = g * g", "s = norm(a)", "c = a * s", "d = dot(c, a)", "u = a * d + c * global_norm(c)"),
        program("s = norm(w)", "r = global_norm(s)", "u = where(g, r, s)", "m = where(s - 1.0, m, g)"),
        program("u = rank(g) + rows(g) * columns(g) * w"),
        program("u = g * leaf_mean(t)", "t = leaf_max(g)", inputs="t: leaf, lr", returns="t"),
        program("u = w", "m = w", "v = g"),
        program("a = where(g, 1.0, -0.0)", "u = arctan(reciprocal(a))", "v = v + where(g, -0.0, 1.0)"),
        program("u = g - g * 0.0 + get_pi() * get_eps()", "m = 2.0 * 3.0 + g"),
    ],
    ids=range(16),
)
def test_states_may_be_swapped_and_sums_nested(one: Program, numbers: tuple[Tensor, Tensor]) -> None:
    check([one, one], numbers)


def test_plain_torch_gives_the_same_up_to_rounding(numbers: tuple[Tensor, Tensor]) -> None:
    programs = [parse(text) for name, text in library().items() if name != BY_ROUNDING]
    compiled, plain = run(programs, *numbers), run(programs, *numbers, compiled=False)
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-5)


def test_removing_rows_does_not_change_the_others(numbers: tuple[Tensor, Tensor]) -> None:
    w, gradients = numbers
    programs = [parse(text) for text in library().values()]
    whole = run(programs, w, gradients)
    engine = ProgramEngine(programs, LAYOUT)
    engine.parameters.copy_(w.expand(len(programs), -1))
    for step, g in enumerate(gradients, 1):
        engine.gradients.copy_(g.expand(len(engine.order), -1))
        engine.step(lr=1.0 / step, step=step)
        engine.keep(range(0, len(engine.order), 2) if step == 2 else range(len(engine.order)))
    assert 0 < len(engine.order) < len(programs)
    assert same(engine.parameters, whole[engine.order]).all()
    engine.keep([])
    engine.step(1.0, STEPS + 1)
    assert engine.order == []


def test_lowering_merges_equal_operations_and_drops_dead_ones() -> None:
    twice = program("a = g * g", "b = g * g", "c = exp(w)", "d = rank(v)", "u = a + b + d", "v = sin(v)")
    values = lower(trace(twice), LAYOUT).values
    operations = [one.operation for one in values if one.args]
    assert operations == ["multiply", "add", "add"]
    assert lower(trace(twice), LAYOUT).states == {}


@pytest.mark.slow
@pytest.mark.parametrize("shapes", [((2048,),), ((2049,), (3,)), ((),), ((), (2048,), ()), ((5, 1),) * 60])
def test_models_of_other_shapes(shapes: tuple[tuple[int, ...], ...]) -> None:
    layout = Layout(shapes)
    numbers = torch.Generator().manual_seed(3)
    w = 0.5 * torch.randn(layout.elements, generator=numbers)
    gradients = 0.5 * torch.randn(3, layout.elements, generator=numbers)
    for one in [*map(parse, library().values()), *mutants(int(20 * SCALE), seed=8)]:
        engine = ProgramEngine([one], layout)
        engine.parameters.copy_(w[None])
        for step, g in enumerate(gradients, 1):
            engine.gradients.copy_(g[None])
            engine.step(lr=1.0 / step, step=step)
        expected = run_alone(one, shapes, w, gradients, RoundsOnce())
        if is_compiled(one):
            assert same(engine.parameters[0], expected).all(), one


@pytest.mark.slow
def test_a_very_long_program() -> None:
    lines = [f"x{i} = sin(x{i - 1}) + norm(x{i - 2})" for i in range(3, 330)]
    one = program("x1 = g + w", "x2 = x1 * m", *lines, "u = x329 * x5", "m = x100")
    numbers = torch.Generator().manual_seed(3)
    w = torch.randn(LAYOUT.elements, generator=numbers)
    gradients = torch.randn(2, LAYOUT.elements, generator=numbers)
    assert same(run([one], w, gradients)[0], run_alone(one, LAYOUT.shapes, w, gradients, RoundsOnce())).all()


def row_after_steps(programs: list[Program], position: int, steps: int = 3) -> Tensor:
    """The parameters of a program after some steps, on gradients that are the same for all rows."""
    layout = Layout((*((32, 21) for _ in range(2)), (10,)))
    engine = ProgramEngine(programs, layout)
    generator = torch.Generator().manual_seed(1)
    engine.parameters.copy_(torch.randn(layout.elements, generator=generator))
    for step in range(1, steps + 1):
        engine.gradients.copy_(torch.randn(layout.elements, generator=generator))
        engine.step(0.1, step)
    return engine.parameters[engine.order.index(position)].nan_to_num(7.0)


@pytest.mark.parametrize("function", sorted(APPROXIMATE))
def test_a_program_with_matrix_functions_gets_the_same_bits_in_a_group_of_any_size(function: str) -> None:
    args = "m, 0.3" if PRIMITIVES[function].arity == 2 else "m"
    body = f"  o = orthogonalize(g)\n  m = interp(o, m, 0.5)\n  v = {function}({args})\n  update = v * lr\n"
    program = parse(f"def train(w, g, m, v, lr):\n{body}  return update, m, v\n")
    alone = row_after_steps([program], 0)
    for count, position in ((2, 1), (3, 0), (16, 0), (16, 7), (16, 15)):
        assert torch.equal(alone, row_after_steps([program] * count, position))


def test_programs_of_the_next_replicate_are_not_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[object] = []

    def counted(graph: Graph, layout: Layout) -> MicroProgram:
        lowered.append(graph)
        return lower(graph, layout)

    monkeypatch.setattr(engine_module, "lower", counted)
    programs = [parse(text) for text in library().values()]
    for count, expected in ((8, 8), (8, 8), (3, 8), (3, 8), (8, 13)):  # only those of the last pack are kept
        ProgramEngine(programs[:count], LAYOUT)
        assert len(lowered) == expected
    ProgramEngine([programs[0]] * 5, Layout(((3,),)))
    assert len(lowered) == 14


def test_programs_whose_zeros_differ_in_their_sign_are_not_confused() -> None:
    positive, negative = (program(f"u = w + {zero}") for zero in ("0.0", "-0.0"))
    assert positive == negative
    first, second = engine_module._prepare_all([positive, negative], LAYOUT)
    assert repr(first.lowered) != repr(second.lowered)
