"""The learning rate of a program: the constant that scales the whole update together with `lr`.

In `update = sign(m) * lr * 0.001` it is 0.001, the default of the exported class. The program's `lr` is then
`group["lr"] / 0.001`; if nothing else reads `lr`, the two factors cancel and `update = sign(m) * lr` remains.

An update without such a factor may be a sum, `m * (lr * 0.001) + w * (lr * 0.001)`. If whatever reads `lr`
multiplies it by one number, that is the learning rate.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from germline.programs.optimizer.export.names import without_unread_copies
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.program import Program, Statement

MAX_FACTORS = 200
"""A product of more factors than this is not analysed; the program then has no learning rate."""


@dataclass(frozen=True)
class LearningRate:
    """The learning rate of a program.

    Attributes:
        default: its magnitude at schedule value 1.
        literals: the places of its factors.
        simplified: the program without those factors, whose `lr` is the learning rate itself. None if there is no such
            program, because `lr` or a product with it is also read elsewhere, the product of the factors is negative,
            or a negation of numbers would be left.
    """

    default: float
    literals: frozenset[Place]
    simplified: Program | None


_NONE = LearningRate(1.0, frozenset(), None)


def find_learning_rate(program: Program) -> LearningRate:
    """The learning rate of a program without dead statements.

    It is 1.0, without literals, if the update is not proportional to `lr` and no number multiplies `lr` wherever it is
    read, or if it has more than `MAX_FACTORS` factors, or constant factors whose product is not finite or below 1e-30
    in magnitude.
    """
    graph = trace(program)
    lines = {graph.statements[i]: i for i, line in enumerate(program.body) if line.function != "="}
    lr = program.inputs.index("lr")
    literals: list[Place] = []
    visits: Counter[int] = Counter()
    stack = [graph.update]
    while stack:
        node = stack.pop()
        visits[node] += 1
        if visits.total() > MAX_FACTORS:
            return _NONE
        line = program.body[lines[node]] if node in lines else None
        if line is not None and line.function in ("*", "negative"):
            literals += [(lines[node], j) for j, arg in enumerate(line.args) if isinstance(arg, float)]
            nodes = zip(graph.nodes[node].args, line.args, strict=True)
            stack += [factor for factor, arg in nodes if not isinstance(arg, float)]
    if not visits[lr]:
        return _common_factor(program, graph, lr)
    product = math.prod(_literal(program, place) for place in literals)
    if not math.isfinite(product) or abs(product) < 1e-30:
        return _NONE
    products = [node for node in visits if node in lines and program.body[lines[node]].function in ("*", "negative")]
    uses = _uses(program, graph)
    scaled = [node for node in products if _is_scaled(program, graph, lines, node)]
    cancels = product > 0 and all(uses[node] == 1 for node in (lr, *scaled) if node != graph.update)
    default = float(abs(product)) if len(literals) < 2 else float(f"{abs(product):.15g}")
    simplified = _without_literals(program, graph, {lines[node]: node for node in products}) if cancels else None
    return LearningRate(default, frozenset(literals), simplified)


def _common_factor(program: Program, graph: Graph, lr: int) -> LearningRate:
    """The number that multiplies `lr` wherever it is read, as the learning rate."""
    readers = [i for i, line in enumerate(program.body) if line.function != "=" and lr in _args(program, graph, i)]
    places = [(i, j) for i in readers for j, arg in enumerate(program.body[i].args) if isinstance(arg, float)]
    numbers = {_literal(program, place) for place in places}
    products = all(program.body[i].function == "*" for i in readers)
    if not products or len(places) < len(readers) or len(numbers) != 1 or lr in graph.next_states:
        return _NONE
    [number] = numbers
    if number < 1e-30:
        return _NONE
    simplified = _without_literals(program, graph, {i: graph.statements[i] for i in readers})
    return LearningRate(number, frozenset(places), simplified)


def _args(program: Program, graph: Graph, i: int) -> tuple[int, ...]:
    """The nodes that a statement reads."""
    return graph.nodes[graph.statements[i]].args


def _is_scaled(program: Program, graph: Graph, lines: Mapping[int, int], node: int) -> bool:
    """True if the product at `node` has lr or a literal among its factors.

    Also if it has more than `MAX_FACTORS` factors, which are not all looked at.
    """
    stack, factors = [node], 0
    while stack and factors <= MAX_FACTORS:
        at = stack.pop()
        factors += 1
        line = program.body[lines[at]] if at in lines else None
        if graph.nodes[at].function == "input:lr":
            return True
        if line is not None and line.function in ("*", "negative"):
            if any(isinstance(arg, float) for arg in line.args):
                return True
            stack += graph.nodes[at].args
    return factors > MAX_FACTORS


def _literal(program: Program, place: Place) -> float:
    """The number at a place."""
    value = program.body[place[0]].args[place[1]]
    assert isinstance(value, float)
    return value


def _uses(program: Program, graph: Graph) -> Counter[int]:
    """How often each node is read, by statements or as a returned value."""
    uses = Counter([graph.update, *graph.next_states])
    for node, line in zip(graph.statements, program.body, strict=True):
        if line.function != "=":
            uses.update(graph.nodes[node].args)
    return uses


def _without_literals(program: Program, graph: Graph, products: Mapping[int, int]) -> Program | None:
    """The program without the literals of its products; None if a negation of literals alone is left.

    Args:
        program: a live program.
        graph: its trace.
        products: positions of the statements that multiply or negate, each with its node. A statement with a single
            factor left becomes a copy of the factor; a statement without factors is dropped.
    """
    dropped: set[int] = set()
    body: list[Statement] = []
    for i, line in enumerate(program.body):
        if graph.statements[i] in dropped:
            continue
        if i not in products or line.function == "=":
            body.append(line)
            continue
        args = graph.nodes[products[i]].args
        left = [arg for arg, node in zip(line.args, args, strict=True) if isinstance(arg, str) and node not in dropped]
        if not left and line.function == "negative":
            return None
        if not left:
            dropped.add(products[i])
        elif line.function == "*" and len(left) < 2:
            body.append(Statement(line.target, "=", (left[0],)))
        else:
            body.append(replace(line, args=tuple(left)))
    return without_unread_copies(replace(program, body=tuple(body)))
