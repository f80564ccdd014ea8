"""Runs: a search tied to its records. What a command line does with one, a notebook does with these two functions.

with Store("germline.db") as store:
    run = new_run(store, kind="optimizer", task="digits-mlp", births=2000)
    for progress in evolve(store, run.name):
        print(progress.births, progress.best)
"""

import gc
import logging
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from germline.db.records import EvaluationRecord, IndividualRecord, RunRecord
from germline.db.store import Store
from germline.evaluators.evaluator import SCORING_VERSION, EvaluatorSpec
from germline.evaluators.executors.executor import Executor, Stopped
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import absolute_name, task_class
from germline.search.individual import Individual, Scored
from germline.search.kinds import kind_named, preset_named
from germline.search.loop import Progress, ScoreKey, Search, SearchFailed
from germline.search.settings import BadSetting, RunSettings, to_config

ExecutorName = Literal["auto", "ray", "inline"]

CONFIG_VERSION = 1

PACKAGES = ("germline", "torch", "numpy", "numba", "ray", "gymnasium", "ale-py", "mujoco", "box2d", "onnxruntime")
"""What decides outcomes beside this machine: what scores and, of policies, the worlds that they play in."""

log = logging.getLogger(__name__)

_FEW_COLLECTIONS = (100_000, 50, 100)
"""Thresholds of the cyclic garbage collector during a search. What breeding keeps are many small tuples without cycles,
and to look through all of them again and again took a third of its time."""
_found_thresholds: list[tuple[int, int, int]] = []
"""What each search under way found when it began; the first of them is what the process had."""


class RunOutdated(ValueError):
    """The run began with another version of its task, of the fingerprint or of the trainer."""


def new_run(
    store: Store,
    kind: str = "optimizer",
    *,
    task: str | None = None,
    preset: str = "quick",
    settings: Sequence[str] = (),
    seed: int = 0,
    name: str | None = None,
    births: int | None = None,
    evaluations: int | None = None,
    frames: int | None = None,
) -> RunRecord:
    """Records a run to be; nothing is scored yet.

    Args:
        kind: what is searched (`germline.search.kinds.KINDS`).
        task: what it is scored on; the preset's, or the kind's default, unless given.
        preset: named settings to begin with.
        settings: `key=value` texts over the preset's.
        seed: of the whole run; the same config and seed give the same lineage.
        name: of the run; `optimizer-1`, `optimizer-2`, … unless given.
        births: the run is finished after so many; the preset's unless one of the budgets is given.
        evaluations: the run begins no block after so many.
        frames: the run begins no block after policies have played so many, reviews included.

    Raises:
        ValueError: an unknown kind, task, preset or setting, or a bad value; nothing has been recorded.
        RunExists: the name is taken.
    """
    this = kind_named(kind)
    chosen = preset_named(this, preset)
    task_name = absolute_name(task if task is not None else chosen.task or this.default_task)
    chosen_task = task_class(task_name)
    if chosen_task.kind != kind:
        raise BadSetting(f"expected a task for kind {kind}, got {task_name}, which is for {chosen_task.kind}")
    prepared = this.prepare(this.resolve(chosen.values, settings), chosen_task)
    chosen_task.check_data()
    _check_frames(kind, frames)
    config = {
        "config_version": CONFIG_VERSION,
        "genome_version": this.genome_version,
        "settings": to_config(prepared),
        "task_version": chosen_task.version,
        "scoring_version": SCORING_VERSION,
        "births": births if births or evaluations or frames else chosen.births,
        "evaluations": evaluations,
        "frames": frames,
    }
    run = store.create_run(name, kind, task_name, preset, seed, config, environment())
    store.release(run.id, "stopped", 0.0)  # whoever evolves it claims it
    return store.run(run.name)


