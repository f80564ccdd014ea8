"""The share of dead parts in the genomes of a run, from a sample of its births."""

from collections.abc import Sequence
from typing import Any

from germline.cli.presenters.registry import PRESENTERS
from germline.db.records import RunRecord, ScoredIndividual
from germline.search.kinds import KINDS

POINTS, EACH = 30, 8
"""Points of the curve, and genomes of each."""


def sampled_births(count: int) -> list[int]:
    """Births that are evenly spread over the first `count`, `POINTS` × `EACH` at most."""
    wanted = min(count, POINTS * EACH)
    return [i * count // wanted for i in range(wanted)]


def dead_data(run: RunRecord, sample: Sequence[ScoredIndividual]) -> dict[str, Any]:
    """The share of dead parts among consecutive genomes of the sample: `x`, births, and `dead`.

    Both are empty for a kind whose genomes have no dead parts or that this version does not know, and a genome that is
    not valid is left out.
    """
    if run.kind not in KINDS or PRESENTERS[run.kind].dead_parts is None or not run.config.get("settings"):
        return {"x": [], "dead": []}
    kind = KINDS[run.kind]
    try:
        space = kind.space(kind.from_config(run.config["settings"]))
    except (ValueError, LookupError, TypeError):
        return {"x": [], "dead": []}  # settings that no search of this version has
    x, dead = [], []
    for start in range(0, len(sample), EACH):
        sizes = []
        for scored in sample[start : start + EACH]:
            try:
                sizes.append(space.sizes(space.read(scored.individual.genome)))
            except ValueError:
                continue
        parts = sum(count for count, _ in sizes)
        if parts:
            x.append(sample[start].individual.birth)
            dead.append(1.0 - sum(acting for _, acting in sizes) / parts)
    return {"x": x, "dead": dead}
