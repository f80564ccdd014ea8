"""Steps to a target loss, and the speed-up that they make."""

from collections.abc import Sequence
from math import inf, isfinite
from statistics import median


def steps_to(curve: Sequence[float], steps: Sequence[int], target: float) -> float:
    """Returns the step at which a curve first falls to a target, interpolated between its points; infinity if never.

    Args:
        curve: losses; the first may be below the target already, and then its step is returned.
        steps: the step of each loss.
        target: the loss to reach.
    """
    for i, loss in enumerate(curve):
        if loss <= target:
            if i == 0:
                return float(steps[0])
            fall = curve[i - 1] - loss
            share = (curve[i - 1] - target) / fall if isfinite(fall) and fall > 0 else 1.0
            return steps[i - 1] + share * (steps[i] - steps[i - 1])
    return inf


def speed_up(curve: Sequence[float], reference: Sequence[float], steps: Sequence[int], target: float) -> float:
    """Returns how many times as fast as a reference a training comes to the same loss.

    The loss is the target if the training reaches it, and the reference takes all its steps to it. Else it is the loss
    at the training's end, which took all steps: then the result is at most 1, and 1 if the reference does not pass
    that loss.

    Args:
        curve: losses of the training; empty if it failed, which counts as no better than the first point of a curve.
        reference: median losses of the reference at the same steps.
        steps: the step of each loss; the last is the length of both trainings.
        target: the median final loss of the reference.
    """
    reached = steps_to(curve, steps, target)
    if isfinite(reached):
        return steps[-1] / reached
    passed = steps_to(reference, steps, curve[-1]) if curve and isfinite(curve[-1]) else float(steps[0])
    return min(passed, float(steps[-1])) / steps[-1]


def median_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """Returns the median of several curves at each point; a curve that ended early counts as infinite there."""
    longest = max(map(len, curves), default=0)
    padded = [[*curve, *[inf] * (longest - len(curve))] for curve in curves]
    return [median(points) for points in zip(*padded, strict=True)]
