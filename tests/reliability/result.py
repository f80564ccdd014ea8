"""The result of a reliability scenario."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What a scenario did, and each case in which the promise did not hold.

    Attributes:
        row: the requirement that was tested, such as `C1`: the first column of docs/reliability.md.
        what: what was tried, in a phrase that the report prints.
        count: cases tried.
        failures: a line for each case in which the promise did not hold.
        seconds: wall-clock time of the scenario.
        note: a figure beside the count, such as the longest wait; empty if there is none.
    """

    row: str
    what: str
    count: int
    failures: tuple[str, ...]
    seconds: float
    note: str = ""
