"""The programs that a search for optimizers begins with: its start program, donors, and the starts of islands."""

from collections.abc import Sequence
from pathlib import Path

from germline.evaluators.data.directory import exists
from germline.programs.optimizer import InvalidProgram, Program, library, parse, trace, write
from germline.programs.optimizer.library import library_text
from germline.programs.optimizer.primitives import FUNCTION_SETS, PRIMITIVES
from germline.programs.optimizer.program import clashing_state
from germline.search.settings import BadSetting


class BadStart(ValueError):
    """The start program cannot be read, or is not a valid program."""


def read_start(start: str) -> str:
    """The text of a start program, which is given by its name in the library or by the path of a file.

    Raises:
        ValueError: there is no such program or file, or its text is not a valid program.
    """
    if start in library():
        return library_text(start)
    path = Path(start)
    if not exists(path, Path.is_file):
        # Most likely a misspelt name of the library: its error suggests the nearest name.
        return library_text(start.removeprefix("library:"))
    try:
        text = path.read_text(encoding="utf-8")
        program = parse(text)
        trace(program)
    except OSError as error:
        raise BadStart(f"cannot read the start program {start} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadStart(f"expected a text file as the start program, got bytes that are not UTF-8: {start}") from None
    except InvalidProgram as invalid:
        raise BadStart(f"the start program {start} is not valid: {invalid}") from None
    if clash := clashing_state(program):
        raise BadStart(f"the start program {start} cannot be searched: {clash}")
    return text


def donor_programs(donors: Sequence[str], functions: str) -> dict[str, str] | None:
    """The texts of the library programs that may be donors, by name; None if there are none.

    Programs of the library that need functions outside of those of the search are left out.

    Args:
        donors: the setting, see `OptimizerSettings`.
        functions: a key of `FUNCTION_SETS`.

    Raises:
        BadSetting: a donor that is named needs other functions.
    """
    if set(donors) <= {"population"}:
        return None
    names = _usable("donors", [name for name in donors if name not in ("population", "library")], functions)
    if "library" in donors:
        names = [name for name in library() if _fits(library_text(name), functions)]
    return {name: _normal_text(name) for name in names}


def island_programs(islands: Sequence[str], functions: str) -> dict[str, str] | None:
    """The texts of the library programs that islands start from, by name; None if there are none.

    Raises:
        BadSetting: a program needs functions outside of those of the search.
    """
    return {name: _normal_text(name) for name in _usable("islands", islands, functions)} or None


def is_core(program: Program) -> bool:
    """True if a program has neither functions outside the core, nor states of other shapes than tree, leaf and scalar,
    nor the inputs `progress` and `loss`."""
    flat = all(state.shape in ("tree", "leaf", "scalar") for state in program.states)
    return (
        flat and not (program.progress or program.loss) and all(PRIMITIVES[line.function].core for line in program.body)
    )


def _usable(key: str, names: Sequence[str], functions: str) -> Sequence[str]:
    """These names of library programs. Raises BadSetting if one needs other functions than a search has."""
    for name in names:
        if not _fits(library_text(name), functions):
            needed = next(each for each in FUNCTION_SETS if _fits(library_text(name), each))
            raise BadSetting(f"expected {key} of {functions} functions, got {name}; use --set functions={needed}")
    return names


def _fits(text: str, functions: str) -> bool:
    """True if a program has no other functions, states and inputs than programs of a search may have."""
    program = parse(text)
    if functions == "core":
        return is_core(program)
    return all(line.function in (*FUNCTION_SETS[functions], "=") for line in program.body)


def _normal_text(name: str) -> str:
    """The text of a program of the library, as the language writes it."""
    return write(parse(library_text(name)))
