"""SQLite stores any value in any column. Reading a wrong value is an error of one line, and `db check` reports it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, Final

import pytest

from germline.db import run_list
from germline.db.errors import DamagedDatabase, DatabaseError
from germline.db.exact_json import load_floats, load_plain
from germline.db.records import EvaluationRecord, Individual, ProposalRecord, Snapshot, TrainingRecord, Winner
from germline.db.schema import metadata
from germline.db.store import Store

READERS: Final[Mapping[str, Callable[[Store], object]]] = {
    "run": lambda store: store.run("r"),
    "runs": lambda store: store.runs(),
    "an unknown run": lambda store: store.run("another"),
    "individual": lambda store: store.individual("r", 3),
    "individuals": lambda store: list(store.individuals(1)),
    "evaluations": lambda store: list(store.evaluations(1)),
    "top": lambda store: store.top("r"),
    "best": lambda store: store.best("r"),
    "winner": lambda store: store.winner("r"),
    "winners": lambda store: store.winners("r"),
    "block": lambda store: store.block("r"),
    "scores": lambda store: store.scores("r", "frames"),
    "reviews": lambda store: store.reviews(1, "print-3"),
    "lineage": lambda store: store.lineage("r", 3),
    "seconds": lambda store: store.mean_seconds("r"),
    "failures": lambda store: store.failures("r"),
    "stop requested": lambda store: store.stop_requested(1),
    "artifacts": lambda store: store.artifacts("r"),
    "simplified": lambda store: store.simplified("r", 3),
    "verdict": lambda store: store.verdict("r", 3),
    "trainings": lambda store: store.trainings("digits-mlp", "1", 0, [("t", 3)]),
    "proposals": lambda store: store.proposals(1, 0, 9),
    "refused proposals": lambda store: store.refused_proposals(1, 9, 9),
    "totals of proposals": lambda store: store.proposal_totals(1, 9),
    "snapshot": lambda store: store.snapshot(1),
    "individuals of births": lambda store: list(store.individuals_of(1, [0, 3])),
    "columns of births": lambda store: store.birth_columns("r"),
    "columns of evaluations": lambda store: store.evaluation_columns("r"),
    "columns of scores": lambda store: store.score_columns("r"),
    "columns of parents": lambda store: store.parent_columns("r"),
    "columns of cache hits": lambda store: store.hit_columns("r"),
    "columns of objectives": lambda store: store.objective_columns("r"),
    "children": lambda store: store.children("r", 1),
    "counts of failures": lambda store: store.failure_counts("r"),
    "last recorded": lambda store: store.last_recorded("r"),
    "evaluations of fingerprints": lambda store: list(store.evaluations_of(1, "digits-mlp", ["print-3"])),
}
COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    # SQLite keeps nothing but whole numbers in a primary key of one whole number.
    if column.name != "id" and (table.name, column.name) != ("snapshot", "run_id")
]
PLAYED = {"episodes": 1.0, "steps": 5.0, "frames": 20.0}


Make = Callable[..., Path]
Damage = Callable[..., Store]


@pytest.fixture(scope="session")
def make(
    tmp_path_factory: pytest.TempPathFactory,
    blank: bytes,
    born: Callable[..., Individual],
    scored: Callable[..., EvaluationRecord],
) -> Make:
    """``make(kind, measures)``: a sound run ``r`` with rows in every table; birth 3 is the best, and exported."""

    def make(kind: str, measures: Mapping[str, float]) -> Path:
        path = tmp_path_factory.mktemp("sound") / "runs.db"
        path.write_bytes(blank)
        with Store(str(path)) as store:
            run = store.create_run("r", kind, "digits-mlp", "quick", 1, {}, {})
            hit = born(4, 3, block=0, fingerprint="print-2", cached_from=2)
            births = [born(0), born(1), born(2, 0), born(3, 1, 0, block=0, rejected=2), hit]
            store.add_individuals(run.id, kind, births)
            fitness = [1.0, None, 3.0, 4.0]
            scores = [scored(birth, value, measures=measures) for birth, value in enumerate(fitness)]
            store.add_evaluations(run.id, [*scores, scored(3, 2.0, rung=1, seed=1, measures=measures)])
            store.add_winners(run.id, [Winner(0, 3)], Snapshot(0, "state"))
            store.add_artifact("r", 3, "torch", "best.py", "00")
            store.add_simplified("r", 3, "smaller", "print-5", {"tier": "exact"})
            store.add_proposal(run.id, ProposalRecord(3, 0, "llm", "known", "not new", 1, "ask", "m", 7, 5, "text"))
            store.add_verdict("r", 3, {"verdict": "better"})
            store.add_trainings(
                "digits-mlp", "1", 0, [TrainingRecord("t", 3, "ok", -1.0, {"curve_00": 2.0}, 0.5, None)]
            )
            store.request_stop("r")
            store.release(run.id, "finished", 1.0)
        return path

    return make


@pytest.fixture(scope="session")
def sound(make: Make) -> Path:
    return make("policy", PLAYED)


@pytest.fixture(scope="session")
def reused_store(sound: Path) -> Iterator[tuple[Store, Path]]:
    """A store that all tests use, because opening a store takes most of the time of a test."""
    path = sound.with_name("damaged.db")
    path.write_bytes(sound.read_bytes())
    with Store(str(path)) as store:
        yield store, path


@pytest.fixture
def damaged(reused_store: tuple[Store, Path], sound: Path) -> Damage:
    """``damaged(statement, …)``: the store of a sound run of policies after the SQL statement."""

    def damage(statement: str, *values: object) -> Store:
        store, path = reused_store
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute("ATTACH ? AS sound", [str(sound)])
            for table in metadata.tables:
                connection.execute(f"DELETE FROM main.{table}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM sound.{table}")
            assert connection.execute(statement, values).rowcount >= 1
            connection.commit()
        return store

    return damage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "reader", "line", "problem"),
    [
        (
            "UPDATE evaluation SET fitness = 'abc' WHERE birth = 3 AND rung = 0",
            "evaluations",
            "the evaluation of birth 3 cannot be read (expected fitness of type float or None, got 'abc')",
            "run r: 1 birth has a value of the wrong type in evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET fitness = 'abc' WHERE birth = 3",
            "scores",
            "the outcome of birth 3 cannot be read (expected fitness of type float or None, got 'abc')",
            "evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET fitness = x'00' WHERE rung = 1",
            "scores",
            "a review of birth 3 cannot be read (expected fitness of type float or None, got b'\\\\x00')",
            "evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET worker = x'00ff' WHERE birth = 3",
            "individual",
            "the evaluation of birth 3 cannot be read (expected worker of type str, got b'\\\\x00\\\\xff')",
            "evaluation.worker: 3",
        ),
        (
            "UPDATE evaluation SET rung = 1.5 WHERE rung = 1",
            "reviews",
            "the evaluation of birth 3 cannot be read (expected rung of type int, got 1.5)",
            "evaluation.rung: 3",
        ),
        (
            "UPDATE genome SET text = x'ff' WHERE fingerprint = 'print-3'",
            "individuals",
            "birth 3 cannot be read (expected genome of type str, got b'\\\\xff')",
            "a value of the wrong type in genome.text",
        ),
        (
            "UPDATE individual SET operator = x'00' WHERE birth = 3",
            "lineage",
            "birth 3 cannot be read (expected operator of type str, got b'\\\\x00')",
            "run r: 1 birth has a value of the wrong type in individual.operator: 3",
        ),
        (
            "UPDATE individual SET block = 'abc'",
            "scores",
            "the outcome of birth 0 cannot be read (expected block of type int, got 'abc')",
            "run r: 5 births have a value of the wrong type in individual.block: 0, 1, 2, 3, 4",
        ),
        (
            "UPDATE parentage SET parent = 'abc' WHERE birth = 2",
            "individuals",
            "birth 2 cannot be read (expected a parent of type int, got 'abc')",
            "run r: 1 birth has a value of the wrong type in parentage.parent: 2",
        ),
        (
            "UPDATE rejection SET genomes = 'abc'",
            "individuals",
            "birth 3 cannot be read (expected rejected of type int, got 'abc')",
            "run r: 1 birth has a value of the wrong type in rejection.genomes: 3",
        ),
        (
            "UPDATE run SET seed = 'abc'",
            "top",
            "run 'r' cannot be read (expected seed of type int, got 'abc')",
            "run r: a value of the wrong type in run.seed",
        ),
        (
            "UPDATE run SET seconds = x'00'",
            "runs",
            "run 'r' cannot be read (expected seconds of type float, got b'\\\\x00')",
            "run r: a value of the wrong type in run.seconds",
        ),
        (
            "UPDATE winner SET birth = 'abc'",
            "winner",
            "the winner of block 0 cannot be read (expected birth of type int or None, got 'abc')",
            "run r: 1 birth has a value of the wrong type in winner.birth: abc",
        ),
        (
            "UPDATE artifact SET path = x'00'",
            "artifacts",
            "an artifact of birth 3 cannot be read (expected path of type str, got b'\\\\x00')",
            "run r: 1 birth has a value of the wrong type in artifact.path: 3",
        ),
        (
            """UPDATE run SET config = '{"a":' """,
            "run",
            "run 'r' cannot be read (Expecting value",
            "run r: a config that cannot be read",
        ),
        (
            """UPDATE run SET config = '{"settings":5}' """,
            "scores",
            "run 'r' cannot be read (expected settings to be a JSON object, got 5)",
            "run r: a config that cannot be read",
        ),
        (
            "UPDATE evaluation SET rung = -5 WHERE rung = 1",
            "reviews",
            "the evaluation of birth 3 cannot be read (expected rung to be 0 or more, got -5)",
            "run r: 1 birth has a rung below 0: 3",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_of_one_line_and_reported_by_the_check(
    damaged: Damage, statement: str, reader: str, line: str, problem: str
) -> None:
    store = damaged(statement)
    with pytest.raises(DamagedDatabase) as error:
        READERS[reader](store)
    assert str(error.value).startswith(line.replace("\\\\", "\\"))
    assert str(error.value).endswith("restore a copy made with `germline db backup`")
    assert problem in "\n".join(store.check())


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(names) for names in COLUMNS])
def test_bytes_in_any_column_raise_only_database_errors_and_are_reported_by_the_check(
    damaged: Damage, table: str, column: str
) -> None:
    conditions = {"genome": "fingerprint = 'print-3'", "parentage": "birth = 3 AND position = 1", "run": "id = 1"}
    conditions |= {
        "training": "id = 1",
        "control": "run_id = 1 AND id = 1",
        "snapshot": "run_id = 1",
        "answer": "model = 'm'",
    }
    where = conditions.get(table, "run_id = 1 AND birth = 3")
    if table == "evaluation":
        where += " AND rung = 0"
    store = damaged(f"UPDATE {table} SET {column} = x'00ff' WHERE {where}")
    for read in READERS.values():
        with suppress(DatabaseError):
            read(store)
    assert store.check()


@pytest.mark.parametrize(
    ("table", "column", "reader"),
    [
        ("individual", "operator", "columns of births"),
        ("evaluation", "worker", "columns of evaluations"),
        ("evaluation", "objectives", "columns of objectives"),
    ],
)
def test_columns_with_text_that_is_not_utf_8_are_damage(damaged: Damage, table: str, column: str, reader: str) -> None:
    store = damaged(f"UPDATE {table} SET {column} = CAST(x'ff' AS TEXT) WHERE birth = 3")
    with pytest.raises(DamagedDatabase, match=r"is damaged .*UTF-8.*restore a copy"):
        READERS[reader](store)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["episodes", "steps", "frames"])
@pytest.mark.parametrize("value", ['"nan"', '"inf"', '"-inf"', "-1.0", "1e300"])
def test_episodes_steps_and_frames_of_a_policy_must_be_counts(damaged: Damage, name: str, value: str) -> None:
    statement = "UPDATE evaluation SET measures = json_set(measures, ?, json(?)) WHERE birth = 3"
    store = damaged(statement, f"$.{name}", value)
    for reader in ("evaluations", "individual", "reviews", "scores"):
        with pytest.raises(DamagedDatabase, match=f"birth 3 cannot be read .expected {name} to be a count, got"):
            READERS[reader](store)
    assert "run r: 1 birth has objectives or measures that cannot be read: 3" in store.check()


@pytest.mark.slow
def test_measures_of_these_names_may_be_any_float_in_runs_of_other_kinds(make: Make) -> None:
    path = make("optimizer", {"episodes": nan, "steps": -inf, "frames": -0.5})
    with Store(str(path)) as store:
        for record in store.evaluations(1):
            assert isnan(record.measures["episodes"])
            assert (record.measures["steps"], record.measures["frames"]) == (-inf, -0.5)
        assert store.scores("r", "frames").births[3].measure == -0.5
        assert store.check() == []


def test_other_measures_of_a_policy_may_be_infinite_or_nan(make: Make) -> None:
    path = make("policy", {**PLAYED, "behaviour_0": nan, "deviation": inf})
    with Store(str(path)) as store:
        assert isnan(store.best("r").evaluation.measures["behaviour_0"])  # type: ignore[union-attr]
        assert store.check() == []


def test_the_run_list_raises_for_a_run_that_cannot_be_read(damaged: Damage, reused_store: tuple[Store, Path]) -> None:
    damaged("UPDATE run SET preset = x'00'")
    with pytest.raises(DamagedDatabase, match=r"run 'r' cannot be read .expected preset of type str, got b'.x00'"):
        run_list.runs(str(reused_store[1]))


@pytest.mark.parametrize("load", [load_floats, load_plain])
def test_lists_nested_too_deeply_are_a_value_error(load: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match="lists nested too deeply"):
        load("[" * 100_000)


def test_a_number_that_an_outcome_must_have_and_lacks_is_damage() -> None:
    numbers = load_floats('{"validation_errir":1.5,"params":3.0}')
    assert numbers == {"validation_errir": 1.5, "params": 3.0} and numbers.get("validation_error") is None
    with pytest.raises(DamagedDatabase, match=r"params cannot be read \(expected validation_error too"):
        numbers["validation_error"]


@pytest.mark.parametrize("value", [b"\x00", 5.5])
def test_the_block_of_a_winner_that_is_no_number_hinders_no_check(damaged: Damage, value: object) -> None:
    assert damaged("UPDATE winner SET block = ?", value).check() != []
