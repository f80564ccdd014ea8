"""The inputs `progress` and `loss` on every engine, against the reference interpreter."""

import pytest
import torch
from reference_runs import RoundsOnce, same

from germline.evaluators.optimizer.engine import ProgramEngine
from germline.programs.optimizer import parse
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.interpret import Interpreter

LAYOUT = Layout(((6, 4), (5,), (), (3, 2, 2)))
PROGRAMS = [
    parse(f"def train({inputs}):\n  {body}\n  return {returns}\n")
    for inputs, body, returns in (
        ("w, g, b: scalar, lr, progress, loss", "b = interp(loss, b, 0.9)\n  u = g * b + w * progress", "u, b"),
        ("w, g, lr, step, progress, loss", "u = orthogonalize(g) * loss * (step - progress)", "u"),
        ("w, g, loss, lr", "loss = loss + g\n  u = loss * lr", "u, loss"),
        ("w, g, b: scalar, t: leaf, lr, loss", "u = g * (b - loss) + t\n  t = norm(w) * loss", "u, loss, t"),
        ("w, g, progress: scalar, lr", "u = g * progress\n  progress = progress + lr", "u, progress"),
        ("w, g, lr, progress", "u = g * cos(progress) * lr", "u"),
    )
]
"""Two of them have states of these names, which are no inputs."""


@pytest.mark.parametrize("compiled", [True, False])
def test_rows_get_the_progress_and_their_own_loss(compiled: bool) -> None:
    numbers = torch.Generator().manual_seed(4)
    engine = ProgramEngine(PROGRAMS, LAYOUT, compiled=compiled)
    assert 0 < engine.compiled_rows < len(PROGRAMS) or not compiled
    start = torch.randn(len(PROGRAMS), LAYOUT.elements, generator=numbers)
    engine.parameters.copy_(start)
    runs = [Interpreter(program, xp=RoundsOnce()) for program in PROGRAMS]
    weights = [[leaf[0].clone() for leaf in LAYOUT.split(start[[row]])] for row in range(len(PROGRAMS))]
    weights = [weights[engine.order.index(program)] for program in range(len(PROGRAMS))]
    for step in range(1, 6):
        losses = torch.rand(len(PROGRAMS), generator=numbers)
        gradient = torch.randn(LAYOUT.elements, generator=numbers)
        engine.gradients.copy_(gradient.expand_as(engine.gradients))
        of_rows = torch.tensor([losses[program] for program in engine.order])
        engine.step(1.0 / step, step, (step - 1) / 8, of_rows)
        g = [leaf[0] for leaf in LAYOUT.split(gradient[None])]
        for row, program in enumerate(engine.order):
            update = runs[program].step(weights[program], g, 1.0 / step, (step - 1) / 8, float(losses[program]))
            weights[program] = [w - u for w, u in zip(weights[program], update, strict=True)]
            expected = torch.cat([w.reshape(-1) for w in weights[program]])
            if row < engine.compiled_rows:
                assert same(engine.parameters[row], expected).all(), (step, program)
            else:
                torch.testing.assert_close(engine.parameters[row], expected, rtol=1e-4, atol=1e-5)
        if step == 2:
            engine.keep([row for row in range(len(engine.order)) if engine.order[row] != 0])
