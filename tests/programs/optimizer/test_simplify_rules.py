"""Each rule of simplification, by itself: it finds an instance of its pattern, and what it claims holds there."""

import re
from collections.abc import Iterator
from itertools import product

import pytest
import torch

from germline.programs.optimizer import Program, parse
from germline.programs.optimizer.program import InvalidProgram
from germline.programs.optimizer.simplify.engine import Rewriting
from germline.programs.optimizer.simplify.proof import compare, same_bits, within_bound
from germline.programs.optimizer.simplify.rewriting import from_program, rewrite
from germline.programs.optimizer.simplify.rule import Context, Rule
from germline.programs.optimizer.simplify.table import DETOURS, RULES
from germline.programs.optimizer.simplify.to_program import to_program
from germline.programs.optimizer.simplify.trajectory import run

pytestmark = pytest.mark.slow

STEPS = 12
VALUES = (
    *("g", "w", "abs(g)", "exp(w)", "tanh(g)", "cosh(w)", "norm(g)"),
    *("max(w, 1.0)", "min(abs(w), 1.0)", "0.5", "negative(square(w))"),
)
LITERALS = ("0.5", "2.0", "-3.0", "1e-8", "0.99999999")
IS_PATTERN = re.compile(r"\S*[(+*/-].* → ")
PATTERNS = [
    rule for rule in dict.fromkeys((*RULES, *DETOURS)) if IS_PATTERN.match(rule.says) and "literal" not in rule.says
]


def instances(rule: Rule) -> Iterator[Program]:
    """Programs in which the pattern of a rule has values for its letters."""
    pattern = re.split(r" → ", rule.says)[0]
    letters = sorted(set(re.findall(r"\b[xyzkab]\b", pattern)))
    for values in product(*(LITERALS if letter in "ab" else VALUES for letter in letters)):
        chosen = dict(zip(letters, values, strict=True))
        expression = re.sub(r"\b[xyzkab]\b", lambda match, chosen=chosen: f"({chosen[match[0]]})", pattern)
        too = re.search(r"if (.*) is computed too", rule.says)
        if too:
            other = re.sub(r"\b[xyzkab]\b", lambda match, chosen=chosen: f"({chosen[match[0]]})", too[1])
            expression = f"{expression} + {other}"
        for last in ("update = t", "update = where(w, t, g)", "update = where(w, t, g) + step * 0.0"):
            text = f"def train(w, g, lr, step):\n  t = {expression}\n  {last}\n  return update\n"
            try:
                yield parse(text)
            except InvalidProgram:
                continue


def rewritings(rule: Rule, program: Program) -> Iterator[Rewriting]:
    """What a rule makes of a program."""
    try:
        form = from_program(program)
    except InvalidProgram:
        return
    for proposal in rule.propose(Context(form)):
        after = rewrite(form, proposal.changes, proposal.following)
        if after is not None:
            yield Rewriting(rule, proposal, form, after)


@pytest.mark.parametrize("rule", PATTERNS, ids=lambda rule: rule.says)
def test_a_rule_holds_on_instances_of_its_pattern(rule: Rule) -> None:
    checked = 0
    for program in instances(rule):
        for rewriting in rewritings(rule, program):
            _check(rewriting)
            checked += 1
        if checked >= 4:
            return
    assert checked


def _check(rewriting: Rewriting) -> None:
    programs = [to_program(form) for form in (rewriting.before, rewriting.after)]
    if rewriting.rule.tier == "bounded":
        assert within_bound(rewriting, STEPS)
    elif rewriting.proposal.rounds:
        assert compare(*(run(program, STEPS) for program in programs)).holds
    else:
        for precision in (torch.float32, torch.float64):
            assert same_bits(*(run(program, STEPS, precision, samples=0).updates for program in programs))
