"""`germline compare`: statistics of runs over their seeds, and the settings in which the runs differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from statistics import median
from typing import Any

import click

from germline.cli.database import open_store
from germline.cli.formatting import QUIET, counted, number, plain_table, print_table, safe, setting
from germline.cli.hypervolume_text import reference_point_text
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.run_patterns import matching_runs
from germline.search.analysis.comparison import Group, RunResult, compare
from germline.search.analysis.paired import differently_scored, paired
from germline.search.analysis.statistics import quartiles


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@db_option
@json_option
def command(names: tuple[str, ...], url: str, as_json: bool) -> None:
    """Show statistics of runs over their seeds, and the settings in which they differ.

    Runs of one kind, task, preset and settings form a group. The score of a run is that of its winner: the fitness or,
    for policies, the mean return in the test, else in the last review.

    Runs with several objectives have a hypervolume: the share of a box that their front dominates. The box reaches from
    0 to an error of 100 % and, for each other objective, to the largest value in the compared runs on the same task.

    Below the table the first group is compared with each other group of its kind and task, seed by seed, by an exact
    sign-flip test: p is the chance of so large a mean difference if neither were better. Scores of other trainings
    (another --set lengths, steps, cells or channels) are not compared.

    RUN may be a pattern in quotes, with * for anything and ? for one character.

    \b
    Examples:
      germline compare 'frost-*'
      germline compare small-1 small-2 small-3 large-1 large-2 large-3
    """
    with open_store(url) as store:
        groups = compare(store, matching_runs(store.runs(), names))
    rows = [_row(group, groups[0]) for group in groups]
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _row(group: Group, first: Group) -> dict[str, Any]:
    run, values = group.results[0].run, group.values
    of_seeds = None if group is first else paired(first, group)
    return {
        "kind": run.kind,
        "task": run.task,
        "preset": run.preset,
        "differs": dict(group.differs),
        "runs": [_run_row(result) for result in group.results],
        "seeds": len({result.run.seed for result in group.results}),
        "of": sorted({result.source for result in group.results if result.value is not None}),
        "statuses": dict(Counter(result.run.status for result in group.results)),
        "budgets": _distinct([result.budget for result in group.results]),
        **_spread(values),
        "births": median(result.run.births for result in group.results),
        "evaluations": median(result.run.evaluations for result in group.results),
        "hypervolume": {**_spread(group.hypervolumes), "reference": group.reference} if group.reference else None,
        "first_against": of_seeds and asdict(of_seeds),
        "scored_otherwise": list(differently_scored(first, group)),
    }


def _run_row(result: RunResult) -> dict[str, Any]:
    return {
        "name": result.run.name,
        "seed": result.run.seed,
        "status": result.run.status,
        "value": result.value,
        "of": result.source,
        "episodes": result.episodes,
        "births": result.run.births,
        "evaluations": result.run.evaluations,
        "budget": dict(result.budget),
        "hypervolume": result.hypervolume,
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles, smallest and largest of ascending values; all None without values."""
    return {
        "median": median(values) if values else None,
        "quartiles": list(quartiles(values)) if values else None,
        "least": values[0] if values else None,
        "most": values[-1] if values else None,
    }


def _distinct(budgets: Sequence[Mapping[str, int]]) -> list[dict[str, int]]:
    """Each budget once, sorted by its pairs of name and number."""
    return [dict(items) for items in sorted({tuple(sorted(budget.items())) for budget in budgets})]


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    volumes = ["hypervolume"] if any(row["hypervolume"] for row in rows) else []
    numbers = ("runs", "median", "quartiles", "least", "most", *volumes, "births", "evaluations")
    table = plain_table("group", *numbers, "of", right=numbers)
    for row in rows:
        lower, upper = row["quartiles"] or (None, None)
        table.add_row(
            safe(_label(row), "bold"),
            str(len(row["runs"])),
            safe(number(row["median"]), "bold"),
            f"{number(lower)} … {number(upper)}" if row["quartiles"] else "-",
            number(row["least"]),
            number(row["most"]),
            *(number(row[name]["median"] if row[name] else None) for name in volumes),
            f"{row['births']:,.0f}",
            f"{row['evaluations']:,.0f}",
            safe(_sources(row), QUIET),
        )
    print_table(console(), table)
    for note in _notes(rows):
        console().print(safe(note, QUIET))


