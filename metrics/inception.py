"""The Inception Score, from the class probabilities of generated images."""

import numpy as np
from scipy.special import xlogy

from metrics.arrays import BLOCK, blocks, check_features

SPLITS = 10
TOLERANCE = 1e-3        # of a row's sum, 1: room for a softmax in float32 or bfloat16


def inception_score(probabilities, splits=SPLITS):
    """Return the mean and the deviation over splits of exp(E KL(p(y|x) || p(y))).

    Probabilities [N, classes], their images in no particular order. Salimans et al.,
    2016, section 4: N rows in consecutive splits, the deviation as np.std. ValueError
    for fewer rows than splits, and for rows that are no probabilities.
    """
    return Score(len(probabilities), splits).update(probabilities).result()


class Score:
    """The Inception Score of `num` rows that come one block after another.

    Per split it holds the sum of p and of p log p, whose difference of entropies is the
    mean divergence; how the rows are parted into calls makes no difference.
    """

    def __init__(self, num, splits=SPLITS):
        if not 1 <= splits <= num:
            raise ValueError('splits: found %r for %d rows; expected 1 or more, and a '
                             'row for each. Take more images or fewer splits.'
                             % (splits, num))
        self.bounds = np.arange(splits + 1) * num // splits
        self.seen, self.sums, self.negentropy = 0, None, np.zeros(splits)

    def update(self, probabilities, block=BLOCK):
        """Take in probabilities [n, classes]; return self. ValueError as above."""
        width = None if self.sums is None else self.sums.shape[1]
        probabilities = check_features('probabilities', probabilities, width=width)
        check_probabilities(probabilities, self.bounds[-1] - self.seen)
        if self.sums is None:
            self.sums = np.zeros([len(self.negentropy), probabilities.shape[1]])
        for _, rows in blocks(probabilities, block):
            rows, indices = rows.astype(np.float64), self.seen + np.arange(len(rows))
            split = np.searchsorted(self.bounds, indices, 'right') - 1
            member = (split == np.arange(len(self.negentropy))[:, None]).astype(float)
            self.sums += member @ rows
            self.negentropy += member @ xlogy(rows, rows).sum(axis=1)
            self.seen += len(rows)
        return self

    def result(self):
        """Return the score's mean and deviation over the splits."""
        if self.seen != self.bounds[-1]:
            raise ValueError('probabilities: found %d rows; expected the %d that were '
                             'announced. Update with the rest first.'
                             % (self.seen, self.bounds[-1]))
        counts = np.diff(self.bounds)
        marginal = self.sums / counts[:, None]
        scores = np.exp(self.negentropy / counts - xlogy(marginal, marginal).sum(1))
        return float(scores.mean()), float(scores.std())


def check_probabilities(probabilities, most):
    """Raise ValueError for rows that are no probabilities, or more than `most`."""
    if len(probabilities) > most:
        raise ValueError('probabilities: found %d rows; expected at most %d more. '
                         'Announce more.' % (len(probabilities), most))
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > TOLERANCE:
        raise ValueError('probabilities: found values from %g, rows that sum to %g to '
                         '%g; expected 0 or more, and 1. Apply a softmax to logits.'
                         % (probabilities.min(), sums.min(), sums.max()))
