"""The grammar of names of tasks, with paths that hold its signs."""

from pathlib import Path

import pytest

from germline.evaluators.errors import InvalidTask
from germline.evaluators.tasks.name_grammar import (
    absolute_name,
    file_and_class,
    is_in_file,
    joined,
    names_of,
    split_family,
    split_variant,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose file `a+b@c:d.py` has every sign of the grammar in its name."""
    (tmp_path / "a+b@c:d.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_several_names_are_one_text_and_a_path_may_hold_the_separator(folder: Path) -> None:
    assert names_of("digits-mlp") == ("digits-mlp",)
    assert names_of("atari:frostbite+digits-mlp") == ("atari:frostbite", "digits-mlp")
    paths = ("/a+b/own.py:Line", "digits-mlp@batch=8", "/c/d.py:E")
    assert names_of(joined(paths)) == paths
    assert names_of(f"{folder}/a+b@c:d.py:Line+digits-mlp") == (f"{folder}/a+b@c:d.py:Line", "digits-mlp")
    assert names_of("a+b@c:d.py:Line") == ("a+b@c:d.py:Line",)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("digits-mlp", ("digits-mlp", None)),
        ("digits-mlp@rescaled,batch=8", ("digits-mlp", "rescaled,batch=8")),
        ("a@b/task.py", ("a@b/task.py", None)),
        ("a@b/task.py:Mine", ("a@b/task.py:Mine", None)),
        ("a@b/task.py:Mine@rescaled", ("a@b/task.py:Mine", "rescaled")),
    ],
)
def test_a_variant_stands_behind_the_class(name: str, parts: tuple[str, str | None]) -> None:
    assert split_variant(name) == parts


def test_a_family_ends_at_the_first_colon() -> None:
    assert split_family("gym:my_module:Line-v0") == ("gym", "my_module:Line-v0")
    assert split_family("digits-mlp") == ("digits-mlp", "")


def test_the_class_in_a_file_stands_behind_the_last_colon(folder: Path) -> None:
    assert file_and_class("a+b@c:d.py:Line@batch=8") == (Path("a+b@c:d.py"), "Line@batch=8")
    assert is_in_file("a+b@c:d.py") and not is_in_file("gym:CartPole-v1")
    with pytest.raises(InvalidTask, match=r"optimizer 'a\+b@c:d.py' names a file but no class; write a\+b@c:d.py:Cl"):
        file_and_class("a+b@c:d.py", "optimizer")
    with pytest.raises(InvalidTask, match=r"there is no file nowhere\.py"):
        file_and_class("nowhere.py:Line")


def test_a_path_becomes_absolute_in_each_of_several_names(folder: Path) -> None:
    assert absolute_name("digits-mlp") == "digits-mlp"
    assert absolute_name("./a+b@c:d.py:Line@batch=8+digits-mlp") == f"{folder}/a+b@c:d.py:Line@batch=8+digits-mlp"