def _label(row: Mapping[str, Any]) -> str:
    """The settings in which a group differs from others, or the names of its runs."""
    if row["differs"]:
        return " ".join(f"{name}={_short(value)}" for name, value in row["differs"].items())
    names = [run["name"] for run in row["runs"]]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _short(value: Any) -> str:
    """A setting in the form of `--set`; a hash for a setting of several lines, such as a program."""
    text = setting(value)
    return text if "\n" not in text else f"#{sha256(text.encode()).hexdigest()[:6]}"


def _sources(row: Mapping[str, Any]) -> str:
    """The scores that the numbers of a group come from, as text: `test of 200 episodes`."""
    sources: dict[str, None] = {}
    for run in row["runs"]:
        if run["value"] is not None:
            sources[run["of"] + (f" of {counted(run['episodes'], 'episode')}" if run["episodes"] else "")] = None
    return ", ".join(sources) or "no ok outcome"


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Notes below the table: what all groups share, and reasons to doubt the numbers."""
    notes = []
    shared = {(row["kind"], row["task"], row["preset"]) for row in rows}
    if len(shared) == 1:
        kind, task, preset = shared.pop()
        notes.append(f"{kind} on {task}, preset {preset}; quartiles are over runs")
    notes += dict.fromkeys(_hypervolume_note(row) for row in rows if row["hypervolume"])
    unscored = sum(run["value"] is None for row in rows for run in row["runs"])
    if unscored:
        notes.append(f"runs without an ok outcome, which are not in the numbers: {unscored}")
    notes += [_paired_note(rows[0], row) for row in rows if row["first_against"]]
    notes += [_other_scores_note(rows[0], row) for row in rows if row["scored_otherwise"]]
    return [*notes, *(f"{_label(row)}: {doubt}" for row in rows for doubt in _doubts(row))]


def _paired_note(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """How the first group compares with another, seed by seed."""
    of_seeds = other["first_against"]
    higher = f"higher in {of_seeds['higher']} of {of_seeds['seeds']} seeds"
    p = f"p = {of_seeds['p']:.3g} by the exact sign-flip test"
    return f"{_label(first)} against {_label(other)}: {higher}, by {number(of_seeds['difference'])} on average, {p}"


def _other_scores_note(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Why the first group is not compared with another."""
    names = " and ".join(other["scored_otherwise"])
    return f"{_label(first)} and {_label(other)} are not compared: their scores depend on {names}"


def _hypervolume_note(row: Mapping[str, Any]) -> str:
    return f"hypervolume on {row['task']}: median over runs, {reference_point_text(row['hypervolume']['reference'])}"


def _doubts(row: Mapping[str, Any]) -> list[str]:
    """Reasons to doubt the numbers of one group."""
    doubts = []
    if row["seeds"] < len(row["runs"]):
        doubts.append(f"{len(row['runs'])} runs of {row['seeds']} seeds; runs with equal seeds are the same search")
    if len(row["of"]) > 1:
        doubts.append(f"its runs have different scores ({_sources(row)})")
    if len(row["budgets"]) > 1:
        doubts.append(f"its runs have different budgets ({', '.join(map(_budget_text, row['budgets']))})")
    if set(row["statuses"]) != {"finished"}:
        statuses = ", ".join(f"{count} {status}" for status, count in sorted(row["statuses"].items()))
        doubts.append(f"not all of its runs are finished ({statuses})")
    return doubts


def _budget_text(budget: Mapping[str, int]) -> str:
    return " and ".join(counted(value, name.removesuffix("s")) for name, value in budget.items()) or "none"
