"""Computing sums of terms with as few new tensors as possible."""

from collections.abc import Callable
from dataclasses import dataclass, field

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.kernels import Kernel, Lazy, Term, base
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.types import Type

ONE = Number(1.0, nonnegative=True, positive=True)


@dataclass
class Buffers:
    """The variables of a step under construction.

    Attributes:
        used: names that are taken.
        dynamic: numbers that are tensors if the step runs on the device alone: lr and whatever depends on the step.
        is_read: whether a later kernel may read a variable.
        kernels: the kernels so far.
        types: the type of each variable.
        owned: variables that hold temporary tensors of the step.
    """

    used: set[str]
    dynamic: set[str]
    is_read: Callable[[str], bool]
    kernels: list[Kernel] = field(default_factory=list)
    types: dict[str, Type] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)

    def name(self, hint: str) -> str:
        """A name that is not taken."""
        name = numbered_name(hint, self.used)
        self.used.add(name)
        return name

    def add(self, kernel: Kernel) -> None:
        """Adds a kernel."""
        self.kernels.append(kernel)

    def new(self, hint: str, variable_type: Type, function: str, *args: str | Number, **options: object) -> str:
        """Adds a kernel whose result is a new tensor, and returns its variable."""
        variable = self.name(hint)
        self.types[variable] = variable_type
        self.owned.add(variable)
        self.add(Kernel(variable, function, args, new=True, **options))  # type: ignore[arg-type]
        return variable

    def free(self, variable: str, wanted: Type) -> bool:
        """True if a variable may be overwritten: a temporary tensor of the wanted type that no later kernel reads."""
        return variable in self.owned and self.types[variable] == wanted and not self.is_read(variable)

    def is_dynamic(self, number: Number) -> bool:
        """True if a number may be a tensor."""
        return bool(number.reads & self.dynamic)

    def compute(self, value: Lazy, hint: str, state: str | None = None, copy: bool = False) -> str:
        """The variable that holds a value, after kernels that compute it.

        Args:
            value: the value.
            hint: the name of a new variable.
            state: a variable that shall hold the result if the value begins with it; nothing else reads it any more.
            copy: True if a variable that holds the value already must not be returned.
        """
        if state is None and value.variable is not None and not copy:
            return value.variable
        terms = list(value.terms)
        target, terms, numbers = self._begin(value, terms, hint, state)
        for term in terms:
            self._accumulate(target, term)
        for number in numbers:
            self.add(Kernel(target, "add", (number,)))
        return target

    def _begin(
        self, value: Lazy, terms: list[Term], hint: str, state: str | None
    ) -> tuple[str, list[Term], tuple[Number, ...]]:
        """The tensor in which a sum is accumulated, and the terms and numbers that are left to add."""
        lerp = self._lerp(terms)
        for term in terms:
            rest = [other for other in terms if other is not term]
            if term.kind != "base" or any(other.mentions(term.a) for other in rest):
                continue
            if term.a != state and not self.free(term.a, value.type):
                continue
            if lerp is not None and lerp[0] is term:
                self.add(Kernel(term.a, "lerp", (lerp[1].a,), lerp[1].scale))
                return term.a, [], value.numbers
            self.scale(term.a, term.scale)
            return term.a, rest, value.numbers
        if lerp is not None:
            return self.new(hint, value.type, "lerp", lerp[0].a, lerp[1].a, value=lerp[1].scale), [], value.numbers
        for term in terms:
            rest = [other for other in terms if other is not term]
            if term.kind != "base" or not term.scale.is_one or self.types[term.a] != value.type:
                continue
            for other in rest:
                if other.kind in _SUMS and not self.is_dynamic(other.scale):
                    target = self.new(hint, value.type, _SUMS[other.kind], term.a, *_operands(other), value=other.scale)
                    return target, [last for last in rest if last is not other], value.numbers
            if not rest and value.numbers:
                return self.new(hint, value.type, "add", term.a, value.numbers[0]), [], value.numbers[1:]
        first = next((term for term in terms if self._fills(term, value.type)), None)
        if first is None:
            # Every term is smaller than the sum, as a row is that is added to a column.
            source, scales = " + ".join(map(_written, terms[:2])), (term.scale for term in terms[:2])
            return self.new(hint, value.type, "expression", *scales, source=source), terms[2:], value.numbers
        rest = [term for term in terms if term is not first]
        return self._first(first, value.type, hint, rest), rest, value.numbers

    def _fills(self, term: Term, wanted: Type) -> bool:
        """True if a term has the shape of the sum."""
        return term.kind in ("mul", "div") or self.types[term.a or term.b] == wanted

    def _first(self, term: Term, value_type: Type, hint: str, rest: list[Term]) -> str:
        """A tensor that holds a term; `rest` is still to be read."""

        def free(variable: str) -> bool:
            return self.free(variable, value_type) and not any(other.mentions(variable) for other in rest)

        if term.kind == "base":
            if term.scale.is_one:
                return self.new(hint, value_type, "clone", term.a)
            function, number = ("div", term.scale.to(-1)) if term.scale.inverts else ("mul", term.scale)
            return self.new(hint, value_type, function, term.a, number)
        if term.kind == "inverse":
            if free(term.b):
                target = term.b
                self.add(Kernel(target, "reciprocal"))
            else:
                target = self.new(hint, value_type, "reciprocal", term.b)
        elif free(term.a):
            target = term.a
            self.add(Kernel(target, term.kind, (term.b,)))
        elif term.kind == "mul" and free(term.b):
            target = term.b
            self.add(Kernel(target, term.kind, (term.a,)))
        else:
            target = self.new(hint, value_type, term.kind, term.a, term.b)
        self.scale(target, term.scale)
        return target

    def scale(self, target: str, number: Number) -> None:
        """Multiplies a tensor in place, or divides it, if the number is one over something."""
        if number.inverts:
            self.add(Kernel(target, "div", (number.to(-1),)))
        elif not number.is_one:
            self.add(Kernel(target, "mul", (number,)))

    def _accumulate(self, target: str, term: Term) -> None:
        """Adds a term in place."""
        if term.kind == "inverse":
            term = Term(term.scale, "base", self.new(f"{target}_term", self.types[term.b], "reciprocal", term.b))
        self.add(Kernel(target, _SUMS[term.kind], _operands(term), term.scale))

    def _lerp(self, terms: list[Term]) -> tuple[Term, Term] | None:
        """`a * start + (1 - a) * end` as its two terms, if the sum is that of two variables."""
        if len(terms) != 2 or any(term.kind != "base" or self.is_dynamic(term.scale) for term in terms):
            return None
        if self.types[terms[0].a] != self.types[terms[1].a]:
            return None
        for start, end in (terms, terms[::-1]):
            if end.scale.source() == f"1 - {start.scale.source()}":
                return start, end
        return None


def single(buffers: Buffers, value: Lazy, hint: str) -> Term:
    """The value as one variable times a number: computed first, if it is anything else."""
    term = value.single
    if term is not None and term.kind == "base":
        return term
    if term is not None:
        scale = term.scale
        variable = buffers.compute(Lazy((Term(ONE, term.kind, term.a, term.b),), value.type), hint)
        return Term(scale, "base", variable)
    variable = buffers.compute(value, hint)
    return base(variable, value.type).terms[0]


def _operands(term: Term) -> tuple[str, ...]:
    return (term.a,) if term.kind == "base" else (term.a, term.b)


def _written(term: Term) -> str:
    source = {"base": f"⟨{term.a}⟩", "inverse": f"(1.0 / ⟨{term.b}⟩)"}.get(term.kind)
    source = source or f"⟨{term.a}⟩ {'*' if term.kind == 'mul' else '/'} ⟨{term.b}⟩"
    return source if term.scale.is_one else f"{term.scale.factor_source()} * {source}"


_SUMS = {"base": "add", "mul": "addcmul", "div": "addcdiv"}
