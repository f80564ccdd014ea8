"""A database must not choose code: a run's task outside of the installed packages is imported only if it is named."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import call

from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store
from germline.evaluators.errors import UnconfirmedTask
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network
from germline.search.run import evolve

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


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    """``foreign(task)``: a database from elsewhere, with a run of policies on that task."""

    def make(task: str) -> Path:
        path = tmp_path / "foreign.db"
        with Store(str(path)) as store:
            config = {"settings": {"population": 4, "test_episodes": 0}, "births": 4, "evaluations": None}
            run = store.create_run("run", "policy", task, "quick", 0, config, {})
            genome = write(Policy(Network("mlp", (4,), 2, (4,)), 1))
            store.add_individuals(run.id, "policy", [Individual(0, 0, (), "random", genome, "print")])
            outcome = ("ok", 9.0, {"return": 9.0}, {"frames": 9.0, "episodes": 1.0, "steps": 9.0}, 0.1, "inline", None)
            store.add_evaluations(run.id, [EvaluationRecord(0, "print", task, 0, 0, *outcome)])
            store.release(run.id, "stopped", 0.1)
        return path

    return make


@pytest.mark.parametrize("task", ["{folder}/evil.py:Evil", "evil.py:Evil", "gym:evil:CartPole-v1"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:1] + command[-1:]))
def test_no_command_imports_what_a_database_names(
    foreign: Foreign, trace: Path, tmp_path: Path, task: str, command: tuple[str, ...]
) -> None:
    recorded = task.format(folder=tmp_path)
    done = call(foreign(recorded), *command)
    assert not trace.exists()
    if command[0] in READING or command[-1] == "onnx":
        assert done.exit_code in (0, 1), done.output  # `curve` finds no complete block, and says so
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
