"""What pages state about runs: true in words and numbers, and commands that work where they are pasted."""

import shlex
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from browser import served
from command_line import call
from invented_runs import InventedRun
from page_client import Client

from germline.cli.dashboard import pages as pages_module
from germline.cli.dashboard.compared_tasks import compared_tasks
from germline.cli.dashboard.formula import formula
from germline.cli.dashboard.next_commands import TABLES
from germline.cli.dashboard.page_json import page_json
from germline.cli.dashboard.pages import Pages
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.rendering import rate
from germline.cli.dashboard.report import report
from germline.cli.dashboard.store_pool import StorePool
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store
from germline.evaluators.tasks.registry import BUILT_IN, task_class
from germline.search.run import evolve, new_run


def test_a_loss_and_its_negative_are_not_the_first_axes(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "first", kind="optimizer").waiting(0, 3)
        for birth, loss in enumerate((0.5, 0.4, 0.3)):
            run.score(birth, -loss, objectives={"validation_loss": loss})
    with closing(Reader(str(path))) as reader:
        data = reader.front("first")
    assert {"fitness", "validation_loss"} <= {axis["name"] for axis in data["axes"]}
    assert (data["x"], data["y"]) == ("birth", "fitness")


def test_behaviours_of_policies_have_the_names_of_their_task(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "first").waiting(0, 2)
        for birth in range(2):
            measures = {f"behaviour_{place}": float(birth + place) for place in range(4)}
            key = (birth, f"print {birth}", run.run.task, 0, 0)
            store.add_evaluations(
                run.run.id, [EvaluationRecord(*key, "ok", 1.0 + birth, {}, measures, 0.1, "inline", None)]
            )
    with closing(Reader(str(path))) as reader:
        data = reader.front("first")
    assert (data["x"], data["y"]) == ("final cart position", "final cart velocity")


def test_numbers_that_a_page_compares_are_not_rounded() -> None:
    assert page_json([0.123456789], None) == "[0.123456789]" and page_json([0.123456789]) == "[0.1234568]"
    assert page_json([float("inf")], None) == "[null]"


@pytest.mark.parametrize(("value", "text"), [(99.998, "100"), (1234.5, "1,234"), (12.34, "12"), (0.0123, "0.012")])
def test_a_rate_has_no_exponent(value: float, text: str) -> None:
    assert rate(value) == text


def test_runs_on_two_tasks_are_not_one_comparison(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        for name, kind in (("a", "policy"), ("b", "optimizer"), ("c", "policy")):
            InventedRun(store, name, kind=kind).block(0, [1.0, 2.0]).complete(0, 1).end()
    with closing(Reader(str(path))) as reader:
        tasks = compared_tasks(reader.compared(["a", "b", "c"])[0])
    assert [(each["kind"], sorted(each["names"])) for each in tasks] == [("optimizer", ["b"]), ("policy", ["a", "c"])]
    assert all(group["differs"] == {} for each in tasks for group in each["groups"])


def test_the_page_of_a_start_that_won_says_so(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "first", kind="optimizer")
        store.add_individuals(run.run.id, "optimizer", [Individual(0, 0, (), "seed", "start", "print 0")])
        run.births = 1
        run.score(0, -2.0).waiting(1, 3)
        for birth, value in ((1, -1.0), (2, -3.0), (3, -4.0)):
            run.score(birth, value)
        run.complete(1, 0)
    with closing(Reader(str(path))) as reader:
        assert Pages(reader, "").individual("first", None).count("The winner is the start: in the complete blocks") == 1
        assert "The winner is" not in Pages(reader, "").individual("first", 1)


def test_every_command_of_a_page_names_the_database(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Reader(str(copied))) as reader:
        data = reader.individual("first", 0)
        monkeypatch.setenv("GERMLINE_DB", str(copied))
        plain = reader.individual("first", 0)
    commands = [*data["commands"], data["comparison"]]
    assert all(shlex.split(command)[-2:] == ["--db", str(copied)] for command in commands)
    assert not any("--db" in command for command in [*plain["commands"], plain["comparison"]])


@pytest.mark.slow
def test_the_terminal_suggests_commands_with_the_database(copied: Path, tmp_path: Path) -> None:
    for words in (("show", "first:0"), ("lineage", "first:0")):
        output = call(tmp_path / "another.db", *words, "--db", copied).output
        suggested = [line for line in output.splitlines() if "germline " in line]
        assert suggested and all(f"--db {copied}" in line for line in suggested)
        assert "--db" not in call(copied, *words).output


@pytest.mark.slow
def test_tables_of_errors_are_the_architecture_tasks_without_held_out_data() -> None:
    named = {name for name in BUILT_IN if name.startswith(TABLES)}
    without = {name for name in BUILT_IN if task_class(name).kind == "architecture" and not task_class(name).heldout}
    assert named == without


def test_the_pages_of_architectures_and_policies_tell_nothing_of_a_tuned_comparison(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "first").block(0, [1.0])
    with closing(Reader(str(path))) as reader:
        page = Pages(reader, "").individual("first", 0)
    assert "tuned comparison" not in page and "germline validate first:0 --db" in page


@pytest.mark.parametrize(("damage", "shown"), [("seed = -5", ["bad", "good"]), ("seconds = 'x'", ["good"])])
def test_a_run_that_cannot_be_read_leaves_the_others_on_the_page(tmp_path: Path, damage: str, shown: list[str]) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "good").block(0, [1.0]).end()
        InventedRun(store, "bad", kind="optimizer").block(0, [1.0]).end()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE run SET {damage} WHERE name = 'bad'")
        connection.commit()
    with closing(Reader(str(path))) as reader:
        rows, problems = reader.rows()
        page = Pages(reader, "").runs()
    assert [row["name"] for row in rows] == shown and len(problems) == 2 - len(shown)
    assert "/run?name=good" in page and ("Not shown: " in page) == bool(problems)
    assert all("'bad'" in problem for problem in problems)


