"""Architectures on a terminal: a line for each node of each cell."""

from collections import Counter

from germline.cli.genome_text import Line


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
    """How often each operation stands in each cell."""
    from germline.programs.architecture.genome import NAMES, read

    architecture = read(text)
    told = []
    for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
        counted = Counter(operation for operation, _ in cell.edges)
        told.append(f"{name}: " + " ".join(f"{operation}×{count}" for operation, count in counted.most_common()))
    return "  ".join(told)
