"""Has a generator copied its training images? Nearest neighbours tell."""

import numpy as np
from scipy.stats import mannwhitneyu

PERCENTS = (1, 50)      # of the distances, which the result holds


def copies(to_samples, to_unseen):
    """Return a dict of what distances to the nearest training image tell.

    nearer: the share of pairs of a sample and an unseen image in which the sample is
    nearer, 1/2 where both are alike. It is the Mann-Whitney statistic of Meehan et al.,
    2020, "A non-parametric test to detect data-copying in generative models", part 4.
    """
    pairs = len(to_samples) * len(to_unseen)
    result = {'nearer': float(mannwhitneyu(to_unseen, to_samples).statistic) / pairs,
              'num': len(to_samples), 'num_unseen': len(to_unseen)}
    for name, distances in (('samples', to_samples), ('unseen', to_unseen)):
        for percent in PERCENTS:
            result['%s_%d' % (name, percent)] = float(np.percentile(distances, percent))
    return result
