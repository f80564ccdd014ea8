"""Tables of a comparison as text, for a terminal and for Markdown alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median

from germline.cli.formatting import number
from germline.search.knob_tuning.tuning import KnobTuning
from germline.search.tuned_comparison.overall import FACTORS, improvement, overall
from germline.search.tuned_comparison.results import Cell, ContenderResult, TunedComparison
from germline.search.tuned_comparison.verdict import Verdict


@dataclass(frozen=True)
class TextTable:
    """A table with its title, and notes below it."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def tables(comparison: TunedComparison) -> list[TextTable]:
    """The tables of a comparison: results and tunings of each task and length, then the verdicts and the whole."""
    of_cells = [table for cell in comparison.cells for table in (_finals(comparison, cell), _tunings(cell))]
    whole = replace(whole_table(comparison, "All tasks and lengths"), notes=_improvements(comparison))
    return [*of_cells, verdict_table(comparison), whole]


def verdict_lines(comparison: TunedComparison) -> list[str]:
    """A sentence for each verdict."""
    names = [contender.label for contender in comparison.contenders]
    sentences = []
    for pair in comparison.pairs:
        verb = " is" if pair.verdict.more is None else ""
        sentences.append(f"{names[pair.place]}{verb} {phrase(names[pair.other], pair.verdict)}")
    return sentences


def phrase(other: str, verdict: Verdict) -> str:
    """A verdict beside another optimizer in words, such as `better than library:adamw`."""
    return f"beside {other}: {verdict}" if verdict.more is not None else f"{verdict.word} than {other}"


def _title(cell: Cell) -> str:
    return f"{cell.task}, {cell.steps:,} steps (×{cell.length:g})"


def _finals(comparison: TunedComparison, cell: Cell) -> TextTable:
    rows = []
    for place, result in enumerate(cell.results):
        ratios = cell.speed_ups(place)
        middle = median(ratios) if ratios else None
        steps, cost = cell.steps_to_target(place), comparison.microseconds[cell.task][place]
        tuned = result.tuning.best.loss if result.tuning.best else None
        rows.append(
            (
                result.contender.label + (" (reference)" if place == cell.reference else ""),
                number(result.contender.search_loss),
                number(tuned),
                number(result.mean),
                number(result.deviation),
                "-" if result.failed is None else f"{100 * result.failed:.0f} %",
                "-" if steps is None else f"{steps:,.0f}" if isfinite(steps) else "never",
                "-" if middle is None else f"{middle:.2f}×",
                "-" if cost is None else f"{cost:.0f}",
                "-" if result.contender.states is None else str(result.contender.states),
            )
        )
    target = "" if cell.target is None else f"target {number(cell.target)}: the reference's median in seeds of its own"
    notes = [text for text in (target, *_errors(cell.results)) if text]
    headers = (
        "contender", "search", "tuned", "held-out", "±", "failed", "to target", "speed-up", "µs/step", "states",
    )  # fmt: skip
    return TextTable(f"{_title(cell)}: {comparison.seeds} fresh seeds", headers, tuple(rows), tuple(notes))


def _errors(results: Sequence[ContenderResult]) -> list[str]:
    return [f"{r.contender.label}: {r.error:.200}" for r in results if r.error is not None and r.failed != 0]


def _tunings(cell: Cell) -> TextTable:
    rows = []
    reported = reported_trials(cell)
    for result in cell.results:
        tuning = result.tuning
        rates = "-" if tuning.good_rates is None else f"{tuning.good_rates[0]:.2g}…{tuning.good_rates[1]:.2g}"
        rows.append(
            (
                result.contender.label,
                *(_loss(tuning.best_after(count)) for count in reported),
                number(tuning.best.loss if tuning.best else None),
                number(tuning.deviation),
                str(tuning.trainings),
                rates,
                point_text(tuning),
                "; ".join(tuning.widened) or "-",
            )
        )
    after = tuple(f"after {count}" for count in reported)
    headers = ("contender", *after, "descent", "±", "trainings", "good rates", "best point", "box widened")
    return TextTable(f"{_title(cell)}: tuning on validation data", headers, tuple(rows))


def reported_trials(cell: Cell) -> tuple[int, ...]:
    """Numbers of trials after which the best losses of a cell are reported; the last is the most that any contender
    had."""
    return max((result.tuning.plan for result in cell.results), key=lambda plan: plan.trials).reported


def point_text(tuning: KnobTuning) -> str:
    """The best point of a tuning in words; empty if no point could be trained."""
    point = tuning.box.named(tuning.best.point) if tuning.best else {}
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else value for name, value in point.items())


def _loss(loss: float) -> str:
    return number(loss) if isfinite(loss) else "failed"


def verdict_table(comparison: TunedComparison) -> TextTable:
    """The paired differences of each verdict, and the verdicts below them."""
    names = [contender.label for contender in comparison.contenders]
    rows = [
        (
            names[pair.place],
            names[pair.other],
            f"{cell.task} ×{cell.length:g}",
            f"{cell.gain:+.4f}",
            f"{cell.low:+.4f} … {cell.high:+.4f}",
            f"{cell.p:.2g}",
            f"{cell.holm:.2g}",
            "better" if cell.better else "worse" if cell.worse else "-",
        )
        for pair in comparison.pairs
        for cell in pair.verdict.cells
    ]
    headers = ("judged", "beside", "on", "gain", "95 % interval", "p", "Holm", "")
    return TextTable("Paired differences of held-out losses", headers, tuple(rows), tuple(verdict_lines(comparison)))


def whole_table(comparison: TunedComparison, title: str, fastest_first: bool = False) -> TextTable:
    """The summaries over all cells, in the order of the contenders or of their speed-ups."""
    summaries = list(zip(comparison.contenders, overall(comparison), strict=True))
    if fastest_first:
        summaries.sort(key=lambda each: -(each[1].speed_up or 0.0))
    rows = []
    for contender, summary in summaries:
        mean = summary.speed_up
        ends = "-" if summary.low is None or summary.high is None else f"{summary.low:.2f} … {summary.high:.2f}"
        profile = tuple(f"{100 * share:.0f} %" for share in summary.profile) or ("-",) * len(FACTORS)
        rows.append((contender.label, "-" if mean is None else f"{mean:.2f}×", ends, *profile))
    headers = ("contender", "speed-up", "95 % interval", *(f"within {factor:g}×" for factor in FACTORS))
    return TextTable(title, headers, tuple(rows))


def _improvements(comparison: TunedComparison) -> tuple[str, ...]:
    names = [contender.label for contender in comparison.contenders]
    return tuple(
        f"a loss of {names[pair.place]} is below one of {names[pair.other]} in "
        f"{100 * improvement(comparison, pair):.0f} % of all pairs"
        for pair in comparison.pairs
    )
