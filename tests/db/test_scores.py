"""What a learning curve is made of, on every database."""

from collections.abc import Callable
from math import inf, isnan

import pytest
import sqlalchemy

from germline.db.engine import Database
from germline.db.errors import DamagedDatabase, UnknownRun
from germline.db.exact_json import dump_floats, load_one
from germline.db.location import locate
from germline.db.lock_retry import Patience
from germline.db.records import BirthScore, EvaluationRecord, Individual, RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


@pytest.fixture
def run(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> RunRecord:
    """Two blocks with a cache hit, a failure, a birth that waits, reviews, and a second run of the same genomes."""
    for name in ("other", "curve"):
        made = make_run(name)
        births = [born(0), born(1), born(2), born(3), born(4, 0), born(5, 4, fingerprint="print-1", cached_from=1)]
        store.add_individuals(made.id, "optimizer", [*births, born(6, 0)])
    store.add_evaluations(
        made.id,
        [
            scored(1, 2.0, measures={"steps": 5.0, "frames": 20.0}),
            scored(0, 1.0, measures={"frames": inf}),
            scored(2, None, measures={"frames": 3.0}),
            scored(3, 4.0),
            scored(0, 9.0, rung=1, seed=1, measures={"deviation": 0.5}),
            scored(0, 8.0, task="mnist5k-conv", rung=1),
            scored(3, None, rung=0, seed=2),
            scored(4, 0.25),
        ],
    )
    return made


def test_births_come_in_order_with_their_block_and_their_outcome(store: Store, run: RunRecord) -> None:
    births = store.scores("curve", "frames").births
    assert [(one.birth, one.block, one.cached_from) for one in births] == [
        (0, 0, None), (1, 0, None), (2, 0, None), (3, 0, None), (4, 1, None), (5, 1, 1), (6, 1, None)
    ]  # fmt: skip
    assert [one.fitness for one in births] == [1.0, 2.0, None, 4.0, 0.25, 2.0, None]
    assert [one.measure for one in births] == [inf, 20.0, 3.0, None, None, 20.0, None]
    assert births[6] == BirthScore(6, 1, None, None, None, None)


def test_places_tell_in_which_order_outcomes_were_recorded(store: Store, run: RunRecord) -> None:
    scores = store.scores("curve", "frames")
    first = {one.birth: one.outcome for one in scores.births if one.cached_from is None and one.outcome is not None}
    assert sorted(first, key=lambda birth: first[birth]) == [1, 0, 2, 3, 4]
    review, failed = scores.reviews
    assert first[3] < review.place < failed.place < first[4]


def test_reviews_are_those_on_the_task_of_the_run(store: Store, run: RunRecord) -> None:
    scores = store.scores("curve", "frames")
    assert [(one.birth, one.rung, one.seed, one.fitness) for one in scores.reviews] == [(0, 1, 1, 9.0), (3, 0, 2, None)]
    assert scores.reviews[0].measures == {"deviation": 0.5}
    assert scores.run == store.run("curve")


def test_a_run_that_was_not_begun_has_no_scores(store: Store, make_run: MakeRun) -> None:
    make_run("new")
    assert (store.scores("new", "frames").births, store.scores("new", "frames").reviews) == ((), ())
    with pytest.raises(UnknownRun, match="did you mean 'new'"):
        store.scores("nev", "frames")


def test_measures_that_no_longer_read_are_told(url: str, store: Store, run: RunRecord) -> None:
    database = Database(locate(url), Patience())
    broken = """UPDATE evaluation SET measures = '{"frames":[]}' WHERE birth = 1"""
    database.write(lambda connection: connection.execute(sqlalchemy.text(broken)) and None)
    database.close()
    with pytest.raises(DamagedDatabase, match="outcome of birth 1"):
        store.scores("curve", "frames")
    assert store.scores("curve", "steps").births[1].measure is None


def test_one_of_many_floats_is_read_as_all_of_them_are() -> None:
    values = {"a": 1.0, 'x,"frames":7,': 2.0, "frames": -1.5e-300, "b": inf, "c": -0.0, '"': 3.0}
    text = dump_floats(values)
    assert {name: load_one(text, name) for name in values} == values
    assert str(load_one(text, "c")) == "-0.0"
    assert load_one(text, "rames") is None and load_one("{}", "a") is None
    assert isnan(load_one('{"a":"nan"}', "a") or 0.0)
    for wrong in ('{"a":null}', '{"a":"1"}', '{"a":}'):
        with pytest.raises(ValueError):
            load_one(wrong, "a")
