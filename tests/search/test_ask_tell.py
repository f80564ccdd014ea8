"""Ask and tell: the caller scores, and the lineage is that of `evolve` for the same outcomes."""

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_rows import rows

from germline.db.errors import RunBusy
from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.evaluator import Evaluator
from germline.evaluators.outcome import Outcome
from germline.search.ask_tell import Asked, AskTell, BadTell
from germline.search.failures import SearchFailed
from germline.search.replay import replay
from germline.search.run import evolve, new_run

KINDS: dict[str, dict[str, Any]] = {
    "optimizer": {
        "births": 24,
        "settings": (
            "population=10",
            "block=8",
            "pack=4",
            "lengths=0.05",
            "warmup=8",
            "review_every=16",
            "review_seeds=1",
        ),
    },
    "architecture": {"births": 6, "settings": ("population=4", "block=3", "pack=3", "cells=1", "channels=4")},
    "policy": {
        "births": 30,
        "settings": ("population=12", "parents=4", "candidates=3", "review_episodes=4", "test_episodes=5"),
    },
}


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The database of an ordinary run of a kind."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("evolved") / "runs.db"
            with Store(str(made[kind])) as store:
                run = new_run(store, kind, name="r", seed=3, **KINDS[kind])
                for _ in evolve(store, run.name):
                    pass
        return made[kind]

    return make


