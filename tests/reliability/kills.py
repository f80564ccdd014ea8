"""Scenarios that kill the process that drives a run: rows C1, C2, C3 and C5 of docs/reliability.md.

Each returns a `Result`. `count` is the number of cases, `folder` a directory for databases.
"""

import itertools
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
from command_process import start_command, wait_for_handler
from driver import POINTS
from processes import alive, ended, send, tree
from result import Result
from sessions import RECIPES, SEED, Recorded, Session, resumed, session, straight, wait_for_births


def killed_at_random(count: int, folder: Path, workers: int = 1) -> Result:
    """Runs of all kinds; each is killed by SIGKILL at random instants, a few times, then resumed to its end."""
    began, draw, failures = time.monotonic(), random.Random(count + workers), []
    kinds = ["optimizer"] if workers > 1 else list(RECIPES)
    undisturbed: dict[str, tuple[Recorded, float]] = {}
    kills, number = 0, 0
    while kills < count:
        kind = kinds[number % len(kinds)]
        if kind not in undisturbed:
            undisturbed[kind] = straight(folder, kind)
        expected, seconds = undisturbed[kind]
        attempt = _attempt(folder, kind, f"random-{workers}-{number}", workers)
        for _ in range(min(count - kills, 4)):
            failures += [f"{kind} {number}: {problem}" for problem in _kill_after(attempt, draw.random() * seconds)]
            kills += 1
        failures += [f"{kind} {number}: {problem}" for problem in resumed(attempt, expected)]
        number += 1
    what = f"SIGKILL of the driver at random instants, {'inline' if workers == 1 else f'{workers} Ray workers'}"
    note = f"{number} runs, each killed up to 4 times and then resumed"
    return Result("C1", what, kills, tuple(failures), time.monotonic() - began, note)


def killed_at_points(count: int, folder: Path) -> Result:
    """Runs of all kinds, killed at the first, second, … passage of each named point, then resumed and exported."""
    began, failures = time.monotonic(), []
    cases = list(itertools.islice(((n, p, k) for n in itertools.count(1) for p in POINTS for k in RECIPES), count))
    undisturbed: dict[str, Recorded] = {}
    kills = 0
    for passage, point, kind in cases:
        if kind not in undisturbed:
            undisturbed[kind], _ = straight(folder, kind)
        name = f"{point.replace(' ', '-')}-{passage}"
        export = folder / f"{kind}_{name}.py".replace("-", "_")
        attempt = replace(_attempt(folder, kind, name, 1), kill_at=(point, passage), export=str(export))
        with attempt.start() as process:
            errors = process.communicate()[1]
        kills += process.returncode == -signal.SIGKILL
        problems = attempt.problems()
        if process.returncode not in (0, -signal.SIGKILL):
            problems.append(f"status {process.returncode}: {errors.strip()[-300:]}")
        problems += resumed(attempt, undisturbed[kind])
        problems += [] if export.exists() else ["no export"]
        failures += [f"{kind} {point} {passage}: {problem}" for problem in problems]
    steps = ", ".join(dict.fromkeys(point.split()[1] for point in POINTS))
    what = f"SIGKILL before and after steps of a run of each kind ({steps}), then resumed and exported"
    note = "" if kills == count else f"{count - kills} runs ended before the step came so often"
    return Result("C2", what, count, tuple(failures), time.monotonic() - began, note)


def cut_and_resumed(count: int, folder: Path) -> Result:
    """Straight runs against killed and resumed ones, for seeds, three hash seeds, and no, 1 and 2 Ray workers."""
    began, failures = time.monotonic(), []
    cases = itertools.islice(((s, w, h) for s in itertools.count() for w in (0, 1, 2) for h in (0, 1, 2)), count)
    undisturbed: dict[int, Recorded] = {}
    for seed, workers, hash_seed in cases:
        if seed not in undisturbed:
            undisturbed[seed], _ = straight(folder, "optimizer", seed)
        cut = replace(
            session(folder, "optimizer", f"cut-{seed}-{hash_seed}-{workers}", seed),
            workers=max(1, workers),
            executor="ray" if workers else "inline",
        )
        with replace(cut, kill_at=("after record", 12)).start(PYTHONHASHSEED=str(hash_seed)) as process:
            process.communicate()
        problems = cut.problems() + resumed(cut, undisturbed[seed], PYTHONHASHSEED=str(hash_seed))
        failures += [f"seed {seed}, hash seed {hash_seed}, {workers} workers: {problem}" for problem in problems]
    what = "a straight run against a killed and resumed run: seeds, PYTHONHASHSEED 0 to 2, 1, 2 and no Ray workers"
    return Result("C3", what, count, tuple(failures), time.monotonic() - began)


