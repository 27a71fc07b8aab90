"""The Fréchet distance of two Gaussians; of Inception features it is the FID."""

import numpy as np
from scipy.linalg.lapack import dpstrf


def frechet_distance(mu1, sigma1, mu2, sigma2):
    """Return |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^(1/2)), a float.

    Means [D], covariances [D, D], all float64. It is the squared 2-Wasserstein distance
    (Dowson and Landau, 1982; Heusel et al., 2017). With sigma = A A^T, the trace of the
    root is the sum of the singular values of A1^T A2. That is real and never negative,
    also for singular covariances, where sqrtm of the product fails or turns complex.
    """
    shared = factor(sigma1).T @ factor(sigma2)
    root_trace = np.linalg.svd(shared, compute_uv=False).sum()
    distance = np.sum((mu1 - mu2) ** 2) + np.trace(sigma1) + np.trace(sigma2)
    return max(float(distance - 2 * root_trace), 0.0)     # below 0 only by rounding


def factor(sigma):
    """Return A [D, rank] with A A^T = sigma [D, D], by Cholesky with pivots.

    Pivots that are no larger than rounding count as 0.
    """
    lower, pivots, rank, _ = dpstrf(sigma, lower=1)
    A = np.zeros_like(sigma)
    A[pivots - 1] = np.tril(lower)
    return A[:, :rank]


def frechet_of_moments(one, other):
    """Return the Fréchet distance of two Moments."""
    return frechet_distance(one.mean, one.covariance(), other.mean, other.covariance())


def frechet_name(label):
    """Return what the distance is called in features of this label: FID or FD."""
    return 'FID' if label.lower().startswith('inception') else 'FD'
