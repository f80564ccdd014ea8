"""What a session has found so far: a JSON file and a table, written anew after every step and every partial result."""

import json
import math
from pathlib import Path
from typing import Any, Self

VERSION = 2
STATUSES = ("running", "ok", "failed", "skipped")


class Report:
    """The facts of a session and a record for each of its steps.

    Args:
        path: of the JSON file; the table has the same name and the ending `.txt`.
        facts: the device, versions, options.
        steps: records of steps that ran before, to keep.
    """

    def __init__(self, path: Path, facts: dict[str, Any], steps: list[dict[str, Any]]) -> None:
        self.path = path
        self.facts = facts
        self.steps = steps

    @classmethod
    def read(cls, path: Path) -> Self:
        """The report of a file that another process has written."""
        content = json.loads(path.read_text(encoding="utf-8"))
        steps = content.pop("steps")
        return cls(path, {name: value for name, value in content.items() if name not in ("version", "finished")}, steps)

    def record(self, step: dict[str, Any]) -> None:
        """Adds the record of a step, or replaces the one of its name, and writes both files."""
        self.steps = [*(each for each in self.steps if each["name"] != step["name"]), step]
        self.write()

    def write(self, finished: bool = False) -> None:
        content = {"version": VERSION, "finished": finished, **self.facts, "steps": self.steps}
        _replace(self.path, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")
        _replace(self.path.with_suffix(".txt"), self.table())

    def table(self) -> str:
        """A line for each step, each measured row, and each process that ended between steps."""
        lines = [f"{'step':<20}{'status':<9}{'check':<7}{'seconds':>8}  result"]
        for step in self.steps:
            check = {True: "passed", False: "FAILED", None: ""}[step.get("passed")]
            text = "; ".join(filter(None, (step.get("error"), step.get("summary"))))
            lines.append(f"{step['name']:<20}{step['status']:<9}{check:<7}{step.get('seconds', 0.0):>8.1f}  {text}")
            for row in step.get("rows", ()):
                value = f"{row['value']:,.0f} {row['unit']}, {row['ratio']:.1f}x {row['baseline']}"
                lines.append(f"{'':<20}{row['name']}: {value}")
        return "\n".join([*lines, *self.facts.get("process_errors", ())]) + "\n"

    @property
    def running(self) -> dict[str, Any] | None:
        """The record of the step that runs; None between steps."""
        return next((step for step in self.steps if step["status"] == "running"), None)

    @property
    def is_good(self) -> bool:
        """Whether no process ended between steps, no step has raised and no check has failed."""
        good = all(step["status"] in ("ok", "skipped") and step.get("passed") is not False for step in self.steps)
        return good and not self.facts.get("process_errors")


def _replace(path: Path, text: str) -> None:
    """Writes a file in one step: a reader gets the old or the new text, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _finite(value: Any) -> Any:
    """The value as JSON can hold it: infinities and NaN become texts, and numbers of numpy become floats."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)
