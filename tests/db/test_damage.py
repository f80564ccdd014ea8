"""SQLite lets any value stand in any column: what no longer reads is told in one line, and named by `db check`."""

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
from germline.db.records import EvaluationRecord, Individual, Winner
from germline.db.schema import metadata
from germline.db.store import Store

READERS: Final[Mapping[str, Callable[[Store], object]]] = {
    "run": lambda store: store.run("r"),
    "runs": lambda store: store.runs(),
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
}
COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if column.name != "id"  # the one column in which SQLite keeps whole numbers alone
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
    """``make(kind)``: a sound run ``r`` with a row in every table; birth 3 is the best, reviewed and exported."""

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
            store.add_winners(run.id, [Winner(0, 3)])
            store.add_artifact("r", 3, "torch", "found.py", "00")
            store.request_stop("r")
            store.release(run.id, "finished", 1.0)
        return path

    return make


@pytest.fixture(scope="session")
def sound(make: Make) -> Path:
    return make("policy", PLAYED)


@pytest.fixture(scope="session")
def kept(sound: Path) -> Iterator[tuple[Store, Path]]:
    """One store for all damages, since to open one takes longer than all the rest."""
    path = sound.with_name("damaged.db")
    path.write_bytes(sound.read_bytes())
    with Store(str(path)) as store:
        yield store, path


@pytest.fixture
def damaged(kept: tuple[Store, Path], sound: Path) -> Damage:
    """``damaged(statement, …)``: a store of a run of policies to which that was done behind its back."""

    def damage(statement: str, *values: object) -> Store:
        store, path = kept
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
    ("statement", "reader", "line", "named"),
    [
        (
            "UPDATE evaluation SET fitness = 'abc' WHERE birth = 3 AND rung = 0",
            "evaluations",
            "the evaluation of birth 3 no longer reads (expected fitness of type float or None, got 'abc')",
            "run r: 1 birth has a value of the wrong type in evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET fitness = 'abc' WHERE birth = 3",
            "scores",
            "the outcome of birth 3 no longer reads (expected fitness of type float or None, got 'abc')",
            "evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET fitness = x'00' WHERE rung = 1",
            "scores",
            "a review of birth 3 no longer reads (expected fitness of type float or None, got b'\\\\x00')",
            "evaluation.fitness: 3",
        ),
        (
            "UPDATE evaluation SET worker = x'00ff' WHERE birth = 3",
            "individual",
            "the evaluation of birth 3 no longer reads (expected worker of type str, got b'\\\\x00\\\\xff')",
            "evaluation.worker: 3",
        ),
        (
            "UPDATE evaluation SET rung = 1.5 WHERE rung = 1",
            "reviews",
            "the evaluation of birth 3 no longer reads (expected rung of type int, got 1.5)",
            "evaluation.rung: 3",
        ),
        (
            "UPDATE genome SET text = x'ff' WHERE fingerprint = 'print-3'",
            "individuals",
            "birth 3 no longer reads (expected genome of type str, got b'\\\\xff')",
            "a value of the wrong type in genome.text",
        ),
        (
            "UPDATE individual SET operator = x'00' WHERE birth = 3",
            "lineage",
            "birth 3 no longer reads (expected operator of type str, got b'\\\\x00')",
            "run r: 1 birth has a value of the wrong type in individual.operator: 3",
        ),
        (
            "UPDATE individual SET block = 'abc'",
            "scores",
            "the outcome of birth 0 no longer reads (expected block of type int, got 'abc')",
            "run r: 5 births have a value of the wrong type in individual.block: 0, 1, 2, 3, 4",
        ),
        (
            "UPDATE parentage SET parent = 'abc' WHERE birth = 2",
            "individuals",
            "birth 2 no longer reads (expected a parent of type int, got 'abc')",
            "run r: 1 birth has a value of the wrong type in parentage.parent: 2",
        ),
        (
            "UPDATE rejection SET genomes = 'abc'",
            "individuals",
            "birth 3 no longer reads (expected rejected of type int, got 'abc')",
            "run r: 1 birth has a value of the wrong type in rejection.genomes: 3",
        ),
        (
            "UPDATE run SET seed = 'abc'",
            "top",
            "run 'r' no longer reads (expected seed of type int, got 'abc')",
            "run r: a value of the wrong type in run.seed",
        ),
        (
            "UPDATE run SET seconds = x'00'",
            "runs",
            "run 'r' no longer reads (expected seconds of type float, got b'\\\\x00')",
            "run r: a value of the wrong type in run.seconds",
        ),
        (
            "UPDATE winner SET birth = 'abc'",
            "winner",
            "the winner of block 0 no longer reads (expected birth of type int or None, got 'abc')",
            "run r: 1 birth has a value of the wrong type in winner.birth: abc",
        ),
        (
            "UPDATE artifact SET path = x'00'",
            "artifacts",
            "an artifact of birth 3 no longer reads (expected path of type str, got b'\\\\x00')",
            "run r: 1 birth has a value of the wrong type in artifact.path: 3",
        ),
        (
            """UPDATE run SET config = '{"a":' """,
            "run",
            "run 'r' no longer reads (Expecting value",
            "run r: a config that does not read",
        ),
        (
            """UPDATE run SET config = '{"settings":5}' """,
            "scores",
            "run 'r' no longer reads (expected settings to be a JSON object, got 5)",
            "run r: a config that does not read",
        ),
        (
            "UPDATE evaluation SET rung = -5 WHERE rung = 1",
            "reviews",
            "the evaluation of birth 3 no longer reads (expected rung to be 0 or more, got -5)",
            "run r: 1 birth has a rung below 0: 3",
        ),
    ],
)
def test_what_no_longer_reads_is_told_in_a_line_and_named_by_the_check(
    damaged: Damage, statement: str, reader: str, line: str, named: str
) -> None:
    store = damaged(statement)
    with pytest.raises(DamagedDatabase) as told:
        READERS[reader](store)
    assert str(told.value).startswith(line.replace("\\\\", "\\"))
    assert str(told.value).endswith("restore a copy made with `germline db backup`")
    assert named in "\n".join(store.check())


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(one) for one in COLUMNS])
def test_bytes_in_any_column_raise_nothing_but_errors_of_the_database_and_are_named(
    damaged: Damage, table: str, column: str
) -> None:
    one = {"genome": "fingerprint = 'print-3'", "parentage": "birth = 3 AND position = 1", "run": "id = 1"}
    where = one.get(table, "run_id = 1 AND " + ("birth = 3" if table != "control" else "id = 1"))
    if table == "evaluation":
        where += " AND rung = 0"
    store = damaged(f"UPDATE {table} SET {column} = x'00ff' WHERE {where}")
    for read in READERS.values():
        with suppress(DatabaseError):
            read(store)
    assert store.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["episodes", "steps", "frames"])
