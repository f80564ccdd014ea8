"""Searches for policies whose network is a module of the user's: the same lineage on workers, and after a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from own_policies import MODULES
from own_tasks import task_file

from germline.db.store import Store
from germline.evaluators.errors import InvalidTask
from germline.programs.policy.genome import read
from germline.search.replay import replay
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting

SMALL = (
    "population=12",
    "parents=4",
    "pack=5",
    "candidates=3",
    "review_episodes=2",
    "test_episodes=3",
    "sigma=0.2",
    "steps=60",
)
EVOLVED = ("strategy=openai-es", "population=13", "rate=0.05")
STRATEGIES = {
    "truncation": (),
    "openai-es": EVOLVED,
    "low rank": (*EVOLVED, "rank=1"),
    "sep-cma-es": ("strategy=sep-cma-es", "population=14"),
    "novelty": ("strategy=novelty",),
    "map-elites": ("strategy=map-elites", "behaviours=0,2", "cells=5,4"),
    "random": ("strategy=random",),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"), create=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return task_file(tmp_path, MODULES)


def create(store: Store, name: str, task: str, *settings: str, births: int = 26) -> None:
    new_run(store, "policy", task=task, settings=(*SMALL, *settings), births=births, seed=3, name=name)


def go(store: Store, name: str, **options: object) -> None:
    *_, last = evolve(store, name, task=store.run(name).task, **options)  # type: ignore[arg-type]
    assert last.births


def rows(store: Store, name: str) -> list[Any]:
    run = store.run(name).id
    born = [(row.birth, row.parents, row.operator, row.genome, row.fingerprint) for row in store.individuals(run)]
    scored = {
        (each.fingerprint, each.rung, each.seed, each.status, each.fitness, *sorted(each.measures.items()))
        for each in store.evaluations(run)
    }
    return [born, scored]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_searches_and_a_run_that_was_cut_equals_one_that_was_not(
    store: Store, path: Path, strategy: str
) -> None:
    for name in ("whole", "cut"):
        create(store, name, f"{path}:Remembering", *STRATEGIES[strategy])
    go(store, "whole")
    for births in (7, 14, 26):
        go(store, "cut", births=births)
    assert rows(store, "cut")[0] == rows(store, "whole")[0]
    statuses = {each.status for each in store.evaluations(store.run("whole").id)}
    assert statuses == {"ok"}
    for row in store.individuals(store.run("whole").id):
        assert read(row.genome).network.form == "own"


@pytest.mark.slow
def test_the_lineage_is_the_same_in_this_process_and_on_two_workers(store: Store, path: Path, local_ray: None) -> None:
    for workers, name in ((0, "inline"), (2, "ray")):
        create(store, name, f"{path}:Deep", *EVOLVED)
        go(store, name, workers=workers or 1, executor="ray" if workers else "inline")
    assert rows(store, "inline") == rows(store, "ray")


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_been(store: Store, path: Path, tmp_path: Path) -> None:
    task = f"{path}:Remembering"
    for name in ("whole", "killed"):
        create(store, name, task, "pack=3", births=60)
    go(store, "whole")
    script = (
        "import sys; from germline.db.store import Store; from germline.search.run import evolve\n"
        "for _ in evolve(Store(sys.argv[1]), 'killed', task=sys.argv[2]): print('.', flush=True)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "runs.db"), task]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(8):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < len(rows(store, "killed")[0]) < 60
    go(store, "killed", force=True)
    assert rows(store, "killed") == rows(store, "whole")
    assert replay(store, "killed").difference is None


@pytest.mark.slow
def test_a_run_does_not_go_on_with_a_module_of_other_shapes(store: Store, tmp_path: Path) -> None:
    path = task_file(tmp_path, MODULES, "first.py")
    create(store, "mine", f"{path}:Remembering", births=24)
    go(store, "mine", births=12)
    script = (
        "import sys; from germline.db.store import Store; from germline.search.run import evolve\n"
        "for _ in evolve(Store(sys.argv[1]), 'mine', task=sys.argv[2]): pass"
    )
    # Another length: in the same second Python takes the bytecode of a file of the same length.
    path.write_text(MODULES.replace("def __init__(self, width=8)", "def __init__(self, width=10)"))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "runs.db"), f"{path}:Remembering"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (
        "BadSetting: expected a policy for the network of remembering, whose cell.weight_ih is [30, 4]" in done.stderr
    )
    assert len(rows(store, "mine")[0]) == 12


def test_a_module_that_cannot_play_is_refused_before_a_run_is_recorded(store: Store, tmp_path: Path) -> None:
    text = MODULES.replace("return self.head(state), state", "return self.head(state)")
    path = task_file(tmp_path, text, "forgetful.py")
    with pytest.raises(InvalidTask, match=r"remembering: forward takes a second argument, the state, and so has to"):
        create(store, "mine", f"{path}:Remembering")
    with pytest.raises(BadSetting, match="expected images for network=conv"):
        create(store, "mine", f"{path}:Remembering", "network=conv")
    assert store.runs() == []
