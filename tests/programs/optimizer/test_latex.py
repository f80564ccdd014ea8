"""LaTeX formulas of programs."""

import pytest

from germline.programs.optimizer import parse
from germline.programs.optimizer.simplify.latex import latex


def test_no_variable_has_the_symbol_of_the_schedule_value() -> None:
    formula = latex(parse("def train(w, g, eta, lr):\n  eta = interp(g, eta, 0.9)\n  u = eta * lr\n  return u, eta\n"))
    assert formula.count(r"\eta_t") == 1 and r"\mathrm{eta}_{t-1}" in formula


@pytest.mark.parametrize(
    ("update", "formula"),
    [
        ("square(w * reciprocal(g))", r"\left(\frac{w_t}{g_t}\right)^{2}"),
        ("cube(w / g)", r"\left(\frac{w_t}{g_t + 10^{-8}}\right)^{3}"),
        ("square(reciprocal(g))", r"\left(\frac{1}{g_t}\right)^{2}"),
        ("max(g, -1e-08)", r"\max\left(g_t, -10^{-8}\right)"),
        ("g - -0.5", "g_t + 0.5"),
        ("square(sqrt(abs(g)))", r"{\sqrt{\left|g_t\right|}}^{2}"),
    ],
)
def test_powers_of_fractions_and_small_negative_numbers(update: str, formula: str) -> None:
    written = latex(parse(f"def train(w, g, lr):\n  u = {update}\n  return u\n"))
    assert formula in written
