"""Density and coverage."""

import numpy as np

from metrics.arrays import blocks, check_features
from metrics.neighbours import nearest, squared_distances

K = 5               # neighbours, as in the paper
TIES = 1e-9         # share of a squared radius that rounding may take away


def density_coverage(real, generated, k=K):
    """Return how densely `generated` lies among `real`, and how much of it it covers.

    Features [N, D] and [M, D]; two floats. Naeem, Oh, Uh, Choi and Yoo, 2020, "Reliable
    fidelity and diversity metrics for generative models", section 3.2. The ball of a
    real point reaches to its k-th nearest real neighbour. Density: in how many balls a
    generated point lies, over k, in the mean; near 1 for new real images, and above 1
    where samples crowd in the dense places. Coverage: the share of balls that a
    generated point lies in; near 1 - 2 ** -k for as many new real images, k / N for a
    generator that draws one of them alone. The balls are those of real images alone, so
    that a single odd sample does not cover a lot, as it does in recall.

    A ball does not hold its rim, as in the authors' code; so real images against
    themselves have density and coverage 1. Equal points are in each other's ball, also
    where k copies have made it a point. Raises ValueError for fewer than k + 1 real
    rows and as of check_features.
    """
    real = check_features('real', real, k + 1)
    generated = check_features('generated', generated, 1, real.shape[1])
    radii = nearest(real, real, k, leave_out=True)[1][:, -1]
    held = np.zeros(len(real), int)         # generated points in each ball
    for start, centres in blocks(real):
        limits = radii[start:start + len(centres)] ** 2 * (1 - TIES)
        for _, rows in blocks(generated):
            squared = squared_distances(rows, centres)
            held[start:start + len(centres)] += np.sum(
                (squared < limits) | (squared == 0), axis=0)
    return float(held.sum() / (k * len(generated))), float(np.mean(held > 0))
