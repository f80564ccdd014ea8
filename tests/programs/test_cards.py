"""The card of a language names all that a genome may have, and its examples are genomes."""

import re

import pytest

from germline.programs.architecture.card import card as architecture_card
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import read
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.optimizer import library, parse, trace
from germline.programs.optimizer.card import card
from germline.programs.optimizer.primitives import FUNCTION_SETS
from germline.programs.optimizer.space import OptimizerSpace


def space(functions: str, start: str = "adamw_plain") -> OptimizerSpace:
    return OptimizerSpace(parse(library()[start]), functions, max_statements=80, max_states=6)


@pytest.mark.parametrize("functions", FUNCTION_SETS)
@pytest.mark.parametrize("start", ["adamw_plain", "schedule_free"])
def test_what_the_card_of_programs_offers_is_not_refused(functions: str, start: str) -> None:
    own = space(functions, start)
    [shapes] = re.findall(r"out of (.*)\.", card(own))
    for shape in shapes.split(", "):
        assert own.refuses(parse(f"def train(w, g, s: {shape}, lr):\n  return g, s\n")) is None
    assert ("readout" in shapes) == (start == "schedule_free")


@pytest.mark.parametrize("functions", FUNCTION_SETS)
def test_the_card_of_programs_has_every_function_that_can_be_used(functions: str) -> None:
    text = card(space(functions))
    lines = re.findall(r"^  (\w+)\(|^  x (\S) y", text, re.MULTILINE)
    named = {name or operator for name, operator in lines}
    assert named == {*FUNCTION_SETS[functions]} - {"invert"}
    assert "At most 80 statements" in text and "6 states" in text
    assert "{" not in text


def test_the_example_on_the_card_of_programs_is_a_program() -> None:
    [example] = re.findall(r"(def train.*?return .*?)\n", card(space("core")), re.DOTALL)
    trace(parse(example))


@pytest.mark.parametrize("name", SPACES)
def test_the_example_on_the_card_of_architectures_is_in_the_space(name: str) -> None:
    text = architecture_card(SPACES[name])
    [example] = [line for line in text.splitlines() if line.startswith("{")]
    cells = ArchitectureSpace(SPACES[name], Skeleton(16, 15))
    assert cells.check(read(example)) is None
    assert all(operation in text for operation in SPACES[name].operations)


HEAD = "def train(w, g, m, v, lr):\n"


@pytest.mark.parametrize(
    ("functions", "text", "why"),
    [
        ("core", HEAD + "  u = sign(g)\n  return u, m, v\n", None),
        ("core", HEAD + "  u = g\n  u = sign(u)\n  u = sign(u)\n  return u, m, v\n", "at most 2 statements, got 3"),
        ("core", "def train(w, g, m, v, s, lr):\n  return g, m, v, s\n", "at most 2 states, got 3"),
        ("core", HEAD + "  u = orthogonalize(g)\n  return u, m, v\n", "got orthogonalize, which it does not have"),
        ("extended", HEAD + "  u = orthogonalize(g)\n  return u, m, v\n", None),
        ("core", "def train(w, g, m, r: row, lr):\n  return g, m, r\n", "shape tree, leaf, scalar, got r: row"),
        ("extended", "def train(w, g, m, r: row, lr):\n  return g, m, r\n", None),
        ("extended", "def train(w, g, m, x: readout, lr):\n  return g, m, x\n", "got x: readout"),
        ("extended", "def train(w, g, m, v, lr, loss):\n  return g, m, v\n", "expected no input loss"),
        ("core", "def train(w, g, m, v, lr, step):\n  return g, m, v\n", None),
        ("core", HEAD + "  return lr, m, v\n", "lr"),
    ],
)
def test_a_program_from_outside_keeps_the_limits_that_operators_keep(
    functions: str, text: str, why: str | None
) -> None:
    small = OptimizerSpace(parse(library()["adamw_plain"]), functions, max_statements=2, max_states=2)
    refused = small.refuses(parse(text))
    assert refused is None if why is None else refused is not None and why in refused
