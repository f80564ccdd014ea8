"""Scenarios on more than one node of Ray: several raylets on this machine, of which one is killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from chaos import END_SECONDS
from processes import ended, send, tree
from result import Result
from sessions import SEED, difference, recorded, resumed, session, straight, wait_for_births

HERE = Path(__file__).parent
GUIDE = HERE.parent.parent / "docs" / "tasks.md"
BIRTHS = 400
"""Births of a run whose node is killed: it must not end before the kill."""
HEAD_BIRTHS = 200
"""Births of a run whose head is killed, which take longer each."""
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2}
"""Environment of the cluster and of the search, so that each accepts the other."""


@dataclass(frozen=True)
class Nodes:
    """A cluster: its address, and the process ids of the raylets of its nodes."""

    address: str
    raylets: tuple[int, ...]


def node_killed(count: int, folder: Path) -> Result:
    """A search on two nodes with the task of the guide, which is a file here; one node is killed in the middle.

    The run has to go on on the other node, to equal an inline run, and to show nothing of Ray on the terminal.
    """
    began, draw, failures = time.monotonic(), random.Random(count), []
    (folder / "task").mkdir()
    task = folder / "task" / "my_task.py"
    task.write_text(guide_task())
    settings = {"task": f"{task}:Line", "settings": [], "births": BIRTHS}
    expected, _ = straight(folder, "optimizer", **settings)
    for number in range(count):
        attempt = session(folder, "optimizer", f"node-{number}", seed=3, **settings)
        with nodes(2) as cluster:
            address = "auto" if number % 2 else cluster.address
            search = replace(attempt, workers=2, executor="ray", ray_address=address, command=True)
            process = search.start(**TOKEN, RAY_ADDRESS=cluster.address)
            wait_for_births(search, process, 1 + draw.randrange(BIRTHS - 100))
            time.sleep(draw.random())
            if process.poll() is not None:
                failures.append(f"search {number} ended before the kill")
            for member in tree(draw.choice(cluster.raylets)):
                send(member, signal.SIGKILL)
            errors = process.communicate(timeout=280)[1]
        problem = difference(expected, recorded(attempt)) if process.returncode == 0 else f"status {process.returncode}"
        noise = [line for line in errors.splitlines() if not line.startswith(f"{attempt.run}: ")]
        failures += [f"search {number}: {each}" for each in [problem, *noise[:3]] if each]
    what = "a task in a file on two Ray nodes, one of them killed at a random moment; the run equals an inline run"
    return Result("C6", what, count, tuple(failures), time.monotonic() - began)


def head_killed(count: int, folder: Path) -> Result:
    """The head of a cluster is killed, its GCS or its raylet: the search ends in time and says how to go on."""
    began, draw, failures, slowest = time.monotonic(), random.Random(count), [], 0.0
    expected, _ = straight(folder, "optimizer", births=HEAD_BIRTHS)
    for number in range(count):
        name = ("gcs_server", "raylet")[number % 2]
        attempt = session(folder, "optimizer", f"head-{number}", SEED, births=HEAD_BIRTHS)
        with nodes(1) as cluster:
            search = replace(attempt, executor="ray", ray_address=cluster.address, command=True)
            process = search.start(**TOKEN)
            wait_for_births(search, process, 1 + draw.randrange(60))
            head = psutil.Process(cluster.raylets[0]).parent()
            killed = time.monotonic()
            for member in head.children() if head else []:
                if member.name() == name and member.pid not in cluster.raylets:
                    send(member, signal.SIGKILL)
            errors = process.communicate(timeout=60)[1]
            slowest = max(slowest, time.monotonic() - killed)
        if process.returncode != 1 or "germline resume" not in errors or "Traceback" in errors:
            failures.append(f"{name}: status {process.returncode}: {errors.strip()[-400:]}")
        failures += [f"{name}: {problem}" for problem in attempt.problems() + resumed(attempt, expected)]
    failures += [f"{slowest:.1f} s until a search ended"] if slowest > END_SECONDS else []
    what = "the GCS or the raylet of a cluster's head killed; the search ends with the cause and the resume command"
    return Result("C6", what, count, tuple(failures), time.monotonic() - began, f"ended after at most {slowest:.1f} s")


def guide_task() -> str:
    """The first task of the guide to tasks of one's own."""
    match = re.search(r"```python\n(# my_task\.py\n.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """A cluster with so many nodes, in processes that end with the block."""
    # Not in the folder of the scenario: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "ray_nodes.py"), str(count)],
            cwd=folder,
            env={**os.environ, **TOKEN, "RAY_TMPDIR": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        members = []
        try:
            line = json.loads(process.stdout.readline())
            members = tree(process.pid)
            yield Nodes(line["address"], tuple(line["raylets"]))
        finally:
            list(ended(process, 30.0))
            for member in members:
                send(member, signal.SIGKILL)
