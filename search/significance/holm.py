"""Holm's correction for several tests (1979): the chance that any true null hypothesis is rejected stays at the level
of a single test, whatever the tests have in common."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the adjusted p-values in the same order.

    The smallest is multiplied by the number of tests, the next by one less, and so on; each is at least as large as
    those before it, and at most 1.

    Example:
        holm([0.01, 0.04, 0.03])  # [0.03, 0.06, 0.06]
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
