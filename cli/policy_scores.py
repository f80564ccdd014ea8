"""Scores of policies in words and numbers: training episodes, reviews and tests."""

from collections.abc import Sequence

from rich.table import Table

from germline.cli.confidence import half_width
from germline.cli.formatting import BAD, QUIET, counted, number, plain_table, safe, with_interval
from germline.db.records import EvaluationRecord

SOURCES = ("fitness", "review", "test")
"""What a score is called, by its rung."""


def confidence_half_width(evaluation: EvaluationRecord) -> float | None:
    """The half width of the 95 % confidence interval of a mean return in a test; None for one episode.

    What selects has none: who did best in it was also lucky, so its mean is too high by more than chance.
    """
    deviation, episodes = evaluation.measures.get("deviation"), evaluation.measures.get("episodes", 0.0)
    return half_width(deviation, episodes) if is_test(evaluation) and deviation is not None and episodes > 1 else None


def mean_behaviour(evaluation: EvaluationRecord) -> list[float]:
    """What the episodes did, on average."""
    found: list[float] = []
    while (value := evaluation.measures.get(f"behaviour_{len(found)}")) is not None:
        found.append(value)
    return found


def decisive_score(evaluations: Sequence[EvaluationRecord]) -> EvaluationRecord | None:
    """What says most of a policy: the last test, else the last review, else its fitness; None if none went well."""
    well = [one for one in evaluations if one.fitness is not None]
    return max(well, key=lambda one: (one.rung, one.seed), default=None)


def last_per_rung(evaluations: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """At each rung the last one, which was done with the highest seed; a run can review one policy hundreds of times.

    Those at rung 0 are all kept: there is one, unless the policy was scored on another task too.
    """
    last = {(one.task, one.rung): one for one in sorted(evaluations, key=lambda one: one.seed)}
    return [one for one in evaluations if last[one.task, one.rung] is one]


def source(evaluation: EvaluationRecord) -> str:
    """What a score is of: `fitness`, `review` or `test`."""
    return SOURCES[min(evaluation.rung, len(SOURCES) - 1)]


def is_test(evaluation: EvaluationRecord) -> bool:
    """Whether nobody was selected by a score."""
    return source(evaluation) == "test"


def mean_return_text(evaluation: EvaluationRecord) -> str:
    """A mean return in words: `487.2 ± 3.1 over 200 episodes`, or `501.3 over 30 episodes used for selection`."""
    episodes = counted(round(evaluation.measures.get("episodes", 0)), "episode")
    use = "" if is_test(evaluation) else " used for selection"
    return f"{with_interval(evaluation.fitness, confidence_half_width(evaluation))} over {episodes}{use}"


def scores_table(evaluations: Sequence[EvaluationRecord], home: str) -> Table:
    """A table of a policy's fitness, last review and last test: mean return, episodes, their length and behaviour.

    A test has a confidence interval; a score used for selection has the word `selects` in its place.

    Args:
        evaluations: evaluations of score policy.
        home: the task of its run; scores on other tasks are labelled with the task.
    """
    numbers = ("return", "± 95 %", "episodes", "length")
    table = plain_table("", *numbers, "behaviour", right=numbers)
    for score in last_per_rung(evaluations):
        # Seeds of reviews count generations from 1, which are numbered from 0 everywhere else.
        name = source(score) + (f" after generation {score.seed - 1}" if score.seed else "")
        name = name if score.task == home else f"{score.task} {name}"
        if score.fitness is None:
            table.add_row(safe(name), safe(score.status, BAD))
            continue
        episodes = score.measures.get("episodes", 0.0)
        width = confidence_half_width(score)
        spread = "" if width is None else number(width)
        table.add_row(
            safe(name, "bold"),
            safe(number(score.fitness), "bold"),
            safe(spread if is_test(score) else "selects", "" if is_test(score) else QUIET),
            f"{episodes:,.0f}",
            f"{score.measures.get('steps', 0.0) / episodes:,.1f}" if episodes else "",
            safe(" ".join(f"{value:.3g}" for value in mean_behaviour(score)), QUIET),
        )
    return table


def reviews_text(evaluations: Sequence[EvaluationRecord]) -> str:
    """The number of a policy's reviews and their generations, in words; empty for fewer than two reviews."""
    # Seeds count generations from 1; reviews of seed 0 come from a run that ended within its first generation.
    generations = sorted(evaluation.seed - 1 for evaluation in evaluations if source(evaluation) == "review")
    if len(generations) < 2:
        return ""
    complete = [generation for generation in generations if generation >= 0]
    last = f" to {complete[-1]}" if len(complete) > 1 else ""
    after = f"after generation{'s' if last else ''} {complete[0]}{last}" if complete else ""
    before = "before generation 0 was whole" if len(complete) < len(generations) else ""
    return f"reviewed {len(generations):,} times, {', and '.join(filter(None, (before, after)))}"
