"""Optimizer programs on a terminal: their statements, how many are live, and the update as an expression."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.formatting import QUIET, counted
from germline.cli.genome_line import Line
from germline.cli.genome_view import highlight
from germline.cli.presenters.comparison import print_comparison
from germline.cli.presenters.presenter import Facts
from germline.cli.presenters.shared import compare_with_start, no_notation, training_rungs
from germline.db.records import EvaluationRecord
from germline.programs.optimizer import Graph, Program, parse, trace, write
from germline.programs.optimizer.graph import live_program

DEPTH = 6
"""Number of levels of an expression that are printed, because shared values let it grow exponentially with depth."""

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3


class OptimizerPresenter:
    """Text about optimizer programs."""

    kind = "optimizer"
    noun = "an optimizer"
    size_header = "live"
    one_line_header = "update"
    origin_name = "seed"
    trial_header = "each training"
    dead_parts = "dead statements"
    compared_with_start = True
    pickable = False
    has_size_options = False

    def lines(self, text: str) -> tuple[Line, ...]:
        """The lines of a program's canonical text: the signature, the statements from 1 on, the return.

        Raises:
            InvalidProgram: the text is not a valid program.
        """
        return _lines(text)

    def shorten(self, lines: Sequence[Line]) -> list[Line]:
        return list(lines)

    def one_line(self, text: str) -> str:
        """The update as an expression, with constants to three digits. A new state is written as its name.

        Raises:
            InvalidProgram: the text is not a valid program.
        """
        program = parse(text)
        graph = trace(program)
        names = {graph.next_states[k]: program.states[k].name for k in graph.live_states}
        names.pop(graph.update, None)
        return _expression(graph, graph.update, names, DEPTH)[0]

    def first_line(self, text: str) -> Text:
        lines = self.lines(text)
        count = sum(line.statement is not None for line in lines)
        return Text.assemble(highlight(lines[0].text), (f"  {count} statements", QUIET))

    def live_view(self, text: str) -> RenderableType:
        """The live statements as Python source."""
        from rich.syntax import Syntax  # here, because it takes a tenth of the time in which short commands start

        source = write(live_program(parse(text))).rstrip()
        return Syntax(source, "python", background_color="default")

    def summary(self, facts: Facts) -> str:
        names = facts["live_states"]
        states = f" ({', '.join(names)})" if names else ""
        return (
            f"{facts['live']} of {facts['statements']} statements live, "
            f"{len(names)} of {facts['states']} states{states}, {counted(facts['constants'], 'constant')}"
        )

    def size(self, facts: Facts) -> str:
        return f"{facts['live']}/{facts['statements']}"

    def latency(self, candidate: Candidate, sizes: Mapping[str, Any], device: str) -> float:
        from germline.evaluators.device import resolve
        from germline.evaluators.optimizer.step_cost import program_step, step_microseconds
        from germline.evaluators.tasks.digits_mlp import DigitsMLP

        device = resolve(device)
        [microseconds] = step_microseconds([program_step(DigitsMLP, parse(candidate.genome), device)], device)
        return microseconds / 1e3

    def written_as(self, candidate: Candidate, notation: str) -> str:
        raise no_notation(candidate)

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


@lru_cache(maxsize=64)
def _lines(text: str) -> tuple[Line, ...]:
    program = parse(text)
    live = set(trace(program).live_statements)
    signature, *body, last = write(program).splitlines()
    statements = [
        Line(line.strip(), i in live, (statement.target, statement.function), _arguments(program, i), i + 1)
        for i, (line, statement) in enumerate(zip(body, program.body, strict=True))
    ]
    inputs = signature.partition("(")[2].removesuffix("):").split(", ")
    return (
        Line(signature, True, ("def",), tuple(inputs)),
        *statements,
        Line(last.strip(), True, ("return",), program.returns),
    )


def _arguments(program: Program, i: int) -> tuple[str, ...]:
    return tuple(arg if isinstance(arg, str) else repr(arg) for arg in program.body[i].args)


def _expression(graph: Graph, at: int, names: Mapping[int, str], depth: int) -> tuple[str, int]:
    """The expression of a node, and the precedence of its outermost operation.

    Args:
        graph: of the program.
        at: the node.
        names: the names of nodes that are written as a name.
        depth: number of levels to write; an ellipsis replaces deeper nodes.
    """
    node = graph.nodes[at]
    if node.literal is not None:
        return f"{node.literal:.3g}", _ATOM
    if not node.args:
        return node.function.removeprefix("input:"), _ATOM
    if at in names:
        return names[at], _ATOM
    if depth == 0:
        return "…", _ATOM
    args = [_expression(graph, arg, names, depth - 1) for arg in node.args]
    rank = _RANKS.get(node.function)
    if rank is None:
        return f"{node.function}({', '.join(text for text, _ in args)})", _ATOM
    (left, left_rank), (right, right_rank) = args
    # An operation of the same precedence needs brackets only on the right of - and /.
    right_needs = rank + (node.function in "-/")
    left = f"({left})" if left_rank < rank else left
    right = f"({right})" if right_rank < right_needs or right.startswith("-") else right
    return f"{left} {node.function} {right}", rank
