"""Policies on a terminal: a line for the network and one for each mutation, and what their scores are worth."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Any

from germline.cli.lines import Line

if TYPE_CHECKING:
    from rich.table import Table

    from germline.db.records import EvaluationRecord
    from germline.programs.policy.network import Network

NORMAL_95 = 1.96
"""How many standard errors to each side of a mean hold 95 % of a normal distribution."""

FEW = 4
"""So many lines that are of no news are still shown; more of them become one that counts them."""

SOURCES = ("fitness", "review", "test")
"""What a score is of, by its rung."""


@lru_cache(maxsize=64)
def policy_lines(text: str) -> tuple[Line, ...]:
    """The network, the seed of its first weights, and a line for each mutation.

    Raises:
        InvalidPolicy: the text is not a policy.
    """
    from germline.programs.policy.genome import read

    policy = read(text)
    lines = [
        Line(f"network {network_text(policy.network)}", True, ("network",), (policy.network.layout,)),
        Line(f"weights of seed {policy.seed}", True, ("weights",), (str(policy.seed),)),
    ]
    for number, (seed, sigma) in enumerate(policy.mutations, 1):
        told = f"noise of seed {seed:<10} σ {sigma:g}"
        lines.append(Line(told, True, ("noise", str(seed), f"{sigma!r}"), (), number))
    return tuple(lines)


def network_text(network: "Network") -> str:
    """The layers of a network: `mlp 4-32-32-2 tanh`, or `conv 4×84×84-18 same`."""
    seen = "×".join(map(str, network.observation))
    if network.form == "conv":
        return f"conv {seen}-{network.outputs} {network.padding}"
    layers = "-".join([seen, *map(str, network.hidden), str(network.outputs)])
    return f"mlp {layers} {network.activation}"


def gist(text: str) -> str:
    """The network and how often it was mutated."""
    from germline.programs.policy.genome import read

    policy = read(text)
    return f"{network_text(policy.network)}, {counted(len(policy.mutations), 'mutation')}"


def summary(facts: Mapping[str, Any]) -> str:
    """The size of a policy, and of its genome beside what its parameters would take."""
    from germline.cli.render import size

    shorter = facts["compression"]
    return (
        f"{counted(facts['parameters'], 'parameter')}, {counted(facts['mutations'], 'mutation')}; a genome of "
        f"{facts['genome_bytes']:,} bytes for {size(facts['float32_bytes'])} of float32, "
        f"{shorter:,.{0 if shorter >= 100 else 1}f}:1"
    )


def counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def shortened(lines: Sequence[Line]) -> list[Line]:
    """Lines of which those in the middle, if they are many, are one that counts them."""
    if len(lines) <= 2 * FEW + 1:
        return list(lines)
    left = len(lines) - 2 * FEW
    return [*lines[:FEW], Line(f"… {left:,} more", False, ("",), ()), *lines[-FEW:]]


def half_width(deviation: float, count: float) -> float:
    """How far the 95 % confidence interval of a mean goes to each side.

    Args:
        deviation: the standard deviation of what it is the mean of.
        count: of how many.
    """
    return NORMAL_95 * deviation / sqrt(count)


def interval(evaluation: "EvaluationRecord") -> float | None:
    """The half width of the 95 % confidence interval of a mean return; None for one episode."""
    deviation, episodes = evaluation.measures.get("deviation"), evaluation.measures.get("episodes", 0.0)
    return half_width(deviation, episodes) if deviation is not None and episodes > 1 else None


def behaviour(evaluation: "EvaluationRecord") -> list[float]:
    """What the episodes did, on average."""
    found: list[float] = []
    while (value := evaluation.measures.get(f"behaviour_{len(found)}")) is not None:
        found.append(value)
    return found


def worth(evaluations: "Sequence[EvaluationRecord]") -> "EvaluationRecord | None":
    """What says most of a policy: the last test, else the last review, else its fitness; None if none went well."""
    well = [one for one in evaluations if one.fitness is not None]
    return max(well, key=lambda one: (one.rung, one.seed), default=None)


def last_ones(evaluations: "Sequence[EvaluationRecord]") -> "list[EvaluationRecord]":
    """At each rung the last one, which was done with the highest seed; a run can review one policy hundreds of times.

    Those at rung 0 are all kept: there is one, unless the policy was scored on another task too.
    """
    last = {(one.task, one.rung): one for one in sorted(evaluations, key=lambda one: one.seed)}
    return [one for one in evaluations if last[one.task, one.rung] is one]


def source(evaluation: "EvaluationRecord") -> str:
    """What a score is of: `fitness`, `review` or `test`."""
    return SOURCES[min(evaluation.rung, len(SOURCES) - 1)]


def scores_table(evaluations: "Sequence[EvaluationRecord]", home: str) -> "Table":
    """Fitness, the last review and the test: mean return, its confidence interval, and what the episodes were like.

    Args:
        evaluations: of one policy.
        home: the task of its run; others are named.
    """
    from germline.cli.render import BAD, number, plain_table, safe

    numbers = ("return", "± 95 %", "episodes", "length")
    table = plain_table("", *numbers, "behaviour", right=numbers)
    for one in last_ones(evaluations):
        name = source(one) + (f" of round {one.seed}" if one.seed else "")
        name = name if one.task == home else f"{one.task} {name}"
        if one.fitness is None:
            table.add_row(safe(name), safe(one.status, BAD))
            continue
        episodes = one.measures.get("episodes", 0.0)
        width = interval(one)
        table.add_row(
            safe(name, "bold"),
            safe(number(one.fitness), "bold"),
            "" if width is None else number(width),
            f"{episodes:,.0f}",
            f"{one.measures.get('steps', 0.0) / episodes:,.1f}" if episodes else "",
            safe(" ".join(f"{value:.3g}" for value in behaviour(one)), "dim"),
        )
    return table


def rounds(evaluations: "Sequence[EvaluationRecord]") -> str:
    """How often a policy was reviewed, in words; nothing if never or once."""
    found = sorted(one.seed for one in evaluations if source(one) == "review")
    return f"reviewed {len(found):,} times, in rounds {found[0]} to {found[-1]}" if len(found) > 1 else ""


def with_interval(value: float | None, width: float | None) -> str:
    """`487.2 ± 3.1`; without an interval the value alone."""
    from germline.cli.render import number

    return number(value) if value is None or width is None else f"{number(value)} ± {number(width)}"
