"""Names of numbers, as in `rate = 0.001`. Programs written by hand have them, where the search and the export look for
numbers among the arguments of functions."""

from dataclasses import replace

from germline.programs.optimizer.program import Program, Statement


def without_named_numbers(program: Program) -> Program:
    """The program with the numbers themselves in the place of their names, and without assignments that are
    then not read. Its updates are the same."""
    numbers: dict[str, float] = {}
    body: list[Statement] = []
    for line in program.body:
        args = tuple(numbers.get(arg, arg) if isinstance(arg, str) else arg for arg in line.args)
        numbers.pop(line.target, None)
        if line.function == "=" and isinstance(args[0], float):
            numbers[line.target] = args[0]
        else:
            body.append(Statement(line.target, line.function, args))
    returned = [Statement(name, "=", (number,)) for name, number in numbers.items() if name in program.returns]
    return replace(program, body=(*body, *returned))