@pytest.mark.parametrize("value", ['"nan"', '"inf"', '"-inf"', "-1.0", "1e300"])
def test_what_a_policy_played_has_to_be_a_count(damaged: Damage, name: str, value: str) -> None:
    replaced = "UPDATE evaluation SET measures = json_set(measures, ?, json(?)) WHERE birth = 3"
    store = damaged(replaced, f"$.{name}", value)
    for reader in ("evaluations", "individual", "reviews", "scores"):
        with pytest.raises(DamagedDatabase, match=f"birth 3 no longer reads .expected {name} to be a count, got"):
            READERS[reader](store)
    assert "run r: 1 birth has objectives or measures that do not read: 3" in store.check()


@pytest.mark.slow
def test_other_kinds_may_measure_anything_under_these_names(make: Make) -> None:
    path = make("optimizer", {"episodes": nan, "steps": -inf, "frames": -0.5})
    with Store(str(path)) as store:
        for one in store.evaluations(1):
            assert isnan(one.measures["episodes"]) and (one.measures["steps"], one.measures["frames"]) == (-inf, -0.5)
        assert store.scores("r", "frames").births[3].measure == -0.5
        assert store.check() == []


def test_what_else_was_measured_of_policies_may_be_infinite(make: Make) -> None:
    path = make("policy", {**PLAYED, "behaviour_0": nan, "deviation": inf})
    with Store(str(path)) as store:
        assert isnan(store.best("r").evaluation.measures["behaviour_0"])  # type: ignore[union-attr]
        assert store.check() == []


def test_a_glance_tells_of_a_summary_that_no_longer_reads(damaged: Damage, kept: tuple[Store, Path]) -> None:
    damaged("UPDATE run SET preset = x'00'")
    with pytest.raises(DamagedDatabase, match=r"run 'r' no longer reads .expected preset of type str, got b'.x00'"):
        run_list.runs(str(kept[1]))


@pytest.mark.parametrize("load", [load_floats, load_plain])
def test_lists_without_end_are_a_value_error(load: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match="lists without end"):
        load("[" * 100_000)
