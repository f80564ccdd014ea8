"""The report of a trial of a task: its findings and its conclusion."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A line of a report.

    Args:
        name: what was tried, such as `alone`.
        text: what came, such as `8 of 8 equal`.
        broken: whether the task thereby breaks its contract, or what it claims.
    """

    name: str
    text: str
    broken: bool = False


@dataclass(frozen=True)
class Report:
    """The findings of a trial, and in one line what they mean and what to do."""

    findings: Sequence[Finding]
    conclusion: str

    @property
    def broken(self) -> bool:
        return any(finding.broken for finding in self.findings)
