"""`germline compare`: runs that differ in their seed alone, summed up, beside others. One lucky run is no result."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import click

from germline.cli.database import open_store
from germline.cli.matching import matching
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json

if TYPE_CHECKING:
    from germline.db.records import RunRecord, RunSummary
    from germline.db.store import Store

BUDGET = ("births", "evaluations", "frames")
"""What of a config says how long a run goes on, and nothing else."""


@dataclass(frozen=True)
class Result:
    """A run, and what it hands over: `value` is its worth, None if nothing was scored well; `of` says by what.

    `told` is all that the run was told, by name, but for its seed and its `budget`.
    """

    run: "RunSummary"
    told: Mapping[str, Any]
    value: float | None
    of: str
    episodes: int | None = None
    budget: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Runs that differ in seed and budget alone, and the settings by which they differ from the other groups."""

    results: Sequence[Result]
    differs: Mapping[str, Any]

    @property
    def values(self) -> list[float]:
        return sorted(one.value for one in self.results if one.value is not None)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@db_option
@json_option
def command(names: tuple[str, ...], url: str, as_json: bool) -> None:
    """Sum up runs over their seeds, and set what differs side by side.

    Runs of one kind, task, preset and settings are one group. Of each run counts its winner: the fitness or, of
    policies, the mean return in the test, else in the last review. RUN may be a pattern in quotes, with *
    for anything and ? for one character.

    \b
    Examples:
      germline compare 'frost-*'
      germline compare small-1 small-2 small-3 large-1 large-2 large-3
    """
    with open_store(url) as store:
        chosen = matching(store.runs(), names)
        results = [_result(store, one) for one in chosen]
    groups = grouped(results)
    if as_json:
        print_json([_row(one) for one in groups])
    else:
        _print(groups)


def grouped(results: Sequence[Result]) -> list[Group]:
    """Groups of a kind and task together, the best median first; each with the settings that differ between groups."""
    together: dict[str, list[Result]] = {}
    for one in results:
        together.setdefault(json.dumps(one.told, sort_keys=True), []).append(one)
    told = [found[0].told for found in together.values()]
    groups = [Group(found, _differing(found[0].told, told)) for found in together.values()]

    def place(group: Group) -> tuple[str, str, float]:
        first = group.results[0].run
        return first.kind, first.task, -median(group.values) if group.values else float("inf")

    return sorted(groups, key=place)


