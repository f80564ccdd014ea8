"""`top`, `show` and `describe`: candidates of a run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from germline.db.store import Store
from germline.programs.optimizer import library, parse, trace
from germline.programs.optimizer.library import library_text

Data = Callable[..., Any]
KEYS = {"run", "birth", "parents", "operator", "status", "fitness", "objectives", "fingerprint", "genome"}
DEAD = "def train(w, g, m, lr):\n  x = square(g)\n  m = interp(g, m, 0.9)\n  update = m * 0.1\n  return update, m\n"


def test_top_gives_rows_best_first(data: Data) -> None:
    rows = data("top", "first", "-n", "5")
    assert len(rows) == 5
    assert all(set(row) >= KEYS for row in rows)
    assert [row["fitness"] for row in rows] == sorted((row["fitness"] for row in rows), reverse=True)
    assert len({row["fingerprint"] for row in rows}) == 5
    assert all(row["fitness"] == -row["objectives"]["validation_loss"] for row in rows)


def test_top_as_text_prints_each_update_on_a_line(germline: Any, data: Data) -> None:
    lines = germline("top", "first", "-n", "4").stdout.splitlines()
    births = [row["birth"] for row in data("top", "first", "-n", "4")]
    assert [int(line.split()[0]) for line in lines[1:]] == births
    assert all("/" in line for line in lines[1:])


def test_top_of_a_run_without_outcomes_is_empty(germline: Any, data: Data) -> None:
    assert data("top", "waiting") == []
    result = germline("top", "waiting")
    assert result.exit_code == 0 and "no ok outcome" in result.stderr


def test_show_of_a_run_is_its_winner_and_its_best_has_a_name_of_its_own(
    germline: Any, data: Data, searched: Path
) -> None:
    with Store(str(searched)) as store:
        winner = store.winner("first")
    best = data("top", "first", "-n", "1")[0]
    shown = data("show", "first:best")
    assert {key: shown[key] for key in KEYS} == best
    assert shown == data("show", f"first:{best['birth']}")
    assert winner is not None and data("show", "first") == data("show", f"first:{winner.individual.birth}")
    refused = germline("show", "first:worst")
    assert refused.exit_code == 2 and "expected RUN:best, or RUN:BIRTH with a birth number" in refused.stderr


def test_show_has_measures_and_reviews_beside_the_start_program(data: Data, searched: Path) -> None:
    with Store(str(searched)) as store:
        run = store.run("first")
        reviewed = next(
            evaluation for evaluation in store.evaluations(run.id) if evaluation.rung == 1 and evaluation.birth > 0
        )
    evaluations = data("show", f"first:{reviewed.birth}")["evaluations"]
    for who in ("this", "start"):
        assert [(evaluation["rung"], evaluation["seed"]) for evaluation in evaluations[who]] == [
            (0, 0),
            (0, 1),
            (0, 2),
            (0, 3),
            (1, 0),
        ]
        assert {"accuracy", "loss_0", "loss_1"} <= set(evaluations[who][0]["measures"])
    assert evaluations["this"][-1]["fitness"] == reviewed.fitness


def test_show_as_text_has_the_program_the_worth_and_where_to_go(germline: Any, data: Data) -> None:
    birth = data("top", "first", "-n", "1")[0]["birth"]
    text = germline("show", "first").stdout
    program = parse(data("show", "first")["genome"])
    assert text.startswith(f"first:{birth}  ")
    numbers = [int(number) for number in re.findall(r"^ *(\d+) [ ·] {3}\S", text, re.MULTILINE)]
    assert numbers == [*range(1, len(program.body) + 1)]
    for expected in ("fitness", "accuracy", "loss_1", "start", f"germline lineage first:{birth}", "germline export"):
        assert expected in text


def test_show_marks_dead_statements(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "program.txt"
    path.write_text(DEAD)
    text = germline("show", path).stdout
    marked = [line for line in text.splitlines() if "·" in line]
    assert marked[0].split() == ["1", "·", "x", "=", "square(g)"]
    assert "2 of 3 statements live" in marked[1]


def test_show_of_the_library_belongs_to_no_run(data: Data, germline: Any) -> None:
    row = data("show", "library:lion")
    assert row["run"] is None and row["birth"] is None
    assert row["genome"] == library_text("lion")
    assert "Chen et al. 2023" in germline("show", "library:lion").stdout


def test_show_prints_the_error_of_a_failed_individual(germline: Any, data: Data, searched: Path) -> None:
    with Store(str(searched)) as store:
        run = store.run("first")
        failed = next(evaluation for evaluation in store.evaluations(run.id) if evaluation.status == "diverged")
    row = data("show", f"first:{failed.birth}")
    assert row["status"] == "diverged" and row["fitness"] is None and row["objectives"] == {}
    text = germline("show", f"first:{failed.birth}").stdout
    assert "diverged" in text and "not finite" in text


def test_show_prints_the_birth_whose_outcome_is_shared(germline: Any, searched: Path) -> None:
    with Store(str(searched)) as store:
        hit = next(
            individual for individual in store.individuals(store.run("first").id) if individual.cached_from is not None
        )
    assert f"outcome shared with {hit.cached_from}" in germline("show", f"first:{hit.birth}").stdout


def test_describe_measures_the_step_of_an_optimizer(data: Data, germline: Any) -> None:
    (timed,) = data("describe", "library:lion", "--latency")
    assert timed["latency_measured"] > 0 and timed["states"] == 1
    text = " ".join(germline("describe", "library:lion", "--latency").stdout.split())
    assert re.search(r"[0-9.]+ (µs|ms) a step", text)


def test_describe_counts_each_reference(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(DEAD)
    run, lion, file = data("describe", "first", "library:lion", path)
    assert "latency_measured" not in lion
    assert (lion["statements"], lion["live"], lion["states"], lion["constants"]) == (5, 5, 1, 3)
    assert (file["statements"], file["live"], file["states"], file["constants"]) == (3, 2, 1, 2)
    assert {run["kind"], lion["kind"], file["kind"]} == {"optimizer"}
    assert run["fingerprint"] == data("show", "first")["fingerprint"]


def test_describe_takes_the_whole_library(data: Data) -> None:
    names = list(library())
    rows = data("describe", *(f"library:{name}" for name in names))
    assert [row["statements"] for row in rows] == [len(parse(library_text(name)).body) for name in names]
    assert [row["live"] for row in rows] == [len(trace(parse(library_text(name))).live_statements) for name in names]


def test_describe_as_text_has_a_line_a_reference(germline: Any) -> None:
    lines = germline("describe", "library:lion", "library:adamw").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["genome", "library:lion", "library:adamw"]


def test_describe_prints_nothing_when_one_reference_is_bad(germline: Any) -> None:
    result = germline("describe", "library:lion", "library:lino")
    assert result.exit_code == 2 and result.stdout == "" and "library:lion?" in result.stderr
