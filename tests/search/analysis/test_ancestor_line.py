"""The line of first parents that leads to an individual."""

from germline.db.records import EvaluationRecord, Individual, ScoredIndividual
from germline.search.analysis.ancestor_line import OperatorGain, line_of, operator_gains


def scored(birth: int, parents: tuple[int, ...], operator: str, fitness: float | None) -> ScoredIndividual:
    individual = Individual(birth, 0, parents, operator, "genome", f"print {birth}")
    status = "crashed" if fitness is None else "ok"
    outcome = EvaluationRecord(birth, individual.fingerprint, "t", 0, 0, status, fitness, {}, {}, 0.0, "", None)
    return ScoredIndividual("run", individual, outcome)


ANCESTRY = [
    scored(0, (), "seed", 1.0),
    scored(1, (), "random", 9.0),
    scored(2, (0,), "tune", 3.0),
    scored(4, (2,), "graft(lion)", None),
    scored(5, (4, 1), "cross", 4.0),
    scored(7, (5,), "graft", 6.5),
    scored(8, (7,), "tune", 6.0),
]


def test_the_line_follows_first_parents_from_the_oldest() -> None:
    line = line_of(ANCESTRY, 8)
    assert [step.birth for step in line] == [0, 2, 4, 5, 7, 8]
    assert [step.operator for step in line] == ["seed", "tune", "graft", "cross", "graft", "tune"]
    assert [step.gain for step in line] == [None, 2.0, None, None, 2.5, -0.5]
    assert [step.birth for step in line_of(ANCESTRY, 1)] == [1] and line_of(ANCESTRY, 3) == []


def test_a_parent_that_is_missing_or_comes_again_ends_the_line() -> None:
    assert [step.birth for step in line_of(ANCESTRY[3:], 5)] == [4, 5]
    circle = [scored(1, (2,), "tune", 1.0), scored(2, (1,), "tune", 1.0)]
    assert [step.birth for step in line_of(circle, 1)] == [2, 1], "as in an altered database"


def test_the_gains_of_each_operator_are_added() -> None:
    gains = operator_gains(line_of(ANCESTRY, 8))
    assert gains == [OperatorGain("graft", 2, 2.5), OperatorGain("tune", 2, 1.5), OperatorGain("cross", 1, 0.0)]
    assert operator_gains([]) == []
