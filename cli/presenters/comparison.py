"""The evaluations of a candidate beside the evaluations of birth 0 of its run."""

from collections.abc import Iterable

from rich.console import Console

from germline.cli.candidate import Candidate
from germline.cli.formatting import BAD, gain, level, number, plain_table, print_table, safe
from germline.db.records import EvaluationRecord


def print_comparison(out: Console, candidate: Candidate, start: Candidate) -> None:
    """Prints fitness, objectives and measures of a candidate beside those of birth 0, rung by rung.

    For reviews it prints the fitness alone, to be short.
    """
    assert candidate.run is not None
    evaluations = candidate.evaluations
    if not evaluations:
        out.print(safe("not scored yet"))
        return
    home = candidate.run.task
    start_at = {level(evaluation, home): evaluation for evaluation in start.evaluations}
    headers = (candidate.label.rpartition(":")[2], "start", "gain")
    table = plain_table("", "", *headers, right=headers)
    for evaluation in evaluations:
        name = level(evaluation, home)
        if evaluation.status != "ok":
            table.add_row(safe(name), safe(evaluation.status, BAD), safe(""), safe(""), safe(""))
            continue
        start_values = _values(start_at[name]) if name in start_at else {}
        values = _values(evaluation) if evaluation is evaluations[0] else {"fitness": evaluation.fitness}
        for i, (key, value) in enumerate(values.items()):
            start_value = start_values.get(key)
            difference = None
            if key == "fitness" and value is not None and start_value is not None:
                difference = value - start_value
            style = "bold" if key == "fitness" else ""
            table.add_row(
                safe(name if i == 0 else ""),
                safe(key, style),
                safe(number(value), style),
                number(start_value),
                gain(difference),
            )
    print_table(out, table)
    print_errors(out, evaluations, home)


def print_errors(out: Console, evaluations: Iterable[EvaluationRecord], home: str) -> None:
    """Prints the error of each evaluation that has one; `home` is the task of the run."""
    for evaluation in evaluations:
        if evaluation.error:
            out.print(safe(f"{level(evaluation, home)}: {evaluation.error:.300}", BAD))


def _values(evaluation: EvaluationRecord) -> dict[str, float | None]:
    return {"fitness": evaluation.fitness, **evaluation.objectives, **evaluation.measures, **evaluation.objectives}
