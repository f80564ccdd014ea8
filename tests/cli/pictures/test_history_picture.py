"""Pictures of the course of a run of optimizers."""

from xml.etree import ElementTree

import pytest
from svg_pictures import filled, named, places, texts

from germline.cli.pictures.history_picture import history_picture
from germline.cli.pictures.page import picture_bytes
from germline.db.records import EvaluationRecord, Individual, RunRecord, ScoredIndividual
from germline.programs.drawing import COLOURS
from germline.search.analysis.ancestor_line import line_of, operator_gains
from germline.search.analysis.review_curve import ReviewedProgram
from germline.search.analysis.search_history import SearchHistory

RUN = RunRecord(1, "opt", "optimizer", "digits-mlp", "quick", 1, {}, {}, "finished", None, "", 0.0)


def individual(birth: int, parents: tuple[int, ...], operator: str, fitness: float) -> ScoredIndividual:
    record = Individual(birth, 0, parents, operator, "genome", f"print {birth}")
    outcome = EvaluationRecord(birth, "f", "t", 0, 0, "ok", fitness, {}, {}, 0.0, "", None)
    return ScoredIndividual("opt", record, outcome)


ANCESTRY = [
    individual(0, (), "seed", -3.0),
    individual(20, (0,), "tune", -2.0),
    individual(60, (20,), "cross", -2.0),
    individual(90, (60,), "tune", -1.0),
]
LINE = line_of(ANCESTRY, 90)
REVIEWED = [ReviewedProgram(1, 0, -3.0, -3.0, 3, -2.0, 1), ReviewedProgram(2, 90, -1.0, -1.5, 3, -1.8, 1)]


def history(fitness: list[float] | None = None, reviewed: list[ReviewedProgram] | None = None) -> SearchHistory:
    values = [-3.0 + 0.01 * birth for birth in range(100)] if fitness is None else fitness
    births = list(range(len(values)))
    best = list(zip(births, values, strict=True))[:1]
    line = LINE if fitness is None else []
    return SearchHistory(RUN, 100, 7, births, values, best, line, operator_gains(line), reviewed or [])


def drawn(course: SearchHistory) -> ElementTree.Element:
    return ElementTree.fromstring(picture_bytes(history_picture(course, "opt: a title"), "svg"))


def test_the_line_of_ancestors_shows_what_each_operator_gained() -> None:
    root = drawn(history())
    line = places(root, "line")
    assert len(line) == 4 and line == sorted(line) and line[0][1] > line[1][1] == line[2][1] > line[3][1]
    assert {"tune +2 (2×)", "cross +0 (1×)", "births", "best so far"} <= set(texts(root))
    assert [filled(root, f"step-{birth}") for birth in (20, 60, 90)] == [COLOURS[0], COLOURS[1], COLOURS[0]]
    assert "line: from the start to birth 90 (star), 3 steps, 1 of them neutral" in texts(root)
    assert "of 100 births: 7 without an ok outcome" in texts(root)


@pytest.mark.slow
def test_reviews_are_below_if_the_start_program_was_reviewed() -> None:
    assert named(drawn(history()), "review-0") is None
    root = drawn(history(reviewed=REVIEWED))
    gains = [places(root, f"review-{i}")[-1][1] for i in range(3)]
    assert gains == sorted(gains), "2 in the search, 1.5 with fresh seeds, 0.2 at the longer rung"
    assert {"search", "fresh seeds", "rung 1", "birth"} <= set(texts(root))
    assert [x for x, _ in places(root, "review-0")] == [places(root, "line")[0][0], places(root, "line")[3][0]]


@pytest.mark.parametrize("fitness", [[], [-2.0], [0.0] * 5, [-1e308, 1e308], [-1e299, 1e299], [5e-324, 0.0]], ids=str)
def test_few_and_odd_numbers_make_a_picture_too(fitness: list[float]) -> None:
    root = drawn(history(fitness))
    assert "opt: a title" in texts(root)


@pytest.mark.slow
def test_many_births_are_an_image_in_the_picture() -> None:
    births = [-3.0 + 1e-5 * (birth * 7919 % 100_000) for birth in range(100_000)]
    source = picture_bytes(history_picture(history(births), "opt"), "svg")
    assert len(source) < 400_000 and b"<image" in source