def _differing(own: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What others were told otherwise: kind, task and preset of all groups, the rest of those of the same kind."""
    alike = [one for one in told if one["kind"] == own["kind"]]

    def same(name: str) -> bool:
        others = told if name in ("kind", "task", "preset") else alike
        return all(name in one and one[name] == own[name] for one in others)

    return {name: value for name, value in own.items() if not same(name)}


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper one, between neighbours where they fall between two."""
    if len(values) < 2:
        return values[0], values[0]
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return lower, upper


def _result(store: "Store", summary: "RunSummary") -> Result:
    from germline.cli.policy_scores import decisive_score, source
    from germline.db.errors import NothingScored
    from germline.search.winner import winner as winner_of

    run = store.run(summary.name)
    nothing = Result(summary, _told(run), None, "fitness", budget=_budget(run, summary))
    try:
        winner = winner_of(store, run.name)
    except NothingScored:
        return nothing
    if summary.kind != "policy":
        return replace(nothing, value=winner.evaluation.fitness if winner.evaluation else None)
    reviews = [one for one in store.reviews(run.id, winner.individual.fingerprint) if one.task == run.task]
    found = decisive_score(reviews)
    if found is None:
        return nothing
    episodes = round(found.measures.get("episodes", 0))
    return replace(nothing, value=found.fitness, of=source(found), episodes=episodes or None)


def _budget(run: "RunRecord", summary: "RunSummary") -> dict[str, int]:
    """What ends a run, by name. One that was resumed for more births than it was told went on to as many as it has."""
    told = {name: run.config[name] for name in BUDGET if run.config.get(name)}
    return told | {"births": max(told["births"], summary.births)} if "births" in told else told


def _told(run: "RunRecord") -> dict[str, Any]:
    """What a run was told, by name. A setting that came later than the run has its default.

    What a run only worked out from its settings, such as a table of measured latencies, is left out.
    """
    from germline.search.kinds import KINDS

    settings = dict(run.config.get("settings", {}))
    if run.kind in KINDS:
        settings = {one.name: settings.get(one.name, one.default) for one in KINDS[run.kind].settable}
    versions = {name: value for name, value in run.config.items() if name not in (*BUDGET, "settings")}
    return {"kind": run.kind, "task": run.task, "preset": run.preset, **versions, **settings}


def _row(group: Group) -> dict[str, Any]:
    first, values = group.results[0], group.values
    lower, upper = quartiles(values) if values else (None, None)
    return {
        "kind": first.run.kind,
        "task": first.run.task,
        "preset": first.run.preset,
        "differs": dict(group.differs),
        "runs": [
            {
                "name": one.run.name,
                "seed": one.run.seed,
                "status": one.run.status,
                "value": one.value,
                "of": one.of,
                "episodes": one.episodes,
                "births": one.run.births,
                "evaluations": one.run.evaluations,
                "budget": dict(one.budget),
            }
            for one in group.results
        ],
        "seeds": len({one.run.seed for one in group.results}),
        "of": sorted({one.of for one in group.results if one.value is not None}),
        "statuses": dict(Counter(one.run.status for one in group.results)),
        "budgets": _different([dict(one.budget) for one in group.results]),
        "median": median(values) if values else None,
        "quartiles": [lower, upper] if values else None,
        "least": values[0] if values else None,
        "most": values[-1] if values else None,
        "births": median(one.run.births for one in group.results),
        "evaluations": median(one.run.evaluations for one in group.results),
    }


def _different(budgets: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """Each once, the smaller first."""
    return [dict(one) for one in sorted({tuple(sorted(one.items())) for one in budgets})]


def _print(groups: Sequence[Group]) -> None:
    from germline.cli.formatting import QUIET, number, plain_table, print_table, safe

    rows = [_row(one) for one in groups]
    numbers = ("runs", "median", "quartiles", "least", "most", "births", "evaluations")
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
            f"{row['births']:,.0f}",
            f"{row['evaluations']:,.0f}",
            safe(_of(row), QUIET),
        )
    print_table(console(), table)
    for note in _notes(rows):
        console().print(safe(note, QUIET))


def _label(row: Mapping[str, Any]) -> str:
    """What a group is: the settings in which it differs, or the name of its runs."""
    if row["differs"]:
        return " ".join(f"{name}={_short(value)}" for name, value in row["differs"].items())
    names = [one["name"] for one in row["runs"]]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _short(value: Any) -> str:
    """A setting as it is given; of a whole program only a hash."""
    from germline.cli.formatting import setting

    text = setting(value)
    return text if "\n" not in text else f"#{sha256(text.encode()).hexdigest()[:6]}"


def _of(row: Mapping[str, Any]) -> str:
    """By what its runs are measured: `test of 200 episodes`."""
    from germline.cli.formatting import counted

    scored = [one for one in row["runs"] if one["value"] is not None]
    told = {
        one["of"] + (f" of {counted(one['episodes'], 'episode')}" if one["episodes"] else ""): None for one in scored
    }
    return ", ".join(told) or "nothing scored"


def _notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What all groups share, and what should make one doubt."""
    notes = []
    shared = {(row["kind"], row["task"], row["preset"]) for row in rows}
    if len(shared) == 1:
        kind, task, preset = shared.pop()
        notes.append(f"{kind} on {task}, preset {preset}; quartiles are over runs")
    empty = sum(one["value"] is None for row in rows for one in row["runs"])
    if empty:
        notes.append(f"{empty} of the runs had nothing scored well, and are not in the numbers")
    for row in rows:
        if row["seeds"] < len(row["runs"]):
            notes.append(f"{_label(row)}: {len(row['runs'])} runs of {row['seeds']} seeds; equal seeds are one search")
        if len(row["of"]) > 1:
            notes.append(f"{_label(row)}: its runs are not measured alike ({_of(row)})")
        if len(row["budgets"]) > 1:
            told = ", ".join(_amount(one) for one in row["budgets"])
            notes.append(f"{_label(row)}: its runs have different budgets ({told})")
        if set(row["statuses"]) != {"finished"}:
            told = ", ".join(f"{count} {status}" for status, count in sorted(row["statuses"].items()))
            notes.append(f"{_label(row)}: not all of its runs are finished ({told})")
    return notes


def _amount(budget: Mapping[str, int]) -> str:
    from germline.cli.formatting import counted

    return " and ".join(counted(value, name.removesuffix("s")) for name, value in budget.items()) or "none"
