"""Places of constants in a program that the field has names for, beside those of `roles.py`."""

import re
from dataclasses import dataclass

from germline.programs.optimizer.export.nodes import is_length_of_parameters, number_of
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.types import TREE

_LONGEST = 20
"""The longest name of a variable that becomes a part of an argument's name."""
_SPOKEN = re.compile(r"[a-z][a-z_]*[a-z]")
"""Names that say something: more than a letter, and no number."""
_SPOKEN_LETTER = re.compile(r"[a-su-wyz]|[a-z][a-z_]{0,18}[a-z]")
"""The same, or a letter that is no name of the parser's for nested values."""


@dataclass
class Patterns:
    """The patterns of a program without dead statements."""

    program: Program

    def __post_init__(self) -> None:
        self.graph: Graph = trace(self.program)
        self.lines: dict[int, int] = {}
        self.users: dict[int, list[tuple[int, int]]] = {}
        for i, line in enumerate(self.program.body):
            if line.function != "=":
                self.lines[self.graph.statements[i]] = i
                for j, arg in enumerate(self.graph.nodes[self.graph.statements[i]].args):
                    self.users.setdefault(arg, []).append((i, j))

    def is_decay_exponent(self, place: Place) -> bool:
        """True for c in `1 - power(step, c)` if that is the decay of a moving average, as in Adafactor."""
        i, j = place
        if self._function_at(i) != "power" or j != 1 or not self._is_step(self._args(i)[0]):
            return False
        exponent = number_of(self.graph, self._args(i)[1])
        if exponent is None or not exponent < 0:
            return False
        complements = [
            self.graph.statements[user]
            for user, position in self.users.get(self.graph.statements[i], [])
            if self._function_at(user) == "-" and position == 1 and number_of(self.graph, self._args(user)[0]) == 1.0
        ]
        readers = [reader for node in complements for reader in self.users.get(node, [])]
        return bool(readers) and all(self._function_at(user) == "interp" and at == 2 for user, at in readers)

    def is_start_of_fade(self, place: Place) -> bool:
        """True for a factor of a falling function of the step count that another number bounds, such as the 100 of
        `min(1.0, 100.0 * reciprocal(sqrt(step)))`: a schedule that belongs to the rule."""
        i, j = place
        if self._function_at(i) != "*":
            return False
        readers = self.users.get(self.graph.statements[i], [])
        bounded = all(
            self._function_at(user) in ("min", "max") and number_of(self.graph, self._args(user)[1 - at]) is not None
            for user, at in readers
        )
        return bool(readers) and bounded and self._falls(self._args(i)[1 - j])

    def is_initial_sum(self, place: Place) -> bool:
        """True for c in `b + c` if b, the next value of a state that is a sum over all steps, is read nowhere else: the
        sum might as well start from c."""
        i, j = place
        if self._function_at(i) != "+":
            return False
        total = self._args(i)[1 - j]
        if total not in self.graph.next_states or self.users.get(total) != [(i, 1 - j)] or total not in self.lines:
            return False
        state = self.graph.state_nodes[self.graph.next_states.index(total)]
        at = self.lines[total]
        read = self.users.get(state, [])
        return self._function_at(at) == "+" and state in self._args(at) and [user for user, _ in read] == [at]

    def decayed_maximum(self, place: Place) -> int | None:
        """The position of the state whose next value is the maximum of its present value times the number at a place
        and of other values, as Adamax's infinity norm `max(0.999 * u, abs(g))`; None if there is none."""
        i, j = place
        at = self.graph.statements[i]
        if self._function_at(i) != "*" or self._args(i)[1 - j] not in self.graph.state_nodes:
            return None
        state = self.graph.state_nodes.index(self._args(i)[1 - j])
        while at != self.graph.next_states[state]:
            users = self.users.get(at, [])
            if len(users) != 1 or self._function_at(users[0][0]) != "max":
                return None
            at = self.graph.statements[users[0][0]]
        return state if at != self.graph.statements[i] else None

    def is_extrapolation(self, place: Place) -> bool:
        """True for a weight outside of 0…1 by which a state enters its own next value, `interp(x, state, c)`, perhaps
        after other functions."""
        i, j = place
        node = self.graph.statements[i]
        if self._function_at(i) != "interp" or j != 2 or node not in self.graph.next_states:
            return False
        _, average, weight = self._args(i)
        number = number_of(self.graph, weight)
        state = self.graph.state_nodes[self.graph.next_states.index(node)]
        return number is not None and not 0 <= number <= 1 and state in self.graph.ancestors(average)

    def is_first_steps(self, place: Place, value: float) -> bool:
        """True for a number between 1 and 2 that the step count is compared with: it tells the first step."""
        i, j = place
        return self._function_at(i) == "greater" and self._is_step(self._args(i)[1 - j]) and 1 <= value <= 2

    def is_compared(self, i: int) -> bool:
        """True if the value of a statement, perhaps times a number, is what others are compared with."""
        seen, stack = {self.graph.statements[i]}, [self.graph.statements[i]]
        while stack:
            for user, at in self.users.get(stack.pop(), []):
                node = self.graph.statements[user]
                if self._function_at(user) == "greater" and at == 1:
                    return True
                if self._function_at(user) in ("*", "/") and at == 0 and node not in seen:
                    seen.add(node)
                    stack.append(node)
        return False

    def is_trust(self, place: Place) -> bool:
        """True for a factor of a ratio whose dividend is the length of the parameters, as in LARS."""
        i, j = place
        return self._function_at(i) == "*" and self._is_trust_ratio(self._args(i)[1 - j])

    def is_smallest_scale(self, place: Place) -> bool:
        """True for the lower bound of a number that follows from the parameters alone, as in Adafactor."""
        i, j = place
        if self._function_at(i) != "max" or number_of(self.graph, self._args(i)[j]) is None:
            return False
        functions = {self.graph.nodes[node].function for node in self.graph.ancestors(self._args(i)[1 - j])}
        inputs = {function for function in functions if function.startswith("input:")}
        return inputs == {"input:w"} and bool(functions & {"norm", "global_norm", "leaf_mean", "leaf_max"})

    def is_mixture(self, place: Place) -> bool:
        """True for the weight of a moving average in its sum with another, as in AdEMAMix: c in `m_hat + c * slow`."""
        i, j = place
        if self._function_at(i) != "*":
            return False
        average, product = self._average(self._args(i)[1 - j]), self.graph.statements[i]
        readers = self.users.get(product, [])
        if average is None or len(readers) != 1 or self._function_at(readers[0][0]) != "+":
            return False
        user, at = readers[0]
        others = {self._average(arg) for arg in self._factors(self._args(user)[1 - at])}
        return bool(others - {None, average})

    def initial_state(self, place: Place) -> str | None:
        """The name of the state of which c in `max(state, c)` is the value before the first step, because the state
        never falls, as Prodigy's estimate of a distance; None for any other place."""
        i, j = place
        other = self._args(i)[1 - j] if self._function_at(i) == "max" else None
        if other not in self.graph.state_nodes:
            return None
        state, start = self.graph.state_nodes.index(other), self.graph.statements[i]
        following = self.graph.nodes[self.graph.next_states[state]]
        name = self.program.states[state].name
        grows = self.graph.next_states[state] == start or (following.function == "max" and start in following.args)
        once = [user for user, _ in self.users.get(other, [])] == [i]
        return name if grows and once and _SPOKEN_LETTER.fullmatch(name) else None

    def is_count(self, place: Place) -> bool:
        """True for a period in steps, `modulo(step, c)` with a whole number c."""
        i, j = place
        if self._function_at(i) != "modulo" or j != 1 or not self._is_step(self._args(i)[0]):
            return False
        value = number_of(self.graph, self._args(i)[1])
        return value is not None and 1 <= value < 2**31 and value == int(value)

    def is_total_steps(self, place: Place) -> bool:
        """True for c in `(step - 1.0) * reciprocal(c)`, the share of c steps that are done; c is a whole number."""
        i, _ = place
        if self._function_at(i) != "reciprocal":
            return False
        value = number_of(self.graph, self._args(i)[0])
        readers = self.users.get(self.graph.statements[i], [])
        done = [self._args(user)[1 - at] for user, at in readers if self._function_at(user) == "*"]
        whole = value is not None and 1 <= value < 2**31 and value == int(value)
        return whole and bool(readers) and len(done) == len(readers) and all(map(self._is_steps_done, done))

    def _is_steps_done(self, node: int) -> bool:
        function, args, *_ = self.graph.nodes[node]
        return function == "-" and self._is_step(args[0]) and number_of(self.graph, args[1]) == 1.0

    def spoken_name(self, place: Place) -> str | None:
        """The name that the program's author gave to the other argument of a statement, if it says something.

        Bounds of bounds, `min(max(alpha, 0.2), 5.0)`, are bounds of the innermost value.
        """
        i, j = place
        if len(self.program.body[i].args) != 2:
            return None
        arg = self.program.body[i].args[1 - j]
        at = self.lines.get(self._args(i)[1 - j])
        if at is not None and self._function_at(at) in ("min", "max") and self._function_at(i) in ("min", "max"):
            k = next((k for k in (0, 1) if number_of(self.graph, self._args(at)[k]) is not None), None)
            if k is not None:
                return self.spoken_name((at, k))
        if not isinstance(arg, str) or not _SPOKEN.fullmatch(arg) or len(arg) > _LONGEST or arg in self.program.inputs:
            return None
        return arg

    def _average(self, node: int) -> int | None:
        """The position of the state whose next value, a moving average of a tree, a node is."""
        if node not in self.graph.next_states or self.graph.nodes[node].function != "interp":
            return None
        state = self.graph.next_states.index(node)
        averages = self.graph.nodes[node].args[1] == self.graph.state_nodes[state]
        return state if averages and self.graph.nodes[node].type == TREE else None

    def _factors(self, node: int) -> list[int]:
        """The factors of a product, or the node itself."""
        if self.graph.nodes[node].function != "*":
            return [node]
        return [factor for arg in self.graph.nodes[node].args for factor in self._factors(arg)]

    def _function_at(self, i: int) -> str:
        return self.program.body[i].function

    def _args(self, i: int) -> tuple[int, ...]:
        return self.graph.nodes[self.graph.statements[i]].args

    def _is_step(self, node: int) -> bool:
        return self.graph.nodes[node].function == "input:step"

    def _falls(self, node: int) -> bool:
        """True for a reciprocal, or a negative power, of a function of the step count alone."""
        function, args, *_ = self.graph.nodes[node]
        inputs = [at for at in self.graph.ancestors(node) if self.graph.nodes[at].function.startswith("input:")]
        if not inputs or not all(map(self._is_step, inputs)):
            return False
        exponent = number_of(self.graph, args[1]) if function == "power" else None
        return function == "reciprocal" or (exponent is not None and exponent < 0)

    def _is_trust_ratio(self, node: int) -> bool:
        function, args, *_ = self.graph.nodes[node]
        if function == "where":
            return any(map(self._is_trust_ratio, args[1:]))
        if function == "/":
            return is_length_of_parameters(self.graph, args[0])
        if function == "*":
            lengths = (arg for k, arg in enumerate(args) if self.graph.nodes[args[1 - k]].function == "reciprocal")
            return any(is_length_of_parameters(self.graph, arg) for arg in lengths)
        return False
