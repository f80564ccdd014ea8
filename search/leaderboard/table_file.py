"""The file of a table, JSON lines: a header with the version of the form, the protocol and the baselines, then rows.

The mean, the deviation, the failures, the steps to the target and the speed-up of a row follow from its losses and
curves and from the yardstick's row; they are written for readers of the file, and not read back.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from math import inf, isfinite
from pathlib import Path
from typing import Any

from germline.evaluators.optimizer.training_evaluator import curve_steps
from germline.programs.export.files import write_whole
from germline.programs.optimizer.library import library
from germline.search.leaderboard.cells import cell_of
from germline.search.leaderboard.protocol import YARDSTICK, Protocol
from germline.search.leaderboard.table import BaselineRow, BaselineTable, InvalidTable, Versions
from germline.search.significance.aggregate import geometric_mean
from germline.search.tuned_comparison.results import Cell

TABLE_VERSION = 1
"""The version of the form. Rises when a field means something else, or other seeds are trained with."""
NAME = "baselines.jsonl"
MOST_BYTES = 50_000_000
"""A longer file is no table."""


def package_table() -> Path:
    """The path of the table that ships with the package."""
    return Path(str(files("germline.search.leaderboard").joinpath(NAME))).resolve()


def read_table(path: Path) -> BaselineTable:
    """Reads a table.

    Raises:
        InvalidTable: there is no such file, or it is no table of this version.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidTable(f"expected a table of baselines in {path}, got a file of over {MOST_BYTES:,} bytes")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTable(f"expected a table of baselines in {path}: {error}") from None
    table = None
    for number, line in enumerate(lines or [""], 1):
        try:
            data = json.loads(line)
            table = _header(data, path) if table is None else table.with_row(_row(data, table))
        except InvalidTable:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            cause = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise InvalidTable(f"expected a table of baselines in {path}, got in line {number}: {cause:.200}") from None
    assert table is not None
    return table


def write_table(path: Path, table: BaselineTable) -> None:
    """Writes a table, whole or not at all.

    Raises:
        ExportUnwritable: nothing can be written there.
    """
    header = {"table": TABLE_VERSION, "protocol": asdict(table.protocol), "baselines": list(table.baselines)}
    lines = [header]
    for task in table.tasks:
        rows = [row for row in table.rows if row.task == task]
        measured = any(row.baseline == YARDSTICK for row in rows)
        cell = cell_of(rows, table.protocol) if measured else None
        lines += [_as_data(row, cell, place) for place, row in enumerate(rows)]
    write_whole(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _as_data(row: BaselineRow, cell: Cell | None, place: int) -> dict[str, Any]:
    """A line of the file; `cell` is None before the yardstick is measured."""
    derived: dict[str, Any] = {}
    if cell is not None:
        result, ratios = cell.results[place], cell.speed_ups(place)
        derived = {
            "mean": result.mean,
            "deviation": result.deviation,
            "failed": result.failed,
            "steps_to_target": _finite(cell.steps_to_target(place)),
            "speed_up": geometric_mean(ratios) if ratios else None,
        }
    data = asdict(row)
    own = {name: data.pop(name) for name in ("task", "baseline", "steps")}
    data["losses"] = [_finite(loss) for loss in row.losses]
    data["curves"] = [[_finite(loss) for loss in curve] for curve in row.curves]
    return own | derived | data


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


def _header(data: Mapping[str, Any], path: Path) -> BaselineTable:
    """The table of a header, without rows."""
    if data["table"] != TABLE_VERSION:
        raise InvalidTable(
            f"expected a table of version {TABLE_VERSION} in {path}, got version {data['table']!r:.20}; "
            "germline leaderboard --remake --table FILE measures a new one"
        )
    return BaselineTable(_protocol(data["protocol"]), _baselines(data["baselines"]))


def _protocol(data: Mapping[str, Any]) -> Protocol:
    protocol = Protocol(**{str(name): value for name, value in data.items()})
    counts = (protocol.trials, protocol.tuning_seeds, protocol.rounds, protocol.seeds)
    if any(type(count) is not int for count in counts) or type(protocol.length) not in (int, float):
        raise ValueError(f"the protocol {data}")
    allowed = (
        (protocol.trials, range(1, 4_097)),
        (protocol.tuning_seeds, range(2, 41)),
        (protocol.rounds, range(1_001)),
        (protocol.seeds, range(2, 41)),
    )
    if not all(count in counts for count, counts in allowed) or not 0 < protocol.length <= 1_000:
        raise ValueError(f"the protocol {data}")
    return protocol


def _baselines(data: list[Any]) -> tuple[str, ...]:
    known = {f"library:{name}" for name in library()}
    unknown = [name for name in data if name not in known]
    if unknown or YARDSTICK not in data or len(set(data)) < len(data):
        raise ValueError(f"the baselines {data!r:.100}; each has to be one of the library, one of them {YARDSTICK}")
    return tuple(data)


def _row(data: Mapping[str, Any], table: BaselineTable) -> BaselineRow:
    """The row of a line."""
    constants = data["constants"]
    row = BaselineRow(
        _text(data["task"]),
        _text(data["baseline"]),
        _count(data["steps"]),
        _versions(data["versions"]),
        None if constants is None else {_text(name): _value(value) for name, value in constants.items()},
        None if data["tuned"] is None else _number(data["tuned"]),
        _count(data["trainings"]),
        tuple(map(_text, data["widened"])),
        tuple(map(_loss, data["losses"])),
        tuple(tuple(map(_loss, curve)) for curve in data["curves"]),
        None if data["target"] is None else _number(data["target"]),
        None if data["error"] is None else _text(data["error"]),
    )
    if row.baseline not in table.baselines:
        raise ValueError(f"the baseline {row.baseline!r:.60}, which the header lacks")
    seeds = 0 if row.constants is None else table.protocol.seeds
    lengths = [len(curve_steps(row.steps)) if isfinite(loss) else 0 for loss in row.losses]
    if len(row.losses) != seeds or [len(curve) for curve in row.curves] != lengths:
        raise ValueError(f"{len(row.losses)} losses, and curves that do not fit them or the protocol")
    if (row.constants is None) != (row.tuned is None):
        raise ValueError("constants without the loss that they were tuned to, or the reverse")
    return row


def _versions(data: Mapping[str, Any]) -> Versions:
    task, scoring, training = (_count(data[name]) for name in ("task", "scoring", "training"))
    program, device, torch = (_text(data[name]) for name in ("program", "device", "torch"))
    code = data.get("code")
    return Versions(task, scoring, training, program, None if code is None else _text(code), device, torch)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} instead of a text")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise ValueError(f"{value!r:.60} instead of a count")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise ValueError(f"{value!r:.60} instead of a number")
    return float(value)


def _loss(value: Any) -> float:
    """A loss, which is infinite if it is null."""
    return inf if value is None else _number(value)


def _value(value: Any) -> float | str:
    return value if isinstance(value, str) else _number(value)
