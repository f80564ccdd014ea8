"""Every decision of a run is derived again from its rows, also of runs that an earlier version has recorded."""

import math
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import call, data

from germline.cli import interrupts
from germline.db.opening import upgrade
from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.search.replay import replay
from germline.search.rescoring import first_difference
from germline.search.run import evolve, new_run

RECORDED = Path(__file__).parent / "data" / "recorded_runs.db"
BIRTHS = {"optimizer": 112, "architecture": 200, "policy": 200}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A copy of the runs that an earlier version has recorded (`data/record_runs.sh`)."""
    path = tmp_path / "runs.db"
    shutil.copy(RECORDED, path)
    upgrade(f"sqlite:///{path}")
    return path


def change(database: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


@pytest.mark.parametrize("run", BIRTHS)
def test_recorded_runs_are_decided_as_they_were(database: Path, run: str) -> None:
    with Store(str(database)) as store:
        result = replay(store, run)
        assert result.difference is None, "a later version decides otherwise: old runs cannot be resumed by it"
        assert (result.births, result.waiting) == (BIRTHS[run], 0)
        assert result.winners == len(store.winners(run)) > 1


def test_a_replay_writes_nothing(database: Path) -> None:
    before = database.read_bytes()
    row = data(database, "db", "replay", "architecture")
    assert row == {
        "ok": True,
        "births": 200,
        "winners": row["winners"],
        "rescored": 0,
        "waiting": 0,
        "difference": None,
    }
    assert database.read_bytes() == before


RUN = "(SELECT id FROM run WHERE name = 'architecture')"


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (f"UPDATE individual SET operator = 'draw' WHERE run_id = {RUN} AND birth = 150", "birth 150: .*operator"),
        (f"UPDATE parentage SET parent = parent - 1 WHERE run_id = {RUN} AND birth = 150", "birth 150: .*parents"),
        (f"UPDATE individual SET fingerprint = 'abc' WHERE run_id = {RUN} AND birth = 31", "birth 31: .*fingerprint"),
        (
            f"UPDATE individual SET genome = (SELECT genome FROM individual WHERE run_id = {RUN} AND birth = 3) "
            f"WHERE run_id = {RUN} AND birth = 150",
            "birth 150: .*genome",
        ),
        (f"UPDATE winner SET birth = 1 WHERE run_id = {RUN} AND block = 4", "block 4: .*winner"),
        # An outcome decides about later births.
        (
            "UPDATE evaluation SET objectives = replace(objectives, '.', '9.'), fitness = fitness * 2 "
            f"WHERE run_id = {RUN} AND birth < 100",
            "birth|block",
        ),
    ],
)
def test_a_changed_row_is_named(database: Path, statement: str, difference: str) -> None:
    change(database, statement)
    result = call(database, "db", "replay", "architecture")
    assert result.exit_code == 1
    assert re.search(f"architecture cannot be derived as it is recorded. ({difference})", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_a_run_without_its_last_outcomes_is_derived_up_to_them(database: Path) -> None:
    change(database, f"DELETE FROM evaluation WHERE run_id = {RUN} AND birth >= 180")
    with Store(str(database)) as store:
        result = replay(store, "architecture")
    assert result.difference is None
    assert 0 < result.waiting <= 40
    assert result.births == 200


def test_an_unknown_run_is_an_error_of_one_line(database: Path) -> None:
    result = call(database, "db", "replay", "architectur")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of this machine, whose outcomes repeat bit for bit."""
    path = tmp_path_factory.mktemp("scored") / "runs.db"
    plans: list[dict[str, Any]] = [
        {"kind": "optimizer", "settings": ["lengths=0.05", "review_every=32", "population=20"], "births": 64},
        {"kind": "policy", "task": "gym:CartPole-v1", "settings": ["population=20"], "births": 100},
        {"kind": "architecture", "preset": "nb201", "settings": ["population=10"], "births": 40},
    ]
    with Store(str(path)) as store:
        for plan in plans:
            run = new_run(store, name=plan["kind"], seed=3, **plan)
            for _ in evolve(store, run.name, executor="inline"):
                pass
    return path


