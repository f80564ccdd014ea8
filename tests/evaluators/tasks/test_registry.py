"""A name is enough to get a task, in any process, and a wrong name teaches the right one."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.errors import InvalidTask, UnknownTask
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks import registry
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import BUILT_IN, describe, task_class, task_names

PLUG_IN = '''
from dataclasses import dataclass
import torch
from germline.evaluators.task import Rung
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask


@dataclass
class Note:
    text: str


class Bowl(TrainingTask):
    """Find the bottom of a bowl.

    It has no examples worth the name.
    """

    name = "bowl"
    version = 3
    rungs = (Rung(5, 1),)
    parameters = (ParameterSpec("x", (2, 3), 1.0),)

    def __init__(self, device="cpu"):
        self.device = device

    def size(self, split):
        return 1

    def loss(self, params, split, index):
        return params["x"].square().sum((1, 2))

    def measure(self, params, split):
        return {"loss": self.loss(params, split, None)}


class Abstract(TrainingTask):
    name = "abstract"


class Nameless(Bowl):
    name = None


class NoRungs(Bowl):
    rungs = ()


class WrongParameters(Bowl):
    parameters = (("x", (2, 3)),)


class NoneAtOnce(Bowl):
    at_once = 0


class WordsAsObjectives(Bowl):
    objectives = ("loss",)


class Unsure(Bowl):
    batch_invariant = "perhaps"


class Hostile(Bowl):
    class Unshown:
        def __repr__(self):
            raise SystemExit(3)

    at_once = Unshown()


instance = Bowl()
'''


@pytest.fixture
def plug_in(tmp_path: Path) -> Path:
    path = tmp_path / "my tasks" / "bowl.py"
    path.parent.mkdir()
    path.write_text(PLUG_IN)
    return path


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_task_is_listed_under_its_own_name(name: str) -> None:
    found = task_class(name)
    kinds = {"optimizer": TrainingTask, "architecture": CellTask, "policy": PolicyTask}
    assert issubclass(found, kinds[found.kind])
    assert found.name == name


def test_listing_names_imports_no_torch() -> None:
    code = (
        "import sys; from germline.evaluators.tasks.registry import task_names; "
        "print(len(task_names()), 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split()[1:] == ["False", "False"]


def test_every_listed_name_has_a_summary_in_one_line() -> None:
    names = task_names()
    assert [entry.name for entry in names][: len(BUILT_IN)] == list(BUILT_IN)
    assert all(entry.summary and "\n" not in entry.summary for entry in names)


def test_a_description_counts_the_parameters() -> None:
    perceptron = describe("digits-mlp")
    assert perceptron.parameters == 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert (perceptron.name, perceptron.version) == ("digits-mlp", 1)
    assert [rung.steps for rung in perceptron.rungs] == [200, 2_000, 20_000]


def test_a_task_in_a_file_works(plug_in: Path) -> None:
    name = f"{plug_in}:Bowl"
    bowl = task_class(name)
    assert bowl().size("train") == 1
    assert task_class(name) is bowl
    described = describe(name)
    assert (described.name, described.version, described.parameters) == ("bowl", 3, 6)
    assert described.summary == "Find the bottom of a bowl."


@pytest.mark.slow
def test_a_relative_file_is_found_from_elsewhere_by_its_absolute_name(
    plug_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plug_in.parent)
    name = absolute_name("bowl.py:Bowl")
    monkeypatch.chdir(tmp_path)
    code = f"from germline.evaluators.tasks.registry import task_class; print(task_class({name!r}).name)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "bowl"


@pytest.mark.parametrize(
    ("typed", "meant"), [("digits", "digits-mlp"), ("MNIST-conv", "mnist5k-conv"), ("cartpole", "gym:CartPole-v1")]
)
def test_an_unknown_name_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UnknownTask, match=rf"unknown task '{typed}'.*'{meant}'.*germline tasks"):
        task_class(typed)


@pytest.mark.parametrize("typed", ["", "é", "a:b"])
def test_any_unknown_name_gets_one_line(typed: str) -> None:
    with pytest.raises(UnknownTask) as caught:
        task_class(typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("class_name", "told"),
    [
        ("Bowll", "no class 'Bowll' in the file; it defines Note, Bowl"),
        ("Note", "not a TrainingTask"),
        ("instance", "not a TrainingTask"),
        ("Abstract", "does not define __init__, loss, measure, size"),
        ("Nameless", "has no name"),
        ("NoRungs", "rungs has to be a tuple of at least one Rung"),
        ("WrongParameters", "parameters has to be a tuple of at least one ParameterSpec"),
        ("NoneAtOnce", "at_once has to be a whole number from 1, not 0"),
        ("WordsAsObjectives", "objectives has to be a tuple of at least one Objective, not .'loss',."),
        ("Unsure", "batch_invariant has to be True or False, not 'perhaps'"),
        ("Hostile", "at_once has to be a whole number from 1, not <Unshown that cannot be shown>"),
    ],
)
def test_an_unusable_class_is_refused_with_the_reason(plug_in: Path, class_name: str, told: str) -> None:
    with pytest.raises(InvalidTask, match=told) as caught:
        task_class(f"{plug_in}:{class_name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bounds", ["[(0, 1)]", "((0, 1), 3)", "((1, 1),)", "((0, float('inf')),)", "(('0', 1),)"])
def test_bounds_of_behaviours_that_are_no_ranges_are_refused_with_the_reason(tmp_path: Path, bounds: str) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from germline.evaluators.tasks.hard_maze import HardMazeTask\n\n\n"
        f"class Own(HardMazeTask):\n    name, behaviour_bounds = 'own', {bounds}\n"
    )
    told = r"behaviour_bounds has to be a tuple of pairs \(low, high\) of numbers, not "
    with pytest.raises(InvalidTask, match=told) as caught:
        task_class(f"{file}:Own")
    assert "\n" not in str(caught.value)


FORMER_NAMES = {
    "leaves": """
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung

