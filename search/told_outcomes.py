"""Checks outcomes that a caller tells before anything is recorded: no later session could read or use bad ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from germline.db.to_rows import is_storable
from germline.evaluators.errors import shown
from germline.evaluators.outcome import NoNumber, Objective, Outcome, number_of, recordable

STATUSES = ("ok", "diverged", "rejected", "timeout", "oom", "crashed")
_COUNTS = ("episodes", "steps", "frames")
"""Measures of policies that are counts; the budget in frames adds them up."""
_LARGEST_COUNT = 2**53


class BadTell(ValueError):
    """An outcome that a caller tells is refused; the message says what was expected, what came and what to do."""


def checked(outcome: object, objectives: Sequence[Objective], measures: Sequence[str] = ()) -> Outcome:
    """The outcome as it is recorded, with its fitness from the first objective if that is None.

    An ok outcome whose fitness or an objective is not finite becomes `diverged`, as if an evaluator had returned it.

    Args:
        outcome: what the caller told.
        objectives: what an ok outcome must have, the first of which makes the fitness.
        measures: names of measures that an ok outcome must have, because the strategy of the run reads them.

    Raises:
        BadTell
    """
    if not isinstance(outcome, Outcome):
        raise BadTell(f"expected an Outcome, got {shown(outcome)}; write for example Outcome('crashed', error='why')")
    if outcome.status not in STATUSES:
        raise BadTell(f"expected a status out of {', '.join(STATUSES)}, got {shown(outcome.status)}")
    for name, values in (("objectives", outcome.objectives), ("measures", outcome.measures)):
        if not isinstance(values, Mapping):
            raise BadTell(f"expected the {name} of an outcome as numbers by name, got {shown(values)}")
    try:
        number_of("seconds", outcome.seconds)
    except NoNumber as error:
        raise BadTell(str(error)) from None
    if not (isinstance(outcome.worker, str) and is_storable(outcome.worker)) or not 0 <= float(outcome.seconds) < float(
        "inf"
    ):
        raise BadTell(f"expected seconds of 0 or more and a worker as text without NUL, got {shown(outcome)}")
    if outcome.status != "ok":
        if outcome.fitness is not None or outcome.objectives:
            raise BadTell(f"expected no fitness and no objectives with the status {outcome.status}, got both or one")
        return _recordable(outcome)
    _require("objectives", outcome.objectives, [objective.name for objective in objectives])
    _require("measures", outcome.measures, measures)
    first = objectives[0]
    try:
        value = number_of(first.name, outcome.objectives[first.name])
        fitness = value if first.direction == "max" else -value
        given = fitness if outcome.fitness is None else number_of("the fitness", outcome.fitness)
    except NoNumber as error:
        raise BadTell(str(error)) from None
    if given != fitness and not (given != given and fitness != fitness):  # both may be NaN
        sign = "" if first.direction == "max" else "-"
        raise BadTell(f"expected the fitness {sign}{first.name}, which is {fitness:g}, got {given:g}; leave it out")
    return _recordable(replace(outcome, fitness=fitness))


def behaviours(measures: Mapping[str, float]) -> int:
    """The number of measures `behaviour_0`, `behaviour_1`, …"""
    return sum(name.startswith("behaviour_") for name in measures)


def _recordable(outcome: Outcome) -> Outcome:
    done = recordable(outcome)
    if done.status == "crashed" != outcome.status:
        raise BadTell(done.error or "expected numbers by name")
    for name in _COUNTS:
        if name in done.measures and not 0 <= done.measures[name] <= _LARGEST_COUNT:
            raise BadTell(f"expected the measure {name} to be a count, got {done.measures[name]:g}")
    return replace(done, seconds=float(done.seconds))


def _require(what: str, values: Mapping[str, Any], names: Sequence[str]) -> None:
    if not set(names) <= set(values):
        got = ", ".join(map(str, values))
        raise BadTell(f"expected the {what} {', '.join(names)} of an ok outcome, got {got or 'none'!s:.200}")
