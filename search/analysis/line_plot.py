"""Learning curves as the lines of a plot: of runs side by side, or of a run of optimizers beside its reviews."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from germline.search.analysis.learning_curve import LearningCurve, Row
from germline.search.analysis.review_curve import ReviewedProgram
from germline.search.analysis.statistics import half_width_or_none

GAIN = "gain over the start program"
"""The quantity of reviews: a fitness minus that of the start program on the same seeds and steps."""

Score = Callable[[ReviewedProgram], float | None]


@dataclass(frozen=True)
class Point:
    """A value, with the half width of its confidence interval; None if that is unknown."""

    x: float
    y: float
    half_width: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of a plot, and the last test of its run. `label` names the quantity that the line shows if it is not that
    of the y axis; else it is empty. `dots`: whether each point is a measurement of its own."""

    name: str
    points: Sequence[Point]
    test: Point | None = None
    label: str = ""
    dots: bool = False


@dataclass(frozen=True)
class LinePlot:
    """Lines, the names of the axes (the x axis begins at 0), the title and notes on what is drawn."""

    lines: Sequence[Line]
    title: str
    x: str
    y: str
    notes: Sequence[str] = ()


def learning_plot(curves: Sequence[LearningCurve]) -> LinePlot:
    """Returns the plot of learning curves: a line for each run that has an ok outcome; none if no run has.

    A single run of optimizers with a reviewed start program has the lines of `review_lines` instead.
    """
    if len(curves) == 1 and (gains := review_lines(curves[0])):
        notes = ["reviews: of the best program so far, a dot each"]
        return LinePlot(gains, _title(curves), "evaluations", GAIN, notes)
    reviewed = [any(row.elite is not None for row in curve.rows) for curve in curves]
    x = "frames" if all(row.frames for curve in curves for row in curve.rows) else "evaluations"
    y = "best mean of reviews" if any(reviewed) else "best fitness so far"
    lines = [
        _line(curve, x, reviews, label="" if reviews == any(reviewed) else "best fitness")
        for curve, reviews in zip(curves, reviewed, strict=True)
    ]
    drawn = [line for line in lines if line.points]
    unscored = [curve for curve, line in zip(curves, lines, strict=True) if not line.points]
    return LinePlot(drawn, _title(curves), x, y, _notes(drawn, unscored))


def review_lines(curve: LearningCurve) -> list[Line]:
    """Returns the lines of the gains in the search, over fresh seeds and at the longer rung, over evaluations; empty
    if the start program was not reviewed."""
    start = next((program for program in curve.reviewed if program.birth == 0), None)
    if start is None:
        return []
    best = [(row, row.best) for row in curve.rows]
    rows = {row.block: row for row in curve.rows}
    seeds = most_fresh_seeds(curve.reviewed)
    fresh = f"mean of {seeds} fresh {'seed' if seeds == 1 else 'seeds'}"
    longer = f"rung {longest_rung(curve.reviewed)}"
    lines = [
        Line(curve.run.name, _gains(best, start.search), label="search"),
        Line(curve.run.name, _reviewed_gains(curve.reviewed, rows, start, _fresh), label=fresh, dots=True),
        Line(curve.run.name, _reviewed_gains(curve.reviewed, rows, start, _longer), label=longer, dots=True),
    ]
    return [line for line in lines if line.points]


def most_fresh_seeds(reviewed: Sequence[ReviewedProgram]) -> int:
    """Returns the largest number of fresh seeds of a review."""
    return max((program.fresh_seeds for program in reviewed), default=0)


def longest_rung(reviewed: Sequence[ReviewedProgram]) -> int | None:
    """Returns the highest rung of the reviews beyond rung 0; None without any."""
    return max((program.rung for program in reviewed if program.rung is not None), default=None)


def run_names(curves: Sequence[LearningCurve]) -> str:
    """Returns the names of the first runs, and how many more there are."""
    first = ", ".join(curve.run.name for curve in curves[:3])
    return first if len(curves) <= 3 else f"{first} and {len(curves) - 3} more"


def _fresh(program: ReviewedProgram) -> float | None:
    return program.fresh


def _longer(program: ReviewedProgram) -> float | None:
    return program.longer


def _reviewed_gains(
    reviewed: Sequence[ReviewedProgram], rows: Mapping[int, Row], start: ReviewedProgram, score: Score
) -> list[Point]:
    return _gains(
        [(rows[program.block], score(program)) for program in reviewed if program.block in rows], score(start)
    )


def _gains(scores: Sequence[tuple[Row, float | None]], start: float | None) -> list[Point]:
    """The gains of scores over that of the start program, at the evaluations of their rows."""
    if start is None:
        return []
    return [Point(float(row.evaluations), score - start) for row, score in scores if score is not None]


def _line(curve: LearningCurve, x: str, reviews: bool, label: str) -> Line:
    """The line of a run: the elite's mean if `reviews`, else the best fitness so far."""

    def position(row: Row) -> float:
        return float((row.frames if x == "frames" else row.evaluations) or 0)

    points = []
    for row in curve.rows:
        value = row.elite if reviews else row.best
        if value is not None:
            half = half_width_or_none(row.deviation, row.episodes) if reviews else None
            points.append(Point(position(row), value, half))
    return Line(curve.run.name, points, _test_point(curve, position), label)


def _test_point(curve: LearningCurve, position: Callable[[Row], float]) -> Point | None:
    """The last test, at the x position of the block that it followed; None without a test."""
    test = curve.test
    before = [row for row in curve.rows if test and row.block <= test.block]
    if test is None or not before:
        return None
    return Point(position(before[-1]), test.mean, half_width_or_none(test.deviation, test.episodes))


def _title(curves: Sequence[LearningCurve]) -> str:
    runs = [curve.run for curve in curves]
    tasks = list(dict.fromkeys(run.task for run in runs))
    subject = f"{runs[0].kind} on {tasks[0] if len(tasks) == 1 else f'{len(tasks)} tasks'}"
    return subject if len(runs) > 1 else f"{runs[0].name}: {subject}"


def _notes(lines: Sequence[Line], unscored: Sequence[LearningCurve]) -> list[str]:
    notes = []
    if any(point.half_width is not None for line in lines for point in line.points):
        notes.append("bands: spread of a review's episodes; reviews select, so the means are too high")
    if any(line.test for line in lines):
        notes.append("diamonds: the last test, with its 95 % confidence interval")
    if unscored:
        notes.append(f"no ok outcome yet: {run_names(unscored)}")
    return notes
