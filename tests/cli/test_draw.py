"""`germline draw`: pictures of each kind from runs that were searched, in each format."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import call, data
from svg_pictures import named, places, texts

from germline.cli.pictures import formats
from germline.db.store import Store
from germline.search.winner import winner as winner_of

BEGINNINGS = {"svg": b"<svg ", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}
SEARCHES = {
    "opt": ("optimizer", "--births", "60", "population=8", "lengths=0.05", "warmup=10", "block=20", "review_every=20"),
    "cells": (
        *("architecture", "--task", "nb201-cifar10", "--births", "60"),
        *("space=nb201", "objectives=validation_error,params,macs", "population=20", "block=20"),
    ),
    "single": ("architecture", "--preset", "nb201", "--births", "10", "objectives=validation_error"),
    "cart": (
        *("policy", "--task", "gym:CartPole-v1", "--births", "24"),
        *("population=8", "parents=4", "candidates=2", "review_episodes=2", "test_episodes=2", "hidden=4"),
    ),
    "maze": (
        *("policy", "--preset", "maze", "--births", "24", "strategy=map-elites", "cells=5", "steps=60"),
        *("population=8", "candidates=0", "hidden=4"),
    ),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small runs of each kind. Tests do not write to it."""
    path = tmp_path_factory.mktemp("drawn") / "germline.db"
    for name, words in SEARCHES.items():
        options = [part for word in words for part in (("--set", word) if "=" in word else (word,))]
        done = call(path, "search", *options, "--name", name, "--executor", "inline", "--seed", "3")
        assert done.exit_code == 0, done.output
    return path


@pytest.mark.slow
@pytest.mark.parametrize("words", [("opt",), ("cells",), ("cells", "--front"), ("cart",), ("maze",)], ids=" ".join)
def test_a_picture_is_written_in_the_format_of_its_name(database: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    for ending, beginning in BEGINNINGS.items():
        paths = [tmp_path / f"{number}.{ending}" for number in range(2)]
        for path in paths:
            assert f"wrote {path}" in call(database, "draw", *words, "-o", path).stdout
        first, second = (path.read_bytes() for path in paths)
        assert first.startswith(beginning) and first == second
    assert call(database, "draw", *words, "-o", tmp_path / "plain").exit_code == 0
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "0.svg").read_bytes()


@pytest.mark.slow
def test_the_course_of_optimizers_leads_to_the_winner_or_to_a_birth(database: Path, tmp_path: Path) -> None:
    with Store(str(database)) as store:
        winner = winner_of(store, "opt").individual.birth
        child = next(each for each in store.individuals(store.run("opt").id) if each.parents == (0,))
        steps = len(store.lineage("opt", winner))
    assert data(database, "draw", "opt", "-o", tmp_path / "a.svg")["ref"] == f"opt:{winner}"
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    assert len(places(root, "line")) == steps and named(root, f"step-{winner}") is not None
    assert {"opt: optimizer on digits-mlp", "fresh seeds", "rung 1"} <= set(texts(root))
    call(database, "draw", f"opt:{child.birth}", "-o", tmp_path / "b.svg")
    assert f"birth {child.birth} (star), 1 step" in (tmp_path / "b.svg").read_text()


@pytest.mark.slow
def test_a_run_with_a_map_is_drawn_as_its_map_and_a_generation_of_it_if_asked(database: Path, tmp_path: Path) -> None:
    row = data(database, "draw", "maze", "-o", tmp_path / "a.svg")
    assert (row["ref"], row["generation"], row["cells"]) == ("maze", 2, 25)
    assert row["coverage"] == row["occupied"] / 25 and row["qd_score"] > 0 > row["qd_offset"]
    [curve] = data(database, "curve", "maze")
    last = curve["rows"][-1]
    assert [curve["qd_offset"], last["coverage"], last["qd_score"]] == [
        *(row[key] for key in ("qd_offset", "coverage", "qd_score")),
    ]
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    assert {"maze: the map on hard-maze", "final x position", "final y position", "fitness"} <= set(texts(root))
    assert named(root, "wall") is not None and named(root, "map") is not None
    said = call(database, "draw", "maze", "-o", tmp_path / "b.svg").stdout
    assert f"the map of maze, {row['occupied']} of 25 cells occupied" in said
    generation = data(database, "draw", "maze", "--generation", "1", "-o", tmp_path / "c.svg")
    assert generation["generation"] == 1 and "coverage" not in generation
    assert "maze, generation 1: hard-maze" in texts(ElementTree.fromstring((tmp_path / "c.svg").read_text()))


