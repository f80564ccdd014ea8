"""Scores of policies as text and tables: fitness, reviews and tests."""

from collections.abc import Sequence

from rich.table import Table

from germline.cli.formatting import BAD, QUIET, counted, number, plain_table, safe, with_interval
from germline.db.records import EvaluationRecord
from germline.search.analysis.policy_scores import (
    confidence_half_width,
    is_test,
    last_per_rung,
    mean_behaviour,
    source,
)


def mean_return_text(evaluation: EvaluationRecord) -> str:
    """A mean return as text: `487.2 ± 3.1 over 200 episodes`, or `501.3 over 30 episodes used for selection`."""
    episodes = counted(round(evaluation.measures.get("episodes", 0)), "episode")
    use = "" if is_test(evaluation) else " used for selection"
    return f"{with_interval(evaluation.fitness, confidence_half_width(evaluation))} over {episodes}{use}"


def scores_table(evaluations: Sequence[EvaluationRecord], home: str) -> Table:
    """A table of a policy's scores, with a row for its fitness, its last review and its last test.

    The columns are the mean return, its confidence interval, number and mean length of the episodes, and the behaviour.
    Only a test has an interval; a score that was used for selection has the word `selects` in its place.

    Args:
        evaluations: of one policy.
        home: the task of its run; scores on other tasks are labelled with the task.
    """
    numbers = ("return", "± 95 %", "episodes", "length")
    table = plain_table("", *numbers, "behaviour", right=numbers)
    for score in last_per_rung(evaluations):
        # The seed of a review is its generation counted from 1; everywhere else generations count from 0.
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
    """The number of a policy's reviews and their generations as text; empty for fewer than two reviews."""
    # Seeds count generations from 1; reviews of seed 0 come before any generation has chosen an elite.
    generations = sorted(evaluation.seed - 1 for evaluation in evaluations if source(evaluation) == "review")
    if len(generations) < 2:
        return ""
    complete = [generation for generation in generations if generation >= 0]
    last = f" to {complete[-1]}" if len(complete) > 1 else ""
    after = f"after generation{'s' if last else ''} {complete[0]}{last}" if complete else ""
    before = "at the end of a session" if len(complete) < len(generations) else ""
    return f"reviewed {len(generations):,} times, {', and '.join(filter(None, (before, after)))}"
