"""The Fréchet distance of two Gaussians; of Inception features it is the FID."""

import numpy as np
from scipy.linalg.lapack import dpstrf

from metrics.arrays import check_finite

TOLERANCE = 1e-5    # of a matrix's largest entry: more than that is no rounding


def frechet_distance(mu1, sigma1, mu2, sigma2):
    """Return |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2)), a float.

    Means [D], covariances [D, D]. It is the squared 2-Wasserstein distance (Dowson and
    Landau, 1982; Heusel et al., 2017). With sigma = A A^T, the trace of the
    root is the sum of the singular values of A1^T A2: real and never negative, with
    singular covariances too, where sqrtm of the product fails or turns complex.
    Raises ValueError where shapes differ or a matrix is no covariance.
    """
    mu1, sigma1 = check_gaussian('1', mu1, sigma1)
    mu2, sigma2 = check_gaussian('2', mu2, sigma2)
    if mu1.shape != mu2.shape:
        raise ValueError('mu2: found %d features; expected the %d of mu1. Take both '
                         'from the same extractor.' % (len(mu2), len(mu1)))
    shared = factor('sigma1', sigma1).T @ factor('sigma2', sigma2)
    root_trace = np.linalg.svd(shared, compute_uv=False).sum()
    distance = np.sum((mu1 - mu2) ** 2) + np.trace(sigma1) + np.trace(sigma2)
    return max(float(distance - 2 * root_trace), 0.0)     # below 0 only by rounding


def check_gaussian(number, mu, sigma):
    """Return a mean and a covariance as float64; raise ValueError as above."""
    mu, sigma = np.asarray(mu), np.asarray(sigma)
    if mu.ndim != 1 or not mu.size or sigma.shape != mu.shape * 2:
        raise ValueError('mu%s, sigma%s: found shapes %s and %s; expected [D] and '
                         '[D, D].' % (number, number, mu.shape, sigma.shape))
    check_finite('mu' + number, mu)
    check_finite('sigma' + number, sigma)
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if np.abs(sigma - sigma.T).max() > TOLERANCE * np.abs(sigma).max():
        raise ValueError('sigma%s: found a matrix that is not symmetric; expected a '
                         'covariance, as of Moments or np.cov.' % number)
    return mu, sigma


def factor(name, sigma):
    """Return A [D, rank] with A A^T = sigma, by Cholesky with pivots.

    What is left once the pivots are down to rounding counts as 0; ValueError where it
    is more than that, as with an eigenvalue below 0.
    """
    lower, pivots, rank, _ = dpstrf(sigma, lower=1)
    A = np.zeros_like(sigma)
    A[pivots - 1] = np.tril(lower)
    A = A[:, :rank]
    left = np.abs(sigma - A @ A.T).max()
    if left > TOLERANCE * np.abs(sigma).max():
        raise ValueError('%s: found a matrix with an eigenvalue below 0, %g from any '
                         'covariance; expected one, as of Moments or np.cov.'
                         % (name, left))
    return A
