"""The learning rates of sep-CMA-ES (Ros and Hansen 2008), with the constants of Hansen's tutorial (arXiv 1604.00772).

They are computed by sums, products, quotients and square roots alone, so they have the same bits on every machine.
"""

import math
from typing import NamedTuple


class CmaRates(NamedTuple):
    """What decides how fast sep-CMA-ES learns.

    Attributes:
        step: share of a generation in the path of the step size.
        damping: by which the change of the step size is divided.
        path: share of a generation in the path of the variances.
        path_share, spread_share: shares of that path, and of the spread of the best draws, in the variances.
        length: expected length of a normal vector of n numbers.
    """

    step: float
    damping: float
    path: float
    path_share: float
    spread_share: float
    length: float


def cma_rates(n: int, mass: float) -> CmaRates:
    """The rates for n numbers and the variance-effective number of draws `mass`, which is 1 / Σ w² of the weights w."""
    step = (mass + 2) / (n + mass + 5)
    damping = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (n + 1)) - 1) + step
    path = (4 + mass / n) / (n + 4 + 2 * mass / n)
    # A diagonal has fewer numbers to learn than a full matrix, so it may learn faster by (n + 2) / 3.
    faster = (n + 2) / 3
    path_share = min(1.0, faster * 2 / ((n + 1.3) ** 2 + mass))
    spread_share = min(1 - path_share, faster * 2 * (mass - 2 + 1 / mass) / ((n + 2) ** 2 + mass))
    length = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    return CmaRates(step, damping, path, path_share, max(0.0, spread_share), length)
