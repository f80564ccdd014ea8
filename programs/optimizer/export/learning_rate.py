"""The learning rate of a program: the constant by which `lr` scales the whole update.

In `update = sign(m) * lr * 0.001` it is 0.001, the default of the exported class. Its schedule input is then
`group["lr"] / 0.001`; where nothing else reads `lr`, the two factors cancel and `update = sign(m) * lr` is left.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from germline.programs.optimizer.export.names import Place, read_names
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.program import Program, Statement

MAX_FACTORS = 200
"""A product that unfolds into more factors than this is not followed."""


@dataclass(frozen=True)
class Rate:
    """The rate at schedule value 1.

    `literals` are the places of its factors. `plain` is the program with those factors taken out, so that its `lr` is
    the learning rate itself; None where `lr` has another use.
    """

    default: float
    literals: frozenset[Place]
    plain: Program | None


def find_rate(program: Program) -> Rate:
    """The rate of a live program; `Rate(1.0, …)` where the update is not proportional to `lr`."""
    graph = trace(program)
    lines = {graph.statements[i]: i for i, line in enumerate(program.body) if line.function != "="}
    lr = program.inputs.index("lr")
    literals: list[Place] = []
    seen: Counter[int] = Counter()
    front = [graph.update]
    while front:
        node = front.pop()
        seen[node] += 1
        if seen.total() > MAX_FACTORS:
            return Rate(1.0, frozenset(), None)
        line = program.body[lines[node]] if node in lines else None
        if line is not None and line.function in ("*", "negative"):
            literals += [(lines[node], j) for j, arg in enumerate(line.args) if isinstance(arg, float)]
            front += [
                arg for arg, was in zip(graph.nodes[node].args, line.args, strict=True) if not isinstance(was, float)
            ]
    if not seen[lr]:
        return Rate(1.0, frozenset(), None)
    product = math.prod(_literal(program, place) for place in literals)
    if not math.isfinite(product) or abs(product) < 1e-30:
        return Rate(1.0, frozenset(), None)
    products = [node for node in seen if node in lines and program.body[lines[node]].function in ("*", "negative")]
    uses = _uses(program, graph)
    cancels = product > 0 and all(uses[node] == 1 for node in (lr, *products) if node != graph.update)
    default = abs(product) if len(literals) < 2 else float(f"{abs(product):.15g}")
    plain = _without(program, graph, {lines[node]: node for node in products}) if cancels else None
    return Rate(default, frozenset(literals), plain)


def _literal(program: Program, place: Place) -> float:
    value = program.body[place[0]].args[place[1]]
    assert isinstance(value, float)
    return value


def _uses(program: Program, graph: Graph) -> Counter[int]:
    """How often each value is read."""
    uses = Counter([graph.update, *graph.next_states])
    for node, line in zip(graph.statements, program.body, strict=True):
        if line.function != "=":
            uses.update(graph.nodes[node].args)
    return uses


def _without(program: Program, graph: Graph, products: Mapping[int, int]) -> Program | None:
    """The program with the literals of its products dropped; a product of one factor becomes a copy of it."""
    nothing: set[int] = set()
    body: list[Statement] = []
    for i, line in enumerate(program.body):
        if graph.statements[i] in nothing:
            continue
        if i not in products or line.function == "=":
            body.append(line)
            continue
        args = graph.nodes[products[i]].args
        left = [arg for arg, node in zip(line.args, args, strict=True) if isinstance(arg, str) and node not in nothing]
        if not left and line.function == "negative":
            return None
        if not left:
            nothing.add(products[i])
        elif line.function == "*" and len(left) < 2:
            body.append(Statement(line.target, "=", (left[0],)))
        else:
            body.append(replace(line, args=tuple(left)))
    return read_names(replace(program, body=tuple(body)))
