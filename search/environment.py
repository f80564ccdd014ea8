"""The machine and the versions with which a run began: recorded when it begins, compared when it goes on."""

import logging
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from germline.db.records import RunRecord
from germline.evaluators.errors import one_line
from germline.evaluators.tasks.name_grammar import file_and_class, is_in_file, names_of
from germline.evaluators.tasks.registry import task_class
from germline.evaluators.tasks.task_files import digest_of
from germline.search.kinds import kind_named

PACKAGES = (
    "germline",
    "torch",
    "triton",
    "numpy",
    "numba",
    "ray",
    "gymnasium",
    "ale-py",
    "mujoco",
    "box2d",
    "onnxruntime",
)
"""Packages on which outcomes depend: those that score, and those of the environments of policies."""

log = logging.getLogger(__name__)


class RunOutdated(ValueError):
    """The run began with another version of its task, of the genome or of the scoring, or its config has no
    settings."""


CPU = "cpu"
"""Key of the model of the CPU, by whose instructions the last bits of outcomes may differ."""
FILES = "files"
"""Key of the digests of the files that a run's tasks are in."""


def environment(task: str) -> dict[str, Any]:
    """Python, the machine, the model of its CPU, the version of each package (None: not installed), and of a task in a
    file a digest of it.

    Args:
        task: the full name of the task of a run, or the names of several.
    """
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        CPU: _cpu(),
        **{name: _version(name) for name in PACKAGES},
        **({FILES: digests} if (digests := _digests(task)) else {}),
    }


def check_versions(run: RunRecord) -> None:
    """Refuses a run whose task, genome, strategy or scoring has another version now: what follows could not be compared
    with what is recorded.

    Raises:
        RunOutdated: a version differs; the run can be read, but not resumed.
        UnknownTask, InvalidTask, UnknownKind: the task cannot be loaded, or this version does not know the kind.
        BadSetting: a setting in the run's config that this version does not take.
    """
    task, kind = task_class(run.task), kind_named(run.kind)
    _check_version(run, "task", task.version)
    check_lineage_versions(run)
    settings = kind.from_config(run.config.get("settings", {}))
    _check_version(run, "scoring", kind.scoring_version(settings, task))


def check_lineage_versions(run: RunRecord) -> None:
    """Refuses a run whose genomes had other operators or another meaning, or whose strategy decided otherwise, when it
    began.

    Raises:
        RunOutdated: a version differs.
        UnknownKind: this version does not know the kind of the run.
        BadSetting: a setting in the run's config that this version does not take.
    """
    kind = kind_named(run.kind)
    _check_version(run, "genome", kind.genome_version)
    settings = kind.from_config(run.config.get("settings", {}))
    _check_version(run, "strategy", kind.strategy_version(settings))


def _check_version(run: RunRecord, what: str, now: int) -> None:
    began = run.config.get(f"{what}_version", 1)
    if now != began:
        raise RunOutdated(
            f"expected version {began} of the {what}, with which {run.name} began, got version {now}; start a new run"
        )


def warn_of_other_versions(run: RunRecord) -> None:
    """Logs a warning for packages whose version has changed, and for another model of CPU, since they may score
    otherwise, and for files of tasks that have changed.

    A package that the record does not name, or that was not installed, is left out.
    """
    recorded = run.environment.get(FILES)
    now = _digests(run.task)
    for path, digest in recorded.items() if isinstance(recorded, dict) else ():
        if now.get(path) != digest:
            log.warning(
                "%s has changed since %s began; if the model, the data or the loss is another, start a new run",
                repr(path)[1:-1],
                one_line(run.name, 100),
            )
    pairs = [(name, run.environment.get(name), _version(name)) for name in PACKAGES]
    pairs.append((CPU, run.environment.get(CPU), _cpu()))
    changes = [
        # As a literal without its quotes: a record may hold anything, and a terminal obeys control characters.
        f"{name} {repr(then)[1:-1]:.40}, now {now}"
        for name, then, now in pairs
        if isinstance(then, str) and now is not None and then != now
    ]
    if changes:
        log.warning(
            "%s was made with %s: what follows may not be what it would have been",
            one_line(run.name, 100),
            "; ".join(changes),
        )


def _digests(task: str) -> dict[str, str]:
    """The digest of each file that a task is in, by its path."""
    paths = {file_and_class(name)[0] for name in names_of(task) if is_in_file(name)}
    return {str(path): digest_of(path) for path in sorted(paths)}


def _cpu() -> str:
    """The model of this machine's CPU, as LLVM calls it, such as `znver4`."""
    from llvmlite.binding import get_host_cpu_name  # Numba's own; imported late, as Numba is

    name: str = get_host_cpu_name()
    return name


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
