"""Each rule of simplification that is a pattern, by itself: what it claims holds on chosen instances of the pattern."""

import re
from collections.abc import Iterator

import pytest
import torch

from germline.programs.optimizer import parse
from germline.programs.optimizer.program import InvalidProgram
from germline.programs.optimizer.simplify.engine import Rewriting
from germline.programs.optimizer.simplify.proof import compare, same_bits, within_bound
from germline.programs.optimizer.simplify.rewriting import from_program, rewrite
from germline.programs.optimizer.simplify.rule import Context, Rule
from germline.programs.optimizer.simplify.table import DETOURS, RULES
from germline.programs.optimizer.simplify.to_program import to_program
from germline.programs.optimizer.simplify.trajectory import Trajectory, run

STEPS = 2
"""Patterns keep no state, so a few steps with other inputs suffice."""

VALUES = (
    *("g", "w", "lr", "step", "global_norm(g)", "norm(g)", "leaf_max(g)"),  # trees, scalars, a scalar per leaf
    *("transpose(g)", "transpose(w)", "row_mean(g)"),  # trees of other shapes
    *("abs(g)", "negative(abs(g))", "negative(square(w))", "w * 0.0", "0.0"),  # zeros of both signs
    *("exp(w)", "cosh(w)", "max(w, 1.0)", "0.5", "-2.0"),  # never zero, at least 1, at most -1
    *("min(abs(w), 1.0)", "tanh(g)", "sin(w)", "greater(g, w)"),  # within [0, 1] and [-1, 1]
    *("cube(g)", "exp(g)", "reciprocal(g)", "log(g)", "arcsin(g)"),  # infinite or not a number for some inputs
)
LITERALS = (
    *("0.5", "2.0", "-3.0", "0.0", "1.0", "-1.0", "3.0", "-0.0"),
    *("0.1", "0.99999999", "0.9999999", "1e-8", "1e-5", "1e8"),  # at the limits of side conditions
)
SHIFTS, MANY_SHIFTS = (0, 5), range(0, len(VALUES), 3)
"""How far the value of each letter is ahead of that of the letter before it in the tables above. A rule with a side
condition is tried with many distances."""

ENDINGS = ("{}", "where(w, {}, g)", "transpose({})")
"""Updates that depend on a tree, on a scalar or scalars, and on transposed matrices."""

ALL = tuple(dict.fromkeys((*RULES, *DETOURS)))
PATTERN_RULES = tuple(rule for rule in ALL if rule.pattern)
FUNCTION_RULES = {
    *("fold constants", "fold constants with rounding", "known value"),
    *("merge equal states", "derive a state", "rescale a state", "combine states"),
    *("collect terms", "cancel terms", "merge factors", "reorder factors"),
}
"""Rules that are functions, which the corpus of `test_simplify.py` tests."""


def instances(rule: Rule) -> Iterator[str]:
    """Expressions that the pattern of a rule matches, with every value for every letter."""
    letters = sorted(set(re.findall(r"\b[xyzkab]\b", rule.pattern or "")))
    tables = [LITERALS if letter in "ab" else VALUES for letter in letters]
    shifts = MANY_SHIFTS if ", if " in rule.says else SHIFTS
    for shift in shifts if len(letters) > 1 else (0,):
        for i in range(max(map(len, tables), default=1)):
            values = [table[(i + k * shift) % len(table)] for k, table in enumerate(tables)]
            by_letter = dict(zip(letters, values, strict=True))
            too = re.search(r"if (.*) is computed too", rule.says)
            pattern = f"({rule.pattern}) + ({too[1]})" if too else rule.pattern or ""
            yield re.sub(r"\b[xyzkab]\b", lambda match: f"({by_letter[match[0]]})", pattern)  # noqa: B023


def rewritings(rule: Rule, value: str) -> list[Rewriting]:
    """What a rule makes of a program whose update depends on a value."""
    for ending in ENDINGS:
        text = f"def train(w, g, lr, step):\n  t = {value}\n  update = {ending.format('t')}\n  return update\n"
        try:
            form = from_program(parse(text))
        except InvalidProgram:
            continue
        result = []
        for proposal in rule.propose(Context(form)):
            after = rewrite(form, proposal.changes, proposal.following)
            if after is not None:
                result.append(Rewriting(rule, proposal, form, after))
        if result:
            return result
    return []


def test_every_rule_is_a_pattern_with_a_test_of_its_own_or_a_known_function() -> None:
    assert {rule.name for rule in ALL if not rule.pattern} == FUNCTION_RULES
    assert len(PATTERN_RULES) >= 200


@pytest.mark.slow
@pytest.mark.parametrize("rule", PATTERN_RULES, ids=lambda rule: rule.says)
def test_a_rule_holds_on_instances_of_its_pattern(rule: Rule) -> None:
    compared = 0
    for expression in instances(rule):
        for rewriting in rewritings(rule, expression):
            compared += _compared(rewriting)
    assert compared


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule for rule in PATTERN_RULES if rule.tier == "exact"], ids=lambda rule: rule.says)
def test_an_exact_rule_keeps_the_sign_of_a_zero_below_a_pole(rule: Rule) -> None:
    for expression in instances(rule):
        for rewriting in rewritings(rule, f"reciprocal({expression})"):
            before, after = _updates(rewriting, torch.float64)
            poles = before.isinf() & after.isinf()
            assert bool((before == after)[poles].all()), to_program(rewriting.before)
            _compared(rewriting)


def _compared(rewriting: Rewriting) -> bool:
    """Checks the claim of a rule. Returns False if nothing could be compared."""
    if rewriting.rule.tier == "bounded":
        inside = within_bound(rewriting, STEPS)
        assert inside is not False, to_program(rewriting.before)
        return bool(inside)
    if rewriting.proposal.rounds or rewriting.after.reshaped:
        before, after = (run(to_program(form), STEPS) for form in (rewriting.before, rewriting.after))
        check = compare(before, after)
        assert check.holds, to_program(rewriting.before)
        _check_numbers(rewriting, before, after)
        return check.compared > 0
    for precision in (torch.float32, torch.float64):
        assert same_bits(*_updates(rewriting, precision)), to_program(rewriting.before)
    return True


def _check_numbers(rewriting: Rewriting, before: Trajectory, after: Trajectory) -> None:
    """Checks that numbers stay numbers where nothing over- or underflows; and, for an exact rule, the reverse."""
    appeared = after.updates.isnan() & before.updates.isfinite() & before.in_range[..., None]
    vanished = before.updates.isnan() & after.updates.isfinite() & after.in_range[..., None]
    assert not bool(appeared.any()), to_program(rewriting.before)
    assert rewriting.rule.tier != "exact" or not bool(vanished.any()), to_program(rewriting.before)


def _updates(rewriting: Rewriting, precision: torch.dtype) -> list[torch.Tensor]:
    """The updates before and after a rewriting."""
    programs = [to_program(form) for form in (rewriting.before, rewriting.after)]
    return [run(program, STEPS, precision, samples=0).updates for program in programs]
