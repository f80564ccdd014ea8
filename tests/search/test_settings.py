"""Settings and presets: what `--set` takes, and what it says to a mistake."""

import pytest

from germline.search.kinds import KINDS, UnknownPreset, preset_named
from germline.search.settings import BadSetting

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
        ("strategy=magic", "expected strategy to be one of aging, random, constants, got 'magic'"),
        ("operators=fuse:1", "expected operators to be weights such as insert:1,rate:0.5 over insert, delete"),
        ("timeout=-3", "expected timeout to be a positive number up to a million, got '-3'"),
    ],
)
def test_a_bad_assignment_says_what_to_write(assignment: str, message: str) -> None:
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
