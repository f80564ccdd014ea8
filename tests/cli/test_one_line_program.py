"""The update of a program in one line."""

import pytest

from germline.cli.presenters.optimizer import OptimizerPresenter
from germline.programs.optimizer.library import library_text

one_line = OptimizerPresenter().one_line


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("update = m * 0.123456", "m * 0.123"),
        ("a = w + g\n  update = a * 0.5", "(w + g) * 0.5"),
        ("a = w * g\n  update = a + m", "w * g + m"),
        ("a = w - g\n  update = m - a", "m - (w - g)"),
        ("a = w / g\n  update = m / a", "m / (w / g)"),
        ("a = w / g\n  update = a / m", "w / g / m"),
        ("update = m - -0.5", "m - (-0.5)"),
        ("update = g", "g"),
    ],
)
def test_statements_become_a_nested_expression(body: str, expected: str) -> None:
    assert one_line(f"def train(w, g, m, lr):\n  {body}\n  return update, m\n") == expected


def test_lion_is_the_sign_of_a_blend() -> None:
    assert one_line(library_text("lion")) == "sign(interp(g, m, 0.9)) * lr * 0.0001"


def test_a_state_with_a_new_value_goes_by_its_name() -> None:
    text = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = m * 0.1\n  return update, m\n"
    assert one_line(text) == "m * 0.1"


def test_a_long_chain_of_doublings_stays_short() -> None:
    lines = "".join("  x = x * x\n" for _ in range(200))
    text = f"def train(w, g, m, lr):\n  x = g * 0.5\n{lines}  update = x + g\n  return update, m\n"
    assert len(one_line(text)) < 1000
    assert "…" in one_line(text)
