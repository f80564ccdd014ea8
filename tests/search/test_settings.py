"""Settings and presets: what `--set` takes, its errors, and settings in the config of a run."""

import json
from dataclasses import replace
from typing import Any

import pytest

from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import library, parse
from germline.search.kind import Kind
from germline.search.kinds import KINDS, UnknownPreset, preset_named
from germline.search.settings import BadSetting, check, to_config

OPTIMIZER = KINDS["optimizer"]


def test_an_assignment_goes_over_the_preset_and_the_preset_over_the_default() -> None:
    settings = OPTIMIZER.resolve(OPTIMIZER.presets["paper"].values, ["tournament=5", "lengths=0.5, 2"])
    assert (settings.population, settings.tournament, settings.lengths) == (1000, 5, [0.5, 2.0])
    assert settings.timeout == 600.0
    assert OPTIMIZER.resolve({}, ["operators=insert:2,tune"]).operators == {"insert": 2.0, "tune": 1.0}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("populaton=5", "expected a setting, got 'populaton'; did you mean population?"),
        ("zzz=5", "expected a setting, got 'zzz'; there are strategy, start"),
        ("population", "expected key=value, got 'population'"),
        ("population=many", "expected population to be a whole number from 2 to 1000000, got 'many'"),
        ("population=1", "expected population to be a whole number from 2 to 1000000, got '1'"),
        (
            "lengths=0",
            "expected lengths to be positive numbers up to a million, separated by commas, as in 0.5,1.5, got '0'",
        ),
        ("lengths=inf", "expected lengths to be positive numbers"),
        ("strategy=magic", "expected strategy to be one of aging, islands, front, random, constants, got 'magic'"),
        ("operators=fuse:1", "expected operators to be weights such as insert:1,cross:0.5 over insert, delete"),
        ("timeout=-3", "expected timeout to be a positive number up to a million, got '-3'"),
    ],
)
def test_the_error_of_a_bad_assignment_has_an_example(assignment: str, message: str) -> None:
    with pytest.raises(BadSetting) as error:
        OPTIMIZER.resolve({}, [assignment])
    assert str(error.value).startswith(message)


def test_every_preset_sets_only_settings_that_exist() -> None:
    for kind in KINDS.values():
        assert {"quick", "paper"} <= set(kind.presets)
        for preset in kind.presets.values():
            assert set(preset.values) <= {setting.name for setting in kind.settable}


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(UnknownPreset, match="got 'quik'; did you mean quick"):
        preset_named(OPTIMIZER, "quik")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_settings_are_the_same_after_they_were_stored(kind: Kind[Any, Any]) -> None:
    for preset in kind.presets.values():
        settings = kind.resolve(preset.values, [])
        config = to_config(settings)
        assert list(config) == [setting.name for setting in kind.settable]
        assert kind.from_config(json.loads(json.dumps(config))) == settings


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_config_of_another_version_reads_with_defaults_and_without_unknown_keys(kind: Kind[Any, Any]) -> None:
    config = to_config(kind.resolve({}, ["depth=3"]))
    del config["timeout"]
    assert kind.from_config({**config, "of_a_later_version": 5}) == kind.resolve({}, ["depth=3"])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_stored_settings_pass_their_check(kind: Kind[Any, Any]) -> None:
    for preset in kind.presets.values():
        check(kind.from_config(json.loads(json.dumps(to_config(kind.resolve(preset.values, []))))))


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("population", "200", "of type int, got '200'"),
        ("population", 2.5, "a whole number from 2 to 1000000, got 2.5"),
        ("block", 0, "a whole number from 1 to 100000, got 0"),
        ("lengths", "1", "of type list, got '1'"),
        ("lengths", ["x"], "positive numbers up to a million"),
        ("operators", {"foo": 2.0}, "weights such as insert:1"),
        ("hurdle", None, "a number from 0 to 1, got None"),
        ("start", 3, "of type str, got 3"),
        ("strategy", "magic", "one of aging, islands, front, random, constants, got 'magic'"),
    ],
)
def test_a_stored_setting_that_no_assignment_makes_is_refused(setting: str, value: object, expected: str) -> None:
    with pytest.raises(BadSetting, match=f"^expected {setting} in the config of the run to be {expected}"):
        check(OPTIMIZER.from_config({setting: value}))


def test_a_strategy_of_a_later_version_is_refused_in_a_line() -> None:
    settings = OPTIMIZER.resolve({}, [])
    space = OPTIMIZER.space(replace(settings, start=library()["lion"]))
    with pytest.raises(BadSetting, match="one of aging, islands, front, random, constants, got"):
        OPTIMIZER.strategy(replace(settings, strategy="magic"), space)


def prepared(*assignments: str) -> Any:
    return OPTIMIZER.prepare(OPTIMIZER.resolve({}, assignments), task_class("digits-mlp"))


def test_without_donors_of_the_library_a_config_has_no_texts_of_donors() -> None:
    assert "donor_programs" not in to_config(prepared("operators=graft"))


def test_the_texts_of_donors_are_part_of_the_config() -> None:
    settings = prepared("operators=graft,cross", "donors=population,lion")
    assert list(to_config(settings)["donor_programs"]) == ["lion"]
    strategy = OPTIMIZER.strategy(settings, OPTIMIZER.space(settings))
    assert strategy.donors == ["population", {"lion": parse(library()["lion"])}]


def test_the_start_programs_of_islands_are_part_of_the_config() -> None:
    assert "island_programs" not in to_config(prepared())
    assert list(to_config(prepared("strategy=islands", "islands=lion,rmsprop"))["island_programs"]) == [
        "lion",
        "rmsprop",
    ]


def test_the_library_gives_a_search_only_donors_with_its_functions() -> None:
    core = prepared("donors=library").donor_programs
    extended = prepared("donors=library", "functions=extended").donor_programs
    whitening = prepared("donors=library", "functions=whitening").donor_programs
    assert set(whitening) == set(library())
    assert set(extended) == set(library()) - {"shampoo", "shampoo_left", "soap"}
    assert "lion" in core and not {"muon", "lamb", "adafactor"} & set(core)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["donors=muon"], "expected donors of core functions, got muon; use --set functions=extended"),
        (
            ["donors=moun"],
            "expected donors to be different names out of population, library, .*, got 'moun'",
        ),
        (["strategy=islands"], "expected strategy=islands together with islands=NAME,.*, got strategy=islands and"),
        (["islands=lion"], "expected strategy=islands together .* got strategy=aging and islands=lion"),
        (
            ["strategy=islands", "islands=lion,lamb"],
            "expected islands of core functions, got lamb; use --set",
        ),
        (["strategy=islands", "islands=lion,adam", "block=2"], "expected a block of more births than 2, got 2"),
        (["strategy=random", "tune_every=2"], "expected tune_every=0 for random search, got 2: it tunes no constants"),
        (["tune_every=20"], "expected a block of at least 80 births, four .* got block=64 with tune_every=20"),
        (["strategy=islands", "islands=lino"], "expected islands to be different names out of adabelief, .*, or none"),
        (["idioms=average,avrage"], "expected idioms to be different names out of average, .*, got 'average,avrage'"),
        (
            ["operators=idiom", "idioms=cautious,orthogonalize"],
            "expected an idiom of core functions, got cautious, orthogonalize; use --set functions=extended",
        ),
        (
            ["operators=idiom", "functions=extended", "idioms=whiten_rows"],
            "expected an idiom of extended functions, got whiten_rows; use --set functions=whitening",
        ),
    ],
)
def test_settings_of_variation_have_to_exist_and_to_fit_each_other(assignments: list[str], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        prepared(*assignments)
