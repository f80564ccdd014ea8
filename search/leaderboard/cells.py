"""Rows of a table as a cell of a comparison, so that all that is computed of comparisons is computed of tables too."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from germline.evaluators.optimizer.training_evaluator import curve_steps
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer.library import library_text
from germline.search.knob_tuning.tuning import KnobTuning, Trial
from germline.search.leaderboard.protocol import YARDSTICK, Protocol
from germline.search.leaderboard.table import BaselineRow, InvalidTable, Versions
from germline.search.tuned_comparison.contender import Contender, program_contender
from germline.search.tuned_comparison.results import Cell, ContenderResult

CURVE_DIGITS = 5
"""Significant digits of the losses of a curve."""


def baseline_contender(baseline: str) -> Contender:
    """The contender of a baseline, which is not judged.

    Raises:
        UnknownProgram: the library has no such program.
    """
    return program_contender(baseline, library_text(baseline.removeprefix("library:")), judged=False)


def cell_of(rows: Sequence[BaselineRow], protocol: Protocol) -> Cell:
    """The cell of a task from its rows, of which one is the yardstick's; that is the reference.

    Raises:
        InvalidTable: a row has constants that its baseline does not have.
    """
    first = rows[0]
    place = next(i for i, row in enumerate(rows) if row.baseline == YARDSTICK)
    results = tuple(_result(row, protocol) for row in rows)
    return Cell(first.task, protocol.length, first.steps, curve_steps(first.steps), results, place, rows[place].target)


def row_of(cell: Cell, place: int, versions: Versions) -> BaselineRow:
    """The row of the baseline at a place of a cell, whose target is that of the yardstick if the yardstick is in it."""
    result = cell.results[place]
    tuning = result.tuning
    return BaselineRow(
        cell.task,
        result.contender.label,
        cell.steps,
        versions,
        tuning.box.named(tuning.best.point) if tuning.best else None,
        tuning.best.loss if tuning.best else None,
        tuning.trainings,
        tuning.widened,
        result.losses,
        tuple(tuple(float(f"{loss:.{CURVE_DIGITS}g}") for loss in curve) for curve in result.curves),
        cell.target if result.contender.label == YARDSTICK else None,
        result.error,
    )


def _result(row: BaselineRow, protocol: Protocol) -> ContenderResult:
    contender = baseline_contender(row.baseline)
    tuning = KnobTuning(contender.knobs.box, protocol.plan.tuning, "done", trainings=row.trainings, widened=row.widened)
    if row.constants is None or row.tuned is None:
        return ContenderResult(contender, tuning, error=row.error)
    names = list(tuning.box.named(tuning.box.default))
    if set(names) != set(row.constants):
        raise InvalidTable(
            f"expected the constants {', '.join(names)} of {row.baseline} on {row.task}, got {', '.join(row.constants)}"
        )
    best = Trial(tuple(row.constants[name] for name in names), (row.tuned,))
    finals = tuple(_outcome(loss, curve) for loss, curve in zip(row.losses, row.curves, strict=True))
    return ContenderResult(contender, replace(tuning, best=best), finals, row.error)


def _outcome(loss: float, curve: Sequence[float]) -> Outcome:
    """The outcome of a final training."""
    if not isfinite(loss):
        return Outcome("diverged")
    return Outcome("ok", -loss, {"loss": loss}, {f"curve_{i:02}": value for i, value in enumerate(curve)})
