"""Policies on a terminal: a line for the network and one for each mutation, and what their scores are worth."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from math import sqrt
from typing import TYPE_CHECKING, Any

from germline.cli.lines import Line

if TYPE_CHECKING:
    from rich.table import Table

    from germline.db.records import EvaluationRecord
    from germline.programs.policy.network import Box, Network

# fmt: off
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on
"""How far to each side 95 % of Student's t distribution lie, by degrees of freedom, from 1 on."""

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
        _network_line(policy.network),
        Line(f"weights of seed {policy.seed}", True, ("weights",), (str(policy.seed),)),
    ]
    for number, (seed, sigma) in enumerate(policy.mutations, 1):
        told = f"noise of seed {seed:<10} σ {sigma:g}"
        lines.append(Line(told, True, ("noise", str(seed), f"{sigma!r}"), (), number))
    return tuple(lines)


def _network_line(network: "Network") -> Line:
    """With a hash of the normalisation, whose numbers are many, so that another one is seen to be another."""
    told = f"network {network_text(network)}"
    if network.normalisation:
        told += f" #{_hash(network.data()['normalise'])}"
    return Line(told, True, ("network",), (network.layout, json.dumps(network.data(), sort_keys=True)))


def network_text(network: "Network") -> str:
    """All that a network is: `mlp 4-32-32-2 tanh`, `conv 4×84×84-18 same`, `mlp 3-64-1 relu to [-2, 2], normalised`."""
    from germline.programs.policy.network import Box

    seen = "×".join(map(str, network.observation))
    if network.form == "conv":
        told = f"conv {seen}-{network.output_count} {network.padding}"
    else:
        layers = "-".join([seen, *map(str, network.hidden), str(network.output_count)])
        told = f"mlp {layers} {network.activation if network.hidden else 'linear'}"
    if isinstance(network.actions, Box):
        told += f" to {box_text(network.actions)}"
    return f"{told}, normalised" if network.normalisation else told


def box_text(box: "Box") -> str:
    """Where continuous actions lie: `[-1, 1]^17`, `[0, 1]×[-1, 1]^2`; of many bounds the widest, and a hash of all."""
    bounds = [f"[{_short(low)}, {_short(high)}]" for low, high in zip(box.low, box.high, strict=True)]
    alike = [(one, len(list(group))) for one, group in groupby(bounds)]
    if len(alike) > 3:
        return f"[{_short(min(box.low))}, {_short(max(box.high))}]^{len(bounds)} #{_hash([box.low, box.high])}"
    return "×".join(one if count == 1 else f"{one}^{count}" for one, count in alike)


def _short(bound: float) -> str:
    """A bound with as many digits as tell it in single precision, in which it comes from an environment."""
    import numpy as np

    return repr(float(str(np.float32(bound)))).removesuffix(".0")


def _hash(data: Any) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:6]


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
        deviation: the standard deviation of what it is the mean of, estimated from the same values.
        count: of how many, at least 2.
    """
    return student(round(count) - 1) * deviation / sqrt(count)


def student(freedom: int) -> float:
    """How far to each side of 0 lie 95 % of Student's t distribution with so many degrees of freedom.

    Beyond the table it is the expansion around the normal distribution (Abramowitz & Stegun 26.7.5), which is exact to
    three digits there.
    """
    if freedom <= len(STUDENT_95):
        return STUDENT_95[freedom - 1]
    return 1.95996 + 2.37227 / freedom + 2.82250 / freedom**2


def interval(evaluation: "EvaluationRecord") -> float | None:
    """The half width of the 95 % confidence interval of a mean return in a test; None for one episode.

    What selects has none: who did best in it was also lucky, so its mean is too high by more than chance.
    """
    deviation, episodes = evaluation.measures.get("deviation"), evaluation.measures.get("episodes", 0.0)
    return half_width(deviation, episodes) if tested(evaluation) and deviation is not None and episodes > 1 else None


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


def tested(evaluation: "EvaluationRecord") -> bool:
    """Whether nobody was selected by a score."""
    return source(evaluation) == "test"


def told(evaluation: "EvaluationRecord") -> str:
    """A mean return in words: `487.2 ± 3.1 over 200 episodes`, or `501.3 over 30 episodes used for selection`."""
    episodes = counted(round(evaluation.measures.get("episodes", 0)), "episode")
    use = "" if tested(evaluation) else " used for selection"
    return f"{with_interval(evaluation.fitness, interval(evaluation))} over {episodes}{use}"


def scores_table(evaluations: "Sequence[EvaluationRecord]", home: str) -> "Table":
    """Fitness, the last review and the test: mean return, and what the episodes were like.

    A test has a confidence interval; what has none in its place was used for selection.

    Args:
        evaluations: of one policy.
        home: the task of its run; others are named.
    """
    from germline.cli.render import BAD, QUIET, number, plain_table, safe

    numbers = ("return", "± 95 %", "episodes", "length")
    table = plain_table("", *numbers, "behaviour", right=numbers)
    for one in last_ones(evaluations):
        # Seeds of reviews count generations from 1, which are numbered from 0 everywhere else.
        name = source(one) + (f" after generation {one.seed - 1}" if one.seed else "")
        name = name if one.task == home else f"{one.task} {name}"
        if one.fitness is None:
            table.add_row(safe(name), safe(one.status, BAD))
            continue
        episodes = one.measures.get("episodes", 0.0)
        width = interval(one)
        spread = "" if width is None else number(width)
        table.add_row(
            safe(name, "bold"),
            safe(number(one.fitness), "bold"),
            safe(spread if tested(one) else "selects", "" if tested(one) else QUIET),
            f"{episodes:,.0f}",
            f"{one.measures.get('steps', 0.0) / episodes:,.1f}" if episodes else "",
            safe(" ".join(f"{value:.3g}" for value in behaviour(one)), QUIET),
        )
    return table


def rounds(evaluations: "Sequence[EvaluationRecord]") -> str:
    """How often a policy was reviewed, in words; nothing if never or once."""
    # Seeds count generations from 1; those of seed 0 were done because a run was cut short in its first one.
    found = sorted(one.seed - 1 for one in evaluations if source(one) == "review")
    if len(found) < 2:
        return ""
    whole = [one for one in found if one >= 0]
    last = f" to {whole[-1]}" if len(whole) > 1 else ""
    after = f"after generation{'s' if last else ''} {whole[0]}{last}" if whole else ""
    before = "before generation 0 was whole" if len(whole) < len(found) else ""
    return f"reviewed {len(found):,} times, {', and '.join(filter(None, (before, after)))}"


def with_interval(value: float | None, width: float | None) -> str:
    """`487.2 ± 3.1`; without an interval the value alone."""
    from germline.cli.render import number

    return number(value) if value is None or width is None else f"{number(value)} ± {number(width)}"
