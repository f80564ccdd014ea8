"""`germline curve`: the state of runs after each block."""

import json
import re
import sqlite3
from contextlib import closing
from math import sqrt
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from invented_runs import BLOCK, InventedRun
from svg_pictures import filled, named, places, stroke, texts

from germline.cli.commands.curve import evenly_spaced
from germline.cli.main import cli
from germline.db.store import Store

TASK = "gym:CartPole-v1"
UNREVIEWED = {"population": BLOCK, "candidates": 0}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of policies and of an optimizer. Tests do not write to it."""
    path = tmp_path_factory.mktemp("curves") / "germline.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "frost-1").block(0, [1.0, 5.0, None, 3.0])
        run.score(1, 2.0, 1, 1).score(3, 4.0, 1, 1, spread=6.0).complete(0, 3)
        run.block(1, [2.0, 2.0, 8.0, 1.0], cached={3: 0}).score(6, 7.0, 1, 2).score(3, 5.0, 1, 2).complete(1, 6)
        run.score(6, 6.0, 2, 2).end()
        run = InventedRun(store, "frost-2").block(0, [0.0, 1.0, 2.0, 3.0]).score(3, 2.5, 1, 1).score(2, None, 1, 1)
        run.complete(0, 3).block(1, [4.0, 1.0]).end("stopped")
        run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0, None, -4.0]).score(1, -1.0, 0, 1)
        run.complete(0, 1).block(1, [-5.0, -2.5, -1.0, -1.5]).complete(1, 6).end()
        run = InventedRun(store, "failed").block(0, [None] * BLOCK).complete(0)
        run.block(1, [None] * BLOCK).complete(1).end("failed")
        run = InventedRun(store, "maze", settings=UNREVIEWED).block(0, [1.0, 2.0, 3.0, 4.0])
        run.complete(0, 3).waiting(1).end("stopped")
        InventedRun(store, "waiting").end("stopped")
        long = InventedRun(store, "long", settings=UNREVIEWED)
        for number in range(45):
            long.block(number, [float(number)]).complete(number, number)
        long.end()
    return path


def call(database: Path, *args: str | Path) -> Result:
    return CliRunner().invoke(cli, ["curve", *map(str, args)], env={"GERMLINE_DB": str(database)})


def data(database: Path, *args: str | Path) -> Any:
    done = call(database, *args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def column(database: Path, name: str, key: str) -> list[Any]:
    [found] = data(database, name)
    return [row[key] for row in found["rows"]]


@pytest.mark.slow
def test_a_row_has_the_state_of_a_run_after_a_block(database: Path) -> None:
    [found] = data(database, "frost-1")
    assert (found["run"], found["kind"], found["task"], found["status"]) == ("frost-1", "policy", TASK, "finished")
    assert found["rows"] == [
        {"block": 0, "births": 4, "evaluations": 6, "frames": 240, "best": 5.0, "median": 3.0,
         "elite": 4.0, "deviation": 6.0, "episodes": 9, "hypervolume": None,
         "coverage": None, "qd_score": None},
        {"block": 1, "births": 8, "evaluations": 11, "frames": 470, "best": 8.0, "median": 2.0,
         "elite": 7.0, "deviation": 3.0, "episodes": 9, "hypervolume": None,
         "coverage": None, "qd_score": None},
    ]  # fmt: skip
    assert found["test"] == {"block": 1, "mean": 6.0, "deviation": 3.0, "episodes": 9}


def test_other_kinds_have_no_frames_and_no_elite(database: Path) -> None:
    [found] = data(database, "opt")
    assert found["rows"][1] == {
        "block": 1, "births": 8, "evaluations": 9, "frames": None, "best": -1.0, "median": -2.0,
        "elite": None, "deviation": None, "episodes": None, "hypervolume": None,
        "coverage": None, "qd_score": None,
    }  # fmt: skip
    assert [row["evaluations"] for row in found["rows"]] == [5, 9] and found["test"] is None
    assert "frames" not in call(database, "opt").stdout


@pytest.mark.slow
def test_the_table_has_a_line_a_block_and_the_interval_of_the_elite(database: Path) -> None:
    lines = call(database, "frost-1").stdout.splitlines()
    assert lines[0] == f"frost-1  policy on {TASK}, finished"
    assert lines[1].split() == ["block", "births", "evaluations", "frames", "best", "median", "elite", "±"]
    assert lines[2].split() == ["0", "4", "6", "240", "5.0000", "3.0000", "4.0000", f"{2.306 * 6.0 / sqrt(9):.4f}"]
    assert lines[4].startswith("±: from the spread of a review's episodes; reviews select")
    assert lines[5] == "test after block 1: 6.0000 ± 2.3060 in 9 episodes, not used for selection"


@pytest.mark.slow
def test_a_run_with_several_objectives_has_a_column_for_its_hypervolume(tmp_path: Path) -> None:
    path = tmp_path / "cells.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "cells", "architecture", {"objectives": ["validation_error", "params"]})
        run.front(0, [{"validation_error": 50.0, "params": 100.0}, {"validation_error": 90.0, "params": 400.0}])
        run.complete(0, 0).front(
            1, [{"validation_error": 25.0, "params": 100.0}, {"validation_error": 95.0, "params": 50.0}]
        ).complete(1, 2).end()
    [found] = data(path, "cells")
    assert found["hypervolume_reference"] == {"validation_error": 100.0, "params": 400.0}
    assert column(path, "cells", "hypervolume") == pytest.approx([0.375, 0.5625 + 0.05 * 0.125])
    lines = call(path, "cells").stdout.splitlines()
    assert lines[1].split()[-2:] == ["median", "hypervolume"]
    assert [lines[i].split()[-1] for i in (2, 3)] == ["0.3750", "0.5687"]
    assert lines[4] == ("hypervolume: of the front so far, share of the box up to validation_error 100, params 400")


def test_a_long_table_is_short_and_has_the_first_and_the_last_block(database: Path) -> None:
    lines = call(database, "long").stdout.splitlines()
    blocks = [int(found[0]) for line in lines if (found := re.findall(r"^ *(\d+)  ", line))]
    assert len(blocks) == 20 and (blocks[0], blocks[-1]) == (0, 44)
    assert lines[-1] == "20 of 45 blocks; --json has them all"
    assert column(database, "long", "block") == list(range(45))


def test_rows_are_spread_evenly() -> None:
    assert evenly_spaced(range(41), 5) == [0, 10, 20, 30, 40]
    assert evenly_spaced([1, 2], 5) == [1, 2] and evenly_spaced([], 5) == []


def test_runs_are_printed_in_turn(database: Path) -> None:
    assert [row["run"] for row in data(database, "frost-*", "opt")] == ["frost-1", "frost-2", "opt"]
    text = call(database, "frost-*", "waiting").stdout
    assert text.index("frost-1  ") < text.index("frost-2  ") < text.index("waiting  ")
    assert text.endswith("no block is complete yet\n")


def test_a_run_in_which_all_births_failed_has_rows_without_a_fitness(database: Path) -> None:
    assert column(database, "failed", "best") == column(database, "failed", "median") == [None, None]
    assert column(database, "failed", "frames") == [40, 80]
    assert call(database, "failed").stdout.splitlines()[2].split() == ["0", "4", "4", "40", "-", "-", "-"]


def picture(database: Path, path: Path, *args: str) -> ElementTree.Element:
    done = call(database, *args, "-o", path)
    assert done.exit_code == 0, done.output
    return ElementTree.fromstring(path.read_text())


def test_a_picture_of_policies_has_means_over_frames_with_bands_and_the_test(database: Path, tmp_path: Path) -> None:
    root = picture(database, tmp_path / "curve.svg", "frost-1", "frost-2")
    (x0, y0), (x1, y1) = places(root, "line-0")
    [(x2, _)] = places(root, "line-1")
    assert x0 == x2 < x1 and y1 < y0, "after 240 and 470 frames; a higher mean is higher"
    assert stroke(root, "line-0") == filled(root, "band-0") != stroke(root, "line-1") == filled(root, "band-1")
    assert {"frames", "best mean of reviews", "frost-1", "frost-2", f"policy on {TASK}"} <= set(texts(root))
    [(x, y)] = places(root, "test-0")
    assert x == pytest.approx(x1) and y0 > y > y1 and not named(root, "test-1")


def test_a_picture_of_other_kinds_has_the_best_over_evaluations(database: Path, tmp_path: Path) -> None:
    root = picture(database, tmp_path / "curve.svg", "opt")
    assert len(places(root, "line-0")) == 2 and not named(root, "band-0")
    assert {"evaluations", "best fitness so far", "opt: optimizer on digits-mlp"} <= set(texts(root))


@pytest.mark.slow
def test_policies_without_reviews_are_drawn_by_their_best_fitness(database: Path, tmp_path: Path) -> None:
    assert "best fitness so far" in texts(picture(database, tmp_path / "alone.svg", "maze"))
    mixed = texts(picture(database, tmp_path / "mixed.svg", "maze", "frost-1", "failed"))
    assert {"best mean of reviews", "maze (best fitness)", "frost-1"} <= set(mixed)
    assert "no ok outcome yet: failed" in mixed


@pytest.mark.slow
def test_a_run_of_optimizers_has_its_reviews_beside_the_search(tmp_path: Path) -> None:
    database = tmp_path / "germline.db"
    with Store(str(database)) as store:
        run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0]).score(0, -3.2, 0, 1).score(0, -1.5, 1)
        run.score(1, -2.1, 0, 1).score(1, -1.0, 1).complete(0, 1)
        run.block(1, [-1.0, -4.0]).score(2, -2.5, 0, 1).score(2, -1.25, 1).complete(1, 2).end()
    [found] = data(database, "opt")
    assert [row["birth"] for row in found["reviewed"]] == [0, 1, 2] and found["turning_point"] == 1
    printed = call(database, "opt").output
    assert re.search(r"1 +2 +-1\.0000 +-2\.5000 +-1\.2500", printed) and "part after birth 1" in printed
    assert {"opt (search)", "opt (mean of 1 fresh seed)", "opt (rung 1)", "gain over the start program"} <= set(
        texts(picture(database, tmp_path / "curve.svg", "opt"))
    )


def test_the_path_of_a_picture_goes_to_stderr_if_stdout_is_json(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    done = call(database, "frost-1", "-o", path, "--json")
    assert len(json.loads(done.stdout)) == 1 and f"wrote {path}" in done.stderr and path.exists()


@pytest.mark.slow
def test_markup_in_names_has_no_effect_in_a_picture(database: Path, tmp_path: Path) -> None:
    copied = tmp_path / "hostile.db"
    copied.write_bytes(database.read_bytes())
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE run SET task = '</text><script>\x1b[31m'")
        connection.execute("UPDATE evaluation SET task = '</text><script>\x1b[31m'")
        connection.commit()
    root = picture(copied, tmp_path / "curve.svg", "frost-1")
    assert "frost-1: policy on </text><script>\ufffd[31m" in texts(root)
    assert "\x1b" not in call(copied, "frost-1").stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["frost-9"], "expected a run, or a pattern that matches a run"),
        (["frost-1", "none-*"], "expected a run, or a pattern that matches a run, got 'none-*'"),
        (["waiting"], "expected a run with a complete block, got waiting"),
        (["failed", "-o", "new.svg"], "expected a run with an ok outcome, got failed"),
        (["frost-1", "opt", "-o", "new.svg"], "expected runs of one kind in a picture, got optimizer and policy"),
        (["frost-1", "-o", "missing/new.svg"], "expected an existing folder"),
        (["frost-1", "-o", "."], "expected the path of a file"),
        (["frost-1", "-o", "taken.svg"], "exists already"),
        ([], "Missing argument 'RUN...'"),
    ],
)
def test_curves_that_cannot_be_drawn_are_errors_of_one_line(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.svg").write_text("mine")
    done = call(database, *args)
    assert done.exit_code == 2 and done.stdout == "" and len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["taken.svg"] and Path("taken.svg").read_text() == "mine"


def test_a_file_that_is_there_is_replaced_by_force(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "taken.svg"
    path.write_text("mine")
    assert call(database, "frost-1", "-o", path, "--force").exit_code == 0
    assert path.read_text().startswith("<svg")
