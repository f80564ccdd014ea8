"""The figures of a run that are logged."""

from math import isfinite

from germline.search.progress import Progress


def scalars_of(progress: Progress) -> dict[str, float]:
    """The counts of a run and its best fitness, by name; a figure that is unknown or not finite is left out."""
    values = {
        "births": progress.births,
        "evaluations": progress.evaluations,
        "reviews": progress.reviews,
        "cache_hits": progress.cache_hits,
        "failures": sum(progress.failures.values()),
        "rejected_genomes": progress.rejected,
        "frames": progress.frames or None,
        "dead_share": progress.dead_share,
        "best_fitness": None if progress.best is None else progress.best.fitness,
        "start_fitness": None if progress.start is None else progress.start.fitness,
    }
    return {name: float(value) for name, value in values.items() if value is not None and isfinite(value)}