@pytest.mark.slow
def test_curve_and_top_have_the_scores_of_a_map(database: Path) -> None:
    lines = call(database, "curve", "maze").stdout.splitlines()
    [curve] = data(database, "curve", "maze")
    assert lines[1].split()[-3:] == ["coverage", "QD", "score"] and len(curve["rows"]) == 3
    assert lines[-1].startswith("QD score: sum of the fitness in the occupied cells, each less -")
    said = call(database, "top", "maze").stdout.splitlines()[-1]
    occupied = round(25 * curve["rows"][-1]["coverage"])
    assert said.startswith(f"map: {occupied} of 25 cells occupied, QD score ") and "with an offset of -" in said
    assert not [line for line in call(database, "top", "cart").stdout.splitlines() if line.startswith("map:")]


TASK = """
from germline.evaluators.tasks.gym import GymTask


class Named(GymTask):
    name, environment, behaviour_names = "named", "CartPole-v1", {names}
"""


@pytest.mark.slow
def test_a_task_of_a_users_own_names_the_axes_if_the_user_names_it(tmp_path: Path) -> None:
    file, database = tmp_path / "own.py", tmp_path / "own.db"
    file.write_text(TASK.format(names='("place", "$speed$", "<angle>", "turn")'))
    task = f"{file}:Named"
    words = [part for word in SEARCHES["cart"] if "=" in word for part in ("--set", word)]
    done = call(
        database, "search", "policy", "--task", task, "--births", "24", "--name", "own", "--executor", "inline", *words
    )
    assert done.exit_code == 0, done.output
    axes = {"place", "$speed$", "<angle>", "turn"}
    for named_task, expected in ((), 0), (("--task", task), 2):
        assert call(database, "draw", "own", "-o", tmp_path / "a.svg", "--force", *named_task).exit_code == 0
        shown = texts(ElementTree.fromstring((tmp_path / "a.svg").read_text()))
        assert len(axes & set(shown)) == expected
        assert len([text for text in shown if text.startswith("behaviour ")]) == 2 - expected
    other = call(database, "draw", "own", "-o", tmp_path / "b.svg", "--task", "hard-maze")
    assert other.exit_code == 2 and "the task of the run, got 'hard-maze'" in other.stderr
    wrong = tmp_path / "wrong.py"
    wrong.write_text(TASK.format(names="('place', 3)"))
    refused = call(database, "tasks", f"{wrong}:Named")
    assert "behaviour_names has to be a tuple of texts, not ('place', 3)" in refused.stderr


@pytest.mark.slow
def test_the_front_of_architectures_has_the_winner(database: Path, tmp_path: Path) -> None:
    row = data(database, "draw", "cells", "--front", "-o", tmp_path / "a.svg")
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    assert len(places(root, "front")) == row["front"] >= 2
    assert places(root, "winner")[0] in places(root, "front")
    assert {"cells: the front on nb201-cifar10", "parameters", "multiply-accumulates"} <= set(texts(root))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("single", "--front"), "expected a run with several objectives for a front, got single"),
        (("opt", "--front"), "expected a run of architectures for --front, got opt:"),
        (("opt", "--generation", "1"), "expected a run of policies for --generation, got opt:"),
        (("opt", "--task", "hard-maze"), "expected a run of policies for --task, got opt:"),
        (("library:lion",), "expected a RUN of optimizers to draw the course of, got 'library:lion'"),
    ],
)
def test_what_has_no_such_picture_is_an_error_of_one_line(
    database: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = call(database, "draw", *words, "-o", tmp_path / "x.svg")
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("draw", "opt", "-o", "a.svg"),
        ("curve", "opt", "-o", "a.svg"),
        ("validate", "library:lion", "--against", "library:adamw", "--curves", "a.svg"),
    ],
    ids=lambda words: words[0],
)
def test_without_matplotlib_a_command_says_so_before_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    done = call(tmp_path / "none.db", *words)
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: expected the package matplotlib, which draws pictures, got none; pip install matplotlib\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_only_drawing_imports_matplotlib(database: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from germline.cli.main import cli\n"
        f"runs = lambda *words: CliRunner().invoke(cli, [*words, '--db', {str(database)!r}])\n"
        "assert runs('curve', 'opt').exit_code == runs('top', 'opt').exit_code == 0\n"
        f"assert runs('draw', 'cells', '-o', {str(tmp_path / 'cells.svg')!r}).exit_code == 0\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"assert runs('draw', 'opt', '-o', {str(tmp_path / 'opt.svg')!r}).exit_code == 0\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
