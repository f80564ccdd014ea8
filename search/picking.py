"""Which network of a front is handed over: by a stated policy, never by its place in a list."""

from collections.abc import Mapping, Sequence

import numpy as np

from germline.search import pareto
from germline.search.settings import amount

POLICIES = "knee, error, params, macs, latency, or a limit such as under=3M"


class BadPolicy(ValueError):
    """A policy that there is not, or that nothing meets."""


def front(
    objectives: Sequence[Mapping[str, float]], names: Sequence[str] = ("validation_error", "params")
) -> list[int]:
    """The places of those that no other one dominates, by the first objective and then by the others."""
    points = _points(objectives, names)
    first = np.flatnonzero(pareto.fronts(points) == 0).tolist()
    return sorted(first, key=lambda i: tuple(points[i]))


def pick(objectives: Sequence[Mapping[str, float]], policy: str) -> int:
    """The place of the one that a policy picks.

    Args:
        objectives: of each candidate, all to be minimised: `validation_error`, `params`, `macs`, perhaps `latency`.
        policy: `knee` (nearest to the ideal of the front of error and parameters), `error`, `params`, `macs` or
            `latency` (the least of it; of equals the least error, then the fewest parameters), or `under=3M` (the
            least error with at most so many parameters).

    Raises:
        BadPolicy: there is no such policy, or nothing meets it.
    """
    everyone = range(len(objectives))
    if policy == "knee":
        best = front(objectives)
        return best[pareto.knee(_points([objectives[i] for i in best], ("validation_error", "params")))]
    if policy in ("error", "params", "macs", "latency"):
        name = "validation_error" if policy == "error" else policy
        if any(name not in one for one in objectives):
            raise BadPolicy(f"expected a run that was searched for {name}; --set objectives=validation_error,{name}")
        return min(
            everyone, key=lambda i: (objectives[i][name], objectives[i]["validation_error"], objectives[i]["params"])
        )
    if policy.startswith("under="):
        try:
            limit = amount(policy.removeprefix("under="))
        except ValueError as expected:
            raise BadPolicy(f"expected {expected} after under=, got {policy!r:.60}") from None
        inside = [i for i in everyone if limit is None or objectives[i]["params"] <= limit]
        if not inside:
            least = min(int(one["params"]) for one in objectives)
            raise BadPolicy(f"nothing has at most {limit:,} parameters; the smallest found has {least:,}")
        return min(inside, key=lambda i: (objectives[i]["validation_error"], objectives[i]["params"], i))
    raise BadPolicy(f"expected a policy ({POLICIES}), got {policy!r:.60}")


def _points(objectives: Sequence[Mapping[str, float]], names: Sequence[str]) -> pareto.Points:
    return np.array([[one[name] for name in names] for one in objectives], dtype=np.float64).reshape(-1, len(names))