def scorer(search: AskTell) -> Callable[[Asked], Outcome]:
    """Scores what is asked with the run's own evaluator."""
    evaluator: Evaluator[Any] = search.evaluator.build()
    return lambda asked: evaluator.score([asked.genome], asked.rung, asked.seed, asked.limit)[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_equals_that_of_evolve_in_whatever_order_outcomes_are_told(
    kind: str, evolved: Callable[[str], Path], tmp_path: Path
) -> None:
    order = random.Random(1)
    with Store(str(tmp_path / "asked.db")) as store:
        run = new_run(store, kind, name="r", seed=3, **KINDS[kind])
        with AskTell(store, run.name) as search:
            score = scorer(search)
            while not search.finished:
                search.ask(order.randint(0, 7))
                for asked in order.sample(search.waiting, min(3, len(search.waiting))):
                    search.tell({asked.id: score(asked)})
        assert store.run("r").status == "finished"
        assert replay(store, "r").difference is None
    assert rows(tmp_path / "asked.db") == rows(evolved(kind))


@pytest.mark.slow
def test_a_session_that_was_left_in_the_middle_is_asked_again_for_what_has_no_outcome(
    evolved: Callable[[str], Path], tmp_path: Path
) -> None:
    with Store(str(tmp_path / "asked.db")) as store:
        new_run(store, "optimizer", name="r", seed=3, **KINDS["optimizer"])
        told: set[str] = set()
        sessions = 0
        while store.run("r").status != "finished":
            sessions += 1
            with AskTell(store, "r") as search:
                score = scorer(search)
                for _ in range(3):
                    given = search.ask(5)
                    assert not told & {asked.id for asked in given}
                    for asked in given[:-1]:  # the last is lost with the session
                        search.tell({asked.id: score(asked)})
                        told.add(asked.id)
                    if len(given) == 1:
                        search.tell({given[0].id: score(given[0])})
        assert sessions > 1
    assert rows(tmp_path / "asked.db") == rows(evolved("optimizer"))


@pytest.mark.slow
def test_threads_may_tell_at_the_same_time(evolved: Callable[[str], Path], tmp_path: Path) -> None:
    with Store(str(tmp_path / "asked.db")) as store:
        new_run(store, "optimizer", name="r", seed=3, **KINDS["optimizer"])
        with AskTell(store, "r") as search, ThreadPoolExecutor(4) as pool:
            score = scorer(search)
            while not search.finished:
                outcomes = [(asked.id, score(asked)) for asked in search.ask()]
                list(pool.map(lambda scored: search.tell(dict([scored])), outcomes))
    assert rows(tmp_path / "asked.db") == rows(evolved("optimizer"))


KILLED = """
import os, signal, sys
from germline.db.store import Store
from germline.search.ask_tell import AskTell
with Store(sys.argv[1]) as store, AskTell(store, "r") as search:
    evaluator = search.evaluator.build()
    asked = search.ask(6)
    for each in asked[:4]:
        search.tell({each.id: evaluator.score([each.genome], each.rung, each.seed, each.limit)[0]})
    print(*(each.id for each in asked), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_what_was_told_before_a_kill_is_recorded_and_the_rest_is_asked_again(
    evolved: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "asked.db"
    with Store(str(path)) as store:
        new_run(store, "optimizer", name="r", seed=3, **KINDS["optimizer"])
    killed = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    ids = killed.stdout.split()
    with Store(str(path)) as store, AskTell(store, "r") as search:
        score = scorer(search)
        first = search.ask(2)
        assert [asked.id for asked in first] == ids[4:]
        while not search.finished:
            search.ask()
            search.tell({asked.id: score(asked) for asked in search.waiting})
    assert rows(path) == rows(evolved("optimizer"))


GOOD = Outcome("ok", objectives={"validation_loss": 0.5})


@pytest.fixture
def asked(small_run: Callable[..., RunRecord], store: Store) -> AskTell:
    """A run that has asked for its first four genomes."""
    search = AskTell(store, small_run(births=32).name)
    assert [each.birth for each in search.ask(4)] == [0, 1, 2, 3]
    return search


def test_asked_genomes_carry_an_id_and_what_they_are_scored_on(asked: AskTell) -> None:
    first = asked.waiting[0]
    assert (first.id, first.birth, first.rung, first.seed, first.task) == ("0:0:0", 0, 0, 0, "digits-mlp")
    assert first.genome.startswith("def train(w, g,")
    assert first.limit is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"9999:0:0": GOOD}, "expected the id of a genome that waits, got '9999:0:0'"),
        ({0: GOOD}, "expected the id of a genome that waits, got 0"),
        ({"0:0:0": 0.5}, "expected an Outcome, got 0.5"),
        ({"0:0:0": Outcome("fine")}, "expected a status out of ok, diverged"),  # type: ignore[arg-type]
        ({"0:0:0": Outcome("ok", 1.0)}, "expected the objectives validation_loss of an ok outcome, got none"),
        (
            {"0:0:0": Outcome("ok", 0.7, {"validation_loss": 0.5})},
            "expected the fitness -validation_loss, which is -0.5, got 0.7",
        ),
        ({"0:0:0": Outcome("ok", None, {"validation_loss": "low"})}, "expected validation_loss to be a number"),  # type: ignore[dict-item]
        ({"0:0:0": Outcome("crashed", 1.0)}, "expected no fitness and no objectives with the status crashed"),
        ({"0:0:0": Outcome("crashed", seconds=float("nan"))}, "expected seconds of 0 or more"),
        (
            {"0:0:0": Outcome("crashed", measures=None)},
            "expected the measures of an outcome as numbers by name, got None",
        ),  # type: ignore[arg-type]
        (
            {"0:0:0": Outcome("ok", objectives=None)},
            "expected the objectives of an outcome as numbers by name, got None",
        ),  # type: ignore[arg-type]
        ({"0:0:0": Outcome("crashed", worker="a\0b")}, "a worker as text without NUL"),
        ({"0:0:0": Outcome("crashed", worker="a\ud800b")}, "a worker as text without NUL"),
        ([("0:0:0", GOOD)], "expected outcomes by id"),
    ],
)
def test_a_bad_tell_is_refused_in_a_line_and_nothing_of_it_is_taken(asked: AskTell, told: Any, message: str) -> None:
    together = {"1:0:0": GOOD, **told} if isinstance(told, dict) else told
    with pytest.raises(BadTell, match=message) as refused:
        asked.tell(together)
    assert "\n" not in str(refused.value)
    assert [each.id for each in asked.waiting] == ["0:0:0", "1:0:0", "2:0:0", "3:0:0"]
    assert asked.progress is not None and asked.progress.evaluations == 0


def test_an_outcome_is_told_once(asked: AskTell) -> None:
    asked.tell({"2:0:0": GOOD})
    with pytest.raises(BadTell, match="told before, or never asked"):
        asked.tell({"2:0:0": GOOD})
    assert asked.progress is not None and asked.progress.evaluations == 1


def test_the_fitness_may_be_left_out_and_a_loss_that_is_not_finite_has_diverged(asked: AskTell, store: Store) -> None:
    asked.tell({"0:0:0": GOOD, "1:0:0": Outcome("ok", objectives={"validation_loss": float("nan")})})
    records = {record.birth: record for record in store.evaluations(1)}
    assert (records[0].status, records[0].fitness) == ("ok", -0.5)
    assert (records[1].status, records[1].fitness, records[1].error) == ("diverged", None, "validation loss was nan")


def test_failures_are_told_like_outcomes_and_too_many_of_them_end_the_search(
    small_run: Callable[..., RunRecord], store: Store
) -> None:
    run = small_run("max_failures=3", births=32)
    with AskTell(store, run.name) as search, pytest.raises(SearchFailed, match="the last one: the arm is stuck"):
        while True:
            for each in search.ask(2):
                search.tell({each.id: Outcome("crashed", error="the arm is stuck")})
    assert store.failures(run.name) == {"crashed": 3}
    assert store.run(run.name).status == "failed"


def test_ask_gives_nothing_while_outcomes_are_missing_and_a_stopped_run_asks_no_more(
    asked: AskTell, store: Store
) -> None:
    assert max(each.birth for each in asked.ask()) == 31  # two blocks of 16 are in flight
    assert asked.ask(5) == []
    assert not asked.finished
    store.request_stop("optimizer-1")
    asked.tell({"0:0:0": GOOD})
    assert asked.ask() == [] and asked.finished
    assert store.run("optimizer-1").status == "stopped"


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_all_that_was_told_is_recorded_before_a_stop_or_the_end_of_the_time_is_heeded(
    seconds: float | None, small_run: Callable[..., RunRecord], store: Store
) -> None:
    search = AskTell(store, small_run(births=32).name, seconds=seconds)
    given = search.ask(4)
    if seconds is None:
        store.request_stop("optimizer-1")
    search.tell({asked.id: GOOD for asked in given})
    assert search.finished and store.run("optimizer-1").status == "stopped"
    assert [record.birth for record in store.evaluations(1)] == [0, 1, 2, 3]


def test_a_run_has_a_single_session_in_a_process(asked: AskTell, store: Store) -> None:
    second = AskTell(store, "optimizer-1")
    with pytest.raises(RunBusy, match="a session of this process: close it"):
        second.ask()
    with pytest.raises(RunBusy):
        store.delete_run("optimizer-1")
    asked.close()
    with AskTell(store, "optimizer-1") as third:
        assert [each.birth for each in third.ask(1)] == [0]


def test_a_budget_in_frames_needs_outcomes_that_count_frames(store: Store) -> None:
    settings = ("population=4", "parents=2", "candidates=0", "test_episodes=0")
    run = new_run(store, "policy", frames=100, settings=settings)
    objective = AskTell(store, run.name)._objectives[0].name
    without = Outcome("ok", objectives={objective: 1.0})
    for session in ({}, {"frames": 50}):
        with AskTell(store, run.name, **session) as search:
            [asked] = search.ask(1)
            with pytest.raises(BadTell, match="expected the measures frames of an ok outcome, got none"):
                search.tell({asked.id: without})
    with AskTell(store, run.name, births=8) as search:
        [asked] = search.ask(1)
        search.tell({asked.id: without})
    with AskTell(store, run.name) as search:
        while not search.finished:
            search.tell({each.id: replace(without, measures={"frames": 20}) for each in search.ask()})
    assert store.runs()[0].evaluations < 20
