"""Scrambled Sobol points: they fill a box more evenly than random points, whatever its dimension (Owen 1998)."""

import torch


def sobol(dimension: int, count: int, seed: int) -> list[list[float]]:
    """Returns `count` points in [0, 1) per coordinate; the same seed gives the same points, and fewer are the first of
    more."""
    if count < 1:
        return []
    engine = torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points: list[list[float]] = engine.draw(count).double().clamp(0.0, 1.0 - 1e-9).tolist()
    return points
