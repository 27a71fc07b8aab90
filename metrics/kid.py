"""The kernel distance KID: squared MMD with a cubic polynomial kernel."""

import numpy as np

from metrics.arrays import check_features

SUBSET_SIZE = 1000      # rows of each side in a subset
SUBSETS = 100


def kid(real, generated, subset_size=SUBSET_SIZE, subsets=SUBSETS, seed=0):
    """Return the mean and the deviation of the unbiased squared MMD over subsets.

    Features [N, D] and [M, D]. After Bińkowski et al., 2018, "Demystifying MMD GANs":
    each subset draws min(subset_size, N, M) rows of either side, without
    replacement and by `seed`. As it is unbiased, it may fall below 0. The deviation is
    that of single subsets (np.std), not of their mean; where a subset is all rows of
    both sides it is unknown: nan. Memory: two subsets in float64 and a few matrices of
    subset_size squared. Raises ValueError for fewer than 2 rows and as of
    check_features.
    """
    real = check_features('real', real, 2)
    generated = check_features('generated', generated, 2, real.shape[1])
    size = min(subset_size, len(real), len(generated))
    if size == len(real) == len(generated):
        return squared_mmd(real, generated), float('nan')
    rng = np.random.default_rng(seed)
    distances = [squared_mmd(real[rng.choice(len(real), size, replace=False)],
                             generated[rng.choice(len(generated), size, replace=False)])
                 for _ in range(subsets)]
    return float(np.mean(distances)), float(np.std(distances))


def squared_mmd(x, y):
    """Return the unbiased squared MMD of x [N, D] and y [M, D], a float.

    Gretton et al., 2012, "A kernel two-sample test", equation 3.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(mean_of_pairs(x) + mean_of_pairs(y) - 2 * kernel(x, y).mean())


def mean_of_pairs(x):
    """Return the mean kernel of two different rows."""
    values = kernel(x, x)
    return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))


def kernel(x, y):
    """Return (x.y / D + 1)^3 of all rows, [N, M]: the paper's, of degree 3."""
    values = x @ y.T / x.shape[1] + 1
    return values * values * values
