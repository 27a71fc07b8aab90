"""The Inception Score, from the class probabilities of generated images."""

import numpy as np
from scipy.special import xlogy

from metrics.arrays import check_features

SPLITS = 10


def inception_score(probabilities, splits=SPLITS):
    """Return the mean and the deviation over splits of exp(E KL(p(y|x) || p(y))).

    Probabilities [N, classes], their images in no particular order. Salimans et al.,
    2016, section 4: N rows in consecutive splits, the deviation as np.std. Raises
    ValueError for fewer rows than splits and as of check_features.
    """
    probabilities = check_features('probabilities', probabilities, splits)
    bounds = np.arange(splits + 1) * len(probabilities) // splits
    scores = [score(probabilities[start:stop].astype(np.float64))
              for start, stop in zip(bounds, bounds[1:])]
    return float(np.mean(scores)), float(np.std(scores))


def score(p):
    """Return the score of one split, by the entropies of its marginal and its rows."""
    marginal = p.mean(axis=0)
    return np.exp(xlogy(p, p).sum(axis=1).mean() - xlogy(marginal, marginal).sum())
