"""Kernels as lines of code: for one parameter after another, or for lists of all parameters at once."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from germline.programs.export.names import RESERVED, numbered_name
from germline.programs.optimizer.export.kernels import Kernel
from germline.programs.optimizer.export.lowering import Step
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.types import SCALAR

_FOREACH = {
    "add", "sub", "mul", "div", "addcmul", "addcdiv", "lerp", "copy", "sqrt", "abs", "sign", "reciprocal", "exp",
    "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "maximum", "minimum", "clamp_min",
    "clamp_max",
}  # fmt: skip
_SCALED = ("add", "addcmul", "addcdiv")
_MARK = re.compile("⟨(.*?)⟩")


@dataclass(frozen=True)
class Emitter:
    """Writes the kernels of a step.

    Attributes:
        step: the kernels.
        lists: the name of the list with a variable's value for each parameter.
        width: the longest line.
    """

    step: Step
    lists: Mapping[str, str]
    width: int

    # One parameter.

    def head(self) -> list[str]:
        """Lines before the loop over parameters: numbers that all parameters share."""
        return [
            f"{kernel.target} = {self._number_source(kernel)}"
            for kernel in self.step.kernels
            if kernel.function == "number" and kernel.target not in self.step.per_parameter
        ]

    def single(self) -> list[str]:
        """The lines for one parameter."""
        lines: list[str] = []
        last = ""
        for kernel in self.step.kernels:
            if kernel.function == "number":
                if kernel.target in self.step.per_parameter:
                    lines.append(f"{kernel.target} = {self._number_source(kernel)}")
                    last = ""
                continue
            line = self._statement(kernel)
            chained = f"{kernel.target}."
            if kernel.target == last and line.startswith(chained) and kernel.target not in kernel.args:
                joined = lines[-1] + line.removeprefix(kernel.target)
                if len(joined) <= self.width:
                    lines[-1] = joined
                    continue
            lines.append(line)
            last = kernel.target if not kernel.source and _chains(line, kernel.target) else ""
        return lines

    def _statement(self, kernel: Kernel) -> str:
        """The statement for one parameter."""
        if kernel.new:
            return f"{kernel.target} = {self._expression(kernel)}"
        target, function = kernel.target, kernel.function
        if function in ("maximum", "minimum"):
            return f"torch.{function}({target}, {self._operand(kernel.args[0])}, out={target})"
        if function in _SCALED and kernel.value is not None and self._dynamic(kernel.value):
            return f"_{function}_({', '.join([target, *map(self._operand, kernel.args), kernel.value.source()])})"
        return f"{target}.{_method(kernel)}_({self._arguments(kernel)})"

    def _expression(self, kernel: Kernel) -> str:
        """The value of a new tensor for one parameter."""
        if kernel.function in ("expression", "tree"):
            return _spaced(_MARK.sub(lambda mark: "w" if mark[1] == "@" else mark[1], kernel.source))
        return f"torch.{_method(kernel)}({self._arguments(kernel)})"

    def _arguments(self, kernel: Kernel, write: Callable[[str | Number], str] | None = None) -> str:
        """The arguments of a kernel."""
        words = list(map(write or self._operand, kernel.args))
        value = kernel.value
        if value is not None and kernel.function == "lerp":
            words.append(value.source())
        elif value is not None and not value.is_one and not _subtracts(kernel):
            words.append(f"{'alpha' if kernel.function == 'add' else 'value'}={value.source()}")
        return ", ".join(words)

    def _operand(self, arg: str | Number) -> str:
        return self._once(arg.source(), self._dynamic(arg)) if isinstance(arg, Number) else arg

    def _number_source(self, kernel: Kernel) -> str:
        """The source of a number with a name."""
        return self._once(kernel.source, kernel.target in self.step.dynamic)

    def _once(self, source: str, dynamic: bool) -> str:
        """The source of a number. The compiler would compute a power of a tensor again for every element."""
        return f"_once({source})" if dynamic and "**" in source else source

    def _dynamic(self, number: Number) -> bool:
        return bool(number.reads & self.step.dynamic)

    # Lists of all parameters.

    def foreach(self) -> list[str]:
        """The lines for lists of all parameters."""
        lines: list[str] = []
        for kernel in self.step.kernels:
            lines += self._for_lists(kernel)
        return lines

    def _for_lists(self, kernel: Kernel) -> list[str]:
        """The lines of a kernel for lists."""
        if kernel.function == "number":
            if kernel.target not in self.step.per_parameter:
                return [f"{kernel.target} = {self._number_source(kernel)}"]
            number = Number(1.0, ((kernel.source, 1.0),), self._reads(kernel))
            return self._wrapped(f"{self.lists[kernel.target]} = ", self._number(number))
        if kernel.function == "tree" or self._is_scalar(kernel.target):
            return self._for_group(kernel)
        if self._fits(kernel):
            call = self._foreach_call(kernel)
            numbers = re.search(r"\[.* for .*\]", call)
            if len(call) <= self.width or numbers is None:
                return self._split(call)
            return [*self._wrapped("numbers = ", numbers[0]), *self._split(call.replace(numbers[0], "numbers"))]
        variables = list(dict.fromkeys(self._variables(kernel)))
        names, sources = ", ".join(variables), [self.lists[name] for name in variables]
        columns = sources[0] if len(sources) == 1 else f"zip({', '.join(sources)})"
        if kernel.new:
            names, columns = (names, columns) if variables else ("_", self.lists["w"])
            source = _MARK.sub(lambda mark: f"⟨{self.lists['w']}[0]⟩" if mark[1] == "@" else mark[0], kernel.source)
            body = _spaced(source.replace("⟨", "").replace("⟩", "")) if kernel.source else self._expression(kernel)
            return self._wrapped(f"{self.lists[kernel.target]} = ", f"[{body} for {names} in {columns}]")
        return [f"for {names} in {columns}:", f"    {self._statement(kernel)}"]

    def _wrapped(self, start: str, comprehension: str) -> list[str]:
        """A comprehension, on four lines if it is too long for one."""
        if len(start + comprehension) <= self.width or " for " not in comprehension:
            return [start + comprehension]
        if len(comprehension) + 2 <= self.width:
            return [f"{start}[", f"    {comprehension[1:-1]}", "]"]
        body, _, columns = comprehension[1:-1].rpartition(" for ")
        return [f"{start}[", f"    {body}", f"    for {columns}", "]"]

    def _split(self, call: str) -> list[str]:
        """A call, with its arguments on a line of their own if it is too long."""
        if len(call) <= self.width:
            return [call]
        start, _, arguments = call.partition("(")
        return [f"{start}(", f"    {arguments[:-1]}", ")"]

    def _for_group(self, kernel: Kernel) -> list[str]:
        """The line of a kernel whose result is one scalar, or that reads whole lists."""

        def word(mark: re.Match[str]) -> str:
            if mark[1] == "@":
                return f"{self.lists['w']}[0]"
            return mark[1] if self._is_scalar(mark[1]) else self.lists[mark[1]]

        target = kernel.target if self._is_scalar(kernel.target) else self.lists[kernel.target]
        if kernel.source:
            return [f"{target} = {_spaced(_MARK.sub(word, kernel.source))}"]
        return [self._statement(kernel)]

    def _fits(self, kernel: Kernel) -> bool:
        """True if there is a kernel for lists."""
        if kernel.function not in _FOREACH:
            return False
        own = self.step.types[kernel.target]
        for arg in kernel.args:
            if isinstance(arg, Number):
                if kernel.function.startswith("clamp") and self._dynamic(arg):
                    return False
            elif self.step.types[arg] != own and not (
                self._is_scalar(arg) and kernel.function in ("mul", "div") and arg == kernel.args[-1]
            ):
                return False
        return True

    def _foreach_call(self, kernel: Kernel) -> str:
        """The call for lists."""
        target, function, value = self.lists[kernel.target], kernel.function, kernel.value
        words = [
            self._number(arg) if isinstance(arg, Number) else arg if self._is_scalar(arg) else self.lists[arg]
            for arg in kernel.args
        ]
        if function in _SCALED and value is not None and self._dynamic(value):
            return f"_foreach_{function}_({', '.join([target, *words, self._number(value)])})"
        if value is not None and function == "lerp":
            words.append(value.source())
        elif value is not None and not value.is_one and not _subtracts(kernel):
            words.append(f"alpha={value.source()}" if function == "add" else value.source())
        name = f"torch._foreach_{_method(kernel)}"
        if kernel.new:
            return f"{target} = {name}({', '.join(words)})"
        return f"{name}_({', '.join([target, *words])})"

    def _number(self, number: Number) -> str:
        """A number, as a list with its value for each parameter if it differs between them."""
        names = [name for name in self.lists if name in number.reads & self.step.per_parameter]
        source = self._once(number.source(), self._dynamic(number))
        if not names:
            return source
        if source == names[0]:
            return self.lists[names[0]]
        columns = ", ".join(self.lists[name] for name in names)
        return f"[{source} for {', '.join(names)} in {columns if len(names) == 1 else f'zip({columns})'}]"

    def _reads(self, kernel: Kernel) -> frozenset[str]:
        reads = [arg.reads for arg in kernel.args if isinstance(arg, Number)]
        return frozenset[str]().union(*reads)

    def _variables(self, kernel: Kernel) -> list[str]:
        """The variables of a kernel that have a value for each parameter."""
        names = [] if kernel.new else [kernel.target]
        names += [arg for arg in kernel.args if isinstance(arg, str)]
        names += [name for name in _MARK.findall(kernel.source) if name != "@"]
        numbers = [arg for arg in (*kernel.args, kernel.value) if isinstance(arg, Number)]
        reads = frozenset[str]().union(*(number.reads for number in numbers)) & self.step.per_parameter
        names += [name for name in self.lists if name in reads]
        return [name for name in names if name in self.step.per_parameter or not self._is_scalar(name)]

    def _is_scalar(self, name: str) -> bool:
        return self.step.types.get(name) == SCALAR


def list_names(step: Step, taken: Collection[str]) -> dict[str, str]:
    """The name of the list for each variable that has a value for each parameter."""
    used = {*taken, *RESERVED, *step.types, *step.per_parameter}
    names: dict[str, str] = {}
    for name in dict.fromkeys([*step.types, *(k.target for k in step.kernels), *sorted(step.per_parameter)]):
        if name in step.per_parameter or step.types.get(name, SCALAR) != SCALAR:
            plural = f"{name}_list" if name.endswith("s") else f"{name}s"
            names[name] = numbered_name("own_steps" if name == "step" else plural, used)
            used.add(names[name])
    return names


def _subtracts(kernel: Kernel) -> bool:
    """True for the addition of minus one times a tensor."""
    value = kernel.value
    return kernel.function == "add" and value is not None and value.const == -1.0 and not value.factors


def _method(kernel: Kernel) -> str:
    return "sub" if _subtracts(kernel) else kernel.function


def _chains(line: str, target: str) -> bool:
    """True if a method of the result can be called at the end of a line."""
    if line.startswith(f"{target} = torch."):
        return True
    return line.startswith(f"{target}.")


def _spaced(source: str) -> str:
    """Formatters write a power of two names, or of a name and a number, without spaces."""
    return re.sub(r"^([\w.]+) \*\* (-?[\w.]+)$", r"\1**\2", source)
