"""Non-dominated sorting, compiled (imported late: the compiler takes a second to load)."""

import numpy as np

from germline.programs.compiling import compiled


@compiled()
def ranks(points):
    """The front of each of some different points in lexicographic order, all minimised.

    Efficient non-dominated sorting with a binary search (Zhang et al. 2015): no point is dominated by a later one, and
    one that is dominated by a front is dominated by all before it.
    """
    count, objectives = points.shape
    found = np.empty(count, np.intp)
    last = np.full(count, -1, np.intp)  # of each front the point that came last,
    previous = np.empty(count, np.intp)  # and of each point the one before it in its front
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
        found[i], previous[i], last[low] = low, last[low], i
    return found
