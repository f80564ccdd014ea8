"""The nearest of many centres, compiled."""

import numpy as np

from germline.programs.compiling import compiled


@compiled()
def nearest_centres(points, centres):
    """Returns the index of the centre that is nearest to each of n points `[n, d]`, `[n]`; of equals the first.

    Args:
        points: float64, `[n, d]`.
        centres: float64, `[m, d]`.
    """
    owners = np.empty(len(points), np.int64)
    for i in range(len(points)):
        least, owner = np.inf, 0
        for j in range(len(centres)):
            square = 0.0
            for axis in range(points.shape[1]):
                difference = points[i, axis] - centres[j, axis]
                square += difference * difference
                if square >= least:
                    break
            if square < least:
                least, owner = square, j
        owners[i] = owner
    return owners
