"""Weight decays: products of the parameters with a number that become a part of the update.

A decay is *coupled* if it is added to the gradient before anything else happens to it, or if a state depends on it, and
*decoupled* if it stands in the update beside what the states made of the gradient. These are two ideas, as in Adam and
AdamW, even if their numbers are equal.
"""

from dataclasses import dataclass, replace

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.patterns import Patterns
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.types import LEAF, SCALAR

_ONWARD = {("-", 0), ("/", 0), ("where", 1), ("where", 2)}
"""Arguments of functions, beside those of sums and products, through which a decay of the parameters is still one."""


@dataclass
class WeightDecays:
    """The weight decays of a program without dead statements."""

    patterns: Patterns

    def __post_init__(self) -> None:
        self.graph, self.users = self.patterns.graph, self.patterns.users
        self.body = self.patterns.program.body

    def args(self, i: int) -> tuple[int, ...]:
        """The nodes of a statement's arguments."""
        return self.graph.nodes[self.graph.statements[i]].args

    def is_one(self, product: int) -> bool:
        """True if a product with the parameters is added to the gradient, perhaps after other terms of a sum, or ends
        in the update beside the states."""
        stack = [product]
        while stack:
            for i, j in self.users.get(stack.pop(), []):
                if self.body[i].function == "+":
                    if self._follows_gradient(self.args(i)[1 - j]):
                        return True
                    stack.append(self.graph.statements[i])
        seen, stack = {product}, [product]
        while stack:
            at = stack.pop()
            if at == self.graph.update:
                return True
            if at in self.graph.next_states:
                continue
            for i, j in self.users.get(at, []):
                function, user = self.body[i].function, self.graph.statements[i]
                passes = function == "+" or (function, j) in _ONWARD or (function == "*" and self._scales(user, at))
                if user not in seen and passes:
                    seen.add(user)
                    stack.append(user)
        return False

    def _scales(self, product: int, node: int) -> bool:
        """True if a product only scales or masks an argument: by a scalar, a number per leaf, or zeros and ones."""
        graph = self.graph
        others = [arg for arg in graph.nodes[product].args if arg != node]
        return bool(others) and all(
            graph.nodes[arg].type in (SCALAR, LEAF) or graph.nodes[arg].function == "greater" for arg in others
        )

    def _follows_gradient(self, node: int) -> bool:
        """True if a value depends on the gradient, in this step, and not on the parameters."""
        functions = {self.graph.nodes[at].function for at in self.graph.ancestors(node)}
        return "input:g" in functions and "input:w" not in functions

    def is_coupled(self, product: int) -> bool:
        """True if a state depends on a weight decay, or if it is added to the gradient alone."""
        return any(self.couples(i, j) for i, j in self.users.get(product, []))

    def couples(self, i: int, j: int) -> bool:
        """True if statement `i` adds a weight decay, its argument `j`, to the gradient alone, or for a state."""
        if self.reaches_state(self.graph.statements[i]):
            return True
        if self.body[i].function != "+":
            return False
        other = self.graph.ancestors(self.args(i)[1 - j])
        inputs = {self.graph.nodes[at].function for at in other if not self.graph.nodes[at].args}
        return "input:g" in inputs and "input:w" not in inputs and other.isdisjoint(self.graph.state_nodes)

    def reaches_state(self, node: int) -> bool:
        """True if a next state depends on a node within the step."""
        seen, stack = {node}, [node]
        while stack:
            at = stack.pop()
            if at in self.graph.next_states:
                return True
            for i, _ in self.users.get(at, []):
                user = self.graph.statements[i]
                if user not in seen:
                    seen.add(user)
                    stack.append(user)
        return False


def with_separate_decays(program: Program) -> Program:
    """A live program in which no statement is a coupled and a decoupled weight decay at once: it is computed twice."""
    decays = WeightDecays(Patterns(program))
    names = {*program.inputs, *(line.target for line in program.body)}
    lines = [[line] for line in program.body]
    for i, line in enumerate(program.body):
        number = any(isinstance(arg, float) for arg in line.args)
        if line.function != "*" or not number or program.inputs.index("w") not in decays.args(i):
            continue
        product = decays.graph.statements[i]
        users = decays.users.get(product, [])
        decoupled = [(k, j) for k, j in users if not decays.couples(k, j)]
        if not 0 < len(decoupled) < len(users) or not decays.is_one(product):
            continue
        again = numbered_name(line.target, names)
        names.add(again)
        lines[i].append(replace(line, target=again))
        for k, j in decoupled:
            args = lines[k][0].args
            lines[k][0] = replace(lines[k][0], args=(*args[:j], again, *args[j + 1 :]))
    return replace(program, body=tuple(line for own in lines for line in own))
