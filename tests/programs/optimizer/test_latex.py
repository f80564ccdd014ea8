"""LaTeX formulas of programs."""

from germline.programs.optimizer import parse
from germline.programs.optimizer.simplify.latex import latex


def test_no_variable_has_the_symbol_of_the_schedule_value() -> None:
    formula = latex(parse("def train(w, g, eta, lr):\n  eta = interp(g, eta, 0.9)\n  u = eta * lr\n  return u, eta\n"))
    assert formula.count(r"\eta_t") == 1 and r"\mathrm{eta}_{t-1}" in formula