class Former(TrainingTask):
    name, rungs, leaves = "former", (Rung(1, 1),), ()
    __init__ = size = loss = measure = lambda self: None
""",
    "world": """
from germline.evaluators.policy.task import PolicyTask

class Former(PolicyTask):
    name = "former"
    world = environments = lambda self: None
""",
    "overridden world": """
from germline.evaluators.tasks.gym import GymnasiumTask

class Former(GymnasiumTask):
    name = "former"
    world = make = lambda self: None
""",
    "module": "from germline.evaluators.policy_task import PolicyTask",
}


@pytest.mark.parametrize(
    ("former", "message"),
    [
        ("leaves", r"add parameters = \(ParameterSpec\(...\), ...\) to the class, leaves is called parameters now$"),
        ("world", "does not define environment_spec; .*, world is called environment_spec now$"),
        ("overridden world", "defines world, which is called environment_spec now; rename it$"),
        ("module", r"importing .*former\.py failed with ModuleNotFoundError.*policy_task"),
    ],
)
def test_the_error_of_a_task_with_a_former_name_gives_the_new_name(tmp_path: Path, former: str, message: str) -> None:
    file = tmp_path / "former.py"
    file.write_text(FORMER_NAMES[former])
    with pytest.raises(InvalidTask, match=message) as caught:
        task_class(f"{file}:Former")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [task_class, absolute_name])
def test_a_missing_file_or_class_is_refused(plug_in: Path, function: object) -> None:
    assert callable(function)
    with pytest.raises(InvalidTask, match=r"no file .*nowhere\.py"):
        function("nowhere.py:Bowl")
    for unfinished in (f"{plug_in}", f"{plug_in}:"):
        with pytest.raises(InvalidTask, match=r"write .*bowl\.py:Class"):
            function(unfinished)


@pytest.mark.parametrize(
    ("content", "told"), [("import no_such_module_here", "ModuleNotFoundError"), ("def (", "SyntaxError")]
)
def test_a_file_that_cannot_be_imported_is_refused_each_time(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(content)
    for _ in range(2):
        with pytest.raises(InvalidTask, match=told):
            task_class(f"{path}:Bowl")


def test_tasks_of_installed_packages_are_listed_and_cannot_shadow_a_built_in(
    plug_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plug_in.parent))
    points = (
        EntryPoint("bowl", "bowl:Bowl", registry.GROUP),
        EntryPoint("digits-mlp", "bowl:Bowl", registry.GROUP),
        EntryPoint("gone", "no_such_module_here:Task", registry.GROUP),
    )
    monkeypatch.setattr(registry, "entry_points", lambda group: [point for point in points if point.group == group])
    assert [entry.name for entry in task_names()][len(BUILT_IN) + len(registry.FAMILIES) :] == ["bowl", "gone"]
    assert describe("bowl").version == 3
    assert task_class("digits-mlp").name == "digits-mlp"
    with pytest.raises(InvalidTask, match="no_such_module_here"):
        task_class("gone")
