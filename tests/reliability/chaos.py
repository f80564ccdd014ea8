"""Scenarios in which processes of Ray are killed while a search runs on it: row C6 of docs/reliability.md."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
from processes import alive, tree
from result import Result
from sessions import SEED, Session, resumed, session, straight, wait_for_births

BIRTHS = 160
"""Births of a run whose workers are killed every few seconds: it has to last for several kills."""
LONG_BIRTHS = 480
"""Births of a run that must not be done before it notices that Ray is gone."""
END_SECONDS = 10.0
"""Time in which a search has to end when its raylet or its head is gone."""


def workers_killed(count: int, folder: Path, every: float = 3.0) -> Result:
    """A worker of a search with two Ray workers is killed every few seconds; the run has to finish all the same."""
    began, draw, failures, kills = time.monotonic(), random.Random(count), [], 0
    expected, _ = straight(folder, "optimizer", births=BIRTHS)
    number = 0
    while kills < count:
        attempt = _on_ray(folder, f"workers-{number}")
        process = attempt.start()
        wait_for_births(attempt, process, 1)
        while process.poll() is None:
            kills += _kill_one(process.pid, _is_worker, draw)
            try:
                process.wait(every)
            except subprocess.TimeoutExpired:
                continue
        errors = process.communicate()[1]
        if process.returncode:
            failures.append(f"{attempt.database}: status {process.returncode}: {errors.strip()[-300:]}")
        failures += resumed(attempt, expected)
        number += 1
    what = f"one of two Ray workers killed every {every:g} s; the run finishes and equals an undisturbed run"
    return Result("C6", what, kills, tuple(failures), time.monotonic() - began, f"{number} runs")


def ray_killed(count: int, folder: Path) -> Result:
    """The raylet or Ray's head service is killed in the middle: the search ends in time, says how to go on."""
    began, draw, failures, slowest = time.monotonic(), random.Random(count), [], 0.0
    expected, _ = straight(folder, "optimizer", births=LONG_BIRTHS)
    for number in range(count):
        name = ("raylet", "gcs_server")[number % 2]
        attempt = replace(_on_ray(folder, f"ray-{number}", LONG_BIRTHS), command=True)
        process = attempt.start()
        wait_for_births(attempt, process, 1 + draw.randrange(40))
        members = tree(process.pid)
        killed = time.monotonic()
        if not _kill_one(process.pid, lambda member, name=name: name in member.name(), draw):
            failures.append(f"{name}: there is none")
        try:
            errors = process.communicate(timeout=4 * END_SECONDS)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
        seconds = time.monotonic() - killed
        slowest = max(slowest, seconds)
        if seconds > END_SECONDS:
            failures.append(f"{name}: {seconds:.1f} s until the search ended")
        if process.returncode != 1 or "germline resume" not in errors or "Traceback" in errors:
            failures.append(f"{name}: status {process.returncode}: {errors.strip()[-400:]}")
        failures += [f"{name}: left behind: {member}" for member in alive(members, 15.0)]
        failures += [f"{name}: {problem}" for problem in attempt.problems() + resumed(attempt, expected)]
    what = "Ray's raylet or head service killed; the search ends with the cause and the resume command"
    return Result("C6", what, count, tuple(failures), time.monotonic() - began, f"ended after at most {slowest:.1f} s")


def _on_ray(folder: Path, name: str, births: int = BIRTHS) -> Session:
    return replace(session(folder, "optimizer", name, SEED, births=births), workers=2, executor="ray")


def _is_worker(process: psutil.Process) -> bool:
    return any("_Actor" in part for part in process.cmdline())


def _kill_one(driver: int, chosen: Callable[[psutil.Process], bool], draw: random.Random) -> bool:
    """Kills a random descendant of the driver for which `chosen` is true; False if there is none."""
    candidates = []
    for member in tree(driver)[1:]:
        try:
            if chosen(member):
                candidates.append(member)
        except psutil.Error:
            continue
    if not candidates:
        return False
    candidates[draw.randrange(len(candidates))].send_signal(signal.SIGKILL)
    return True
