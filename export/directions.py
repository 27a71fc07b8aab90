"""Directions of z in which the pictures change most: the sliders of the page.

Härkönen et al., "GANSpace", 2020: the principal directions of what an early layer
makes of many z, told as directions of z by least squares. Here the layer is the first
map; of its directions those are kept that change the pictures most. No TensorFlow.

A direction is of the normal numbers that z is or, where it is uniform, is made of; see
page/numbers.js. All have the length 1 and are at right angles, so that a slider moves
what no other does.
"""

import numpy as np
from scipy import special

from export import looks

COUNT = 8           # directions that are kept
CANDIDATES = 20     # of which they are chosen
POINTS = 2000       # by which they are found
TRIED = 16          # pictures by which they are chosen
SEEN = 64           # pictures by which they are named
REACH = 3           # to both sides, in standard deviations of z
EPSILON = 1e-5      # of ops.batch_norm
DIGITS = 4          # that are kept, so that sums in another order make no difference


def find(config, weights, rows, draw):
    """Return the directions, those that change the pictures most first.

    Each is a dict of `name`, `vector`, a list of z_dim numbers, and `low` and `high`,
    what is seen at its ends, or '' where that cannot be told. `weights` are {name:
    array} of the generator, `rows` the labels of a sheet, [rows, y_dim], `draw` returns
    the images [N, H, W, C] of z and y.
    """
    rng = np.random.RandomState(0)
    points = rng.standard_normal((POINTS, config.z_dim))
    y = labels(rows, rng, POINTS)
    vectors = principal(first_map(weights, to_z(points, config.z_dist), y), points)
    seen = points[:SEEN], y[:SEEN]
    changes = [change(*ends(config, draw, vector, points[:TRIED], y[:TRIED]))
               for vector in vectors]
    best = vectors[np.argsort(changes)[::-1][:COUNT]]
    square = np.linalg.qr(best.T)[0].T
    kept = square * np.sign(np.sum(square * best, axis=1, keepdims=True))
    natural = images_of(config, draw, *seen)
    return named(kept, looks.name_all(
        [ends(config, draw, vector, *seen) for vector in kept], natural))


def named(vectors, words):
    """Return the directions as dicts, turned so that the words fit the ends."""
    return [dict(name='Direction %d' % (number + 1), low=low, high=high,
                 vector=[round(float(sign * x), DIGITS) for x in vector])
            for number, (vector, (low, high, sign)) in enumerate(zip(vectors, words))]


# --- the first map -----------------------------------------------------------

def to_z(points, z_dist):
    """Return the z [N, z_dim] of points, which are normal; see numbers.js."""
    if z_dist == 'normal01':
        return points.astype(np.float32)
    low = -1 if z_dist == 'uniform_signed' else 0
    return (low + (1 - low) * special.ndtr(points)).astype(np.float32)


def labels(rows, rng, count):
    """Return y [count, y_dim], drawn from the rows of a sheet; none without labels."""
    if not len(rows):
        return np.zeros((count, 0), np.float32)
    return np.asarray(rows, np.float32)[rng.randint(len(rows), size=count)]


def first_map(weights, z, y):
    """Return what the generator's first layer makes of z and y, flat: [N, size]."""
    h = np.hstack([z, y]) @ weights['generator/g_h0_lin/Matrix']
    h = h + weights.get('generator/g_h0_lin/bias', 0)
    if 'generator/g_bn0/gamma' in weights:
        gamma, beta, mean, variance = (weights['generator/g_bn0/' + part] for part in (
            'gamma', 'beta', 'moving_mean', 'moving_variance'))
        maps = h.reshape(len(h), -1, len(gamma))
        maps = (maps - mean) / np.sqrt(variance + EPSILON) * gamma + beta
        h = maps.reshape(h.shape)
    return np.maximum(h, 0)


def principal(maps, points):
    """Return vectors [candidates, z_dim] of length 1, along which the maps differ."""
    from sklearn.decomposition import PCA
    number = min(CANDIDATES, points.shape[1], maps.shape[1])
    places = PCA(number, svd_solver='randomized', random_state=0).fit_transform(maps)
    vectors = np.linalg.lstsq(places, points, rcond=None)[0]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# --- what they do ------------------------------------------------------------

def ends(config, draw, vector, points, y):
    """Return the images of points moved to both ends of a direction."""
    base = points - np.outer(points @ vector, vector)
    return [images_of(config, draw, base + value * vector, y)
            for value in (-REACH, REACH)]


def images_of(config, draw, points, y):
    """Return the images [N, H, W, C] of points."""
    return draw(to_z(points, config.z_dist), y)


def change(low, high):
    """Return how much images differ, as the mean of a pixel."""
    return float(np.abs(high - low).mean())
