"""Rules: what they are, what they may look at, and how a pattern becomes one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Literal

from germline.programs.optimizer.simplify.facts import facts
from germline.programs.optimizer.simplify.form import Expression, Form
from germline.programs.optimizer.simplify.pattern import Binding, instance, matches, read_pattern
from germline.programs.optimizer.simplify.ranges import Fact

Tier = Literal["exact", "almost", "bounded"]
"""How far a rule holds:

- exact: for all numbers, with the same bits; or, where the rule rounds, up to the rounding of single operations;
- almost: for real numbers, almost everywhere: not where a value over- or underflows, is rounded away in a sum, or is
  outside of a function's domain, nor at a pole;
- bounded: within a bound that the rule states.
"""

TIERS: tuple[Tier, ...] = ("exact", "almost", "bounded")


@dataclass(frozen=True)
class Proposal:
    """A change of a form that a rule allows.

    Attributes:
        changes: the expression by the node that it replaces.
        following: the next value by the position of a state.
        rounds: True if results may differ by the rounding of single operations.
        bound: of a bounded rule: an expression that is never smaller than the distance between the changed node and
            its replacement, beside `changes` of that node.
        name: what the step is called, if that depends on the change; empty: the name of the rule.
    """

    changes: Mapping[int, Expression]
    following: Mapping[int, Expression] = field(default_factory=dict)
    rounds: bool = False
    bound: Expression | None = None
    name: str = ""


class Context:
    """A form, and what rules ask about it, computed when it is first needed.

    Attributes:
        form: the form.
        allowance: how many values rules may still look at.
        visited: how many they have looked at.
    """

    def __init__(self, form: Form, allowance: float = inf) -> None:
        self.form = form
        self.allowance = allowance
        self.visited = 0
        self._facts: dict[bool, list[Fact]] = {}

    def facts(self, lenient: bool) -> list[Fact]:
        """The facts about each node."""
        if lenient not in self._facts:
            self._facts[lenient] = facts(self.form, lenient)
        return self._facts[lenient]

    @property
    def exhausted(self) -> bool:
        """True if rules that look at many values should end."""
        return self.visited >= self.allowance

    @cached_property
    def by_function(self) -> Mapping[str, list[int]]:
        """The nodes of each function, the last first."""
        result: dict[str, list[int]] = {}
        for i in reversed(self.form.operations):
            result.setdefault(self.form.nodes[i].function, []).append(i)
        return result

    @cached_property
    def before_poles(self) -> frozenset[int]:
        """The nodes that a function with a pole at zero depends on: it can tell 0.0 from -0.0."""
        form = self.form
        next_of = dict(zip(form.present, form.following, strict=True))
        stack = [i for i in form.operations if form.nodes[i].function in _POLES]
        reached = set(stack)
        while stack:
            node = stack.pop()
            for arg in (next_of[node],) if node in next_of else form.nodes[node].args:
                if arg not in reached:
                    reached.add(arg)
                    stack.append(arg)
        return frozenset(reached)


_POLES = frozenset(("reciprocal", "power", "rank_one"))


@dataclass(frozen=True)
class Rule:
    """One way to change a form.

    Attributes:
        name: what the steps of a trace call it.
        tier: how far it holds.
        says: the rule as a formula or a sentence.
        propose: every change that it allows.
        parts: how many parts of a form's cost count, the most important first; the rule is used if they become smaller.
        pattern: the pattern that it replaces; None for a rule that is not made from one.
    """

    name: str
    tier: Tier
    says: str
    propose: Callable[[Context], Iterator[Proposal]]
    parts: int = 6
    pattern: str | None = None


@dataclass(frozen=True)
class Match:
    """A pattern that matches a node, for side conditions."""

    context: Context
    node: int
    bound: Binding
    lenient: bool

    def value(self, letter: str) -> float:
        """The literal that a letter stands for."""
        literal = self.context.form.literal(self.bound[letter])
        assert literal is not None
        return literal

    def fact(self, letter: str) -> Fact:
        """The facts about the value that a letter stands for."""
        return self.context.facts(self.lenient)[self.bound[letter]]


Condition = Callable[[Match], bool]


def pattern_rule(
    name: str,
    before: str,
    after: str,
    tier: Tier = "exact",
    *,
    when: Condition | None = None,
    condition: str = "",
    rounds: bool = False,
    zeros: bool = False,
    bound: str | None = None,
) -> Rule:
    """A rule from two patterns.

    Args:
        name: of the rule.
        before: the pattern that it replaces.
        after: the replacement.
        tier: how far it holds.
        when: the side condition; None without one.
        condition: the side condition in words.
        rounds: True if the results may differ by rounding.
        zeros: True if the sign of a zero may differ; then an exact rule is not used below a function with a pole.
        bound: of a bounded rule: never smaller than the distance between the two.
    """
    source, target = read_pattern(before), read_pattern(after)
    assert isinstance(source, tuple), "a pattern begins with a function"
    root = str(source[0])

    def propose(context: Context) -> Iterator[Proposal]:
        for node in context.by_function.get(root, ()):
            if zeros and tier == "exact" and node in context.before_poles:
                continue
            for bound_letters in matches(source, context.form, node):
                match = Match(context, node, bound_letters, lenient=tier != "exact")
                if when is not None and not when(match):
                    continue
                expression = instance(target, context.form, bound_letters)
                if expression is not None and expression != node:
                    limit = None if bound is None else instance(read_pattern(bound), context.form, bound_letters)
                    yield Proposal({node: expression}, rounds=rounds or tier != "exact", bound=limit)

    says = f"{before} → {after}" + (f", if {condition}" if condition else "") + (f", within {bound}" if bound else "")
    return Rule(name, tier, says, propose, pattern=before)
