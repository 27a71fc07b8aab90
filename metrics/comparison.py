"""All metrics of generated against real images, in one result."""

import typing

import numpy as np

from metrics.density_coverage import K, density_coverage
from metrics.frechet import frechet_of_moments
from metrics.inception_score import SPLITS, inception_score
from metrics.kid import kid
from metrics.moments import Moments
from metrics.precision_recall import precision_recall
from metrics.two_sample import nearest_neighbour_accuracy

FEWEST = K + 1          # images that all metrics can do with


class Extracted(typing.NamedTuple):
    """What an extractor makes of N images: features float32 [N, D] and probabilities.

    The probabilities of the classes are float32 [N, K], None where there are none.
    """

    features: np.ndarray
    probabilities: np.ndarray = None

    def first(self, num):
        """Return what it is of the first `num` images."""
        return Extracted(*(part if part is None else part[:num] for part in self))


class Result(typing.NamedTuple):
    """What compare finds, in the order of a table; N images on both sides.

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
    density: float
    coverage: float
    nn_accuracy: float
    nn_accuracy_real: float
    nn_accuracy_generated: float


def compare(real, generated):
    """Return the Result of two Extracted sets of N images each, by the same extractor.

    Memory beside the features: their covariances, and blocks of rows. The Inception
    Score is of `generated` alone. Raises ValueError for fewer than FEWEST, and as of
    the metrics.
    """
    num, score = len(generated.features), (None, None, None)
    if generated.probabilities is not None:
        splits = min(SPLITS, num)
        score = inception_score(generated.probabilities, splits) + (splits,)
    sides = real.features, generated.features
    fd = frechet_of_moments(*(Moments().update(side) for side in sides))
    return Result(num, fd, *kid(*sides), *score, *precision_recall(*sides),
                  *density_coverage(*sides), *nearest_neighbour_accuracy(*sides))
