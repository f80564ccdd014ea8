"""Runs: searches whose records are in a database. The command line and a notebook use the same two functions.

with Store("germline.db") as store:
    run = new_run(store, kind="optimizer", task="digits-mlp", births=2000)
    for progress in evolve(store, run.name):
        print(progress.births, progress.best)
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, get_args

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.device import memory_of, resolve
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.caller_executor import CallerExecutor
from germline.evaluators.executors.executor import Executor, Stopped
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.search.environment import RunOutdated, check_versions, environment, warn_of_other_versions
from germline.search.failures import SearchFailed
from germline.search.garbage_collection import rare_collections
from germline.search.imports import KEY, checked_genomes, strategy_of
from germline.search.journal import STOP_POLL, StoreJournal
from germline.search.kinds import kind_named, preset_named
from germline.search.loop import Search
from germline.search.progress import Progress
from germline.search.proposers.asking import Facts
from germline.search.proposers.loading import check as check_operators
from germline.search.proposers.loading import confirm, operators_of
from germline.search.settings import BadSetting, RunSettings, to_config

log = logging.getLogger(__name__)

ExecutorName = Literal["auto", "ray", "inline"]

CONFIG_VERSION = 1


@dataclass(frozen=True)
class RunPlan:
    """The arguments of `Store.create_run` for a run that is not recorded yet. Values that come from
    files, measurements or the task are in the config."""

    name: str | None
    kind: str
    task: str
    preset: str
    seed: int
    config: Mapping[str, Any]


def new_run(store: Store, kind: str = "optimizer", **options: Any) -> RunRecord:
    """Creates the record of a run; nothing is scored yet. Arguments and errors are those of `plan_run`.

    Raises:
        RunExists: the name is taken.
    """
    return record_run(store, plan_run(kind, **options))


def record_run(store: Store, plan: RunPlan) -> RunRecord:
    """Records a run as stopped; the process that evolves it claims it.

    Raises:
        RunExists: the name is taken.
    """
    run = store.create_run(plan.name, plan.kind, plan.task, plan.preset, plan.seed, plan.config, environment(plan.task))
    store.release(run.id, "stopped", 0.0)
    return store.run(run.name)


def plan_run(
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
    device: str = "auto",
    imported: Sequence[str] = (),
) -> RunPlan:
    """Plans a run: checks its settings, and reads or measures what its config holds, such as a table of latencies.

    Args:
        kind: what is searched (`germline.search.kinds.KINDS`).
        task: what it is scored on; the preset's, or the kind's default, unless given. Several tasks for optimizers are
            joined by `+`; their references are tuned now, which takes as long as about 20 candidates on each.
        preset: named settings to begin with.
        settings: `key=value` texts over the preset's.
        seed: of the whole run; the same config and seed give the same lineage.
        name: of the run; `optimizer-1`, `optimizer-2`, … unless given.
        births: the run is finished after so many births; the preset's number unless a budget is given.
        evaluations: the run begins no block after so many evaluations.
        frames: the run begins no block after policies have played so many frames, reviews included.
        device: `auto`, `cpu` or `cuda`: where the run will begin, for which its packs are chosen.
        imported: texts of genomes from elsewhere that become births of the run (`germline.search.imports`).

    Raises:
        ValueError: an unknown kind, task, preset or setting, or a bad value.
    """
    seed = _whole("seed", seed, 0) or 0
    births, evaluations = _whole("births", births, 1), _whole("evaluations", evaluations, 1)
    frames = _whole("frames", frames, 1)
    if isinstance(settings, str) or not all(isinstance(text, str) for text in settings):
        raise BadSetting(f"expected settings as a list of key=value texts, got {settings!r:.80}")
    this = kind_named(kind)
    chosen = preset_named(this, preset)
    task_name = absolute_name(task if task is not None else chosen.task or this.default_task)
    chosen_task = task_class(task_name)
    if chosen_task.kind != kind:
        raise BadSetting(f"expected a task for kind {kind}, got {task_name}, which is for {chosen_task.kind}")
    if task is None and chosen_task.held_out_task:
        raise BadSetting(f"expected a task by name, since {task_name} is held out, and no preset searches on it")
    resolved = this.resolve(chosen.values, settings)
    if this.gpu_pack and _on_gpu(device) and not any(text.partition("=")[0].strip() == "pack" for text in settings):
        most = this.largest_gpu_pack(chosen_task, memory_of(device)) or this.gpu_pack
        resolved = replace(resolved, pack=min(this.loop_settings(resolved, seed).block, most))
    prepared = this.prepare(resolved, chosen_task)
    chosen_task.check_data()
    _check_frames(kind, frames)
    check_operators(prepared, this.own_operators)
    prepared = this.calibrated(prepared, task_name, seed, device)
    config: dict[str, Any] = {
        "config_version": CONFIG_VERSION,
        "genome_version": this.genome_version,
        "settings": to_config(prepared),
        "strategy_version": this.strategy_version(prepared),
        "task_version": chosen_task.version,
        "scoring_version": this.scoring_version(prepared, chosen_task),
        "births": births if births or evaluations or frames else chosen.births,
        "evaluations": evaluations,
        "frames": frames,
    }
    if imported:
        config[KEY] = checked_genomes(this, prepared, imported, config["births"])
    return RunPlan(name, kind, task_name, preset, seed, config)


def evolve(
    store: Store,
    name: str,
    *,
    task: str | None = None,
    workers: int = 1,
    executor: ExecutorName | CallerExecutor = "auto",
    device: str = "auto",
    ray_address: str | None = None,
    births: int | None = None,
    evaluations: int | None = None,
    frames: int | None = None,
    seconds: float | None = None,
    force: bool = False,
    operators: Collection[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Runs or resumes a recorded run; yields its progress whenever something was recorded.

    Args:
        name: of the run.
        task: the run's task, which must be named here if it is a class in a file or `gym:<module>:<id>`, because a
            database must not choose code to import.
        workers: number of workers that score at the same time.
        executor: `ray`, `inline` (this process), or `auto`: Ray for more than one worker or for an address. With a
            `CallerExecutor` the caller scores, as `germline.search.ask_tell` does.
        device: `auto`, `cpu` or `cuda`.
        ray_address: of a running Ray cluster; None: Ray is started on this machine if it is needed.
        births: stop after so many births in all.
        evaluations: begin no block after so many evaluations in all.
        frames: begin no block after so many frames played in all. Without any of the three, the run's own budgets hold.
        seconds: stop after so many seconds of this session.
        force: take the run from the process that owns it, even if that process may be alive: on another host its end
            cannot be seen from here.
        operators: of the run's operators from outside, those that must be named here: functions in files, as
            `FILE.py:function`, and the address of `llm` unless it is this machine's.
        stopped: polled between jobs; once it returns True, the session ends as if the iteration had been left.

    Leaving the iteration, for whatever reason, stops the run; a later `evolve` goes on with it. A run is finished when
    a budget is used up, but stays stopped while births of an earlier session lie beyond the budget and are unscored.

    Raises:
        UnknownRun: there is no such run.
        UnconfirmedTask: the run's task has to be named, or another task is named.
        UnconfirmedOperator: an operator from outside has to be named.
        BadOperator: an operator from outside cannot be loaded.
        RunOutdated: the run has no settings, or began with another version of its task, genome or scoring.
        RunBusy: another process works on it.
        SearchFailed: so many scorings in a row have failed that scoring itself must be broken.
        NoWorker, NoCluster, ClusterLost: there are no workers, or none any more (`germline.evaluators.executors`).
        BadSetting: a budget in frames, for another kind than policies, or of fewer births than there are; or a setting
            in the run's config that this version does not take.
    """
    run = store.run(name)
    kind = kind_named(run.kind)
    confirmed_name(run.task, task)
    if "settings" not in run.config:
        raise RunOutdated(
            f"expected settings in the config of {run.name}, got none; it can be read, but not gone on with"
        )
    settings: RunSettings = kind.from_config(run.config["settings"])
    spec = EvaluatorSpec(run.kind, run.task, run.seed, device, kind.evaluator_options(settings))
    check_versions(run)
    kind.check_task(settings, task_class(run.task))
    confirm(settings, kind.own_operators, operators)
    outside = operators_of(settings, kind.own_operators)
    _check_frames(run.kind, frames)
    if births is not None:
        _check_births(store, name, births)
    if births is None and evaluations is None and frames is None:
        births, evaluations, frames = map(run.config.get, ("births", "evaluations", "frames"))
    store.claim(run.id, force)
    store.handle_requests(run.id)  # requests to an earlier session are not for this one
    journal = StoreJournal(store, run)
    # A session whose workers do not start leaves the status as it was, for example `finished`.
    status = run.status if run.status in ("finished", "failed") else "stopped"
    pool: Executor | CallerExecutor | None = None
    began = time.monotonic()

    def over() -> bool:
        return stopped() or (seconds is not None and time.monotonic() - began > seconds)

    try:
        with rare_collections():
            loop_settings = kind.loop_settings(settings, run.seed)
            if isinstance(executor, CallerExecutor):
                pool = executor
                loop_settings = replace(loop_settings, pack=1, review_pack=1)  # what is told is recorded at once
            else:
                pool = make_executor(spec, workers, executor, ray_address, settings.timeout, over)
            space = kind.space(settings)
            strategy = strategy_of(kind, settings, space, run.config)
            for operator in outside.values():
                operator.start()
            facts = Facts(run.kind, run.task, kind.language(settings))
            asked: dict[str, Any] = {"operators": outside, "caps": kind.caps(settings), "facts": facts}
            search = Search(space, strategy, pool, journal, loop_settings, **asked)
            search.read_records(evaluations, frames)
            if search.replayed:
                warn_of_other_versions(run)
            status = "stopped"
            if not search.replayed:
                pool.wait_until_ready()  # before anything is recorded
            for progress in search.events(births, evaluations, frames):
                yield progress
                if isinstance(pool, CallerExecutor) and pool.told:
                    continue  # what the caller has told is recorded before the session ends
                if journal.stop_requested(STOP_POLL if pool is not executor else 0.0):
                    store.handle_requests(run.id)
                    return
                if over():
                    return
            status = "stopped" if progress.unscored else "finished"
    except Stopped:
        return
    except SearchFailed:
        status = "failed"
        raise
    finally:
        if pool is not None:
            pool.close()
        for operator in outside.values():
            operator.close()
        store.release(run.id, status, journal.unreported_seconds())


