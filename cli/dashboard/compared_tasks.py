"""What the page of a comparison says: runs of a task beside each other, since fitness on two tasks has two scales."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from germline.cli.formatting import setting
from germline.cli.printing import on_a_line
from germline.search.analysis.comparison import Group, grouped

LONGEST_SETTING = 60
"""The most characters of a setting; a start program is one of many lines."""

SCORES = {"fitness": "fitness in the search", "review": "mean return in a review", "test": "mean return in the test"}


def compared_tasks(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """For each kind and task `kind`, `task`, `names` of its runs and `groups`, in which settings are compared among the
    runs of this task alone.

    Args:
        groups: of all compared runs, those of a kind and task beside each other.
    """

    def place(group: Group) -> tuple[str, str]:
        run = group.results[0].run
        return run.kind, run.task

    tasks = []
    for (kind, task), members in groupby(groups, place):
        own = grouped([result for group in members for result in group.results])
        names = [result.run.name for group in own for result in group.results]
        rows = [_row(number, group) for number, group in enumerate(own, 1)]
        tasks.append({"kind": kind, "task": task, "names": names, "groups": rows})
    return tasks


def _row(number: int, group: Group) -> dict[str, Any]:
    return {
        "number": number,
        "runs": [result.run.name for result in group.results],
        "values": group.values,
        "source": SCORES.get(group.results[0].source, group.results[0].source),
        "differs": {
            on_a_line(str(key), LONGEST_SETTING): on_a_line(setting(value), LONGEST_SETTING)
            for key, value in group.differs.items()
        },
    }
