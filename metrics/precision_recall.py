"""Improved precision and recall."""

import numpy as np

from metrics.arrays import blocks, check_features
from metrics.neighbours import nearest, squared_distances

K = 3       # neighbours, as in the paper


def precision_recall(real, generated, k=K):
    """Return how much of `generated` is among `real` (precision), and vice versa.

    Features [N, D] and [M, D]; two floats in 0 to 1. Kynkäänniemi et al., 2019,
    "Improved precision and recall metric", section 2: a set covers the balls around its
    points that reach to their k-th nearest neighbour. With more points the balls
    shrink: take as many of both sides, and as many each time. Memory as of nearest.
    Raises ValueError for fewer than k + 1 rows and as of check_features.
    """
    real = check_features('real', real, k + 1)
    generated = check_features('generated', generated, k + 1, real.shape[1])
    return coverage(generated, real, k), coverage(real, generated, k)


def coverage(points, centres, k):
    """Return the share of points that lie in the ball of at least one centre."""
    radii = nearest(centres, centres, k, leave_out=True)[1][:, -1]
    covered = [np.any([np.any(squared_distances(rows, around)
                              <= radii[start:start + len(around)] ** 2, axis=1)
                       for start, around in blocks(centres)], axis=0)
               for _, rows in blocks(points)]
    return float(np.concatenate(covered).mean())