def evolve(
    store: Store,
    name: str,
    *,
    workers: int = 1,
    executor: ExecutorName = "auto",
    device: str = "auto",
    ray_address: str | None = None,
    births: int | None = None,
    evaluations: int | None = None,
    frames: int | None = None,
    seconds: float | None = None,
    force: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Runs, or goes on with, a recorded run; yields where it stands whenever something was recorded.

    Args:
        name: of the run.
        workers: how many score at a time.
        executor: `ray`, `inline` (this process), or `auto`: Ray for more than one worker or for an address.
        device: `auto`, `cpu` or `cuda`.
        ray_address: of a running Ray cluster.
        births: stop after so many births in all.
        evaluations: begin no block after so many evaluations in all.
        frames: begin no block after so many frames played in all. Without any of the three, the run's own budgets hold.
        seconds: stop after so many seconds of this session.
        force: take the run over from a process on another host, whose end cannot be seen from here.
        stopped: looked at now and then; when it says so, the session ends as if the iteration had been left.

    Leaving the iteration, for whatever reason, stops the run; a later `evolve` goes on with it.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: another process works on it.
        SearchFailed: everything that was scored failed.
        BadSetting: a budget in frames, for another kind than policies, or of fewer births than there are.
    """
    run = store.run(name)
    this = kind_named(run.kind)
    if "settings" not in run.config:
        raise RunOutdated(
            f"expected settings in the config of {run.name}, got none; it can be read, but not gone on with"
        )
    settings: RunSettings = this.from_config(run.config["settings"])
    spec = EvaluatorSpec(run.kind, run.task, run.seed, device, this.evaluator_options(settings))
    check_versions(run)
    _check_frames(run.kind, frames)
    if births is not None:
        _check_births(store, name, births)
    store.claim(run.id, force)
    store.handled(run.id)  # requests to an earlier session are not for this one
    journal = _StoreJournal(store, run)
    status = "failed"
    pool: Executor | None = None
    began = time.monotonic()

    def over() -> bool:
        return stopped() or (seconds is not None and time.monotonic() - began > seconds)

    try:
        _collect_less(True)
        pool = make_executor(spec, workers, executor, ray_address, settings.timeout, over)
        space = this.space(settings)
        search = Search(space, this.strategy(settings, space), pool, journal, this.loop_settings(settings, run.seed))
        if search.replayed:
            _warn_of_other_versions(run)
        status = "stopped"
        if births is None and evaluations is None and frames is None:
            births, evaluations = run.config["births"], run.config["evaluations"]
            frames = run.config.get("frames")
        for progress in search.events(births, evaluations, frames):
            yield progress
            if store.pending(run.id):
                store.handled(run.id)
                return
            if over():
                return
        status = "finished"
    except Stopped:
        return
    except SearchFailed:
        status = "failed"
        raise
    finally:
        _collect_less(False)
        if pool is not None:
            pool.close()
        store.release(run.id, status, journal.unreported())


def _check_frames(kind: str, frames: int | None) -> None:
    if frames and kind != "policy":
        raise BadSetting(f"expected births or evaluations as the budget of kind {kind}, got frames: policies play them")


def _check_births(store: Store, name: str, births: int) -> None:
    born = next(one.births for one in store.runs() if one.name == name)
    if births < born:
        told = f"expected at least the {born:,} births that {name} has, got {births:,}"
        raise BadSetting(f"{told}; nothing is taken back")


def _collect_less(begin: bool) -> None:
    """Called by each search when it begins and when it ends; the last to end puts back what the first one found."""
    if begin:
        _found_thresholds.append(gc.get_threshold())
        gc.set_threshold(*_FEW_COLLECTIONS)
    elif len(_found_thresholds) > 1:
        _found_thresholds.pop()
    else:
        gc.set_threshold(*_found_thresholds.pop())


def make_executor(
    spec: EvaluatorSpec,
    workers: int,
    executor: ExecutorName,
    ray_address: str | None,
    timeout: float,
    stopped: Callable[[], bool],
) -> Executor:
    """The executor that was asked for."""
    if executor == "inline" or (executor == "auto" and workers == 1 and ray_address is None):
        return InlineExecutor(spec)
    from germline.evaluators.executors.ray_executor import RayExecutor

    return RayExecutor(spec, workers, ray_address, timeout, stopped)


def check_versions(run: RunRecord) -> None:
    """A task or a fingerprint of another version gives other outcomes under the same name.

    Raises:
        RunOutdated: the run began with such a one; it can be read, but not gone on with.
    """
    now = {
        "task": task_class(run.task).version,
        "genome": kind_named(run.kind).genome_version,
        "scoring": SCORING_VERSION,
    }
    for what, version_now in now.items():
        began = run.config.get(f"{what}_version", 1)
        if version_now != began:
            raise RunOutdated(
                f"expected version {began} of the {what}, with which {run.name} began, got version {version_now}; "
                f"start a new run"
            )


def environment() -> dict[str, Any]:
    """What a run was made with, for the record: of each package the version, None where it is not installed."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        **{name: _version(name) for name in PACKAGES},
    }