def whole_tree_terminated(count: int, folder: Path) -> Result:
    """SIGTERM to a search with two Ray workers and to all its descendants at a random moment, then a resume."""
    began, draw, failures = time.monotonic(), random.Random(count), []
    expected, _ = straight(folder, "optimizer")
    for number in range(count):
        attempt = replace(_attempt(folder, "optimizer", f"tree-{number}", 2), command=True)
        process = attempt.start()
        wait_for_births(attempt, process, 1 + draw.randrange(60))
        time.sleep(draw.random())
        members = tree(process.pid)
        for member in members:
            send(member, signal.SIGTERM)
        problems = [*ended(process, 30.0), *(f"left behind: {member}" for member in alive(members, 15.0))]
        problems += attempt.problems() + resumed(attempt, expected)
        failures += [f"search {number}: {problem}" for problem in problems]
    what = "SIGTERM to the whole process tree of a search with 2 Ray workers at random moments, then resumed"
    return Result("C5", what, count, tuple(failures), time.monotonic() - began)


def interrupted(count: int, folder: Path) -> Result:
    """The command `germline search`, interrupted once and twice by SIGINT and SIGTERM, at random moments."""
    began, draw, failures = time.monotonic(), random.Random(count), []
    cases = [*itertools.product((signal.SIGINT, signal.SIGTERM), (1, 2), ("inline", "ray"))]
    slowest = 0.0
    for number in range(count):
        number_of_signal, times, executor = cases[number % len(cases)]
        database = folder / f"interrupted-{number}.db"
        process = _command(database, executor)
        wait_for_handler(process)
        time.sleep(draw.random() * 12.0)
        members = tree(process.pid)
        sent = time.monotonic()
        for _ in range(times):
            send(psutil.Process(process.pid), number_of_signal) if process.poll() is None else None
            time.sleep(0.2)
        try:
            _, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            failures.append(f"{number_of_signal.name} {times} times, {executor}: still alive after 60 s")
            continue
        slowest = max(slowest, time.monotonic() - sent)
        expected = {128 + number_of_signal} | ({-number_of_signal} if times == 2 else set())
        label = f"{number_of_signal.name} {times} times, {executor}"
        if process.returncode not in expected:
            failures.append(f"{label}: status {process.returncode}: {errors[-300:]}")
        if "Traceback" in errors:
            failures.append(f"{label}: a traceback: {errors[-300:]}")
        failures += [f"{label}: left behind: {member}" for member in alive(members, 15.0)]
    what = "SIGINT and SIGTERM, once and twice, inline and on Ray, at random moments of `germline search`"
    return Result("C5", what, count, tuple(failures), time.monotonic() - began, f"ended after at most {slowest:.1f} s")


def _attempt(folder: Path, kind: str, name: str, workers: int) -> Session:
    executor = "ray" if workers > 1 else "inline"
    return replace(session(folder, kind, f"{kind}-{name}", SEED), workers=workers, executor=executor)


def _kill_after(attempt: Session, seconds: float) -> list[str]:
    """Starts or resumes a run, kills its driver after some seconds, and returns the problems of the database."""
    with attempt.start() as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return attempt.problems()


def _command(database: Path, executor: str) -> subprocess.Popen[str]:
    arguments = ["search", "optimizer", "--births", "100000", "--executor", executor, "--workers", "2"]
    settings = [part for setting in RECIPES["optimizer"]["settings"] for part in ("--set", setting)]
    return start_command(*arguments, *settings, database=database, stdout=subprocess.DEVNULL, start_new_session=True)