def test_runs_are_shown_on_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    monkeypatch.setattr(pages_module, "RUNS_ON_A_PAGE", 2)
    with Store(str(path)) as store:
        for name in "abc":
            InventedRun(store, name, kind="optimizer").block(0, [-2.0, -1.5]).end()
    with served(path) as port:
        first, second = (Client(port).ask(f"/?page={page}").text for page in (1, 2))
        assert [Client(port).ask(f"/?page={page}").status for page in ("3", "0", "x")] == [404, 404, 404]
    assert all(f"/run?name={name}" in first for name in "bc") and "/run?name=a" not in first
    assert "/run?name=a" in second and "+0.5000" in second


def test_a_page_does_not_wait_for_another_that_reads(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "first").block(0, [1.0])
    pool = StorePool(str(path), replaced=lambda: None)
    answered = threading.Event()

    def read() -> None:
        with pool.store() as other:
            other.summary("first")
        answered.set()

    with pool.store() as held:
        thread = threading.Thread(target=read)
        thread.start()
        assert answered.wait(20)
        held.summary("first")
    thread.join()
    pool.close()


@pytest.mark.slow
def test_a_run_of_map_elites_has_its_map_on_its_page_and_in_its_report(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        settings = ("strategy=map-elites", "cells=4", "population=8", "candidates=0", "steps=60", "hidden=4")
        run = new_run(store, kind="policy", preset="maze", births=24, settings=settings, name="map")
        for _ in evolve(store, run.name, executor="inline", device="cpu"):
            pass
    with closing(Reader(str(path))) as reader:
        texts, page = Pages(reader, "").map("map"), Pages(reader, "").part("map", "map")
        picture = Pages(reader, "").map_picture("map")
        text = report(reader, "map", "now")
    assert texts is not None and texts["cells"] == 16 and texts["coverage"] == texts["occupied"] / 16 > 0
    assert f"{texts['occupied']} of 16 cells" in page and "QD score" in page
    assert picture.startswith(b"<") and b"final x position" in picture
    assert "Map of behaviours" in text and "data:image/svg+xml;base64," in text


def test_a_name_in_a_formula_is_a_single_word() -> None:
    program = "def train(w, g, lr):\n  a = log2(g)\n  update = a * lr\n  return update\n"
    text = formula(program)
    assert text is not None and "<mi>log2</mi>" in text and "<mi>l</mi>" not in text
