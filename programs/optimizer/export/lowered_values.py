"""The values of a program while its kernels are chosen: numbers, or sums of products that wait."""

from collections import Counter
from dataclasses import dataclass, field

from germline.programs.export.names import RESERVED
from germline.programs.optimizer.export import number as numbers
from germline.programs.optimizer.export.buffers import Buffers
from germline.programs.optimizer.export.kernels import Lazy, base
from germline.programs.optimizer.export.names import AUTOMATIC, name_of_value
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.signs import Place, nonnegative
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.program import Argument, Statement
from germline.programs.optimizer.types import LEAF, SCALAR, TREE, Type

Value = Number | Lazy


@dataclass
class LoweredValues:
    """The values of a program's nodes, and the kernels that compute them so far.

    Attributes:
        prepared: the program.
        values: the value of each node so far.
        copies: variables of the program that are copies of a literal.
        per_parameter: the numbers that differ between parameters.
        shared: variables that several arguments of the present statement read.
    """

    prepared: PreparedProgram
    values: dict[int, Value] = field(default_factory=dict)
    copies: dict[str, Number] = field(default_factory=dict)
    per_parameter: set[str] = field(default_factory=set)
    shared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        prepared = self.prepared
        program, graph = prepared.program, prepared.graph
        free = [place for place, name in prepared.names.items() if prepared.ranges[name] == "free"]
        self.signs = nonnegative(program, graph, free)
        self.uses = Counter([graph.update, *graph.next_states])
        for i, line in enumerate(program.body):
            if line.function != "=":
                self.uses.update(graph.nodes[graph.statements[i]].args)
        states = [state.name for state in program.states]
        used = {"w", "g", "lr", "step", "loss", *states, *RESERVED, *prepared.names.values()}
        self.buffers = Buffers(used, {"lr", "step", "loss"}, self._is_read)
        self.buffers.types |= {"w": TREE, "g": TREE}
        for node, name in enumerate(program.inputs):
            if name in states:  # a read-out may be written and never read
                self.buffers.types[name] = graph.nodes[node].type
            if not self.uses[node]:
                continue
            if name in ("lr", *program.optional_inputs):
                self.values[node] = self._schedule(name)
            else:
                self.buffers.types[name] = graph.nodes[node].type
                self.values[node] = base(name, graph.nodes[node].type)

    def _is_read(self, variable: str) -> bool:
        """True if a value that is still needed reads a variable."""
        return variable in self.shared or any(
            self.uses[node] > 0 and isinstance(value, Lazy) and value.mentions(variable)
            for node, value in self.values.items()
        )

    def _release(self, variable: str) -> None:
        """Computes all values that wait for a variable which is about to change."""
        for node, value in list(self.values.items()):
            if self.uses[node] > 0 and isinstance(value, Lazy) and value.mentions(variable):
                hint = next((line.target for line, at in self._lines() if at == node), f"{variable}_before")
                self.values[node] = base(self.buffers.compute(value, hint, copy=True), value.type)

    def _lines(self) -> list[tuple[Statement, int]]:
        return list(zip(self.prepared.program.body, self.prepared.graph.statements, strict=True))

    def _schedule(self, name: str) -> Value:
        """The value of the input `lr`, `step` or `loss`."""
        prepared = self.prepared
        if name == "step" and not prepared.whole_tree:
            self.per_parameter.add(name)
        value = numbers.variable(name, nonnegative=name != "loss", positive=name == "step")
        if name == "lr" and not prepared.lr_is_rate and prepared.default_rate != 1.0:
            value = value.times(Number(1.0, ((repr(prepared.default_rate), -1.0),), nonnegative=True, positive=True))
        return self._tensor(value, f"{name}_now") if prepared.exact else value

    def _tensor(self, number: Number, hint: str) -> Lazy:
        """A number as a tensor without dimensions."""
        kind = LEAF if number.reads & self.per_parameter else SCALAR
        source = f"_number({number.source()}, ⟨@⟩)"
        return base(self.buffers.new(hint, kind, "expression", number, source=source), kind)

    def _argument(self, i: int, j: int, arg: Argument, node: Node) -> Value:
        """The value of an argument of a statement."""
        if isinstance(arg, float):
            return self._literal((i, j), arg)
        return self.copies.get(arg) or self.values[node.args[j]]

    def _literal(self, place: Place, value: float) -> Number:
        """A literal, as the hyper-parameter that it is or as a number."""
        name = self.prepared.names.get(place)
        if name is None:
            return numbers.literal(value)
        kind = self.prepared.ranges[name]
        nonnegative_ = kind not in ("free", "nonpositive")
        return numbers.variable(name, nonnegative=nonnegative_, positive=kind == "count", below_one=kind == "decay")

    def _hint(self, line: Statement) -> str:
        """The name of a new variable for a statement."""
        if AUTOMATIC.fullmatch(line.target) and line.function == "sqrt" and self._divides(line):
            return "denom"
        return name_of_value(line.target, line.function)

    def _divides(self, line: Statement) -> bool:
        """True if the value of a statement is read by a quotient."""
        return any(user.function in ("/", "reciprocal", "+") and line.target in user.args for user, _ in self._lines())

    def _type(self, node: Node, args: list[Value]) -> Type:
        """The type of a value. A scalar that follows from the step count of a parameter has a value for each."""
        leaf = any(arg.type == LEAF if isinstance(arg, Lazy) else bool(arg.reads & self.per_parameter) for arg in args)
        return LEAF if node.type == SCALAR and leaf and not self.prepared.whole_tree else node.type
