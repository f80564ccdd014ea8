"""Architectures on a terminal: a line for each cell and for each of its nodes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.errors import UserError
from germline.cli.formatting import QUIET
from germline.cli.genome_line import Line
from germline.cli.genome_view import highlight, lines_view
from germline.cli.presenters.comparison import print_comparison
from germline.cli.presenters.presenter import Facts
from germline.cli.presenters.shared import compare_with_start, training_rungs
from germline.cli.skeleton import skeleton_of
from germline.db.records import EvaluationRecord
from germline.programs.architecture.genome import NAMES, InvalidArchitecture, read
from germline.programs.architecture.notation import NOTATIONS


class ArchitecturePresenter:
    """Text about architectures."""

    kind = "architecture"
    noun = "an architecture"
    size_header = "params"
    one_line_header = "cells"
    origin_name = "seed"
    trial_header = "each training"
    dead_parts = None
    compared_with_start = True
    pickable = True
    has_size_options = True

    def lines(self, text: str) -> tuple[Line, ...]:
        """A line for each cell, followed by a line for each of its nodes.

        Raises:
            InvalidArchitecture: the text is not an architecture.
        """
        architecture = read(text)
        lines = []
        for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
            outputs = tuple(map(str, cell.concat))
            lines.append(Line(f"{name} hands on {', '.join(outputs)}", True, ("cell", name), outputs))
            for number, node in enumerate(cell.nodes, architecture.inputs):
                args = tuple(f"{operation}[{source}]" for operation, source in node)
                target = f"{name}.{number}"
                lines.append(Line(f"{target} = add({', '.join(args)})", True, (target, "add"), args, number))
        return tuple(lines)

    def shorten(self, lines: Sequence[Line]) -> list[Line]:
        return list(lines)

    def one_line(self, text: str) -> str:
        """How often each operation occurs in each cell: `normal sep3×4 skip×2 dil5`.

        Raises:
            InvalidArchitecture: the text is not an architecture.
        """
        architecture = read(text)
        cells = []
        for name, cell in zip(NAMES[architecture.inputs], architecture.cells, strict=True):
            counts = Counter(_abbreviated(operation) for operation, _ in cell.edges).most_common()
            cells.append(" ".join([name, *(word if count == 1 else f"{word}×{count}" for word, count in counts)]))
        return "  ".join(cells)

    def first_line(self, text: str) -> Text:
        lines = self.lines(text)
        count = sum(line.statement is not None for line in lines)
        return Text.assemble(highlight(lines[0].text), (f"  {count} nodes", QUIET))

    def live_view(self, text: str) -> RenderableType:
        return lines_view(self.lines(text))

    def summary(self, facts: Facts) -> str:
        return f"{facts['params']:,} parameters, {facts['macs']:,} multiply-accumulates an image"

    def size(self, facts: Facts) -> str:
        """Parameters in millions."""
        return f"{facts['params'] / 1e6:.3f} M"

    def latency(self, candidate: Candidate, sizes: Mapping[str, Any], device: str) -> float:
        # Both import torch, which takes seconds, and nothing else here needs it.
        from germline.evaluators.architecture.latency_measurement import measure_network
        from germline.programs.architecture.network import Network

        architecture = read(candidate.genome)
        size = skeleton_of(candidate, architecture, **sizes)
        return measure_network(Network(architecture, size), size.image, device)

    def written_as(self, candidate: Candidate, notation: str) -> str:
        try:
            return NOTATIONS[notation](read(candidate.genome))
        except InvalidArchitecture as error:
            raise UserError(f"cannot write {candidate.label} as {notation}: {error}") from None

    def rungs(self, task: Mapping[str, Any]) -> list[str]:
        return training_rungs(task)

    def score_text(self, evaluations: Sequence[EvaluationRecord]) -> str | None:
        return None

    def score_row(self, evaluations: Sequence[EvaluationRecord]) -> dict[str, Any]:
        return {}

    def print_scores(self, out: Console, candidate: Candidate, start: Candidate) -> None:
        print_comparison(out, candidate, start)

    def next_command(self, label: str, task: Sequence[str]) -> str:
        return compare_with_start(label)


def _abbreviated(operation: str) -> str:
    """Short name of an operation: `sep3` for `sep_conv_3x3`, `skip` for `skip_connect`."""
    first, _, rest = operation.partition("_")
    size = rest[-1] if rest.endswith(("1x1", "3x3", "5x5")) else ""
    return ("conv" if first == "nor" else first) + size
