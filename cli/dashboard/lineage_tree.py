"""The lineage of an individual as a tree that stays readable: its line, the other children of those on it, and folds.

The line goes from the seed to the individual by first parents. Of a long line, the steps with the largest gains or
losses are shown, and a fold stands for those between. Of the other children of an individual on the line, which are the
siblings of the next, the best few are shown, and whether they had children of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from germline.cli.dashboard.fitness import Scores
from germline.cli.errors import BadReference
from germline.cli.genome_diff import Change
from germline.cli.lineage_steps import steps_of
from germline.cli.printing import on_a_line
from germline.db.columns import HitRow, ParentRow
from germline.db.records import ScoredIndividual

SHOWN = 14
"""The most individuals of the line in the tree."""

ROWS = 60
"""The most steps of the line with their changes."""

SIBLINGS = 3
"""The most siblings that are shown for a step."""

DIFF_LINES, DIFF_LENGTH = 8, 160
"""The most changed lines of a step, and the most characters of each."""


@dataclass(frozen=True)
class Ancestry:
    """The first parents and the fitness of the births of a run.

    Attributes:
        parent: first parent of each birth `[N]`; -1 without.
        fitness: of the outcome of each birth `[N]`, of a cache hit that which it shares; nan for failures and while
            there is none.
    """

    parent: NDArray[np.int64]
    fitness: NDArray[np.float64]

    def line(self, birth: int) -> list[int]:
        """The births from the seed to `birth`, by first parents."""
        line = [birth]
        while 0 <= line[-1] < len(self.parent) and 0 <= (parent := int(self.parent[line[-1]])) < line[-1]:
            line.append(parent)
        return line[::-1]

    def children(self, birth: int) -> NDArray[np.int64]:
        """The births whose first parent is `birth`."""
        return np.flatnonzero(self.parent == birth)


def ancestry_of(last: int, scores: Scores, parents: Sequence[ParentRow], hits: Sequence[HitRow]) -> Ancestry:
    """The ancestry of a run.

    Args:
        last: its last birth; -1 without.
        scores: its ok outcomes.
        parents: each birth with a parent, and its first parent.
        hits: each cache hit, and the birth whose outcome it shares.
    """
    size = 1 + max([last, *scores.births[-1:].tolist(), *(row[0] for row in (*parents[-1:], *hits[-1:]))])
    parent, fitness = np.full(size, -1, np.int64), np.full(size, np.nan)
    fitness[scores.births] = scores.fitness
    if parents:
        births, first = np.array(parents, np.int64).T
        parent[births] = np.where((first >= 0) & (first < births), first, -1)
    if hits:
        births, sources = np.array(hits, np.int64).T
        shared = (sources >= 0) & (sources < births)
        fitness[births[shared]] = fitness[sources[shared]]
    return Ancestry(parent, fitness)


class Chosen(NamedTuple):
    """What is shown of a lineage.

    Attributes:
        line: all births of the line.
        shown: those of them in the tree.
        rows: those of them whose changes are listed.
        siblings: for each of `shown`, its children that are not on the line, those in the tree, the best first.
        others: for each of `shown`, how many further children there are.
    """

    line: Sequence[int]
    shown: Sequence[int]
    rows: Sequence[int]
    siblings: Mapping[int, Sequence[int]]
    others: Mapping[int, int]

    @property
    def wanted(self) -> list[int]:
        """The births whose genomes are needed: those shown and their parents on the line."""
        place = {birth: i for i, birth in enumerate(self.line)}
        listed = {*self.shown, *self.rows}
        parents = {self.line[place[birth] - 1] for birth in listed if place[birth]}
        return sorted(listed | parents | {each for siblings in self.siblings.values() for each in siblings})


def chosen(ancestry: Ancestry, birth: int) -> Chosen:
    """What to show of the lineage of `birth`."""
    line = ancestry.line(birth)
    shown, rows = (_largest_steps(line, ancestry.fitness, most) for most in (SHOWN, ROWS))
    kept = np.bincount(ancestry.parent[ancestry.parent >= 0], minlength=len(ancestry.parent))
    following = dict(pairwise(line))
    siblings, others = {}, {}
    for each in shown:
        children = ancestry.children(each)
        children = children[children != following.get(each, -1)]
        # Failures come last, and among equals those with children of their own come first.
        order = np.lexsort((-kept[children], -np.nan_to_num(ancestry.fitness[children], nan=-np.inf, neginf=-np.inf)))
        siblings[each] = children[order][:SIBLINGS].tolist()
        others[each] = len(children) - len(siblings[each])
    return Chosen(line, shown, rows, siblings, others)


def tree_data(ancestry: Ancestry, choice: Chosen, individuals: Sequence[ScoredIndividual]) -> dict[str, Any]:
    """The tree: `nodes` and `edges` for a picture, `rows` for a table, `steps`, the length of the line.

    Args:
        ancestry: of the run.
        choice: what to show.
        individuals: those of `choice.wanted`, with their outcomes.
    """
    steps = _steps(individuals)
    by_birth = {each.individual.birth: each for each in individuals}
    fitness = {each.individual.birth: each.evaluation.fitness if each.evaluation else None for each in individuals}
    operators = {each.individual.birth: each.individual.operator for each in individuals}
    kept = np.bincount(ancestry.parent[ancestry.parent >= 0], minlength=len(ancestry.parent))

    def node(birth: int, role: str) -> dict[str, Any]:
        operator = on_a_line(operators.get(birth, ""), 40)
        children = int(kept[birth]) if birth < len(kept) else 0
        return {"birth": birth, "role": role, "fitness": fitness.get(birth), "operator": operator, "children": children}

    nodes = [node(birth, "line") for birth in choice.shown]
    edges = []
    place = {birth: i for i, birth in enumerate(choice.line)}
    for before, after in pairwise(choice.shown):
        folded = place[after] - place[before]
        edge = steps.get(after, {}) if folded == 1 else _step(by_birth.get(before), by_birth.get(after))
        edges.append({"from": before, "to": after, "role": "line", "steps": folded, **edge})
    for parent, siblings in choice.siblings.items():
        nodes += [node(birth, "sibling") for birth in siblings]
        edges += [
            {"from": parent, "to": birth, "role": "sibling", "steps": 1, **steps.get(birth, {})} for birth in siblings
        ]
        if choice.others[parent]:
            nodes.append({"birth": parent, "role": "more", "count": choice.others[parent]})
            edges.append({"from": parent, "to": parent, "role": "more", "steps": 1})
    rows = [{**node(birth, "line"), **steps.get(birth, {})} for birth in choice.rows]
    return {"nodes": nodes, "edges": edges, "rows": rows, "steps": len(choice.line) - 1}


def _largest_steps(line: Sequence[int], fitness: NDArray[np.float64], most: int) -> list[int]:
    """At most `most` births of a line: the first, the last, and those with the largest change of fitness."""
    if len(line) <= most:
        return list(line)
    values = fitness[np.array(line)]
    with np.errstate(invalid="ignore", over="ignore"):
        changes = np.abs(np.nan_to_num(np.diff(values), nan=0.0))
    largest = np.argsort(-changes[:-1], kind="stable")[: most - 2] + 1
    return [line[0], *(line[i] for i in sorted(largest.tolist())), line[-1]]


def _steps(individuals: Sequence[ScoredIndividual]) -> dict[int, dict[str, Any]]:
    """The gain and the changes of each individual whose first parent is among the individuals."""
    by_birth = {each.individual.birth: each for each in individuals}
    return {
        each.individual.birth: _step(by_birth[each.individual.parents[0]], each)
        for each in individuals
        if each.individual.parents and each.individual.parents[0] in by_birth
    }


def _step(before: ScoredIndividual | None, after: ScoredIndividual | None) -> dict[str, Any]:
    """The gain from an individual to a descendant, and the lines in which they differ."""
    if before is None or after is None:
        return {}
    # As if it were the parent: for a fold, what its steps have changed together.
    child = replace(after, individual=replace(after.individual, parents=(before.individual.birth,)))
    try:
        step = list(steps_of([before, child]))[-1]
        changes = step.changes()
    except BadReference as error:  # of a foreign database: the rest of the tree can be shown
        return {"gain": None, "diff": [on_a_line(str(error), DIFF_LENGTH)], "neutral": False}
    lines = [_line(change) for change in changes[:DIFF_LINES]]
    if len(changes) > DIFF_LINES:
        more = len(changes) - DIFF_LINES
        lines.append(f"… {more:,} more line{'' if more == 1 else 's'}")
    return {"gain": step.gain, "diff": lines, "neutral": step.neutral}


def _line(change: Change) -> str:
    """A changed line as text: `+ added`, `- removed`, or `~ before → after`."""
    mark = {"added": "+", "removed": "-", "changed": "~"}[change.kind]
    texts = [line.text for line in (change.before, change.after) if line is not None]
    return on_a_line(f"{mark} {' → '.join(texts)}", DIFF_LENGTH)