@pytest.fixture
def rescored(scored: Path, tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    shutil.copy(scored, path)
    return path


@pytest.mark.parametrize("run", BIRTHS)
def test_outcomes_that_are_scored_again_are_as_recorded(rescored: Path, run: str) -> None:
    with Store(str(rescored)) as store:
        every, some = replay(store, run, rescore=1.0), replay(store, run, rescore=0.2)
        evaluations = len(list(store.evaluations(store.run(run).id)))
    assert (every.difference, some.difference) == (None, None)
    assert every.rescored == evaluations
    assert 0 < some.rescored < evaluations


def test_a_changed_outcome_that_decides_nothing_is_named_once_it_is_scored_again(rescored: Path) -> None:
    change(rescored, "UPDATE evaluation SET measures = replace(measures, '\"accuracy\":0.', '\"accuracy\":0.0')")
    assert call(rescored, "db", "replay", "optimizer").exit_code == 0
    result = call(rescored, "db", "replay", "optimizer", "--rescore", "0.01")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert re.search(
        r"birth 0 at rung 0 with seed 0: scored again, accuracy is 0\.\d+, recorded is 0\.0", result.stderr
    )


def test_the_pack_of_the_best_is_scored_again_in_any_case(rescored: Path) -> None:
    with Store(str(rescored)) as store:
        best = store.winner("optimizer")
        assert best is not None and best.individual.birth >= 16, "in the first pack, which is scored again anyhow"
    change(
        rescored,
        "UPDATE evaluation SET measures = replace(measures, '\"accuracy\":0.', '\"accuracy\":0.0') "
        "WHERE run_id = (SELECT id FROM run WHERE name = 'optimizer') AND birth = ?",
        best.individual.birth,
    )
    result = call(rescored, "db", "replay", "optimizer", "--rescore", "0.001")
    assert f"birth {best.individual.birth} at rung 0 with seed 0: scored again, accuracy is" in result.stderr


def test_what_depends_on_the_machine_is_not_scored_again(rescored: Path) -> None:
    """A genome that has exceeded a limit or ended its process could do so again."""
    run = "(SELECT id FROM run WHERE name = 'policy')"
    change(
        rescored,
        "UPDATE evaluation SET status = 'timeout', fitness = NULL, objectives = '{}' "
        f"WHERE run_id = {run} AND birth = (SELECT max(birth) FROM individual WHERE run_id = {run})",
    )
    with Store(str(rescored)) as store:
        every = replay(store, "policy", rescore=1.0)
        assert every.rescored < len(list(store.evaluations(store.run("policy").id)))


def test_about_the_share_of_outcomes_is_scored_again(rescored: Path) -> None:
    with Store(str(rescored)) as store:
        for run in BIRTHS:
            evaluations = len(list(store.evaluations(store.run(run).id)))
            result = replay(store, run, rescore=0.3)
            assert 0.3 * evaluations <= result.rescored <= 0.3 * evaluations + 2 * 16, run


@pytest.mark.parametrize(
    "change_of",
    ["objectives = json_set(objectives, '$.extra', 1)", "measures = json_set(measures, '$.fitness', 1.0)"],
)
def test_a_number_that_scoring_does_not_give_is_named(rescored: Path, change_of: str) -> None:
    change(rescored, f"UPDATE evaluation SET {change_of} WHERE run_id = {RUN} AND birth = 3")
    with Store(str(rescored)) as store:
        assert "scored again" in str(replay(store, "architecture", rescore=1.0).difference)


@pytest.mark.parametrize(
    ("now", "then", "what"),
    [
        (Outcome("ok", 0.0, {"loss": -0.0}), Outcome("ok", -0.0, {"loss": -0.0}), "fitness is 0.0, recorded is -0.0"),
        (Outcome("ok", 1.0, {}, {"fitness": 2.0}), Outcome("ok", 2.0, {}, {"fitness": 2.0}), "fitness is 1.0"),
        (Outcome("ok", 1.0, {"a": 1.0}, {"a": 3.0}), Outcome("ok", 1.0, {"a": 2.0}, {"a": 3.0}), "a is 1.0"),
        (Outcome("ok", 1.0, {}, {"a": math.nan}), Outcome("ok", 1.0, {}, {"a": math.nan}), None),
    ],
)
def test_numbers_differ_by_their_bits(now: Outcome, then: Outcome, what: str | None) -> None:
    difference = first_difference(now, then)
    assert difference is None if what is None else what in str(difference)


def test_what_a_caller_has_told_is_left_out(rescored: Path) -> None:
    change(rescored, f"UPDATE evaluation SET worker = '' WHERE run_id = {RUN}")
    with Store(str(rescored)) as store:
        result = replay(store, "architecture", rescore=1.0)
    assert (result.difference, result.rescored) == (None, 0)


@pytest.mark.parametrize("share", ["nan", "-0.1", "1.5", "inf"])
def test_a_share_that_is_none_is_refused_in_a_line(rescored: Path, share: str) -> None:
    result = call(rescored, "db", "replay", "policy", "--rescore", share)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "expected a share from 0 to 1 to score again" in result.stderr


@pytest.mark.parametrize("option", [("--task", "gym:CartPole-v1"), ("--device", "cpu")], ids=str)
def test_an_option_of_scoring_is_refused_if_nothing_is_scored(rescored: Path, option: tuple[str, str]) -> None:
    result = call(rescored, "db", "replay", "policy", *option)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        f"Error: expected --rescore beside {option[0]}, since nothing is scored without it "
        "(see `germline db replay --help`)",
    )


def test_a_signal_that_was_taken_for_an_error_of_the_task_is_no_difference(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "received", [signal.SIGTERM])
    with pytest.raises(interrupts.Interrupted):
        call(database, "db", "replay", "architecture")
