"""The two-sample test by the nearest neighbour: can it tell real from generated?"""

import numpy as np

from metrics.arrays import check_features
from metrics.neighbours import nearest


def nearest_neighbour_accuracy(real, generated):
    """Return the leave-one-out accuracy of the 1-nearest-neighbour classifier.

    That is three shares of images whose nearest neighbour is of their own kind: of all,
    of the real and of the generated ones. Features [N, D], as many real as generated.
    Lopez-Paz and Oquab, 2017, "Revisiting classifier two-sample tests", by 1-NN as in
    Xu et al., 2018: 1/2 where both are of one distribution, 1 where they lie apart,
    less than 1/2 where images are copies of the other side. Low on real and high on
    generated images tells of lost modes. A tie of the two sides counts half. Memory as
    of nearest.
    Raises ValueError for fewer than 2 rows, unequal numbers and as of check_features.
    """
    real = check_features('real', real, 2)
    generated = check_features('generated', generated, 2, real.shape[1])
    if len(real) != len(generated):
        raise ValueError('real, generated: found %d and %d rows; expected as many, as '
                         'chance is 1/2 only then. Take the first of the larger set.'
                         % (len(real), len(generated)))
    on_real, on_generated = accuracy(real, generated), accuracy(generated, real)
    return (on_real + on_generated) / 2, on_real, on_generated


def accuracy(own, other):
    """Return the share of `own` that are nearer to another of them than to `other`."""
    _, to_own = nearest(own, own, leave_out=True)
    _, to_other = nearest(own, other)
    return float(np.mean(to_own < to_other) + np.mean(to_own == to_other) / 2)
