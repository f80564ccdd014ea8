"""Loss curves of a comparison as plots: the mean over the final seeds with its 95 % confidence interval."""

import re
from math import isfinite
from pathlib import Path

from germline.search.analysis.line_plot import Line, LinePlot, Point
from germline.search.analysis.statistics import deviation, half_width, mean
from germline.search.tuned_comparison.results import Cell, ContenderResult, TunedComparison


def plots(comparison: TunedComparison, path: Path) -> dict[Path, LinePlot]:
    """The plot of each task and length by its file: the given one, or one beside it with task and length in its name
    if there are several."""
    several = len(comparison.cells) > 1
    return {(_beside(path, cell) if several else path): _plot(cell, comparison.seeds) for cell in comparison.cells}


def picture_paths(tasks: tuple[str, ...], lengths: tuple[float, ...], path: Path) -> list[Path]:
    """The files that `plots` names."""
    cells = [Cell(task, length, 0, (), (), None) for task in tasks for length in lengths]
    return [_beside(path, cell) for cell in cells] if len(cells) > 1 else [path]


def _beside(path: Path, cell: Cell) -> Path:
    task = re.sub(r"[^\w.-]+", "-", cell.task.rsplit("/", 1)[-1])
    return path.with_name(f"{path.stem}-{task}-{cell.length:g}{path.suffix}")


def _plot(cell: Cell, seeds: int) -> LinePlot:
    lines = [_line(result, cell.curve_steps) for result in cell.results]
    target = "" if cell.target is None else f"target: {cell.target:.4f}; "
    note = f"{target}mean and 95 % confidence interval over {seeds} fresh seeds; trainings that failed are left out"
    return LinePlot(lines, f"{cell.task}, {cell.steps:,} steps", "steps", "held-out loss", [note])


def _line(result: ContenderResult, steps: tuple[int, ...]) -> Line:
    """The curve of a contender, over the seeds whose losses are finite to the end."""
    whole = [curve for curve in result.curves if len(curve) == len(steps) and all(map(isfinite, curve))]
    points = []
    for step, losses in zip(steps, zip(*whole, strict=True), strict=True) if whole else ():
        width = half_width(deviation(losses), len(losses)) if len(losses) > 1 else None
        points.append(Point(float(step), mean(losses), width))
    return Line(result.contender.label, points)
