"""The grammar of operators from outside in `--set operators=…`."""

from dataclasses import replace
from pathlib import Path

import pytest

from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.optimizer import library
from germline.programs.optimizer import parse as parse_program
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.kinds import kind_named
from germline.search.proposers.loading import operators_of
from germline.search.proposers.names import operator_weights, short_name
from germline.search.proposers.operator import BadOperator
from germline.search.settings import BadSetting, check, from_config, to_config

parse = operator_weights("insert", "delete")
SPACE = OptimizerSpace(parse_program(library()["adamw_plain"]))


def test_own_operators_have_weights_and_those_from_outside_shares(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    assert parse(f"insert:3,delete,llm:0.2,{file}:propose:0.25") == {
        "insert": 3.0,
        "delete": 1.0,
        "llm": 0.2,
        f"{file}:propose": 0.25,
    }


def test_a_path_becomes_absolute_and_may_have_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse("insert,a:b/mine.py:f:0.5") == {"insert": 1.0, f"{tmp_path}/a:b/mine.py:f": 0.5}
    assert parse("mine.py:f") == {f"{tmp_path}/mine.py:f": 1.0}
    assert short_name(f"{tmp_path}/a:b/mine.py:f") == "mine.py:f"
    assert short_name("llm") == "llm"


@pytest.mark.parametrize(
    "text",
    [
        *("", "lm:0.2", "llm:1.5", "llm:-1", "insert:0", "mine.py:", "mine.py:two words:0.1", ".py:f:0.1"),
        *("mine.py:f:x", "llm:0.6,mine.py:f:0.5", "mine.py:f:0.1,there/mine.py:f:0.1", "llm:0.1,llm:0.2"),
    ],
)
def test_anything_else_is_refused_with_the_expected_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"insert:1,delete:0.5 over insert, delete.* FILE.py:function:0.2 or llm:0.2"):
        parse(text)


def test_a_share_of_zero_is_kept_and_asked_for_nothing() -> None:
    assert parse("insert,llm:0") == {"insert": 1.0, "llm": 0.0}


def test_operators_from_outside_alone_leave_those_of_the_preset() -> None:
    kind = kind_named("optimizer")
    settings = kind.resolve({"operators": {"insert": 2.0, "tune": 1.0}}, ["operators=llm:0.2"])
    assert settings.operators == {"insert": 2.0, "tune": 1.0, "llm": 0.2}
    assert kind.resolve({}, ["operators=delete:1,llm:0.2"]).operators == {"delete": 1.0, "llm": 0.2}


@pytest.mark.parametrize(
    ("name", "operators"),
    [("optimizer", "insert:1,llm:0.2,/a/mine.py:f:0.1"), ("architecture", "llm:0.2"), ("policy", "/a/mine.py:f:0.1")],
)
def test_the_config_of_a_run_is_read_back(name: str, operators: str) -> None:
    kind = kind_named(name)
    for settings in (kind.resolve({}, [f"operators={operators}"]), kind.resolve({}, [])):
        again = from_config(kind.settings_class, to_config(settings))
        check(again)
        assert again.operators == settings.operators


def test_the_config_of_a_run_is_read_on_a_machine_with_other_files_and_packages(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    operators = {"insert": 1.0, f"{tmp_path}/link/mine.py:f": 0.25, "of_no_package": 0.5}
    settings = kind_named("optimizer").from_config({"operators": operators})
    assert settings.operators == operators
    with pytest.raises(BadOperator, match="the operator of_no_package of an installed package, there is none"):
        operators_of(replace(settings, operators={"of_no_package": 0.5}), ("insert",))


@pytest.mark.parametrize("operators", [{"insert": 0.0}, {"a:b": 1.0}, {"llm": 1.5}, {"": 0.5}, {"mine.py:f g": 0.5}])
def test_operators_of_another_form_in_the_config_are_refused(operators: dict[str, float]) -> None:
    with pytest.raises(BadSetting, match="expected operators in the config of the run to be weights"):
        kind_named("optimizer").from_config({"operators": operators})


def test_a_folder_with_a_comma_is_refused_since_its_run_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a,b").mkdir()
    monkeypatch.chdir(tmp_path / "a,b")
    with pytest.raises(ValueError, match="with a path without commas"):
        parse("mine.py:f")


@pytest.mark.parametrize(("name", "strategy"), [("optimizer", "constants"), ("architecture", "random")])
def test_a_strategy_that_varies_no_parents_asks_nobody(name: str, strategy: str) -> None:
    kind = kind_named(name)
    settings = kind.resolve({}, [f"strategy={strategy}", "operators=llm:0.5"])
    with pytest.raises(
        BadSetting, match=f"expected a strategy that varies parents for the operator llm, got {strategy}"
    ):
        kind.strategy(
            settings, ArchitectureSpace(SPACES["nb201"], Skeleton(16, 15)) if name == "architecture" else SPACE
        )


def test_a_language_model_is_not_asked_for_seeds() -> None:
    with pytest.raises(BadSetting, match="expected operators to be shares of operators from outside"):
        kind_named("policy").resolve({}, ["operators=llm:0.2"])


def test_the_operator_of_an_installed_package_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gifted-1.0.dist-info").mkdir()
    (tmp_path / "gifted-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: gifted\nVersion: 1.0\n")
    (tmp_path / "gifted-1.0.dist-info" / "entry_points.txt").write_text("[germline.operators]\ngift = gifted:give\n")
    with pytest.raises(ValueError, match=r"FILE\.py:function"):
        parse("gift:0.5")
    monkeypatch.syspath_prepend(tmp_path)
    assert parse("insert,gift:0.5") == {"insert": 1.0, "gift": 0.5}
