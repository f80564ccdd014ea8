"""Rules that hold within a bound which they state, in the language itself."""

from germline.programs.optimizer.simplify.rule import Match, Rule, pattern_rule

CLOSE_TO_ONE = 2e-8
"""A factor that is no farther from 1 is taken for 1: the protected division by 1 is one."""

SMALL_DIVISOR = 1e-6
"""A number that is added to a size only to protect a division is no larger."""


def _close_to_one(match: Match) -> bool:
    return 0 < abs(match.value("a") - 1.0) <= CLOSE_TO_ONE


def _small(match: Match) -> bool:
    return 0 < match.value("a") <= SMALL_DIVISOR


BOUNDED: tuple[Rule, ...] = (
    pattern_rule("value over its size", "x / abs(x)", "sign(x)", "bounded", bound="1e-8 / abs(x)"),
    pattern_rule(
        "value over its size",
        "x * reciprocal(abs(x) + a)",
        "sign(x)",
        "bounded",
        when=_small,
        condition="a is at most 1e-6",
        bound="a * reciprocal(abs(x) + a)",
    ),
    pattern_rule(
        "factor close to one",
        "x * a",
        "x",
        "bounded",
        when=_close_to_one,
        condition="a is within 2e-8 of 1",
        bound="abs(x) * 2e-8",
    ),
)
