"""Floats come back bit for bit from every query; JSON has no token that is not JSON."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import call

from germline.db import run_list
from germline.db.records import EvaluationRecord, Individual, RunRecord
from germline.db.store import Store

FITNESS = [-0.0, 0.0, 1e-320, -1e-320, 5e-324, 0.1, -1 / 3, 1.7976931348623157e308, -3.0, 1e22]
NAMED = {"inf": math.inf, "minus": -math.inf, "nan": math.nan, "zero": -0.0, "tiny": 1e-320}


def bits(value: float | None) -> bytes:
    assert value is not None
    return struct.pack("<d", value)


@pytest.mark.parametrize("fitness", FITNESS)
def test_every_query_gives_the_fitness_bit_for_bit(
    url: str,
    store: Store,
    make_run: Callable[..., RunRecord],
    born: Callable[..., Individual],
    scored: Callable[..., EvaluationRecord],
    fitness: float,
) -> None:
    run = make_run("only")
    store.add_individuals(run.id, "optimizer", [born(0)])
    review = scored(0, fitness, rung=1, objectives=NAMED, measures=NAMED)
    store.add_evaluations(run.id, [scored(0, fitness, objectives=NAMED), review])
    [summary] = store.runs()
    scores = store.scores("only", "x")
    evaluation = store.individual("only", 0).evaluation
    assert evaluation is not None
    read = [
        *(record.fitness for record in store.evaluations(run.id)),
        *(record.fitness for record in store.reviews(run.id, "print-0")),
        *(score.fitness for score in (*scores.births, *scores.reviews)),
        *(scored.evaluation.fitness for scored in store.lineage("only", 0) if scored.evaluation),
        *(scored.evaluation.fitness for scored in store.top("only") if scored.evaluation),
        evaluation.fitness,
        summary.best_fitness,
    ]
    assert len(read) == 10 and {bits(value) for value in read} == {bits(fitness)}
    assert run_list.runs(url) in (None, [summary])
    assert [bits(value) for value in evaluation.objectives.values()] == [bits(value) for value in NAMED.values()]
    assert store.check() == []


def test_the_best_of_zeros_is_the_earliest_whatever_their_signs(
    store: Store,
    make_run: Callable[..., RunRecord],
    born: Callable[..., Individual],
    scored: Callable[..., EvaluationRecord],
) -> None:
    run = make_run("zeros")
    store.add_individuals(run.id, "optimizer", [born(0), born(1), born(2)])
    store.add_evaluations(run.id, [scored(2, 0.0), scored(1, -0.0), scored(0, -1.0)])
    assert [scored.individual.birth for scored in store.top("zeros")] == [1, 2, 0]


@pytest.mark.slow
def test_json_has_every_float_and_no_token_of_its_own(
    tmp_path: Path, blank: bytes, born: Callable[..., Individual], scored: Callable[..., EvaluationRecord]
) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    with Store(str(path)) as store:
        run = store.create_run("first", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.add_individuals(run.id, "optimizer", [born(0)])
        store.add_evaluations(run.id, [scored(0, -0.0, objectives=NAMED, measures=NAMED)])

    def forbidden(token: str) -> float:
        raise AssertionError(f"{token} is not JSON")

    for command in (["runs"], ["top", "first"], ["curve", "first"], ["compare", "first"]):
        result = call(path, *command, "--json")
        assert not result.stdout or json.loads(result.stdout, parse_constant=forbidden)
    [row] = json.loads(call(path, "top", "first", "--json").stdout)
    assert bits(row["fitness"]) == bits(-0.0)
    assert row["objectives"] == {"inf": "inf", "minus": "-inf", "nan": "nan", "zero": 0.0, "tiny": 1e-320}
