"""Programs are of one family if their simplified forms differ in names and constants alone."""

import pytest

from germline.programs.optimizer import library, parse
from germline.programs.optimizer.simplify import simplify
from germline.programs.optimizer.simplify.families import kinship

pytestmark = pytest.mark.slow

BASE = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = m * lr\n  return update, m\n"
RENAMED = "def train(w, g, a, b, lr):\n  b = interp(g, b, 0.9)\n  x = lr * b\n  return x, a, b\n"
LONGER = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  x = m + 0.0\n  update = x * lr\n  return update, m\n"
TUNED = BASE.replace("0.9", "0.95")
OTHER = BASE.replace("interp(g, m, 0.9)", "max(g, m)")


def test_names_and_what_simplifies_make_no_other_form() -> None:
    base = kinship(parse(BASE))
    assert kinship(parse(RENAMED)) == base == kinship(parse(LONGER))


def test_constants_make_another_form_of_the_family_and_expressions_another_family() -> None:
    base, tuned, other = (kinship(parse(text)) for text in (BASE, TUNED, OTHER))
    assert tuned.family == base.family and tuned.form != base.form
    assert other.family != base.family


def test_an_average_is_one_family_whichever_of_its_two_weights_is_written() -> None:
    other = BASE.replace("interp(g, m, 0.9)", "interp(m, g, 0.2)")
    assert kinship(parse(other)).family == kinship(parse(BASE)).family


def test_a_constant_that_equals_one_less_a_decay_makes_no_other_family() -> None:
    text = library()["adamw_plain"]
    assert "0.001" in text and "0.999" in text  # a simplification writes both as one number
    assert kinship(parse(text.replace("0.001", "0.002"))).family == kinship(parse(text)).family


def test_states_are_known_by_how_they_are_computed() -> None:
    text = (
        "def train(w, g, m, v, lr):\n  m = interp(g, m, 0.9)\n  v = interp(g, v, 0.99)\n  u = m / v\n  return u, m, v\n"
    )
    exchanged = text.replace("m, v, lr", "v, m, lr").replace("u, m, v", "u, v, m")
    assert kinship(parse(text)) == kinship(parse(exchanged)) != kinship(parse(text.replace("m / v", "v / m")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lion", "sgd_momentum", "rmsprop"])
def test_a_program_and_its_simplified_form_are_one_family(name: str) -> None:
    program = parse(library()[name])
    assert kinship(simplify(program).program).family == kinship(program, work=2_000_000).family
