"""Mean and covariance of features that come one block after another."""

import numpy as np

from metrics.arrays import blocks, check_features


class Moments:
    """The count, mean [D] and covariance [D, D] of all rows seen, in float64.

    Blocks are merged as in Chan, Golub and LeVeque, 1979, "Updating formulae and a
    pairwise algorithm for computing sample variances". Memory: D x D numbers, however
    many the rows.
    """

    def __init__(self):
        self.count = 0

    def update(self, features):
        """Take in features [N, D]; return self. ValueError as of check_features."""
        width = len(self.mean) if self.count else None
        features = check_features('features', features, width=width)
        if not self.count:
            self.mean = np.zeros(features.shape[1])
            self.scatter = np.zeros([features.shape[1]] * 2)
        for _, rows in blocks(features):
            self.merge(rows)
        return self

    def merge(self, rows):
        """Merge the moments of one block."""
        mean, total = rows.mean(axis=0, dtype=np.float64), self.count + len(rows)
        shift = mean - self.mean
        # The distance of the means adds a term of rank one: it goes along as a row.
        apart = np.sqrt(self.count * len(rows) / total) * shift
        centred = np.vstack([rows - mean, apart])
        self.scatter += centred.T @ centred
        self.mean += shift * len(rows) / total
        self.count = total

    def covariance(self):
        """Return the unbiased covariance: divided by count - 1, as the FID's code."""
        if self.count < 2:
            raise ValueError('covariance: found %d rows; expected at least 2. Take '
                             'more images.' % self.count)
        return self.scatter / (self.count - 1)
