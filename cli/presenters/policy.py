"""Policies on a terminal: a line for the network, a line for its initial weights and a line for each mutation."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.formatting import QUIET, counted, print_table, safe, size
from germline.cli.genome_line import Line
from germline.cli.genome_view import highlight
from germline.cli.policy_score_text import mean_return_text, reviews_text, scores_table
from germline.cli.presenters.comparison import print_errors
from germline.cli.presenters.presenter import Facts
from germline.cli.presenters.shared import no_latency, no_notation
from germline.cli.printing import command_line
from germline.db.records import EvaluationRecord
from germline.programs.policy.evolution import Generation, Member, Rule, SeparableCma, Step
from germline.programs.policy.genome import Policy, read
from germline.programs.policy.network import Box, Network
from germline.search.analysis.policy_scores import (
    confidence_half_width,
    decisive_score,
    failed_last,
    last_per_rung,
    source,
)

FEW = 4
"""Number of lines at each end of a long genome that are printed."""


class PolicyPresenter:
    """Text about policies."""

    kind = "policy"
    noun = "a policy"
    size_header = "params"
    one_line_header = "network"
    origin_name = "first weights"
    trial_header = "each time"
    dead_parts = None
    compared_with_start = False  # birth 0 has random weights, and births may play different episodes
    pickable = False
    has_size_options = False

    def lines(self, text: str) -> tuple[Line, ...]:
        """The network, the seed of its initial weights, its evolution strategy (if any), and a line for each step.

        Raises:
            InvalidPolicy: the text is not a policy.
        """
        return _lines(text)

    def shorten(self, lines: Sequence[Line]) -> list[Line]:
        """All lines, or the first and the last `FEW` around a count of the others."""
        hidden = len(lines) - 2 * FEW
        if hidden <= 1:
            return list(lines)
        return [*lines[:FEW], Line(f"… {hidden:,} more", False, ("",), ()), *lines[-FEW:]]

    def one_line(self, text: str) -> str:
        """The network and the number of mutations, or of generations.

        Raises:
            InvalidPolicy: the text is not a policy.
        """
        policy = read(text)
        return f"{network_text(policy.network)}, {_steps_text(policy)}"

    def first_line(self, text: str) -> Text:
        network, weights, *_ = self.lines(text)
        return highlight(f"{weights.text}, {network.text}")

    def live_view(self, text: str) -> RenderableType:
        return Text(self.one_line(text))

    def summary(self, facts: Facts) -> str:
        """Numbers of parameters and mutations, and the sizes of genome and parameters with their ratio."""
        ratio = facts["compression"]
        generations = f"{counted(facts['generations'], 'generation')}, " if facts["generations"] else ""
        return (
            f"{counted(facts['parameters'], 'parameter')}, {generations}"
            f"{counted(facts['mutations'], 'mutation')}; a genome of "
            f"{facts['genome_bytes']:,} bytes for {size(facts['float32_bytes'])} of float32, "
            f"{ratio:,.{0 if ratio >= 100 else 1}f}:1"
        )

    def size(self, facts: Facts) -> str:
        return f"{facts['parameters']:,}"

    def latency(self, candidate: Candidate, sizes: Mapping[str, Any], device: str) -> float:
        raise no_latency(candidate)

    def written_as(self, candidate: Candidate, notation: str) -> str:
        raise no_notation(candidate)

    def rungs(self, task: Mapping[str, Any]) -> list[str]:
        """Episodes of each rung and, if the row has them, observations, actions and episode length."""
        episodes = " → ".join(str(rung["episodes"]) for rung in task["rungs"])
        lines = [f"rungs of {episodes} episodes"]
        if "steps" in task:
            actions = _action_text(task["actions"])
            lines.append(f"observations {task['observation']}, {actions}, at most {task['steps']:,} decisions")
        return lines

    def score_text(self, evaluations: Sequence[EvaluationRecord]) -> str | None:
        """The mean return in the test, else in the last review, else the fitness."""
        score, failed = decisive_score(evaluations), failed_last(evaluations)
        if score is None:
            return None
        note = f"; the last {source(failed)} is {failed.status}, see germline show" if failed else ""
        return f"{source(score)} {mean_return_text(score)}{note}"

    def score_row(self, evaluations: Sequence[EvaluationRecord]) -> dict[str, Any]:
        """`score`: the mean return in the test, else in the last review, else the fitness; null without a score."""
        score = decisive_score(evaluations)
        if score is None:
            return {"score": None}
        return {
            "score": {
                "mean": score.fitness,
                "interval": confidence_half_width(score),
                "episodes": score.measures.get("episodes"),
                "of": source(score),
            }
        }

    def print_scores(self, out: Console, candidate: Candidate, start: Candidate) -> None:
        assert candidate.run is not None
        home, evaluations = candidate.run.task, candidate.evaluations
        if not evaluations:
            out.print(safe("not scored yet"))
            return
        print_table(out, scores_table(evaluations, home))
        if text := reviews_text(evaluations):
            out.print(safe(text, QUIET))
        print_errors(out, last_per_rung(evaluations), home)

    def next_command(self, label: str, task: Sequence[str]) -> str:
        return command_line("play", label, *task)


def _action_text(actions: int | Sequence[Sequence[float]]) -> str:
    """The actions of an environment: the number of discrete actions, or of components of a continuous action.

    Args:
        actions: number of discrete actions, or the lower and the upper bounds of a continuous action.
    """
    return counted(actions, "action") if isinstance(actions, int) else f"{counted(len(actions[0]), 'number')} to set"


def _steps_text(policy: Policy) -> str:
    """`12 mutations`; of an evolution strategy `mean after 12 generations` or `member after 12 generations`."""
    if policy.evolution is None:
        return counted(len(policy.mutations), "mutation")
    member = bool(policy.mutations) and isinstance(policy.mutations[-1], Member)
    return f"{'member' if member else 'mean'} after {counted(policy.generations, 'generation')}"


@lru_cache(maxsize=64)
def _lines(text: str) -> tuple[Line, ...]:
    policy = read(text)
    lines = [
        _network_line(policy.network),
        Line(f"weights of seed {policy.seed}", True, ("weights",), (str(policy.seed),)),
    ]
    if policy.evolution is not None:
        text = json.dumps(policy.evolution.data(), sort_keys=True)
        lines.append(Line(evolution_text(policy.evolution), True, ("evolution",), (text,)))
    lines += [_step_line(number, step) for number, step in enumerate(policy.mutations, 1)]
    return tuple(lines)


def _step_line(number: int, step: tuple[int, float] | Step) -> Line:
    """The line of a step, whose hash stands for what the line leaves out."""
    seed, sigma, *last = step
    key = ("noise", str(seed), f"{sigma!r}", *map(str, last))
    noise = f"noise of seed {seed:<10} σ {sigma:g}"
    if isinstance(step, Member):
        noise = f"member {step.number} of {noise}"
    elif isinstance(step, Generation):
        noise = f"moved by {noise}  by {len(step.ranks)} ranks #{_hash(step.ranks)}"
    return Line(noise, True, key, (), number)


def evolution_text(rule: Rule) -> str:
    """An evolution strategy as text: `openai-es, adam, rate 0.01, weight decay 0.005, noise of rank 1`, or
    `sep-cma-es, 99 members`."""
    name = rule.name.partition("/")[0]
    if isinstance(rule, SeparableCma):
        return f"{name}, {rule.members} members"
    text = f"{name}, {rule.optimizer}, rate {rule.rate:g}"
    text += f", weight decay {rule.decay:g}" if rule.decay else ""
    return text + (f", noise of rank {rule.rank}" if rule.rank else "")


def _network_line(network: Network) -> Line:
    """The line of a network. Hashes stand for the tensors of an own network, and for the numbers of its normalisation,
    so that different networks have different lines."""
    text = f"network {network_text(network)}" + (f" #{network.layout}" if network.form == "own" else "")
    if network.normalisation:
        text += f" #{_hash(network.data()['normalise'])}"
    return Line(text, True, ("network",), (network.layout, json.dumps(network.data(), sort_keys=True)))


def network_text(network: Network) -> str:
    """A network as text: `mlp 4-32-32-2 tanh`, `conv 4×84×84-18 same`, `mlp 3-64-1 relu to [-2, 2]`, `own 4-2 of 6
    tensors`."""
    observation = "×".join(map(str, network.observation))
    if network.form == "own":
        text = f"own {observation}-{network.output_count} of {counted(len(network.own), 'tensor')}"
    elif network.form == "conv":
        text = f"conv {observation}-{network.output_count} {network.padding}"
    else:
        layers = "-".join([observation, *map(str, network.hidden), str(network.output_count)])
        text = f"mlp {layers} {network.activation if network.hidden else 'linear'}"
    if isinstance(network.actions, Box):
        text += f" to {box_text(network.actions)}"
    return f"{text}, normalised" if network.normalisation else text


def box_text(box: Box) -> str:
    """The bounds of continuous actions: `[-1, 1]^17`, `[0, 1]×[-1, 1]^2`.

    More than three different bounds in a row are abbreviated: the widest bounds, and a hash of all.
    """
    bounds = [f"[{_shortest(low)}, {_shortest(high)}]" for low, high in zip(box.low, box.high, strict=True)]
    repeated = [(bound, len(list(group))) for bound, group in groupby(bounds)]
    if len(repeated) > 3:
        widest = f"[{_shortest(min(box.low))}, {_shortest(max(box.high))}]"
        return f"{widest}^{len(bounds)} #{_hash([box.low, box.high])}"
    return "×".join(bound if count == 1 else f"{bound}^{count}" for bound, count in repeated)


def _shortest(bound: float) -> str:
    """A bound with the fewest digits that identify it in single precision, the precision of an environment's bounds."""
    return repr(float(str(np.float32(bound)))).removesuffix(".0")


def _hash(data: Any) -> str:
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:6]
