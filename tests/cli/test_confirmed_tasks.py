"""A database must not choose code: a run's task outside of the installed packages is imported only if it is named."""

import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from command_line import call

from germline.db.records import EvaluationRecord, Individual, Winner
from germline.db.store import Store
from germline.evaluators.errors import UnconfirmedTask
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network
from germline.search.run import evolve, new_run

EVIL = """
from pathlib import Path

Path("{trace}").write_text("imported")

from germline.evaluators.tasks.gym import GymTask


class Evil(GymTask):
    name, environment = "evil", "CartPole-v1"
"""

COMMANDS = [
    ("resume", "run", "--executor", "inline"),
    ("play", "run", "--episodes", "1"),
    ("validate", "run", "--rung", "0", "--seeds", "1"),
    ("export", "run", "-o", "agent.py"),
    ("export", "run", "-o", "agent.onnx", "--to", "onnx"),
    ("show", "run"),
    ("top", "run"),
    ("draw", "run", "-o", "run.svg"),
    ("lineage", "run"),
    ("curve", "run"),
    ("compare", "run"),
    ("describe", "run"),
    ("db", "check"),
    ("db", "replay", "run"),
]
READING = ("show", "top", "draw", "lineage", "curve", "compare", "describe", "db")

Foreign = Callable[[str], Path]


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a hostile module writes when it is imported; the module lies in the working directory."""
    trace = tmp_path / "trace"
    (tmp_path / "evil.py").write_text(EVIL.format(trace=trace))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return trace


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with a run of policies: a complete block of its two."""
    path = tmp_path_factory.mktemp("whole") / "runs.db"
    with Store(str(path)) as store:
        settings = ("population=2", "candidates=0", "test_episodes=0")
        run = new_run(store, kind="policy", task="gym:CartPole-v1", settings=settings, name="run", births=4)
        store.claim(run.id)
        outcome = ("ok", 9.0, {"return": 9.0}, {"frames": 9.0, "episodes": 1.0, "steps": 9.0}, 0.1, "inline", None)
        for birth in range(2):
            genome = write(Policy(Network("mlp", (4,), 2, (4,)), birth))
            store.add_individuals(run.id, "policy", [Individual(birth, 0, (), "random", genome, f"print {birth}")])
            store.add_evaluations(run.id, [EvaluationRecord(birth, f"print {birth}", run.task, 0, 0, *outcome)])
        store.add_winners(run.id, [Winner(0, 0)])
        store.release(run.id, "stopped", 0.1)
    return path.read_bytes()


@pytest.fixture
def foreign(tmp_path: Path, whole: bytes) -> Foreign:
    """``foreign(task)``: a database from elsewhere, with a run of policies on that task."""

    def make(task: str) -> Path:
        path = tmp_path / "foreign.db"
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE run SET task = ?", (task,))
            connection.execute("UPDATE evaluation SET task = ?", (task,))
            connection.commit()
        return path

    return make


@pytest.mark.slow
@pytest.mark.parametrize("task", ["{folder}/evil.py:Evil", "evil.py:Evil", "gym:evil:CartPole-v1"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:1] + command[-1:]))
def test_no_command_imports_what_a_database_names(
    foreign: Foreign, trace: Path, tmp_path: Path, task: str, command: tuple[str, ...]
) -> None:
    recorded = task.format(folder=tmp_path)
    done = call(foreign(recorded), *command)
    assert not trace.exists()
    if command[0] in READING or command[-1] == "onnx":
        # The births of this run are invented, which a replay finds.
        assert done.exit_code == (1 if "replay" in command else 0), done.output
        return
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and f"add --task {shlex.quote(recorded)}" in done.stderr
    assert not (tmp_path / "agent.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] not in READING][:4])
@pytest.mark.parametrize("named", ["evil.py:Evil", "./evil.py:Evil", "{folder}/evil.py:Evil"])
def test_a_task_that_the_user_names_is_used(
    foreign: Foreign, trace: Path, tmp_path: Path, command: tuple[str, ...], named: str
) -> None:
    path = foreign(f"{tmp_path}/evil.py:Evil")
    done = call(path, *command, "--task", named.format(folder=tmp_path))
    assert done.exit_code == 0, done.output


def test_a_relative_name_in_a_database_is_confirmed_by_the_same_name(
    foreign: Foreign, trace: Path, tmp_path: Path
) -> None:
    done = call(foreign("evil.py:Evil"), "resume", "run", "--executor", "inline", "--task", "evil.py:Evil")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", ["resume run", "export run -o agent.py"])
def test_another_task_than_that_of_the_run_is_refused(
    foreign: Foreign, trace: Path, tmp_path: Path, command: str
) -> None:
    path = foreign(f"{tmp_path}/evil.py:Evil")
    done = call(path, *command.split(), "--task", "gym:CartPole-v1")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert f"expected --task {tmp_path}/evil.py:Evil, the task of the run, got 'gym:CartPole-v1'" in done.stderr
    assert not trace.exists()


def test_a_program_that_resumes_a_run_names_its_task_too(foreign: Foreign, trace: Path, tmp_path: Path) -> None:
    with Store(str(foreign(f"{tmp_path}/evil.py:Evil"))) as store:
        with pytest.raises(UnconfirmedTask, match="code that a database must not choose"):
            next(iter(evolve(store, "run", executor="inline")))
        assert not trace.exists()
        next(iter(evolve(store, "run", executor="inline", task="evil.py:Evil")))
    assert trace.exists()


@pytest.mark.parametrize("name", ["digits-mlp", "gym:CartPole-v1", "gym:ALE/Pong-v5", "atari:pong@sticky", "installed"])
def test_tasks_that_are_built_in_or_installed_need_no_confirmation(name: str) -> None:
    assert confirmed_name(name) == name
    assert confirmed_name(name, name) == name
