"""Many rows at once in torch: every row equals the reference interpreter and does not know of the others."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.flat import FlatProgram, Layout, Value
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.types import STATE_TYPES

LAYOUT = Layout(((4, 3), (), (3,), (1, 5), (2, 3, 1, 2)))
ROWS = 3
STEPS = 4


def start(shape: str) -> Value:
    """A state before the first step, `[rows, …]`."""
    return LAYOUT.zeros(STATE_TYPES[shape], ROWS, partial(torch.zeros, dtype=torch.float64))


def run_rows(program: Program, w: Tensor, g: Tensor) -> Tensor:
    """The updates of all rows, `[steps, rows, elements]`, from `w` and `g` of that shape."""
    graph = trace(program)
    flat = FlatProgram(graph, LAYOUT, torch, torch.as_tensor(LAYOUT.leaf_of))
    literals = [torch.full((1, 1), graph.nodes[i].literal, dtype=torch.float64) for i in flat.literals]
    states = {k: start(program.states[k].shape) for k in graph.live_states}
    updates = []
    for t in range(len(w)):
        inputs = {"w": w[t], "g": g[t], "lr": rate(t), "step": torch.full((1, 1), t + 1.0, dtype=torch.float64)}
        inputs |= {program.states[k].name: value for k, value in states.items()}
        update, states = flat.run(inputs, literals)
        updates.append(update.expand(ROWS, LAYOUT.elements))
    return torch.stack(updates)


def rate(t: int) -> Tensor:
    return torch.full((1, 1), 1.0 - 0.2 * t, dtype=torch.float64)


def run_alone(program: Program, w: Tensor, g: Tensor) -> Tensor:
    """The updates of one row, `[steps, elements]`, by the interpreter."""
    interpreter = Interpreter(program)
    updates = []
    for t in range(len(w)):
        leaves = ([leaf[0] for leaf in LAYOUT.split(x[t][None])] for x in (w, g))
        update = interpreter.step(*leaves, rate(t).item())
        updates.append(torch.cat([leaf.reshape(-1) for leaf in update]))
    return torch.stack(updates)


def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    w, g = (torch.as_tensor(rng.standard_normal((STEPS, ROWS, LAYOUT.elements))) for _ in range(2))
    return w, g * torch.tensor([1.0, 1e-3, 20.0])[:, None]


@pytest.mark.parametrize("name", library())
def test_each_row_of_a_library_program_equals_the_interpreter(name: str) -> None:
    program = parse(library()[name])
    w, g = draw(np.random.default_rng(0))
    updates = run_rows(program, w, g)
    for row in range(ROWS):
        torch.testing.assert_close(updates[:, row], run_alone(program, w[:, row], g[:, row]), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", library())
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    program = parse(library()[name])
    w, g = draw(np.random.default_rng(1))
    before = run_rows(program, w, g)
    g[:, 0] = torch.nan
    w[:, 2] = torch.inf
    after = run_rows(program, w, g)
    torch.testing.assert_close(after[:, 1], before[:, 1], rtol=1e-12, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("functions", ["extended", "whitening"])
def test_rows_equal_the_interpreter_for_mutants_of_every_kind(
    mutants: Callable[..., Iterator[Program]], scale: int, functions: str
) -> None:
    rng = np.random.default_rng(2)
    for _, program in zip(range(250 * scale), mutants(3, functions), strict=False):
        w, g = draw(rng)
        updates = run_rows(program, w, g)
        for row in range(ROWS):
            alone = run_alone(program, w[:, row], g[:, row])
            same = torch.isclose(updates[:, row], alone, rtol=1e-6, atol=1e-9, equal_nan=True)
            assert same.all(), write(program)


def test_a_condition_per_leaf_chooses_leaf_by_leaf() -> None:
    program = parse("def train(w, g, lr):\n  update = where(greater(rank(w), 1.5), w, g)\n  return update\n")
    w, g = draw(np.random.default_rng(4))
    matrix = torch.tensor([len(shape) > 1 for shape in LAYOUT.shapes])[torch.as_tensor(LAYOUT.leaf_of)]
    assert torch.equal(run_rows(program, w, g), torch.where(matrix, w, g))
