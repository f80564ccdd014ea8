"""Loggers hear of a search and change nothing in it."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.search.loggers import UnknownLogger, logged, loggers_named
from germline.search.loggers import delivery as delivery_module
from germline.search.loggers.delivery import Delivery
from germline.search.loggers.run_logger import RunLogger, WinnerFile, run_id
from germline.search.loggers.tensorboard import folder_name
from germline.search.progress import Progress
from germline.search.run import evolve, new_run

SETTINGS = ["population=4", "parents=2", "candidates=0", "test_episodes=0", "block=4"]


class Heard:
    """Keeps what it is told; raises at one method, if it is named."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.calls: list[tuple[str, Any]] = []

    def _hear(self, method: str, value: Any) -> None:
        self.calls.append((method, value))
        if method == self.fails_at:
            raise SystemExit(f"{method} broke")

    def begin(self, run: RunRecord) -> None:
        self._hear("begin", run.name)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._hear("scalars", (step, dict(values)))

    def finish(self, status: str, winner: WinnerFile | None) -> None:
        self._hear("finish", (status, winner))


def search(path: Path, loggers: list[RunLogger], name: str = "balance", births: int = 12, first: bool = True) -> None:
    with Store(str(path)) as store:
        if first:
            new_run(store, "policy", task="gym:CartPole-v1", births=12, settings=SETTINGS[:4], seed=5, name=name)
        events = evolve(store, name, executor="inline", device="cpu", births=births)
        for _ in logged(store, name, events, loggers):
            pass


def rows(path: Path) -> Any:
    """All that a run has decided and computed; not the seconds that it took."""
    with Store(str(path)) as store:
        run = store.runs()[0]
        record = store.run(run.name)
        scored = [(e.fingerprint, e.rung, e.seed, e.fitness, e.measures) for e in store.evaluations(record.id)]
        return list(store.individuals(record.id)), scored, store.winners(run.name), record.config, run.status


@pytest.mark.slow
def test_a_logger_hears_of_the_run_and_its_winner(tmp_path: Path) -> None:
    heard = Heard()
    search(tmp_path / "runs.db", [heard])
    assert heard.calls[0] == ("begin", "balance")
    steps = [value[0] for method, value in heard.calls if method == "scalars"]
    assert steps == sorted(steps) and steps[-1] == 12 and len(steps) > 1
    last = [value[1] for method, value in heard.calls if method == "scalars"][-1]
    method, (status, winner) = heard.calls[-1]
    assert (method, status, winner.name) == ("finish", "finished", "winner.json")
    with Store(str(tmp_path / "runs.db")) as store:
        best, chosen = store.best("balance"), store.winner("balance")
        assert best.evaluation is not None and chosen is not None
        assert last["best_fitness"] == best.evaluation.fitness and last["evaluations"] == store.runs()[0].evaluations
        assert (winner.genome, winner.facts["birth"]) == (chosen.individual.genome, chosen.individual.birth)