def _whole(name: str, value: object, least: int) -> int | None:
    """A whole number as an int; None if it is None.

    Raises:
        BadSetting: it is something else, or less than `least`.
    """
    if value is None:
        return None
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise BadSetting(f"expected {name} to be a whole number of at least {least}, got {value!r:.60}")
    return int(value)


def _on_gpu(device: str) -> bool:
    """Whether a search uses a GPU; with `cuda` it may be that of another machine."""
    return device == "cuda" or resolve(device) == "cuda"


def _check_frames(kind: str, frames: int | None) -> None:
    if frames and kind != "policy":
        raise BadSetting(f"expected births or evaluations as the budget of kind {kind}, got frames: policies play them")


def _check_births(store: Store, name: str, births: int) -> None:
    born = next(summary.births for summary in store.runs() if summary.name == name)
    if births < born:
        raise BadSetting(f"expected at least {born:,} births, which {name} has, got {births:,}; nothing is taken back")


def make_executor(
    spec: EvaluatorSpec,
    workers: int,
    executor: ExecutorName,
    ray_address: str | None,
    timeout: float,
    stopped: Callable[[], bool],
) -> Executor:
    """Builds the executor of this name; `auto` is inline for one worker without a Ray cluster.

    Raises:
        BadSetting: there is no executor of this name.
    """
    if executor not in get_args(ExecutorName):
        raise BadSetting(f"expected executor to be {', '.join(get_args(ExecutorName))}, got {executor!r:.60}")
    if executor == "inline" or (executor == "auto" and workers == 1 and ray_address is None):
        return InlineExecutor(spec)
    from germline.evaluators.executors.ray_executor import RayExecutor

    if ray_address is None:  # takes seconds, in which nothing else is heard
        log.info("starting Ray workers, which load %s", spec.task)
    return RayExecutor(spec, workers, ray_address, timeout, stopped)
