"""The scores of a run, which are the data of a learning curve, on every database."""

from collections.abc import Callable
from math import inf, isnan

import pytest
import sqlalchemy

from germline.db.engine import Database
from germline.db.errors import DamagedDatabase, UnknownRun
from germline.db.exact_json import dump_floats, load_float
from germline.db.location import locate
from germline.db.lock_retry import LockRetry
from germline.db.records import BirthScore, EvaluationRecord, Individual, RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


@pytest.fixture
def run(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> RunRecord:
    """Two blocks with a cache hit, a failure, a birth without outcome and reviews, beside a run of the same genomes."""
    for name in ("other", "curve"):
        run = make_run(name)
        births = [born(0), born(1), born(2), born(3), born(4, 0), born(5, 4, fingerprint="print-1", cached_from=1)]
        store.add_individuals(run.id, "optimizer", [*births, born(6, 0)])
    store.add_evaluations(
        run.id,
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
    return run


def test_births_come_in_order_with_their_block_and_their_outcome(store: Store, run: RunRecord) -> None:
    births = store.scores("curve", "frames").births
    assert [(score.birth, score.block, score.cached_from) for score in births] == [
        (0, 0, None), (1, 0, None), (2, 0, None), (3, 0, None), (4, 1, None), (5, 1, 1), (6, 1, None)
    ]  # fmt: skip
    assert [score.fitness for score in births] == [1.0, 2.0, None, 4.0, 0.25, 2.0, None]
    assert [score.measure for score in births] == [inf, 20.0, 3.0, None, None, 20.0, None]
    assert births[6] == BirthScore(6, 1, None, None, None, None)


def test_ids_of_outcomes_and_reviews_grow_in_the_order_of_recording(store: Store, run: RunRecord) -> None:
    scores = store.scores("curve", "frames")
    outcome_ids = {
        score.birth: score.outcome_id
        for score in scores.births
        if score.cached_from is None and score.outcome_id is not None
    }
    assert sorted(outcome_ids, key=lambda birth: outcome_ids[birth]) == [1, 0, 2, 3, 4]
    review, failed_review = scores.reviews
    assert outcome_ids[3] < review.evaluation_id < failed_review.evaluation_id < outcome_ids[4]


def test_scores_contain_only_reviews_on_the_task_of_the_run(store: Store, run: RunRecord) -> None:
    scores = store.scores("curve", "frames")
    assert [(review.birth, review.rung, review.seed, review.fitness) for review in scores.reviews] == [
        (0, 1, 1, 9.0),
        (3, 0, 2, None),
    ]
    assert scores.reviews[0].measures == {"deviation": 0.5}
    assert scores.run == store.run("curve")


def test_a_run_without_births_has_no_scores(store: Store, make_run: MakeRun) -> None:
    make_run("new")
    assert (store.scores("new", "frames").births, store.scores("new", "frames").reviews) == ((), ())
    with pytest.raises(UnknownRun, match="did you mean 'new'"):
        store.scores("nev", "frames")


def test_measures_that_cannot_be_read_are_an_error(url: str, store: Store, run: RunRecord) -> None:
    database = Database(locate(url), LockRetry())
    broken = """UPDATE evaluation SET measures = '{"frames":[]}' WHERE birth = 1"""
    database.write(lambda connection: connection.execute(sqlalchemy.text(broken)) and None)
    database.close()
    with pytest.raises(DamagedDatabase, match="outcome of birth 1"):
        store.scores("curve", "frames")
    assert store.scores("curve", "steps").births[1].measure is None


def test_a_single_float_is_read_as_it_is_among_all_floats() -> None:
    values = {"a": 1.0, 'x,"frames":7,': 2.0, "frames": -1.5e-300, "b": inf, "c": -0.0, '"': 3.0}
    text = dump_floats(values)
    assert {name: load_float(text, name) for name in values} == values
    assert str(load_float(text, "c")) == "-0.0"
    assert load_float(text, "rames") is None and load_float("{}", "a") is None
    assert isnan(load_float('{"a":"nan"}', "a") or 0.0)
    for wrong in ('{"a":null}', '{"a":"1"}', '{"a":}'):
        with pytest.raises(ValueError):
            load_float(wrong, "a")
