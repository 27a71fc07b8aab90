"""All metrics of generated against real images, in one result."""

import typing

import numpy as np

from metrics.frechet import frechet_distance
from metrics.inception import SPLITS, inception_score
from metrics.kid import kid
from metrics.moments import Moments
from metrics.precision_recall import K, precision_recall
from metrics.two_sample import nearest_neighbour_accuracy

FEWEST = K + 1          # images that all metrics can do with


class Described(typing.NamedTuple):
    """A set of images as its features float32 [N, D] and, or None, its classes [N, K].

    The classes are the probabilities of each.
    """

    features: np.ndarray
    probabilities: np.ndarray = None

    def first(self, num):
        """Return the first `num` of them."""
        return Described(*(part if part is None else part[:num] for part in self))


class Result(typing.NamedTuple):
    """What compare finds, in the order of a table; N rows on both sides.

    kid_deviation is NaN where a subset is all rows; the score's entries are None where
    the extractor has no classes. See the modules of each metric.
    """

    num: int
    fd: float
    kid: float
    kid_deviation: float
    inception_score: float
    inception_deviation: float
    inception_splits: int
    precision: float
    recall: float
    nn_accuracy: float
    nn_accuracy_real: float
    nn_accuracy_generated: float


def distance(real, generated):
    """Return the Fréchet distance of two sets of features, a float."""
    one, two = Moments().update(real), Moments().update(generated)
    return frechet_distance(one.mean, one.covariance(), two.mean, two.covariance())


def compare(real, generated):
    """Return the Result of two sets Described by the same extractor, as many of either.

    Memory beside the features: their covariances, and blocks of rows. The Inception
    Score is of `generated` alone. Raises ValueError for fewer than FEWEST, and as of
    the metrics.
    """
    num, score = len(generated.features), (None, None, None)
    if generated.probabilities is not None:
        splits = min(SPLITS, num)
        score = inception_score(generated.probabilities, splits) + (splits,)
    sides = real.features, generated.features
    return Result(num, distance(*sides), *kid(*sides), *score,
                  *precision_recall(*sides), *nearest_neighbour_accuracy(*sides))


def fd_name(label):
    """Return what the Fréchet distance is called: FID in Inception features alone."""
    return 'FID' if label.lower().startswith('inception') else 'FD'
