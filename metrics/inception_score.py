"""The Inception Score, from the class probabilities of generated images."""

import numpy as np
from scipy.special import xlogy

from metrics.arrays import check_features

SPLITS = 10
TOLERANCE = 1e-3        # of a row's sum, 1: room for a softmax in float32 or bfloat16


def inception_score(probabilities, splits=SPLITS):
    """Return the mean and the deviation over splits of exp(E KL(p(y|x) || p(y))).

    Probabilities [N, classes], their images in no particular order. Salimans et al.,
    2016, section 4: N rows in consecutive splits, the deviation as np.std. ValueError
    for fewer rows than splits, and for rows that are no probabilities.
    """
    probabilities = check_features('probabilities', probabilities, splits)
    check_probabilities(probabilities)
    bounds = np.arange(splits + 1) * len(probabilities) // splits
    scores = [score(probabilities[start:stop].astype(np.float64))
              for start, stop in zip(bounds, bounds[1:])]
    return float(np.mean(scores)), float(np.std(scores))


def score(p):
    """Return the score of one split, by the entropies of its marginal and its rows."""
    marginal = p.mean(axis=0)
    return np.exp(xlogy(p, p).sum(axis=1).mean() - xlogy(marginal, marginal).sum())


def check_probabilities(probabilities):
    """Raise ValueError for rows that are no probabilities."""
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > TOLERANCE:
        raise ValueError('probabilities: found values from %g, rows that sum to %g to '
                         '%g; expected 0 or more, and 1. Apply a softmax to logits.'
                         % (probabilities.min(), sums.min(), sums.max()))
