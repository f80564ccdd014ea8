"""All rules, in the order in which they are tried."""

from germline.programs.optimizer.simplify.almost import ALMOST, OUTWARDS
from germline.programs.optimizer.simplify.bounded import BOUNDED
from germline.programs.optimizer.simplify.constants import CONSTANTS, LENIENT_CONSTANTS
from germline.programs.optimizer.simplify.exact import EXACT, TURNS
from germline.programs.optimizer.simplify.products import PRODUCTS, REORDERED_PRODUCTS
from germline.programs.optimizer.simplify.rule import TIERS, Rule, Tier
from germline.programs.optimizer.simplify.states import STATES, UNITS
from germline.programs.optimizer.simplify.sums import CANCELLING_SUMS, SUMS

RULES: tuple[Rule, ...] = (
    *CONSTANTS,
    *STATES,
    *EXACT,
    *SUMS,
    *PRODUCTS,
    *LENIENT_CONSTANTS,
    *ALMOST,
    *CANCELLING_SUMS,
    *REORDERED_PRODUCTS,
    *BOUNDED,
)
"""Rules that are used where they make a form smaller."""

DETOURS: tuple[Rule, ...] = (*TURNS, *OUTWARDS, *UNITS)
"""Rules that are also used where they do not, if others then make the form smaller than it was."""


def up_to(rules: tuple[Rule, ...], tier: Tier) -> tuple[Rule, ...]:
    """The rules of a tier and of the stricter tiers, which come before it in `TIERS`."""
    allowed = TIERS[: TIERS.index(tier) + 1]
    return tuple(rule for rule in rules if rule.tier in allowed)