@pytest.mark.slow
@pytest.mark.parametrize("fails_at", ["begin", "scalars", "finish"])
def test_a_logger_that_fails_changes_nothing_and_is_warned_of_once(
    tmp_path: Path, fails_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    search(tmp_path / "alone.db", [])
    broken, well = Heard(fails_at), Heard()
    with caplog.at_level(logging.WARNING):
        search(tmp_path / "logged.db", [broken, well])
    warnings = [record.getMessage() for record in caplog.records if "goes on without" in record.getMessage()]
    assert warnings == [f"the search goes on without Heard: SystemExit: {fails_at} broke"]
    assert [method for method, _ in broken.calls].count(fails_at) == 1 and broken.calls[-1][0] == fails_at
    assert well.calls[-1][0] == "finish"
    assert rows(tmp_path / "alone.db") == rows(tmp_path / "logged.db")


@pytest.mark.slow
def test_a_resumed_run_logs_only_what_is_new(tmp_path: Path) -> None:
    first, second = Heard(), Heard()
    search(tmp_path / "runs.db", [first], births=8)
    search(tmp_path / "runs.db", [second], births=16, first=False)
    steps = [value[0] for method, value in second.calls if method == "scalars"]
    assert min(steps) > 8 and steps[-1] == 16
    assert [method for method, _ in second.calls].count("finish") == 1


@pytest.mark.slow
def test_a_block_that_was_born_earlier_and_completed_by_a_resume_is_logged(tmp_path: Path) -> None:
    heard = Heard()
    search_births = {"executor": "inline", "device": "cpu", "births": 8}
    with Store(str(tmp_path / "runs.db")) as store:
        settings = [*SETTINGS[:4], "depth=1", "pack=1"]
        new_run(store, "policy", task="gym:CartPole-v1", births=8, settings=settings, name="left")
        for progress in evolve(store, "left", **search_births):  # type: ignore[arg-type]
            if progress.births == 8 and progress.evaluations >= 2:
                break
    with Store(str(tmp_path / "runs.db")) as store:
        assert store.winners("left") == {}
        for _ in logged(store, "left", evolve(store, "left", **search_births), [heard]):  # type: ignore[arg-type]
            pass
        assert list(store.winners("left")) == [0, 1]
    evaluations = [value[1]["evaluations"] for method, value in heard.calls if method == "scalars"]
    assert evaluations == [4, 8]  # of each block; those of the end are the same


@pytest.mark.slow
def test_the_last_speed_of_a_run_is_not_replaced_by_that_of_its_end(tmp_path: Path) -> None:
    heard = Heard()
    search(tmp_path / "runs.db", [heard])
    by_step: dict[int, dict[str, float]] = {}
    for method, value in heard.calls:
        if method == "scalars":
            by_step.setdefault(value[0], {}).update(value[1])
    assert by_step[12]["evaluations_per_second"] > 0


def test_a_renamed_run_goes_on_in_the_same_entry(tmp_path: Path) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run, other = (store.create_run(None, "optimizer", "line", "quick", seed, {}, {}) for seed in (0, 1))
        store.release(run.id, "stopped", 0.0)
        store.rename_run(run.name, "another")
        assert run_id(store.run("another")) == run_id(run) != run_id(other)


@pytest.mark.slow
def test_a_search_that_is_left_still_hands_over_its_winner(tmp_path: Path) -> None:
    heard = Heard()
    with Store(str(tmp_path / "runs.db")) as store:
        new_run(store, "policy", task="gym:CartPole-v1", births=100, settings=SETTINGS[:4], name="left")
        events = logged(store, "left", evolve(store, "left", executor="inline", device="cpu"), [heard])
        for progress in events:
            if progress.complete == 1:
                break
        events.close()  # type: ignore[attr-defined]
    method, (status, winner) = heard.calls[-1]
    assert (method, status) == ("finish", "stopped") and winner is not None


def test_the_error_of_a_search_passes_through(tmp_path: Path) -> None:
    def events() -> Iterator[Progress]:
        yield Progress(births=4, complete=0)
        raise RuntimeError("no workers")

    heard = Heard()
    with Store(str(tmp_path / "runs.db")) as store:
        store.create_run("broken", "optimizer", "line", "quick", 0, {}, {})
        with pytest.raises(RuntimeError, match="no workers"):
            list(logged(store, "broken", events(), [heard]))
    assert [method for method, _ in heard.calls] == ["begin", "scalars", "finish"]
    assert heard.calls[-1][1] == ("running", None)


class Stuck(Heard):
    """Never returns from its first call, as a server that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def begin(self, run: RunRecord) -> None:
        self.released.wait(60)


def test_a_logger_that_does_not_answer_holds_up_no_search(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Stuck()
    delivery = Delivery(stuck, patience=0.05)
    began = time.monotonic()
    delivery.tell("begin", None)
    for step in range(3 * delivery_module.WAITING):
        delivery.tell("scalars", step, {})
    delivery.tell("finish", "finished", None)
    delivery.close()
    assert time.monotonic() - began < 10
    assert [record.getMessage() for record in caplog.records] == [
        "the search goes on without Stuck: did not answer within 0.05 s"
    ]
    stuck.released.set()
    delivery.thread.join(10)
    assert not delivery.thread.is_alive() and stuck.calls == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensorbord:logs", "did you mean tensorboard?"),
        ("csv", "there are tensorboard:DIR, mlflow or mlflow:URI, wandb or wandb:PROJECT"),
        ("tensorboard", "name the folder for its files"),
        ("tensorboard:", "name the folder for its files"),
    ],
)
def test_an_unknown_logger_is_a_mistake(text: str, message: str) -> None:
    with pytest.raises(UnknownLogger) as error:
        loggers_named([text])
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_a_mistake_with_its_remedy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UnknownLogger, match=rf"pip install 'germline\[{name}\]'"):
        loggers_named([f"{name}:somewhere"])


@pytest.mark.parametrize(
    ("name", "folder"), [("first-1", "first-1"), ("..", None), ("../up", None), ("a/b", None), ("", None), (".x", None)]
)
def test_a_run_has_a_folder_of_its_own_whatever_its_name(name: str, folder: str | None) -> None:
    run = RunRecord(1, name, "policy", "t", "quick", 0, {}, {}, "finished", None, "2026", 0.0)
    assert folder_name(run) == folder if folder else folder_name(run).startswith("run-")
