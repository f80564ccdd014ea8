"""`lineage`: how a find came about."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from germline.cli.lineage_steps import listed, steps_of
from germline.db.records import EvaluationRecord, Individual, ScoredIndividual
from germline.db.store import Store

Data = Callable[..., Any]
SEED = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = m * 0.1\n  return update, m\n"


def individual(birth: int, parents: tuple[int, ...], genome: str, fitness: float | None, key: str) -> ScoredIndividual:
    status = "ok" if fitness is not None else "diverged"
    outcome = EvaluationRecord(birth, key, "digits-mlp", 0, 0, status, fitness, {}, {}, 0.0, "", None)
    operator = "modify" if parents else "seed"
    return ScoredIndividual("run", Individual(birth, 0, parents, operator, genome, key, None), outcome)


def test_a_lineage_leads_from_the_seed_to_the_individual(data: Data) -> None:
    rows = data("lineage", "first")
    best = data("show", "first")
    assert rows[0]["operator"] == "seed" and rows[0]["gain"] is None and rows[0]["change"] == []
    assert rows[-1]["birth"] == best["birth"]
    for parent, child in itertools.pairwise(rows):
        assert child["parents"] == [parent["birth"]]
        assert child["change"] or child["fingerprint"] == parent["fingerprint"]
        assert child["gain"] == child["fitness"] - parent["fitness"]


def test_the_gains_add_up_to_the_rise(data: Data) -> None:
    rows = data("lineage", "first")
    rise = rows[-1]["fitness"] - rows[0]["fitness"]
    assert rise > 0
    assert abs(sum(row["gain"] for row in rows[1:]) - rise) < 1e-12


def test_as_text_a_lineage_lists_the_changes_of_each_step(germline: Any, data: Data) -> None:
    rows = data("lineage", "first")
    text = germline("lineage", "first", "--all").stdout
    shown = [line.split()[0] for line in text.splitlines() if line.split() and line.split()[0].isdigit()]
    assert shown == [str(row["birth"]) for row in rows]
    assert text.splitlines()[0].startswith(f"first:{rows[-1]['birth']}  ")


def test_a_changed_constant_has_its_old_and_new_value() -> None:
    seed = individual(0, (), SEED, -1.0, "a")
    child = individual(4, (0,), SEED.replace("0.9)", "0.775)"), -0.5, "b")
    step = list(steps_of([seed, child]))[1]
    assert step.gain == 0.5 and not step.neutral
    [row] = [change.row() for change in step.changes()]
    assert row == {
        "kind": "changed",
        "statement": 1,
        "live": True,
        "before": "m = interp(g, m, 0.9)",
        "after": "m = interp(g, m, 0.775)",
    }


def test_a_step_to_a_failed_individual_gains_nothing() -> None:
    seed = individual(0, (), SEED, -1.0, "a")
    child = individual(1, (0,), SEED.replace("0.1", "1e30"), None, "b")
    assert list(steps_of([seed, child]))[1].gain is None


def test_neutral_steps_are_counted_unless_all_is_given(germline: Any, searched: Path, copied: Path) -> None:
    with Store(str(copied)) as store:
        run = store.run("first")
        births = sum(1 for _ in store.individuals(run.id))
        best = store.best("first").individual
        dead = best.genome.replace("  return", "  unused = square(g)\n  return")
        line = [
            Individual(births, 9, (best.birth,), "insert", dead, best.fingerprint, best.birth),
            Individual(births + 1, 9, (births,), "delete", best.genome, best.fingerprint, best.birth),
            Individual(births + 2, 9, (births + 1,), "insert", dead, best.fingerprint, best.birth),
        ]
        store.add_individuals(run.id, "optimizer", line)
    folded = germline("lineage", f"first:{births + 2}", db=copied).stdout
    assert "2 neutral steps" in folded
    assert folded.count("+ unused = square(g)") == 1
    every = germline("lineage", f"first:{births + 2}", "--all", db=copied).stdout
    assert "neutral step" not in every
    assert every.count("unused = square(g)") == 3
    assert "· + unused" in every and "marks changes of dead statements" in every


def long_lineage(gains: list[float]) -> list[ScoredIndividual]:
    """A seed of fitness -1 and a descendant for each gain, each with a constant of its own."""
    line, fitness = [individual(0, (), SEED, -1.0, "0")], -1.0
    for birth, gain in enumerate(gains, 1):
        fitness += gain
        genome = SEED.replace("0.1", f"0.1{birth}")
        line.append(individual(birth, (birth - 1,), genome, fitness, str(birth)))
    return line


def test_of_a_long_lineage_the_steps_that_moved_fitness_most_are_listed_with_its_ends() -> None:
    steps = list(steps_of(long_lineage([0.1, 0.5, 0.1, -0.6, 0.2, 0.1])))
    rows = listed(steps, 4)
    assert [row.step.scored.individual.birth for row in rows] == [0, 2, 4, 6]
    assert [[step.scored.individual.birth for step in row.omitted] for row in rows] == [[], [1], [3], [5]]
    assert sum((row.step.gain or 0) + sum(step.gain or 0 for step in row.omitted) for row in rows) == pytest.approx(0.4)
    assert [row.step for row in listed(steps, 100)] == steps


def test_a_long_lineage_says_what_is_left_out_and_what_that_brought(
    germline: Any, searched: Path, copied: Path
) -> None:
    with Store(str(copied)) as store:
        run = store.run("first")
        births = sum(1 for _ in store.individuals(run.id))
        seed = store.lineage("first", 0)[0]
        assert seed.evaluation is not None and seed.evaluation.fitness is not None
        line, parent = [], 0
        for birth in range(births, births + 5):
            genome = seed.individual.genome.replace("  return", f"  x{birth} = square(0.{birth})\n  return")
            line.append(Individual(birth, 9, (parent,), "insert", genome, f"{birth:040x}", None))
            parent = birth
        store.add_individuals(run.id, "optimizer", line)
        fitness = seed.evaluation.fitness
        for each, gain in zip(line, [0.25, 0.5, 1.0, 0.125, 2.0], strict=True):
            fitness += gain
            outcome = replace(seed.evaluation, birth=each.birth, fingerprint=each.fingerprint, fitness=fitness)
            store.add_evaluations(run.id, [outcome])
    text = germline("lineage", f"first:{births + 4}", "-n", "3", db=copied).stdout
    assert "5 mutations from the seed" in text
    assert "+0.7500" in text and "… 2 steps" in text and "+0.1250" in text and "… 1 step" in text
    assert "--all lists every step" in text
    shown = [line.split()[0] for line in text.splitlines() if line.split() and line.split()[0].isdigit()]
    assert shown == ["0", str(births + 2), str(births + 4)]


def test_the_library_has_no_lineage(germline: Any) -> None:
    result = germline("lineage", "library:lion")
    assert result.exit_code == 2 and "belongs to no run" in result.stderr
