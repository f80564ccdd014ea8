"""The course of a comparison: tune every contender on every task at every length, train it with fresh seeds, judge."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from statistics import median

from germline.evaluators.optimizer.training_evaluator import curve_steps
from germline.evaluators.outcome import Outcome
from germline.search.knob_tuning.knobs import Point
from germline.search.knob_tuning.tuning import KnobTuning, KnobTuningPlan, advance, propose
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.results import Cell, ContenderResult, Pair, curve_of, loss_of
from germline.search.tuned_comparison.trainings import Key, Trainings
from germline.search.tuned_comparison.verdict import PairedCell, judge

TUNING_SEED, TARGET_SEED, FINAL_SEED = 4_000, 5_000, 6_000
"""First evaluation seeds, apart from each other and from those of searches (0), reviews (from 1 on), validations (from
1,000 on) and ablations (from 2,000 on)."""
SEEDS_ADDED = 5
"""Final seeds that are added at once until all verdicts are decided."""
MOST_SEEDS = 30
"""The largest number of final seeds with `--seeds auto`."""
TARGET_FACTOR = 2
"""Seeds of the reference for the target, as a multiple of the final seeds; at most `MOST_TARGET`."""
MOST_TARGET = 20
"""Most seeds of the reference for the target."""


@dataclass(frozen=True)
class ComparisonPlan:
    """How much is trained.

    Attributes:
        tuning: the same for each contender.
        lengths: multiples of the rung's steps.
        seeds: final seeds; None: 10, and blocks of 5 more until all verdicts are decided or there are 30.
    """

    tuning: KnobTuningPlan = field(default_factory=KnobTuningPlan)
    lengths: tuple[float, ...] = (1.0, 4.0)
    seeds: int | None = 10


Open = Callable[[str], AbstractContextManager[Trainings]]
"""Opens the trainings on a task."""


def compared(
    contenders: Sequence[Contender],
    steps: Mapping[str, int],
    opened: Open,
    plan: ComparisonPlan,
    on_event: Callable[[str], None] = lambda text: None,
) -> tuple[tuple[Cell, ...], tuple[Pair, ...], int]:
    """Compares contenders, of which at least one is judged and one is not.

    Args:
        contenders: those that are judged, and those that they are compared with.
        steps: for each task the steps of the rung that lengths are multiples of.
        opened: opens the trainings on a task.
        plan: how much is trained.
        on_event: gets a line when something is done.

    Returns:
        The cells, the verdict of each judged contender beside each other, and the number of final seeds.
    """
    cells: list[Cell] = []
    for task, rung_steps in steps.items():
        with opened(task) as trainings:
            for length in plan.lengths:
                cells.append(tuned_cell(trainings, task, length, rung_steps, contenders, plan, on_event))
    seeds = plan.seeds or 2 * SEEDS_ADDED
    looks = 1 if plan.seeds is not None else 1 + (MOST_SEEDS - seeds) // SEEDS_ADDED
    while True:
        done: list[Cell] = []
        for task in steps:
            with opened(task) as trainings:
                own = [cell for cell in cells if cell.task == task]
                done += [with_target(trainings, with_finals(trainings, cell, seeds), seeds) for cell in own]
        pairs = verdicts(done, looks)
        undecided = [pair for pair in pairs if pair.verdict.more is not None]
        on_event(f"{seeds} final seeds: {len(pairs) - len(undecided)} of {len(pairs)} verdicts decided")
        if plan.seeds is not None or not undecided or seeds + SEEDS_ADDED > MOST_SEEDS:
            return tuple(done), pairs, seeds
        seeds += SEEDS_ADDED


def verdicts(cells: Sequence[Cell], looks: int = 1) -> tuple[Pair, ...]:
    """Returns the verdict on each judged contender beside each other, over the cells where either was trained.

    `looks` is how often it is asked for at most, see `judge`.
    """
    contenders = [result.contender for result in cells[0].results]
    pairs = []
    for place, contender in enumerate(contenders):
        for other, baseline in enumerate(contenders):
            if not contender.judged or baseline.judged:
                continue
            both = [(cell, *cell.paired_losses(place, other)) for cell in cells]
            paired = [PairedCell(cell.task, cell.length, ours, theirs) for cell, ours, theirs in both if ours]
            if paired:
                pairs.append(Pair(place, other, judge(paired, looks)))
    return tuple(pairs)


def tuned_cell(
    trainings: Trainings,
    task: str,
    length: float,
    steps: int,
    contenders: Sequence[Contender],
    plan: ComparisonPlan,
    on_event: Callable[[str], None],
) -> Cell:
    """Returns the cell with every contender tuned; `length` multiplies `steps`, those of the rung."""
    results = []
    for contender in contenders:
        result = _tuned(trainings, contender, length, plan.tuning)
        results.append(result)
        best = result.tuning.best
        loss = f"{best.loss:.4f} on validation data" if best else f"no point could be trained: {result.error}"
        how = "tuned" if contender.tuned else "with its own constants"
        on_event(f"{task} ×{length:g}: {contender.label} {how} in {result.tuning.trainings} trainings, {loss}")
    tuned = [(r.tuning.best.loss, place) for place, r in enumerate(results) if r.tuning.best and not r.contender.judged]
    actual = max(1, round(steps * length))
    return Cell(task, length, actual, curve_steps(actual), tuple(results), min(tuned)[1] if tuned else None)


def _tuned(trainings: Trainings, contender: Contender, length: float, plan: KnobTuningPlan) -> ContenderResult:
    """The result of a contender whose tuning is done."""
    # With one trial and no descent the best point is the contender's own.
    own = plan if contender.tuned else replace(plan, trials=1, rounds=0)
    tuning, error = KnobTuning(contender.knobs.box, own), None
    while (request := propose(tuning)) is not None:
        keys: list[Key] = [
            (contender.text(point, length, "validation"), TUNING_SEED + seed)
            for point in request.points
            for seed in range(request.seeds)
        ]
        outcomes = trainings.outcomes(keys)
        losses = [loss_of(outcome) for outcome in outcomes]
        rows = [losses[i : i + request.seeds] for i in range(0, len(losses), request.seeds)]
        tuning, error = advance(tuning, rows), _latest_error(outcomes) or error
    return ContenderResult(contender, tuning, error=error)


def with_finals(trainings: Trainings, cell: Cell, seeds: int) -> Cell:
    """Returns the cell with the final outcomes of all contenders, trained together where they are programs."""
    places = [place for place, result in enumerate(cell.results) if result.tuning.best]
    texts = {place: _final_text(cell, place) for place in places}
    keys = [(texts[place], FINAL_SEED + seed) for place in places for seed in range(seeds)]
    outcomes = trainings.outcomes(keys)
    results = list(cell.results)
    for i, place in enumerate(places):
        own = tuple(outcomes[i * seeds : (i + 1) * seeds])
        results[place] = replace(results[place], finals=own, error=_latest_error(own) or results[place].error)
    return replace(cell, results=tuple(results))


def with_target(trainings: Trainings, cell: Cell, seeds: int) -> Cell:
    """Returns the cell with the target, from seeds of the reference of its own; `seeds` is the number of final ones."""
    if cell.reference is None:
        return cell
    text = _final_text(cell, cell.reference)
    count = min(MOST_TARGET, TARGET_FACTOR * seeds)
    outcomes = trainings.outcomes([(text, TARGET_SEED + seed) for seed in range(count)])
    target = median((curve_of(outcome) or (inf,))[-1] for outcome in outcomes)
    return replace(cell, target=target if isfinite(target) else None)


def _final_text(cell: Cell, place: int) -> str:
    """The final training of a contender at its best point."""
    result = cell.results[place]
    assert result.tuning.best is not None
    point: Point = result.tuning.best.point
    return result.contender.text(point, cell.length, "heldout", curve=True)


def _latest_error(outcomes: Sequence[Outcome]) -> str | None:
    errors = [outcome.error or outcome.status for outcome in outcomes if outcome.status != "ok"]
    return errors[-1] if errors else None
