"""Tables of individuals, and records in a notebook."""

from html.parser import HTMLParser
from typing import Any

import pytest

from germline.db.errors import UnknownRun, Unsupported
from germline.db.records import EvaluationRecord, Individual, RunRecord, ScoredIndividual
from germline.db.store import Store


def add_run(store: Store) -> None:
    """Five births: scored, failed, a cache hit, with another measure, and without an outcome yet."""
    run = store.create_run("first", "optimizer", "line", "quick", 0, {}, {})
    births = [
        Individual(0, 0, (), "seed", "a", "fa"),
        Individual(1, 0, (0,), "tune", "b", "fb", None, 2),
        Individual(2, 1, (0, 1), "cross", "a2", "fa", 0),
        Individual(3, 1, (2,), "tune", "c", "fc"),
        Individual(4, 2, (3,), "tune", "d", "fd"),
    ]
    store.add_individuals(run.id, "optimizer", births)
    store.add_evaluations(
        run.id,
        [
            EvaluationRecord(0, "fa", "line", 0, 0, "ok", -0.5, {"loss": 0.5}, {"x": 1.0}, 0.25, "w", None),
            EvaluationRecord(1, "fb", "line", 0, 0, "crashed", None, {}, {}, 0.5, "w", "no data"),
            EvaluationRecord(3, "fc", "line", 0, 0, "ok", -0.0, {"loss": 0.0}, {"y": 2.0}, 0.25, "w", None),
            EvaluationRecord(0, "fa", "line", 1, 0, "ok", 9.0, {"loss": 9.0}, {}, 0.25, "w", None),  # a review
        ],
    )
    store.release(run.id, "finished", 0.0)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_has_a_row_for_each_birth(store: Store, library: Any) -> None:
    package = pytest.importorskip(library)
    add_run(store)
    table = store.frame("first", library)
    assert type(table) is package.DataFrame
    rows = table.to_dict("records") if library == "pandas" else table.to_dicts()
    plain = [{key: None if is_missing(value) else value for key, value in row.items()} for row in rows]
    assert [row["birth"] for row in plain] == [0, 1, 2, 3, 4]
    assert [row["parents"] for row in plain] == [[], [0], [0, 1], [2], [3]]
    assert [row["status"] for row in plain] == ["ok", "crashed", "ok", "ok", None]
    assert [row["fitness"] for row in plain] == [-0.5, None, -0.5, 0.0, None]
    assert [row["cached_from"] for row in plain] == [None, None, 0, None, None]
    assert [row["rejected"] for row in plain] == [0, 2, 0, 0, 0]
    assert [row["objective.loss"] for row in plain] == [0.5, None, 0.5, 0.0, None]
    assert [row["measure.x"] for row in plain] == [1.0, None, 1.0, None, None]
    assert [row["measure.y"] for row in plain] == [None, None, None, 2.0, None]
    assert [row["error"] for row in plain] == [None, "no data", None, None, None]


def is_missing(value: Any) -> bool:
    return not isinstance(value, list) and (value is None or value != value or "NA" in type(value).__name__)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_run_without_births_is_an_empty_frame_with_the_same_columns(store: Store, library: Any) -> None:
    pytest.importorskip(library)
    store.create_run("empty", "optimizer", "line", "quick", 0, {}, {})
    table = store.frame("empty", library)
    assert len(table) == 0 and {"birth", "genome", "status", "fitness"} <= set(table.columns)


def test_a_frame_of_no_run_and_of_no_library_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    with pytest.raises(UnknownRun):
        store.frame("nobody")
    with pytest.raises(Unsupported, match="expected pandas or polars, got 'arrow'"):
        store.frame("nobody", "arrow")  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(Unsupported, match=r"pip install 'germline\[frames\]'"):
        store.frame("nobody")


class Tags(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.add(tag)
        assert all(name == "style" for name, _ in attrs), attrs

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x1b[31m\u202e\n\"'`"


def test_a_record_in_a_notebook_is_a_table_and_inert() -> None:
    individual = Individual(3, 0, (1, 2), HOSTILE, HOSTILE, HOSTILE)
    run = RunRecord(1, HOSTILE, "policy", HOSTILE, "quick", 0, {HOSTILE: {HOSTILE: 1}}, {}, "ok", None, "", 0.0)
    for record in (individual, run, ScoredIndividual(HOSTILE, individual, None)):
        page = Tags(record._repr_html_())
        assert page.elements <= {"table", "caption", "tr", "th", "td", "pre"}
        assert "<script>alert(1)</script>" in page.text  # as text
        assert all(char.isprintable() or char == "\n" for char in page.text)


def test_a_record_shows_its_fields_and_long_values_are_cut() -> None:
    page = Tags(Individual(3, 0, (1, 2), "tune", "x" * 10_000, "fa")._repr_html_())
    assert "Individual" in page.text and "(1, 2)" in page.text and "xxx…" in page.text
    assert len(page.text) < 3_000
    assert Individual(3, 0, (1, 2), "tune", "a", "fa") == Individual(3, 0, (1, 2), "tune", "a", "fa")
    assert not hasattr(Individual(0, 0, (), "seed", "a", "fa"), "__dict__")
