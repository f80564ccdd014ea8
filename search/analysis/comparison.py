"""Comparison of runs over seeds: groups of runs with equal settings, their scores, and the settings that differ.

A single run may be lucky. The runs of a group have the same kind, task, preset and settings, and differ in seed and
budget alone.

Example:
    with Store("germline.db", create=False) as store:
        for group in compare(store, [run for run in store.runs() if run.kind == "policy"]):
            print(dict(group.differs), group.values)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from germline.db.errors import NothingScored
from germline.db.records import RunRecord, RunSummary
from germline.search.analysis.hypervolume import hypervolume, reference_points, scored_points
from germline.search.analysis.policy_scores import decisive_score, source
from germline.search.kinds import KINDS
from germline.search.winner import winner as winner_of

if TYPE_CHECKING:
    from germline.db.store import Store

BUDGET = ("births", "evaluations", "frames")
"""The keys of a run's config that decide when it ends, and nothing else."""

SHARED_BY_KINDS = ("kind", "task", "preset")
"""The settings that are compared between all groups; other settings are compared between groups of one kind."""


@dataclass(frozen=True)
class RunResult:
    """A run and the score of its winner.

    Attributes:
        run: the run.
        settings: as `settings_of` returns them, without the seed, the budget, and what was measured or derived.
        value: fitness of the winner or, of a policy, its mean return; None if no outcome is ok.
        source: the score that `value` is: `fitness`, `review` or `test`.
        episodes: number of episodes in that mean return; None for other kinds.
        budget: births, evaluations and frames at most, those that were given.
        hypervolume: share, 0 to 1, of the box from 0 to `reference` that the run's front dominates; None for a run with
            a single objective.
        reference: the corner of that box, by the name of the objective; None as `hypervolume` is.
    """

    run: RunSummary
    settings: Mapping[str, Any]
    value: float | None
    source: str
    episodes: int | None = None
    budget: Mapping[str, int] = field(default_factory=dict)
    hypervolume: float | None = None
    reference: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Group:
    """Runs that differ in seed and budget alone; `differs` holds their settings that are not equal in all groups."""

    results: Sequence[RunResult]
    differs: Mapping[str, Any]

    @property
    def values(self) -> list[float]:
        """The scores of the runs, ascending; runs without an ok outcome are left out."""
        return sorted(result.value for result in self.results if result.value is not None)

    @property
    def hypervolumes(self) -> list[float]:
        """The hypervolumes of the runs, ascending; empty for runs with a single objective."""
        return sorted(result.hypervolume for result in self.results if result.hypervolume is not None)

    @property
    def reference(self) -> Mapping[str, float] | None:
        """The reference point of the hypervolumes, by objective; None for runs with a single objective."""
        return self.results[0].reference


def compare(store: "Store", runs: Sequence[RunSummary]) -> list[Group]:
    """Returns runs in groups, as `grouped` orders them.

    Args:
        store: the database of the runs.
        runs: some of `store.runs()`. Runs with the same task and objectives share a reference point, so their
            hypervolumes are comparable.
    """
    return grouped(_with_hypervolumes(store, [_result(store, run) for run in runs]))


def grouped(results: Sequence[RunResult]) -> list[Group]:
    """Returns results in groups of equal settings: by kind, then by task, then the highest median first."""
    by_settings: dict[str, list[RunResult]] = {}
    for result in results:
        by_settings.setdefault(json.dumps(result.settings, sort_keys=True), []).append(result)
    settings = [members[0].settings for members in by_settings.values()]
    groups = [Group(members, _differing(members[0].settings, settings)) for members in by_settings.values()]

    def place(group: Group) -> tuple[str, str, float]:
        run = group.results[0].run
        return run.kind, run.task, -median(group.values) if group.values else float("inf")

    return sorted(groups, key=place)


def settings_of(run: RunRecord) -> dict[str, Any]:
    """The kind, task, preset, versions and settings of a run, by name, without its seed and budget.

    Runs that are equal in these are compared as one group. A setting that the run's version did not have gets its
    default. What was measured or derived, such as a table of latencies, is left out.
    """
    settings = dict(run.config.get("settings", {}))
    if run.kind in KINDS:
        settings = {setting.name: settings.get(setting.name, setting.default) for setting in KINDS[run.kind].settable}
    versions = {name: value for name, value in run.config.items() if name not in (*BUDGET, "settings")}
    return {"kind": run.kind, "task": run.task, "preset": run.preset, **versions, **settings}


def _differing(own: Mapping[str, Any], every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The settings of a group that are missing or different in another group."""
    same_kind = [settings for settings in every if settings["kind"] == own["kind"]]

    def shared(name: str) -> bool:
        others = every if name in SHARED_BY_KINDS else same_kind
        return all(name in settings and settings[name] == own[name] for settings in others)

    return {name: value for name, value in own.items() if not shared(name)}


def _result(store: "Store", summary: RunSummary) -> RunResult:
    run = store.run(summary.name)
    unscored = RunResult(summary, settings_of(run), None, "fitness", budget=_budget(run, summary))
    try:
        winner = winner_of(store, run.name)
    except NothingScored:
        return unscored
    if summary.kind != "policy":
        return replace(unscored, value=winner.evaluation.fitness if winner.evaluation else None)
    reviews = store.reviews(run.id, winner.individual.fingerprint)
    score = decisive_score([review for review in reviews if review.task == run.task])
    if score is None:
        return unscored
    episodes = round(score.measures.get("episodes", 0))
    return replace(unscored, value=score.fitness, source=source(score), episodes=episodes or None)


def _with_hypervolumes(store: "Store", results: Sequence[RunResult]) -> list[RunResult]:
    points = [scored_points(store, result.run.name) for result in results]
    return [
        result
        if run is None or reference is None
        else replace(result, hypervolume=hypervolume(run.values, reference), reference=reference)
        for result, run, reference in zip(results, points, reference_points(points), strict=True)
    ]


def _budget(run: RunRecord, summary: RunSummary) -> dict[str, int]:
    """The budget of a run, by name. If `germline resume --births` went beyond the budget, the number of births
    replaces it."""
    budget = {name: run.config[name] for name in BUDGET if run.config.get(name)}
    if "births" in budget:
        budget["births"] = max(budget["births"], summary.births)
    return budget
