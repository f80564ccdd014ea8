"""An ablation as rows of JSON, as text on a terminal, and as Markdown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from germline.cli.formatting import BAD, GOOD, QUIET, number, plain_table, print_table, safe, with_interval
from germline.programs.optimizer import write
from germline.programs.optimizer.simplify.report import size_of
from germline.programs.optimizer.simplify.rounding import MAX_FACTOR, is_decay
from germline.search.ablation.ablate import Ablation, AblationStep, Attempt
from germline.search.ablation.trials import Comparison


@dataclass(frozen=True)
class AblationReport:
    """An ablation, and what it was measured on.

    Attributes:
        ablation: what went and what is left.
        task: the name of the task.
        rung: an index into the task's rungs.
        training: the trainings of each seed, in words.
        seeds: how many seeds; as many others confirmed the result.
        share: the margin as a share of the given program's loss.
    """

    ablation: Ablation
    task: str
    rung: int
    training: str
    seeds: int
    share: float


def ablation_row(report: AblationReport) -> dict[str, Any]:
    """The value of the key `ablation` of the JSON output."""
    ablation = report.ablation
    return {
        "task": report.task,
        "rung": report.rung,
        "seeds": report.seeds,
        "margin": ablation.margin,
        "margin_share": report.share,
        "steps": [_step_row(step) for step in ablation.steps],
        "taken_back": [_step_row(step) for step in ablation.taken_back],
        "kept": [_attempt_row(attempt) for attempt in ablation.kept],
        "confirmation": asdict(ablation.confirmation),
        "program": write(ablation.program),
        **asdict(size_of(ablation.program)),
    }


def _step_row(step: AblationStep) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "what": step.what,
        **asdict(step.comparison),
        "tried": [_attempt_row(attempt) for attempt in step.attempts],
        "rules": [simplification.name for simplification in step.simplified.steps],
        "program": write(step.after),
    }


def print_ablation(out: Console, report: AblationReport) -> None:
    """Prints the steps with their losses, the candidates of each rounded constant, and what may not go."""
    ablation = report.ablation
    out.print(safe(_measured(report), QUIET))
    out.print()
    for title, rows in _tables(report):
        table = plain_table(*title, right=title[1:])
        for cells in rows:
            table.add_row(*(safe(cell) for cell in cells))
        print_table(out, table)
        out.print()
    if note := _note_on_decays(ablation):
        out.print(safe(note, QUIET))
        out.print()
    out.print(safe(_conclusion(report), GOOD if ablation.steps else QUIET))
    if ablation.taken_back:
        out.print(safe(_taken_back(ablation), BAD))


def ablation_markdown(report: AblationReport) -> list[str]:
    """The lines of a report in Markdown."""
    lines = ["## Ablation", "", _measured(report), ""]
    for title, rows in _tables(report):
        lines += [_line(title), _line(["---"] * len(title)), *map(_line, rows), ""]
    if note := _note_on_decays(report.ablation):
        lines += [note, ""]
    lines += [_conclusion(report)]
    return [*lines, *([_taken_back(report.ablation)] if report.ablation.taken_back else [])]


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {"what": attempt.what, **asdict(attempt.comparison)}


def _tables(report: AblationReport) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Titles and rows of each table that is not empty: the steps, the candidates for constants, and what may not go."""
    ablation = report.ablation
    losses = [ablation.loss, *(step.comparison.loss for step in ablation.steps)]
    steps: list[tuple[str, ...]] = [
        (step.what, number(before), number(step.comparison.loss), worsening(step.comparison))
        for step, before in zip(ablation.steps, losses, strict=False)
    ]
    rounded = [step for step in ablation.steps if step.kind == "rounded"]
    candidates: list[tuple[str, ...]] = [
        (attempt.what, worsening(attempt.comparison), "taken" if attempt.what == step.what else "")
        for step in rounded
        for attempt in step.attempts
    ]
    kept: list[tuple[str, ...]] = [(attempt.what, worsening(attempt.comparison)) for attempt in ablation.kept]
    tables = [
        (("what went", "loss before", "after", "worse by"), steps),
        (("numbers tried", "worse by", ""), candidates),
        (("may not go", "worse by"), kept),
    ]
    return [(title, rows) for title, rows in tables if rows]


def worsening(comparison: Comparison) -> str:
    """The mean paired difference with its interval: `0.0012 ± 0.0008`; `fails` if the program failed."""
    if comparison.worsening is None:
        return "fails"
    return with_interval(comparison.worsening, comparison.half_width)


def _measured(report: AblationReport) -> str:
    loss, margin = number(report.ablation.loss), number(report.ablation.margin)
    return (
        f"on {report.task}, rung {report.rung}: {report.training}; {report.seeds} fresh seeds; "
        f"loss of the given program {loss}, margin {margin} ({report.share:.2%} of it)"
    )


def _note_on_decays(ablation: Ablation) -> str:
    """Which numbers were not tried in the place of a decay, and why; empty if the program has no decay."""
    if not any(map(is_decay, ablation.given.constants)):
        return ""
    return (
        f"Rounding changes the distance of a decay, a number between 0.5 and 1, from 1 by a factor of {MAX_FACTOR} at "
        "most: 0.997 may become 0.99, but not 0.9. That distance is the share of a state that a step forgets, and with "
        "one of another size it would be another optimizer, even where the loss on this task allows it."
    )


def _conclusion(report: AblationReport) -> str:
    ablation = report.ablation
    given, program = size_of(ablation.given), size_of(ablation.program)
    if not ablation.steps:
        return "Nothing may go, and no constant may be rounded."
    return (
        f"{given.statements} → {program.statements} statements, {len(given.states)} → {len(program.states)} states; "
        f"with {ablation.confirmation.seeds} other seeds the loss is {number(ablation.confirmation.loss)}, worse by "
        f"{worsening(ablation.confirmation)} than that of the given program"
    )


def _taken_back(ablation: Ablation) -> str:
    steps = ", ".join(step.what for step in ablation.taken_back)
    return f"Taken back, because the loss with the other seeds is not within the margin: {steps}."


def _line(cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
