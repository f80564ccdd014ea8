"""Policies on a terminal: a line for the network and one for each mutation, and what their scores are worth."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any

from germline.cli.lines import Line
from germline.search.analysis.policy_scores import confidence_half_width, is_test, last_per_rung, mean_behaviour, source

if TYPE_CHECKING:
    from rich.table import Table

    from germline.db.records import EvaluationRecord
    from germline.programs.policy.network import Box, Network

FEW = 4
"""So many lines that are of no news are still shown; more of them become one that counts them."""


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


def told(evaluation: "EvaluationRecord") -> str:
    """A mean return in words: `487.2 ± 3.1 over 200 episodes`, or `501.3 over 30 episodes used for selection`."""
    episodes = counted(round(evaluation.measures.get("episodes", 0)), "episode")
    use = "" if is_test(evaluation) else " used for selection"
    return f"{with_interval(evaluation.fitness, confidence_half_width(evaluation))} over {episodes}{use}"


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
    for one in last_per_rung(evaluations):
        # Seeds of reviews count generations from 1, which are numbered from 0 everywhere else.
        name = source(one) + (f" after generation {one.seed - 1}" if one.seed else "")
        name = name if one.task == home else f"{one.task} {name}"
        if one.fitness is None:
            table.add_row(safe(name), safe(one.status, BAD))
            continue
        episodes = one.measures.get("episodes", 0.0)
        width = confidence_half_width(one)
        spread = "" if width is None else number(width)
        table.add_row(
            safe(name, "bold"),
            safe(number(one.fitness), "bold"),
            safe(spread if is_test(one) else "selects", "" if is_test(one) else QUIET),
            f"{episodes:,.0f}",
            f"{one.measures.get('steps', 0.0) / episodes:,.1f}" if episodes else "",
            safe(" ".join(f"{value:.3g}" for value in mean_behaviour(one)), QUIET),
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
