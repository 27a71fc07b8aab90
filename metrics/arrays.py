"""Checks of feature arrays, and their blocks of rows."""

import numpy as np

BLOCK = 1024        # rows at a time: 2,048 features in float64 take 16 MiB


def check_features(name, features, least=1, width=None):
    """Return features as an array [N, D].

    Raises ValueError where it has another rank, fewer than `least` rows, another D than
    `width`, NaN or infinities.
    """
    features = np.asanyarray(features)
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError('%s: found shape %s; expected [N, D], a row of features an '
                         'image. Flatten the rest.' % (name, features.shape))
    if len(features) < least:
        raise ValueError('%s: found %d rows; expected at least %d. Take more images.'
                         % (name, len(features), least))
    if width not in (None, features.shape[1]):
        raise ValueError('%s: found %d columns; expected %d. Take both sides from the '
                         'same extractor.' % (name, features.shape[1], width))
    bad = sum(np.count_nonzero(~np.isfinite(part)) for _, part in blocks(features))
    if bad:
        raise ValueError('%s: found %d values of NaN or infinity; expected none. Look '
                         'for the images or the network that they come from.'
                         % (name, bad))
    return features


def blocks(array, size=None):
    """Yield (index of the first row, the rows) of each block of `size` rows (BLOCK)."""
    size = size or BLOCK
    for start in range(0, len(array), size):
        yield start, array[start:start + size]
