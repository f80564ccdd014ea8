"""The scenarios that have a short form, with a few cases each."""

from pathlib import Path

import pytest
from scenarios import SCENARIOS, Scenario


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.short], ids=lambda scenario: scenario.name)
def test_the_promise_holds(scenario: Scenario, tmp_path: Path) -> None:
    result = scenario.run(scenario.short, tmp_path)
    if result.count == 0:
        pytest.skip(result.note)
    assert result.count >= scenario.short
    assert result.failures == ()
