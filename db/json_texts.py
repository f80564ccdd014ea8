"""Parses what rows hold as JSON: the config of a run, and the measures of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from germline.db import exact_json

COUNTS: Final[Mapping[str, Sequence[str]]] = {"policy": ("episodes", "steps", "frames")}
"""The measures that are counts, by kind. They are checked when they are read, so that sums need no check."""
_BUDGETS: Final = ("births", "evaluations", "frames")  # of the config of a run
_LARGEST_COUNT: Final = 2**53  # up to here a float holds every integer exactly


def read_config(text: str) -> dict[str, Any]:
    """Parses the config of a run.

    Raises:
        ValueError: the config or its ``settings`` are not a JSON object, or a budget is not a count.
    """
    config = exact_json.load_plain(text)
    for name in _BUDGETS:
        budget = config.get(name)
        if budget is not None and (type(budget) is not int or budget < 0):
            raise ValueError(f"expected {name} to be a count, got {budget!r:.40}")
    if not isinstance(config.get("settings", {}), dict):
        raise ValueError(f"expected settings to be a JSON object, got {config['settings']!r:.40}")
    return config


def read_measures(text: str, kind: str | None) -> dict[str, float]:
    """Parses the measures of an evaluation. ``kind`` is the kind of the run, None if there is no such run.

    Raises:
        ValueError: the text is not a JSON object of floats, or a measure in ``COUNTS`` is no count.
    """
    measures = exact_json.load_floats(text)
    check_counts(measures, kind)
    return measures


def check_counts(measures: Mapping[str, float], kind: str | None) -> None:
    """Checks the measures of an evaluation that are counts. ``kind`` is the kind of the run, None if there is no such
    run.

    Raises:
        ValueError: a measure in ``COUNTS`` is no count.
    """
    for name in COUNTS.get(kind or "", ()):
        if name in measures and not 0 <= measures[name] <= _LARGEST_COUNT:
            raise ValueError(f"expected {name} to be a count, got {measures[name]}")
