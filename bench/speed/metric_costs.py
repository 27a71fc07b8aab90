"""Time and memory of the metrics on as many features as the FID's, made up.

python bench/speed/metric_costs.py [--num 10000] [--features 2048] [--all]

The Fréchet and the kernel distance of two arrays of positive float32 features, after
each the seconds that it took and the peak of this process's resident memory, the arrays
themselves (164 MB for the two of 10,000 x 2,048) included. With --all improved
precision and recall and the nearest-neighbour test too.
"""

import argparse
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np

from metrics.density_coverage import density_coverage
from metrics.frechet import frechet_distance
from metrics.kid import kid
from metrics.moments import Moments
from metrics.precision_recall import precision_recall
from metrics.two_sample import nearest_neighbour_accuracy


def distance(x, y):
    """Return the Fréchet distance of features [N, D] and [M, D]."""
    x, y = (Moments().update(features) for features in (x, y))
    return frechet_distance(x.mean, x.covariance(), y.mean, y.covariance())


def measure(name, metric, *features):
    """Call a metric; print its value, the seconds, and the peak of memory so far."""
    start = time.time()
    value = metric(*features)
    seconds = time.time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20
    print('%-18s %.1f s, peak %.2f GiB: %s' % (name, seconds, peak, value), flush=True)


def main(arguments):
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--num', type=int, default=10000)
    parser.add_argument('--features', type=int, default=2048)
    parser.add_argument('--all', action='store_true')
    options = parser.parse_args(arguments)
    rng, shape = np.random.default_rng(0), (options.num, options.features)
    x, y = (np.abs(rng.standard_normal(shape, np.float32)) for _ in range(2))
    measure('Fréchet distance', distance, x, y)
    measure('KID', kid, x, y)
    if options.all:
        measure('precision, recall', precision_recall, x, y)
        measure('density, coverage', density_coverage, x, y)
        measure('1-NN', nearest_neighbour_accuracy, x, y)


if __name__ == '__main__':
    main(sys.argv[1:])
