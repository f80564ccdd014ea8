"""The data of the pages, on small runs whose numbers are known."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from invented_runs import InventedRun
from large_runs import large_run

from germline.cli.dashboard import failures, fitness, lineage_tree, operators, runs, workers
from germline.cli.dashboard.front import front_births
from germline.cli.dashboard.individual import REVIEWS
from germline.cli.dashboard.lineage_tree import Ancestry
from germline.cli.dashboard.page_json import page_json
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.report import report
from germline.cli.dashboard.run_columns import RunColumns, extended, read_columns
from germline.db.columns import FailureCount
from germline.db.errors import ReadOnlyDatabase
from germline.db.store import Store

TIME = "2026-01-01T00:00:{:02d}.000+00:00"


def test_the_best_so_far_and_quartiles_of_bins() -> None:
    scores = fitness.extended(None, [(i + 1, i, float(i % 7)) for i in range(100)])
    data = fitness.fitness_data("architecture", scores, [])
    assert data["best"] == [*([i, float(i)] for i in range(7)), [99, 6.0]]
    assert data["x"] == [0, 9, 19, 29, 39, 49, 59, 69, 79, 89, 99]
    assert data["median"][0] == data["median"][1] == sorted(i % 7 for i in range(10))[4]
    assert all(
        low <= median <= high for low, median, high in zip(data["low"], data["median"], data["high"], strict=True)
    )


def test_scores_that_come_later_are_merged_in_the_order_of_births() -> None:
    first = fitness.extended(None, [(1, 0, 1.0), (3, 2, 3.0)])
    both = fitness.extended(first, [(4, 1, 2.0), (5, 3, 4.0)])
    assert both.births.tolist() == [0, 1, 2, 3] and both.fitness.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert both.ids.tolist() == [1, 4, 3, 5]


def test_many_rises_are_thinned_and_end_at_the_best() -> None:
    scores = fitness.extended(None, [(i + 1, i, float(i)) for i in range(5000)])
    best = fitness.fitness_data("policy", scores, [])["best"]
    assert len(best) <= 2 * fitness.BINS and best[0] == [0, 0.0] and best[-1] == [4999, 4999.0]


def test_a_run_of_thirty_births_has_a_median_and_shares() -> None:
    scores = fitness.extended(None, [(i + 1, i, float(i)) for i in range(30)])
    data = fitness.fitness_data("architecture", scores, [])
    assert data["x"] == [0, 4, 9, 14, 19, 24, 29] and data["median"] == [2.0, 2.0, 7.0, 12.0, 17.0, 22.0, 27.0]
    shares = operators.shares_data(30, [], [(0, "timeout")])
    assert shares["x"] == data["x"] and shares["failures"] == {"timeout": [0.2, 0.2, 0, 0, 0, 0, 0]}


def test_a_run_of_two_births_is_a_line_and_no_point() -> None:
    scores = fitness.extended(None, [(1, 0, 1.0), (2, 1, 3.0)])
    assert fitness.fitness_data("architecture", scores, [])["x"] == [0, 1]
    assert operators.shares_data(2, [], [])["x"] == [0, 1]


def test_a_cache_hit_of_a_failure_is_a_failure() -> None:
    assert operators.shares_data(4, [(3, 1)], [(1, "crashed")]) == {
        "x": [0, 3],
        "hits": [0.25, 0.25],
        "failures": {"crashed": [0.5, 0.5]},
    }


def columns() -> RunColumns:
    """Birth 1 is better than its parent 0, birth 2 a cache hit of 1, birth 3 a failure, birth 4 worse than 1."""
    births = [
        (0, "seed", None, None),
        (1, "tune", None, 0),
        (2, "tune", 1, 0),
        (3, "insert", None, 1),
        (4, "tune", None, 1),
    ]
    rows = [(0, "ok", -1.0), (1, "ok", -0.5), (3, "crashed", None), (4, "ok", -0.7)]
    evaluations = [
        (i + 1, birth, 1, 0, 0, status, value, 1.0, f"host:{i % 2}", TIME.format(i + 1))
        for i, (birth, status, value) in enumerate(rows)
    ]
    return extended(RunColumns(), births, evaluations)


def test_operators_and_what_they_brought() -> None:
    rows = {row["operator"]: row for row in operators.operator_rows(columns(), [0, 1])}
    assert rows["tune"] == {
        "operator": "tune",
        "births": 3,
        "hits": pytest.approx(1 / 3),
        "failed": 0.0,
        "better": 0.5,  # of births 1 and 4: the hit is the outcome of another birth
        "gain": 0.5,
        "records": 1,
        "line": 1,
    }
    assert rows["insert"]["failed"] == 1.0 and rows["insert"]["better"] is None
    assert rows["seed"]["records"] == 1 and rows["seed"]["line"] == 1


def test_columns_that_grow_equal_those_read_at_once(tmp_path: Path) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = InventedRun(store, "grows", kind="optimizer").block(0, [-1.0, -0.5, None, -0.7])
        before = read_columns(store, "grows")
        run.block(1, [-0.4, None, -0.5, -0.6], cached={2: 1}).score(4, -0.45, rung=1, seed=1)
        after, whole = read_columns(store, "grows", before), read_columns(store, "grows")
    assert after.size == 8 and after.last == whole.last
    for name in ("source", "parent", "ids", "births", "rungs", "seeds"):
        assert getattr(after, name).tolist() == getattr(whole, name).tolist()
    np.testing.assert_array_equal(after.birth_fitness, [-1.0, -0.5, np.nan, -0.7, -0.4, np.nan, -0.5, -0.6])
    assert after.failed.tolist() == [False, False, True, False, False, True, False, False]


def test_workers_are_busy_while_their_evaluations_take() -> None:
    data = workers.workers_data(columns())
    assert data["workers"] == ["host:0", "host:1"]
    # host:0 works in the first and the third of four seconds, host:1 in the others.
    busy = np.array(data["busy"])
    assert busy[0, :24].tolist() == [1.0] * 24 and busy[1, :24].tolist() == [0.0] * 24
    assert busy.sum(1).tolist() == pytest.approx([50.0, 50.0], abs=1.0)


def test_no_time_in_the_records_is_no_timeline() -> None:
    evaluations = [(1, 0, 1, 0, 0, "ok", 1.0, 1.0, "a", "not a time")]
    assert workers.workers_data(extended(RunColumns(), [(0, "seed", None, None)], evaluations))["workers"] == []


def test_causes_of_failures_differ_in_more_than_numbers() -> None:
    counts = [
        FailureCount("diverged", "loss is nan at step 3", 5, 10, 90),
        FailureCount("diverged", "loss is nan at step 14", 2, 11, 12),
        FailureCount("crashed", None, 9, 7, 7),
    ]
    assert failures.causes(counts) == [
        failures.Cause("crashed", "", 9, [7]),
        failures.Cause("diverged", "loss is nan at step #", 7, [10, 11, 12, 90]),
    ]


def test_a_number_that_all_errors_of_a_cause_share_stays() -> None:
    counts = [FailureCount("oom", f"2 GiB at step {step}, batch {batch}", 1, 0, 0) for step, batch in ((1, 8), (20, 9))]
    [cause] = failures.causes([*counts, FailureCount("oom", "2 GiB at step 3, batch 8", 1, 0, 0)])
    assert cause.error == "2 GiB at step #, batch #" and cause.count == 3


def test_the_line_goes_by_first_parents_and_folds_small_steps() -> None:
    size = 100
    parent = np.arange(-1, size - 1)
    values = np.zeros(size)
    values[50:] = 1.0
    choice = lineage_tree.chosen(Ancestry(parent, values), size - 1)
    assert list(choice.line) == list(range(size))
    assert len(choice.shown) == lineage_tree.SHOWN and {0, 50, 99} <= set(choice.shown)
    assert list(choice.shown) == sorted(choice.shown)
    assert 49 in choice.wanted  # the parent of a step that is shown


def test_siblings_are_the_best_other_children_and_the_rest_is_counted() -> None:
    parent = np.array([-1, 0, 0, 0, 0, 0, 1, 4])
    values = np.array([0.0, 5.0, 1.0, 2.0, np.nan, 3.0, 6.0, 0.0])
    choice = lineage_tree.chosen(Ancestry(parent, values), 6)
    assert list(choice.line) == [0, 1, 6]
    assert choice.siblings[0] == [5, 3, 2] and choice.others[0] == 1
    assert choice.siblings[1] == [] and choice.others[1] == 0


def test_a_circle_of_parents_in_a_damaged_database_ends() -> None:
    assert Ancestry(np.array([1, 0, 2]), np.zeros(3)).line(1) == [0, 1]
    assert Ancestry(np.array([1, 0, 2]), np.zeros(3)).line(2) == [2]


@pytest.mark.slow
def test_the_front_of_many_points_equals_that_of_pairwise_comparison() -> None:
    values = np.random.default_rng(0).integers(0, 60, (3000, 3)).astype(np.float64)
    dominated = [((values <= point).all(1) & (values < point).any(1)).any() for point in values]
    assert front_births(list(range(3000)), values) == np.flatnonzero(~np.array(dominated)).tolist()


def test_json_of_pages_is_standard_and_cannot_end_a_script() -> None:
    text = page_json({"</script>": [float("nan"), float("inf"), "<!--&\u2028"]})
    assert text == '{"\\u003c/script\\u003e":[null,null,"\\u003c!--\\u0026\\u2028"]}'


def test_the_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3)
        reader = Reader(str(path))
        assert reader.summary("first") == store.runs()[0]
        with reader._stores.store() as own, pytest.raises(ReadOnlyDatabase):
            own.request_stop("first")
        before = reader.fitness("first")
        assert reader.fitness("first") is before  # nothing was recorded since
        store.add_winners(1, [])
        InventedRun(store, "second")
        reader.close()


@pytest.mark.slow
def test_a_run_of_thousands_of_births_is_shown_in_little(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    large_run(path, 6000)
    with closing(Reader(str(path))) as reader:
        winner = reader.winner("large")
        assert winner is not None
        tree = reader.tree("large", winner.individual.birth)
        assert tree["steps"] > lineage_tree.SHOWN
        line = [node["birth"] for node in tree["nodes"] if node["role"] == "line"]
        assert len(line) == lineage_tree.SHOWN and line[0] == 0 and line[-1] == winner.individual.birth
        edges = [edge for edge in tree["edges"] if edge["role"] == "line"]
        assert sum(edge["steps"] for edge in edges) == tree["steps"]
        assert all(edge["diff"] for edge in edges) and sum(edge["gain"] for edge in edges) == pytest.approx(
            (winner.evaluation.fitness or 0.0) + 0.9 if winner.evaluation else 0.0
        )
        assert len(page_json(reader.fitness("large"))) < 60_000
        assert len(page_json(reader.front("large"))) < 200_000
        assert sum(row["births"] for row in reader.operators("large")) == 6000
        assert 1_000_000 < len(report(reader, "large", "now")) < 3_000_000


def test_a_short_run_beside_a_long_one_is_a_curve_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    names = ["x" * 50 + end for end in ("a", "b")]
    with Store(str(path)) as store:
        InventedRun(store, names[0]).block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3).end()
        settings = {"population": 8, "candidates": 2}
        InventedRun(store, names[1], settings=settings).block(0, [float(i) for i in range(2000)]).end()
    with closing(Reader(str(path))) as reader:
        curves = reader.compared(names)[1]["curves"]
    short, long = sorted(curves, key=lambda curve: int(curve["x"][-1]))
    assert short["x"] == [0, 1, 2, 3] and short["median"] == [1.0, 2.0, 3.0, 4.0]
    assert long["x"][-1] == 1999 and len(long["x"]) == runs.POINTS
    assert short["name"] != long["name"]


def test_a_run_with_a_single_ok_outcome_has_axes(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "first").block(0, [1.0, None])
    with closing(Reader(str(path))) as reader:
        data = reader.front("first")
    axes = {axis["name"]: axis["values"] for axis in data["axes"]}
    assert axes["fitness"] == [1.0] and axes["birth"] == [0]
    assert data["x"] in axes and data["y"] in axes and data["x"] != data["y"]


def test_a_text_that_is_no_time_leaves_the_other_times() -> None:
    times = [TIME.format(1), "not a time", TIME.format(3), "", TIME.format(5)]
    evaluations = [(i + 1, 0, 1, 1, i, "ok", 1.0, 1.0, "a", text) for i, text in enumerate(times)]
    created = extended(RunColumns(), [(0, "seed", None, None)], evaluations).created
    assert np.isnat(created).tolist() == [False, True, False, True, False]


def test_of_many_reviews_each_rung_keeps_its_last_and_the_others_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "first").block(0, [1.0])
        for seed in range(1, 4):
            run.score(0, 1.5, rung=1, seed=seed)
        for seed in range(1, 31):
            run.score(0, 2.0, rung=2, seed=seed)
    with closing(Reader(str(path))) as reader:
        data = reader.individual("first", 0)
    levels = [row["level"] for row in data["scores"]]
    assert levels[:4] == ["search", *(f"review after generation {generation}" for generation in range(3))]
    assert levels[-1] == "test after generation 29" and len(levels) == 1 + 3 + REVIEWS
    assert data["more_scores"] == ["tests: 10 earlier"]
