"""Non-dominated sorting, compiled."""

import numpy as np

from germline.programs.compiling import compiled


@compiled()
def front_ranks(points):
    """Returns the rank of each point's front, `[N]`, for N different points `[N, M]` in lexicographic order, minimised.

    Efficient non-dominated sorting with binary search (Zhang et al. 2015): no point is dominated by a later one, and a
    point that a front dominates is dominated by all fronts before it.
    """
    count, objectives = points.shape
    ranks = np.empty(count, np.intp)
    last = np.full(count, -1, np.intp)  # the latest point of each front
    previous = np.empty(count, np.intp)  # the point before each point in its front
    fronts = 0
    for i in range(count):
        low, high = 0, fronts
        while low < high:
            middle = (low + high) // 2
            j = last[middle]
            while j >= 0:
                k = 1
                while k < objectives and points[j, k] <= points[i, k]:
                    k += 1
                if k == objectives:
                    break
                j = previous[j]
            if j >= 0:
                low = middle + 1
            else:
                high = middle
        fronts = max(fronts, low + 1)
        ranks[i], previous[i], last[low] = low, last[low], i
    return ranks