def _warn_of_other_versions(run: RunRecord) -> None:
    """Another version may score otherwise. A package that is not in the record, or was not installed, says nothing."""
    pairs = [(name, run.environment.get(name), _version(name)) for name in PACKAGES]
    others = [
        # As a literal without its quotes: a record may hold anything, and a terminal obeys control characters.
        f"{name} {repr(was)[1:-1]:.40}, now {now}"
        for name, was, now in pairs
        if isinstance(was, str) and now is not None and was != now
    ]
    if others:
        log.warning("%s was made with %s: what follows may not be what it would have been", run.name, "; ".join(others))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class _StoreJournal:
    """A run's rows, as the loop sees them."""

    def __init__(self, store: Store, run: RunRecord) -> None:
        self.store = store
        self.run = run
        self.reported = time.monotonic()

    def births(self) -> Iterable[Individual]:
        return (_individual(record) for record in self.store.individuals(self.run.id))

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        for record in self.store.evaluations(self.run.id):
            yield (record.fingerprint, record.rung, record.seed), outcome_of(record)

    def record_births(self, individuals: Sequence[Individual]) -> None:
        self.store.add_individuals(self.run.id, self.run.kind, [_individual_record(one) for one in individuals])

    def record_outcomes(self, scored: Sequence[Scored], rung: int, seed: int) -> None:
        records = [_evaluation_record(one, self.run.task, rung, seed) for one in scored]
        self.store.add_evaluations(self.run.id, records, seconds=self.unreported())

    def unreported(self) -> float:
        """Driver seconds since they were last written down."""
        now = time.monotonic()
        spent, self.reported = now - self.reported, now
        return spent


def outcome_of(record: EvaluationRecord) -> Outcome:
    """The outcome that a record holds."""
    return Outcome(
        record.status,  # type: ignore[arg-type]
        record.fitness,
        record.objectives,
        record.measures,
        record.seconds,
        record.worker,
        record.error,
    )


def _individual(record: IndividualRecord) -> Individual:
    return Individual(
        record.birth,
        record.block,
        record.parents,
        record.operator,
        record.genome,
        record.fingerprint,
        record.cached_from,
        record.rejected,
    )


def _individual_record(one: Individual) -> IndividualRecord:
    return IndividualRecord(
        one.birth, one.block, one.parents, one.operator, one.genome, one.fingerprint, one.cached_from, one.rejected
    )


def _evaluation_record(scored: Scored, task: str, rung: int, seed: int) -> EvaluationRecord:
    one, outcome = scored.individual, scored.outcome
    measures: Mapping[str, float] = outcome.measures
    return EvaluationRecord(
        one.birth,
        one.fingerprint,
        task,
        rung,
        seed,
        outcome.status,
        outcome.fitness,
        outcome.objectives,
        measures,
        outcome.seconds,
        outcome.worker,
        outcome.error,
    )
