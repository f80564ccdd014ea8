"""Functions without a kernel, as the interpreter computes them."""

from germline.programs.optimizer.export.kernels import Lazy, base
from germline.programs.optimizer.export.lowered_values import LoweredValues, Value
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Statement
from germline.programs.optimizer.types import SCALAR


class LoweredExpressions(LoweredValues):
    """Lowers functions without a kernel: each statement becomes a torch expression with a variable of its own.

    Functions that may return their argument itself have views of it as results. These are not overwritten later, and
    are cloned if they are the update or the next value of a state.
    """

    def _expression(self, i: int, line: Statement, node: Node, args: list[Value]) -> Lazy:
        """The value of a statement as the interpreter computes it, in a new tensor."""
        primitive = PRIMITIVES[line.function]
        if primitive.scope == "constant":
            source = f"_number({primitive.source}, ⟨@⟩)"
            return base(self.buffers.new(self._hint(line), SCALAR, "expression", source=source), SCALAR)
        is_number = [isinstance(arg, Number) for arg in args]
        words = []
        for j, arg in enumerate(args):
            if isinstance(arg, Lazy):
                words.append(f"⟨{self.buffers.compute(arg, self._hint(line))}⟩")
            elif _takes_number(line.function, j, is_number):
                words.append(arg.factor_source() if primitive.operator or line.function == "interp" else arg.source())
            else:
                words.append(f"_number({arg.source()}, ⟨@⟩)")
        if line.function == "interp" and all(is_number):
            source = f"_interp({', '.join(words)})"
        elif line.function == "/" and (i, PROTECTION) in self.prepared.names:
            source = f"{words[0]} / ({words[1]} + {self.prepared.names[i, PROTECTION]})"
        else:
            source = primitive.source.format(*words)
        graph = self.prepared.graph
        is_view = line.function in _VIEWS
        if is_view and graph.statements[i] in (graph.update, *graph.next_states):
            # It is read again after states have changed.
            source, is_view = f"{source}.clone()", False
        own = [arg for arg in args if isinstance(arg, Number)]
        result = self._type(node, args)
        function = "tree" if primitive.scope == "tree" else "expression"
        variable = self.buffers.new(self._hint(line), result, function, *own, source=source)
        if is_view:
            self.buffers.owned.discard(variable)
        return base(variable, result)


_VIEWS = {"row_mean", "column_mean", "transpose", "orthogonalize", "rank_one"}
"""Functions that return their argument below rank 2."""


def _takes_number(function: str, j: int, is_number: list[bool]) -> bool:
    """True if torch takes a Python number as argument `j`, with the same bits in the result as for a tensor."""
    if function in ("greater", "modulo"):
        return j == 1 and not is_number[0]
    if function == "where":
        return (j == 2 or (j == 1 and not is_number[2])) and not is_number[0]
    return (PRIMITIVES[function].operator or function == "interp") and not all(is_number)
