"""The engine: rules are applied while they make a form smaller, tier by tier, and every application is kept."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from germline.programs.optimizer.graph import live_program, trace
from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.folding import single
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import from_program, rewrite
from germline.programs.optimizer.simplify.rule import TIERS, Context, Proposal, Rule, Tier
from germline.programs.optimizer.simplify.table import DETOURS, RULES, up_to
from germline.programs.optimizer.simplify.to_program import to_program

MAX_DETOUR = 4
"""A detour makes a form larger by at most this many statements."""
DETOUR_PARTS = 3
"""A detour has to make a form smaller in one of as many parts of its cost, the most important first."""
MAX_WORK, MAX_TOTAL_WORK = 350_000, 2_000_000
"""No detours are tried after as many nodes have been looked at or rewritten, which takes a few seconds, and at last no
rule at all, so that programs of a thousand statements end too."""
PROPOSING = 10
"""To look for all rules at a node takes as long as to rewrite so many nodes."""


@dataclass(frozen=True)
class Rewriting:
    """One application of a rule.

    Attributes:
        rule: the rule.
        proposal: what it changed.
        before: the form.
        after: the form without what the change left unused.
    """

    rule: Rule
    proposal: Proposal
    before: Form
    after: Form


@dataclass(frozen=True)
class Step:
    """One step from the given program to the simplified one.

    Attributes:
        name: of the rule, or of its change.
        says: the rule.
        tier: how far it holds.
        rounds: True if results may differ by the rounding of single operations; False if they have the same bits.
        before: the program.
        after: the program that came out.
        rewriting: the application of the rule; None for the steps that only drop or merge statements.
    """

    name: str
    says: str
    tier: Tier
    rounds: bool
    before: Program
    after: Program
    rewriting: Rewriting | None = None


@dataclass(frozen=True)
class Simplified:
    """A program and how it became smaller.

    Attributes:
        given: the program at first.
        program: the program at last; the given program itself if nothing could be simplified.
        steps: from the one to the other.
    """

    given: Program
    program: Program
    steps: tuple[Step, ...]

    @cached_property
    def tier(self) -> Tier:
        """The highest tier of its steps: a lower tier did not reach this form."""
        return max((step.tier for step in self.steps), key=TIERS.index, default="exact")


def simplify(program: Program, max_tier: Tier = "bounded") -> Simplified:
    """The smallest program that rules reach.

    Args:
        program: a valid program.
        max_tier: rules of higher tiers are not used.

    Raises:
        InvalidProgram: the program does not pass abstract execution.
    """
    steps: list[Step] = []
    form = from_program(program)
    living = live_program(program, trace(program))
    merged = to_program(form)
    if len(living.body) < len(program.body) or living.states != program.states:
        says = "statements and states on which no update depends, in any step → nothing"
        steps.append(Step("dead code", says, "exact", False, program, living))
    if len(merged.body) < len(living.body):
        says = "copies and equal expressions → one statement"
        steps.append(Step("common subexpressions", says, "exact", _has_named_literals(living), living, merged))
    for rewriting in reduce(form, max_tier):
        rule, proposal = rewriting.rule, rewriting.proposal
        rounds = proposal.rounds or rewriting.after.reshaped or _gives_literals(rewriting)
        before, after = steps[-1].after if steps else program, to_program(rewriting.after)
        steps.append(Step(proposal.name or rule.name, rule.says, rule.tier, rounds, before, after, rewriting))
    return Simplified(program, steps[-1].after if steps else program, tuple(steps))


def _has_named_literals(program: Program) -> bool:
    """True if a name of a literal is an argument where the literal itself gives other bits."""
    graph = trace(program)
    for line, node in zip(program.body, graph.statements, strict=True):
        if line.function == "=":
            continue
        for place, (arg, at) in enumerate(zip(line.args, graph.nodes[node].args, strict=True)):
            if isinstance(arg, str) and _gives_other_bits(line.function, place, graph.nodes[at].literal):
                return True
    return False


def _gives_literals(rewriting: Rewriting) -> bool:
    """True if a value becomes a literal where that gives other bits."""
    form = rewriting.before
    for node, expression in rewriting.proposal.changes.items():
        literal = form.literal(expression) if isinstance(expression, int) else expression
        if isinstance(literal, float) and any(
            arg == node and _gives_other_bits(user.function, place, literal)
            for user in form.nodes
            for place, arg in enumerate(user.args)
        ):
            return True
    return False


def _gives_other_bits(function: str, place: int, literal: float | None) -> bool:
    """True if a literal as an argument gives other bits in single precision than a value that is equal to it, because
    `1 - a` in an `interp` and `y + 1e-8` in a division are computed in double precision."""
    if literal is None:
        return False
    if (function, place) == ("interp", 2):
        return literal != single(literal)
    return (function, place) == ("/", 1) and single(literal + EPSILON) != single(single(literal) + single(EPSILON))


def reduce(form: Form, max_tier: Tier = "bounded", spent: int = 0) -> list[Rewriting]:
    """The applications of rules that lead from a form to a smallest one, tier by tier.

    Args:
        form: a form.
        max_tier: rules of higher tiers are not used.
        spent: work that counts as done before, so that detours and rules end sooner.
    """
    rewritings: list[Rewriting] = []
    work = _Work(spent)
    for tier in TIERS[: TIERS.index(max_tier) + 1]:
        rules, detours = up_to(RULES, tier), up_to(DETOURS, tier)
        seen: set[object] = set()
        more = True
        while more:
            rewritings += _descend(form, rules, work)
            form = rewritings[-1].after if rewritings else form
            path: list[Rewriting] = []
            for rewriting in _larger(form, detours, work):
                if work.nodes > MAX_WORK:
                    break
                if rewriting.after.key in seen:
                    continue
                seen.add(rewriting.after.key)
                path = [rewriting, *_descend(rewriting.after, rules, work, everywhere=False)]
                if path[-1].after.cost[:DETOUR_PARTS] < form.cost[:DETOUR_PARTS]:
                    break
                path = []
            more = bool(path)
            rewritings += path
            form = rewritings[-1].after if rewritings else form
    return rewritings


@dataclass
class _Work:
    """How many nodes have been looked at or rewritten."""

    nodes: int = 0


def _descend(form: Form, rules: tuple[Rule, ...], work: _Work, everywhere: bool = True) -> list[Rewriting]:
    """Applications of rules that make a form smaller, until none does: at what the last rules touched and then, with
    `everywhere`, at every other node as well."""
    rewritings: list[Rewriting] = []
    while work.nodes < MAX_TOTAL_WORK:
        rewriting = _first_that_pays(_applications(form, rules, work, form.touched))
        if rewriting is None and everywhere:
            form = replace(form, touched=frozenset())
            rewriting = _first_that_pays(_applications(form, rules, work))
        if rewriting is None:
            return rewritings
        rewritings.append(rewriting)
        form = rewriting.after
    return rewritings


def _first_that_pays(rewritings: Iterator[Rewriting]) -> Rewriting | None:
    """The first that takes away statements or states; otherwise the first that makes a form smaller at all."""
    best = None
    for rewriting in rewritings:
        if rewriting.after.cost[0] < rewriting.before.cost[0]:
            return rewriting
        if best is None and _pays(rewriting):
            best = rewriting
    return best


def _pays(rewriting: Rewriting) -> bool:
    """True if the form becomes smaller in the parts of the cost that count for the rule."""
    parts = rewriting.rule.parts
    return rewriting.after.cost[:parts] < rewriting.before.cost[:parts]


def _larger(form: Form, detours: tuple[Rule, ...], work: _Work) -> Iterator[Rewriting]:
    """Applications of rules that do not make a form smaller, but not much larger either."""
    for rewriting in _applications(replace(form, touched=frozenset()), detours, work, limit=MAX_WORK):
        if rewriting.after.cost[0] <= form.cost[0] + MAX_DETOUR:
            yield rewriting


def _applications(
    form: Form,
    rules: tuple[Rule, ...],
    work: _Work,
    at: frozenset[int] | None = None,
    limit: int = MAX_TOTAL_WORK,
) -> Iterator[Rewriting]:
    """Every application of every rule to a form, up to a limit of work; with `at`, those that change one of these nodes
    or a state."""
    if at is not None:
        if not at:
            return
        at = at.union(form.present)
    work.nodes += PROPOSING * len(form.nodes)
    context = Context(form, limit - work.nodes)
    counted = 0
    for rule in rules:
        for proposal in rule.propose(context):
            work.nodes += context.visited - counted
            counted = context.visited
            if at is not None and at.isdisjoint(proposal.changes):
                continue
            work.nodes += len(form.nodes)
            after = rewrite(form, proposal.changes, proposal.following)
            if after is not None:
                yield Rewriting(rule, proposal, form, after)
        work.nodes += context.visited - counted
        counted = context.visited
