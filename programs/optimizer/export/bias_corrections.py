"""Bias corrections: which moving averages are divided by one minus a power of their decay."""

from germline.programs.optimizer.export.nodes import state_of
from germline.programs.optimizer.export.patterns import Patterns
from germline.programs.optimizer.graph import Graph


def corrected_states(patterns: Patterns, power: int) -> set[int]:
    """The positions of the states that are divided by one minus the node `power`, perhaps after the same root of
    both, or as the largest so far (AMSGrad)."""
    graph, body = patterns.graph, patterns.program.body
    stack = []
    for i, j in patterns.users.get(power, []):
        node = graph.nodes[graph.statements[i]]
        if body[i].function == "-" and j == 1 and graph.nodes[node.args[0]].literal == 1.0:
            stack.append((graph.statements[i], 1.0))
    seen, states = set(stack), set()
    while stack:
        at, exponent = stack.pop()
        for i, j in patterns.users.get(at, []):
            user = graph.statements[i]
            function, args, *_ = graph.nodes[user]
            after = exponent
            if function in ("*", "/"):
                after = -exponent if function == "/" and j == 1 else exponent
                sign = -1.0 if function == "/" and j == 0 else 1.0
                powers = _powers(graph, args[1 - j])
                states |= {state for state, own in powers.items() if sign * own == -after}
            elif function == "reciprocal":
                after = -exponent
            elif function == "sqrt":
                after = exponent / 2
            else:
                continue
            if (user, after) not in seen and user not in graph.next_states:
                seen.add((user, after))
                stack.append((user, after))
    for state in list(states):
        states |= _running_extremum(graph, state)
    return states


def _running_extremum(graph: Graph, state: int) -> set[int]:
    """The positions of the states of which a state is the largest or smallest value so far."""
    function, args, *_ = graph.nodes[graph.next_states[state]]
    if function not in ("max", "min") or graph.state_nodes[state] not in args:
        return set()
    others = (state_of(graph, arg) for arg in args if arg != graph.state_nodes[state])
    return {other for other in others if other is not None}


def _powers(graph: Graph, node: int) -> dict[int, float]:
    """The exponent of each state in a product, by its position."""
    state = state_of(graph, node)
    if state is not None:
        return {state: 1.0}
    function, args, *_ = graph.nodes[node]
    if function in ("+", "max"):
        terms = [arg for arg in args if graph.nodes[arg].literal is None]
        return _powers(graph, terms[0]) if len(terms) == 1 else {}
    if function == "interp" and (averaged := state_of(graph, args[1])) is not None:
        return {averaged: 1.0}  # a look ahead, as in Nadam
    if function in ("*", "/"):
        result = dict(_powers(graph, args[0]))
        for own, exponent in _powers(graph, args[1]).items():
            result[own] = result.get(own, 0.0) + (exponent if function == "*" else -exponent)
        return result
    factor = {"reciprocal": -1.0, "sqrt": 0.5, "square": 2.0, "negative": 1.0}.get(function)
    return {} if factor is None else {own: factor * exponent for own, exponent in _powers(graph, args[0]).items()}
