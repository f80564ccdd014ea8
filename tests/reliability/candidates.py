"""Scenarios of candidates that hang, crash or poison the process that scores them: row E1 of docs/reliability.md."""

import itertools
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from bad_task import TROUBLES
from result import Result

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.ray_executor import RayExecutor
from germline.evaluators.outcome import Outcome, Status
from germline.programs.optimizer import library

LIMIT_SECONDS = 3.0
SLACK_SECONDS = 5.0
GOOD = tuple(library()[name] for name in ("adamw_plain", "lion_raw"))
ALLOCATES = 13000
ALLOCATING_SECONDS = 300.0
"""The mark of the genome that takes all memory of the machine, and the time limit that it needs to do so."""


def marked(mark: int) -> str:
    """A program after whose first step every weight is near `mark`."""
    return f"def train(w, g, m, v, lr):\n  x = w - {float(mark)}\n  update = interp(x, x, 0.5)\n  return update, m, v\n"


def bad_candidates(count: int, folder: Path) -> Result:
    """Packs with a candidate that hangs, crashes, floods or poisons: it has its outcome in time, no other is harmed.

    The first `count` troubles are tried, each alone and in the middle of a pack; a pack of good candidates follows.
    """
    began = time.monotonic()
    shutil.copy(Path(__file__).parent / "bad_task.py", folder)
    spec = EvaluatorSpec("optimizer", f"{folder}/bad_task.py:BadTask", seed=1)
    evaluator = spec.build()
    clean = [outcome.fitness for outcome in evaluator.score(GOOD, 0, 0)]
    marks = [mark for mark in TROUBLES if mark != ALLOCATES or count >= len(TROUBLES)][:count]
    failures, slowest = _try_all([mark for mark in marks if mark != ALLOCATES], spec, LIMIT_SECONDS, clean)
    if ALLOCATES in marks:  # the machine decides when its memory is full
        failures += _try_all([ALLOCATES], spec, ALLOCATING_SECONDS, clean)[0]
    what = f"candidates that misbehave, on Ray, alone and in a pack ({', '.join(map(_name, marks))})"
    note = f"time limit {LIMIT_SECONDS:g} s, the slowest took {slowest:.1f} s"
    return Result("E1", what, 2 * len(marks), tuple(failures), time.monotonic() - began, note)


def _try_all(
    marks: Sequence[int], spec: EvaluatorSpec, limit: float, clean: Sequence[float | None]
) -> tuple[list[str], float]:
    """Scores each trouble alone and in a pack, with a time limit in seconds; returns the failures, and the seconds of
    the slowest case."""
    failures, slowest = [], 0.0
    executor = RayExecutor(spec, workers=2, timeout=limit)
    try:
        executor.wait_until_ready()
        for mark, in_pack in itertools.product(marks, (False, True)):
            genomes = (GOOD[0], marked(mark), GOOD[1]) if in_pack else (marked(mark),)
            start = time.monotonic()
            outcomes = _score(executor, genomes)
            seconds = time.monotonic() - start
            problems = _differences(outcomes, TROUBLES[mark][1], clean)
            after = [outcome.fitness for outcome in _score(executor, GOOD)]
            problems += [] if after == clean else [f"the next pack has other fitness: {after}, not {clean}"]
            slowest = max(slowest, seconds)
            most = limit + SLACK_SECONDS
            problems += [f"{seconds:.1f} s, expected at most {most:g} s"] if seconds > most else []
            failures += [f"{_name(mark)}{' in a pack' if in_pack else ''}: {problem}" for problem in problems]
    finally:
        executor.close()
    return failures, slowest


def _score(executor: RayExecutor, genomes: Sequence[str]) -> list[Outcome]:
    executor.submit(Job((0,), tuple(genomes), 0, 0))
    return executor.next()[1]


def _differences(outcomes: Sequence[Outcome], status: Status, clean: Sequence[float | None]) -> list[str]:
    """What is wrong with the outcomes of a bad candidate, alone or between two good ones."""
    bad, beside = outcomes[len(outcomes) // 2], [*outcomes[:1], *outcomes[2:]] if len(outcomes) == 3 else []
    # What ends a process that has filled the memory may be Ray, with a reason, or the system, without.
    allowed = {"oom", "crashed"} if status == "oom" else {status}
    problems = [] if bad.status in allowed else [f"expected {status}, got {bad.status} ({bad.error})"]
    if beside and [outcome.fitness for outcome in beside] != list(clean):
        problems.append(f"beside it: {[(outcome.status, outcome.fitness) for outcome in beside]}, not {clean}")
    return problems


def _name(mark: int) -> str:
    return TROUBLES[mark][0].__name__.strip("_").replace("_", " ")
