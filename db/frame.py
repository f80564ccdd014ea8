"""The individuals of a run as a table of pandas or polars."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final, Literal

from germline.db.errors import Unsupported
from germline.db.records import EvaluationRecord, Individual

Library = Literal["pandas", "polars"]

_OUTCOME: Final = ("status", "fitness", "seconds", "worker", "error")


def frame_package(library: str) -> Any:
    """The module `pandas` or `polars`.

    Raises:
        Unsupported: another name, or the package is not installed.
    """
    if library not in ("pandas", "polars"):
        raise Unsupported(f"expected pandas or polars, got {library!r:.60}")
    try:
        return import_module(library)
    except ImportError:
        remedy = "pip install 'germline[frames]'" if library == "pandas" else "pip install polars"
        raise Unsupported(f"expected the package {library}, which is not installed; {remedy}") from None


def columns_of_individuals(
    individuals: Iterable[Individual], outcomes: Mapping[str, EvaluationRecord]
) -> dict[str, list[Any]]:
    """The table of individuals as columns, each with a value for every birth in order; None: there is no value.

    Args:
        individuals: in the order of their births.
        outcomes: the outcome of each fingerprint that has one.

    Returns:
        `birth`, `block`, `operator`, `parents` (lists of births), `fingerprint`, `cached_from`, `rejected` and `genome`
        of each individual; `status`, `fitness`, `seconds`, `worker` and `error` of its outcome, which a cache hit
        shares; and a column for each of their objectives and measures, `objective.NAME` and `measure.NAME`.
    """
    births = list(individuals)
    scored = [outcomes.get(individual.fingerprint) for individual in births]
    columns: dict[str, list[Any]] = {
        "birth": [individual.birth for individual in births],
        "block": [individual.block for individual in births],
        "operator": [individual.operator for individual in births],
        "parents": [list(individual.parents) for individual in births],
        "fingerprint": [individual.fingerprint for individual in births],
        "cached_from": [individual.cached_from for individual in births],
        "rejected": [individual.rejected for individual in births],
        "genome": [individual.genome for individual in births],
    }
    for name in _OUTCOME:
        columns[name] = [getattr(outcome, name) if outcome else None for outcome in scored]
    for kind in ("objective", "measure"):
        values = [getattr(outcome, f"{kind}s") if outcome else {} for outcome in scored]
        for name in dict.fromkeys(name for each in values for name in each):
            columns[f"{kind}.{name}"] = [each.get(name) for each in values]
    return columns


def frame(columns: Mapping[str, list[Any]], package: Any) -> Any:
    """A table of `package` with these columns. Whole numbers stay whole where some are missing."""
    if package.__name__ == "polars":
        return package.DataFrame(columns, schema_overrides=_polars_types(package), strict=False)
    table = package.DataFrame(columns)
    table["cached_from"] = package.array(columns["cached_from"], dtype="Int64")
    return table


def _polars_types(polars: Any) -> dict[str, Any]:
    """Types of the columns that may be empty or None throughout, from which polars could not tell them."""
    texts = ("operator", "fingerprint", "genome", "status", "worker", "error")
    whole = ("birth", "block", "cached_from", "rejected")
    return {
        **dict.fromkeys(texts, polars.String),
        **dict.fromkeys(whole, polars.Int64),
        **dict.fromkeys(("fitness", "seconds"), polars.Float64),
        "parents": polars.List(polars.Int64),
    }
