"""From a form back to a program: the order of its statements, and their names."""

from heapq import heapify, heappop, heappush

from germline.programs.optimizer.program import OPTIONAL_INPUTS, Argument, Program, Statement
from germline.programs.optimizer.simplify.form import Form


def to_program(form: Form) -> Program:
    """The program of a form: a statement for each function.

    A state's next value has the state's own name if every statement that reads the present value can come before it.
    """
    after, renamed = _order_constraints(form)
    order = _sorted(form, after)
    names = _names(form, renamed)
    body = [
        Statement(names[i], form.nodes[i].function, tuple(_argument(form, names, arg) for arg in form.nodes[i].args))
        for i in order
    ]
    returns = [names[form.update]]
    for k, node in enumerate(form.following):
        literal = form.literal(node)
        if literal is not None:
            name = _free(_next(form.states[k].name), {*names.values(), *returns})
            body.append(Statement(name, "=", (literal,)))
            returns.append(name)
        else:
            returns.append(names[node])
    inputs = {node.function for node in form.nodes} - {f"input:{state.name}" for state in form.states}
    optional = dict.fromkeys((name for name in OPTIONAL_INPUTS if f"input:{name}" in inputs), True)
    return Program(tuple(body), form.states, returns=tuple(returns), **optional)


def _argument(form: Form, names: dict[int, str], node: int) -> Argument:
    literal = form.literal(node)
    return names[node] if literal is None else literal


def _order_constraints(form: Form) -> tuple[list[set[int]], dict[int, str]]:
    """For each node those that come before it, and the states' names for the nodes that may have them."""
    before = [set(node.args) for node in form.nodes]
    returned = set(form.roots)
    renamed: dict[int, str] = {}
    operations = set(form.operations)
    for state, present, following in zip(form.states, form.present, form.following, strict=True):
        if following not in operations or following in renamed or present in returned:
            continue
        readers = {i for i in operations if present in form.nodes[i].args and i != following}
        if not any(_reaches(before, reader, following) for reader in readers):
            before[following] |= readers
            renamed[following] = state.name
    return before, renamed


def _reaches(before: list[set[int]], start: int, goal: int) -> bool:
    """True if `goal` has to come before `start`."""
    stack, visited = [start], {start}
    while stack:
        for node in before[stack.pop()]:
            if node == goal:
                return True
            if node not in visited:
                visited.add(node)
                stack.append(node)
    return False


def _sorted(form: Form, before: list[set[int]]) -> list[int]:
    """The functions in an order that satisfies the constraints; otherwise by their numbers."""
    waiting = {i: len(before[i] & set(form.operations)) for i in form.operations}
    later: dict[int, list[int]] = {i: [] for i in form.operations}
    for i in form.operations:
        for node in before[i]:
            if node in later:
                later[node].append(i)
    ready = [i for i, count in waiting.items() if not count]
    heapify(ready)
    order = []
    while ready:
        order.append(heappop(ready))
        for i in later[order[-1]]:
            waiting[i] -= 1
            if not waiting[i]:
                heappush(ready, i)
    return order


def _names(form: Form, renamed: dict[int, str]) -> dict[int, str]:
    """A name for every input and every function."""
    names = {i: node.function.removeprefix("input:") for i, node in enumerate(form.nodes) if not node.args}
    used = {"w", "g", "lr", *OPTIONAL_INPUTS, *(state.name for state in form.states)}
    state_of = {node: state.name for state, node in zip(form.states, form.following, strict=True)}
    names.update(renamed)
    # The update first, so that it gets the name that it had.
    for i in sorted(set(form.operations) - set(renamed), key=lambda i: (i != form.update, i)):
        hint = form.names[i]
        if not hint or hint in used:
            hint = _next(state_of[i]) if i in state_of else "update" if i == form.update else hint or "x1"
        names[i] = _free(hint, used)
        used.add(names[i])
    return names


def _next(state: str) -> str:
    """The name of a state's next value; at most 40 characters."""
    return f"{state[:35]}_next"


def _free(name: str, used: set[str]) -> str:
    """The name itself, or with the next number that makes it new; at most 40 characters."""
    if name not in used:
        return name
    stem = name.rstrip("0123456789")[:34] or "x"
    number = 2 if name == stem else int(name[len(stem) :] or 1) + 1
    while f"{stem}{number}" in used:
        number += 1
    return f"{stem}{number}"
