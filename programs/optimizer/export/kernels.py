"""Kernels: single calls of torch, from which an exported step is built, and values that are not computed yet."""

from dataclasses import dataclass, replace
from typing import Literal

from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.types import Type


@dataclass(frozen=True)
class Kernel:
    """One call.

    Attributes:
        target: the variable that holds the result, or that is changed in place.
        function: the function of torch, without the underscore of its in-place form; `number` for a number of Python,
            `expression` for `source`.
        args: variables and numbers; of an in-place kernel those beside the target.
        value: the factor of the last term of `add`, `addcmul` and `addcdiv`; the weight of `lerp`.
        new: True if the target is a new tensor.
        source: of an expression, with its variables between `⟨` and `⟩`.
    """

    target: str
    function: str
    args: tuple[str | Number, ...] = ()
    value: Number | None = None
    new: bool = False
    source: str = ""


@dataclass(frozen=True)
class Term:
    """A product of a number with `a`, `a * b`, `a / b` or `1 / b`, where `a` and `b` are variables."""

    scale: Number
    kind: Literal["base", "mul", "div", "inverse"]
    a: str
    b: str = ""

    def mentions(self, variable: str) -> bool:
        """True if the term reads the variable."""
        return variable in (self.a, self.b)

    def times(self, number: Number) -> "Term":
        """The term times a number."""
        return replace(self, scale=self.scale.times(number))


@dataclass(frozen=True)
class Lazy:
    """A tensor that has not been computed yet: a sum of terms and numbers."""

    terms: tuple[Term, ...]
    type: Type
    numbers: tuple[Number, ...] = ()

    @property
    def single(self) -> Term | None:
        """The term, if there is nothing else."""
        return self.terms[0] if len(self.terms) == 1 and not self.numbers else None

    @property
    def variable(self) -> str | None:
        """The variable that already holds the value, if there is one."""
        term = self.single
        return term.a if term is not None and term.kind == "base" and term.scale.is_one else None

    def mentions(self, variable: str) -> bool:
        """True if the value reads the variable."""
        return any(term.mentions(variable) for term in self.terms)

    def times(self, number: Number) -> "Lazy":
        """The value times a number."""
        return replace(
            self,
            terms=tuple(term.times(number) for term in self.terms),
            numbers=tuple(own.times(number) for own in self.numbers),
        )


def base(variable: str, variable_type: Type, scale: Number | None = None) -> Lazy:
    """A variable, perhaps times a number."""
    return Lazy((Term(scale or Number(1.0, nonnegative=True, positive=True), "base", variable),), variable_type)
