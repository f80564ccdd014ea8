"""The course of a run of optimizers: births, the winner's ancestors with what each operator brought, and reviews."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from germline.cli.formatting import counted
from germline.cli.pictures.page import (
    LINE_HEIGHT,
    MANY_POINTS,
    Picture,
    Style,
    count_axis,
    label,
    note_lines,
    write_legend,
    write_notes,
    write_title,
)
from germline.programs.drawing import COLOURS, FAINT, INK, LARGEST_DRAWN
from germline.search.analysis.ancestor_line import LineStep, OperatorGain
from germline.search.analysis.search_history import SearchHistory, review_gains, shown_range

CLOUD = "#b8b8b8"
REVIEW_COLOURS = (FAINT, "#0072b2", "#d55e00")
_FITNESS_HEIGHT, _REVIEW_HEIGHT = 2.3, 1.3
"""Heights of the two plots in inches."""
_COLUMNS = 2
"""Columns of the upper legend."""


def history_picture(history: SearchHistory, title: str) -> Picture:
    """Returns the picture of a run's course. A fitness beyond `LARGEST_DRAWN` is left out."""
    gains = review_gains(history)
    notes = _notes(history)
    heights = [_FITNESS_HEIGHT, _REVIEW_HEIGHT] if gains else [_FITNESS_HEIGHT]
    rows = -(-(len(history.operators) + 2) // _COLUMNS)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True, squeeze=False)
        panels = [axes for [axes] in grid]
        _draw_births(panels[0], history)
        if gains:
            _draw_reviews(panels[1], gains)
        count_axis(panels[-1].xaxis, history.total)
        panels[-1].set_xlabel("birth")
        figure.align_ylabels(panels)
        write_title(figure, title)
        write_notes(figure, notes)

    return Picture(draw, sum(heights) + 0.8 + LINE_HEIGHT * (rows + len(note_lines(notes))))


def _draw_births(axes: Axes, history: SearchHistory) -> None:
    low, high = shown_range(history)
    scored = zip(history.births, history.fitness, strict=True)
    inside = [(birth, value) for birth, value in scored if low <= value and abs(value) < LARGEST_DRAWN]
    dots: Style = {"linestyle": "none", "marker": "o", "markersize": 1.6, "markeredgewidth": 0, "color": CLOUD}
    many = len(inside) >= MANY_POINTS
    axes.plot(*_columns([] if many else inside), label="births", gid="births", alpha=0.7, zorder=1, **dots)
    if many:
        _draw_density(axes, inside)
    best = [(birth, value) for birth, value in history.best if abs(value) < LARGEST_DRAWN]
    steps = [*best, (history.total - 1, best[-1][1])] if best else []
    axes.step(*_columns(steps), where="post", color=FAINT, label="best so far", gid="best", zorder=2)
    line = [step for step in history.line if step.fitness is not None and abs(step.fitness) < LARGEST_DRAWN]
    _draw_ancestors(axes, [(step, step.fitness or 0.0) for step in line], history.operators)
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    if max(abs(low), abs(high)) < LARGEST_DRAWN:
        axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(-0.02 * history.total, 1.02 * history.total)
    axes.set_ylabel("fitness in the search")
    write_legend(axes, _COLUMNS)


def _draw_density(axes: Axes, births: Sequence[tuple[int, float]]) -> None:
    """Many births as an image: the darker, the more of them are in a place, by the logarithm of their number."""
    colours = LinearSegmentedColormap.from_list("births", ["#e6e6e6", "#8c8c8c"])
    axes.hist2d(*_columns(births), bins=(150, 90), cmap=colours, norm=LogNorm(), cmin=1, rasterized=True, zorder=1)


def _draw_ancestors(axes: Axes, line: Sequence[tuple[LineStep, float]], operators: Sequence[OperatorGain]) -> None:
    """The line of ancestors: each step has the colour of its operator, and the last is a star. A step that changed no
    fitness is small."""
    axes.plot([step.birth for step, _ in line], [value for _, value in line], color=INK, lw=0.9, gid="line", zorder=3)
    colours = {each.operator: COLOURS[i % len(COLOURS)] for i, each in enumerate(operators)}
    edge: Style = {"mec": INK, "mew": 0.6, "linestyle": "none", "zorder": 4}
    for step, value in line:
        last = step is line[-1][0]
        size = 8.0 if last else 4.5 if step.gain or step.gain is None else 2.5
        colour = colours.get(step.operator, "white")
        axes.plot([step.birth], [value], "*" if last else "o", color=colour, ms=size, gid=f"step-{step.birth}", **edge)
    for each in operators:
        words = f"{label(each.operator, 16)} {each.gain:+.2g} ({each.steps}×)"
        axes.plot([], [], "o", color=colours[each.operator], ms=4.5, label=words, **edge)


def _draw_reviews(axes: Axes, gains: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    for i, (name, points) in enumerate(gains.items()):
        drawn = [(birth, value) for birth, value in points if abs(value) < LARGEST_DRAWN]
        style: Style = {"color": REVIEW_COLOURS[i], "linestyle": ("-", "--", ":")[i]}
        axes.plot(*_columns(drawn), marker="o", markersize=2.6, label=label(name), gid=f"review-{i}", **style)
    axes.set_ylabel("gain over\nthe start")
    write_legend(axes, 3)


def _notes(history: SearchHistory) -> list[str]:
    low, _ = shown_range(history)
    below = sum(value < low for value in history.fitness)
    failed = history.failed
    notes = []
    if history.line:
        steps = counted(len(history.line) - 1, "step")
        neutral = sum(step.gain == 0 for step in history.line)
        notes.append(
            f"line: from the start to birth {history.line[-1].birth:,} (star), {steps}, {neutral} of them neutral"
        )
    if history.operators:
        notes.append("legend: what each operator gained along the line, and its steps")
    if len(history.births) >= MANY_POINTS:
        notes.append("grey: births; the darker, the more")
    unseen = [f"{below:,} below the plot"] if below else []
    unseen += [f"{failed:,} without an ok outcome"] if failed else []
    if unseen:
        notes.append(f"of {counted(history.total, 'birth')}: {', '.join(unseen)}")
    return notes


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
