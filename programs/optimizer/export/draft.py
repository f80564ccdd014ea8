"""A program with its hyper-parameters, before its names are fitted into exported code. Every target begins here."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from germline.programs.optimizer.export import arguments as hyper
from germline.programs.optimizer.export.averages import with_averages
from germline.programs.optimizer.export.common_rate import with_common_rate
from germline.programs.optimizer.export.learning_rate import find_learning_rate
from germline.programs.optimizer.export.names import rename, without_unread_copies
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.progress import from_step_count
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.export.weight_decays import with_separate_decays
from germline.programs.optimizer.graph import live_program, trace
from germline.programs.optimizer.named_numbers import without_named_numbers
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.text import parse, write

WIDTH = 88
"""The longest line of code, which no formatter wraps."""

_LENGTHS = (40, 24, 16, 12, 8, 6, 4)
"""While a line is too long, names are cut shorter."""


@dataclass(frozen=True)
class Draft:
    """A program with its hyper-parameters.

    Attributes:
        program: live statements and states only; averages written by hand as `interp` and a learning
            rate that terms of the update share taken out of their sum, unless `exact`; without the
            factors of its learning rate, if `lr` can be that rate.
        default_rate: the learning rate at schedule value 1.
        lr_is_rate: True if the program's `lr` is the learning rate itself.
        arguments: the hyper-parameters beside it, named as in torch.optim.
        fixed: the places of literals that belong to the learning rate.
        exact: True if every statement is computed as the interpreter computes it.
    """

    program: Program
    default_rate: float
    lr_is_rate: bool
    arguments: tuple[hyper.HyperParameter, ...]
    fixed: frozenset[Place]
    exact: bool

    def prepared(
        self, arguments: tuple[hyper.HyperParameter, ...], reserved: Collection[str], longest: int
    ) -> PreparedProgram:
        """The program under names of at most `longest` characters, none of them reserved or that of an argument."""
        names = [*(argument.name for argument in arguments), *hyper.ranges(arguments), *reserved]
        renamed = rename(self.program, names, longest)
        return PreparedProgram(
            renamed,
            trace(renamed),
            self.lr_is_rate,
            self.default_rate,
            hyper.variables(arguments),
            hyper.ranges(arguments),
            self.exact,
        )

    def described(self, prepared: PreparedProgram) -> tuple[hyper.HyperParameter, ...]:
        """The hyper-parameters, with meanings that use the names of the prepared program."""
        renamed = {argument.places: argument for argument in hyper.hyper_parameters(prepared.program, self.fixed)}
        return tuple(
            replace(own, meaning=renamed[own.places].meaning, meanings=renamed[own.places].meanings)
            for own in self.arguments
        )


def draft_of(program: Program, exact: bool = False) -> Draft:
    """The draft of a program's export.

    Raises:
        InvalidProgram: the program does not pass abstract execution, or has a name outside of the language.
    """
    # Parsing the program's own text proves that it consists of names and numbers only.
    program = parse(write(from_step_count(program)))
    program = without_unread_copies(without_named_numbers(live_program(program)))
    if not exact:
        program = with_common_rate(without_unread_copies(with_averages(program)))
        program = with_separate_decays(program)
    rate = find_learning_rate(program)
    simplified = None if exact else rate.simplified
    fixed = rate.literals if simplified is None else frozenset[Place]()
    program = simplified or program
    arguments = hyper.hyper_parameters(program, fixed)
    return Draft(program, rate.default, simplified is not None, arguments, fixed, exact)


def fitted(write_body: Callable[[int], str], facts: Collection[str]) -> str:
    """The text with the longest names among those with the fewest lines longer than `WIDTH`.

    Args:
        write_body: returns the text with names of at most so many characters.
        facts: lines that stay as they are, whatever their length.
    """
    best, fewest = "", -1
    for longest in _LENGTHS:
        body = write_body(longest)
        too_long = sum(len(line) > WIDTH and line.strip() not in facts for line in body.splitlines())
        if fewest < 0 or too_long < fewest:
            best, fewest = body, too_long
        if not fewest:
            break
    return best
