"""Values that are known numbers: functions of literals, and what an analysis from the states' start shows."""

from collections.abc import Iterator

from germline.programs.optimizer.simplify.folding import fold, fold_keeps_bits
from germline.programs.optimizer.simplify.rule import Context, Proposal, Rule


def _fold(context: Context, bits: bool) -> Iterator[Proposal]:
    """Replaces functions of literals by their values."""
    form = context.form
    for node in form.operations:
        function, args, _, _ = form.nodes[node]
        numbers = [literal for arg in args if (literal := form.literal(arg)) is not None]
        if len(numbers) < len(args):
            continue
        value = fold(function, *numbers)
        if value is not None and fold_keeps_bits(function, *numbers) == bits:
            yield Proposal({node: value}, rounds=not bits)


def _known(context: Context, lenient: bool) -> Iterator[Proposal]:
    """Replaces values, states among them, that are one number in every step."""
    form = context.form
    for node, fact in enumerate(context.facts(lenient)):
        if fact.point is None or form.literal(node) is not None:
            continue
        if fact.point == 0 and not lenient and node in context.before_poles:
            continue
        yield Proposal({node: fact.point}, rounds=lenient or fact.rounded)


CONSTANTS = (
    Rule("fold constants", "exact", "a function of literals → its value", lambda context: _fold(context, bits=True)),
    Rule(
        "fold constants with rounding",
        "exact",
        "a function of literals → its value, rounded as a literal is",
        lambda context: _fold(context, bits=False),
    ),
    Rule(
        "known value",
        "exact",
        "a value, or a state, that is the same number in every step → the number",
        lambda context: _known(context, lenient=False),
    ),
)
LENIENT_CONSTANTS = (
    Rule(
        "known value",
        "almost",
        "a value, or a state, that is the same number in every step → the number",
        lambda context: _known(context, lenient=True),
    ),
)
