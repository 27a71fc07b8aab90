"""Improved precision and recall."""

import numpy as np

from metrics.arrays import BLOCK, blocks, check_features
from metrics.neighbours import nearest, squared_distances

K = 3       # neighbours, as in the paper


def precision_recall(real, generated, k=K, block=BLOCK):
    """Return how much of `generated` is among `real` (precision), and vice versa.

    Features [N, D] and [M, D]; two floats in 0 to 1. Kynkäänniemi et al., 2019,
    "Improved precision and recall metric", section 2: a set covers the balls around its
    points that reach to their k-th nearest neighbour. As the balls shrink with more
    points, take as many of both sides, and as many each time. Memory as of nearest.
    Raises ValueError for fewer than k + 1 rows and as of check_features.
    """
    real = check_features('real', real, k + 1)
    generated = check_features('generated', generated, k + 1, real.shape[1])
    return (coverage(generated, real, k, block), coverage(real, generated, k, block))


def coverage(points, centres, k, block):
    """Return the share of points that lie in the ball of at least one centre."""
    _, distances = nearest(centres, centres, k, leave_out=True, block=block)
    radii = distances[:, -1]
    covered = [np.any([np.any(squared_distances(rows, around)
                              <= radii[start:start + block] ** 2, axis=1)
                       for start, around in blocks(centres, block)], axis=0)
               for _, rows in blocks(points, block)]
    return float(np.concatenate(covered).mean())
