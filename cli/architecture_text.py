"""Architectures on a terminal: a line for each node of each cell."""

from collections import Counter

from germline.cli.lines import Line


def architecture_lines(text: str) -> tuple[Line, ...]:
    """A line for each cell and, below it, for each node.

    Raises:
        InvalidArchitecture: the text is not an architecture.
    """
    from germline.programs.architecture.genome import NAMES, read

    architecture = read(text)
    lines = []
    for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
        joined = ", ".join(map(str, cell.concat))
        lines.append(Line(f"{name} hands on {joined}", True, ("cell", name), tuple(map(str, cell.concat))))
        for number, node in enumerate(cell.nodes, architecture.inputs):
            args = tuple(f"{operation}[{source}]" for operation, source in node)
            target = f"{name}.{number}"
            lines.append(Line(f"{target} = add({', '.join(args)})", True, (target, "add"), args, number))
    return tuple(lines)


def gist(text: str) -> str:
    """How often each operation stands in each cell, in short: `normal sep3×4 skip×2 dil5`."""
    from germline.programs.architecture.genome import NAMES, read

    architecture = read(text)
    told = []
    for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
        counted = Counter(_short(operation) for operation, _ in cell.edges).most_common()
        told.append(f"{name} " + " ".join(one if count == 1 else f"{one}×{count}" for one, count in counted))
    return "  ".join(told)


def _short(operation: str) -> str:
    """`sep_conv_3x3` as `sep3`, `skip_connect` as `skip`."""
    first, _, rest = operation.partition("_")
    size = rest[-1] if rest.endswith(("1x1", "3x3", "5x5")) else ""
    return {"nor": "conv", "inv": "inv"}.get(first, first) + size
