"""The space of z: its prior, paths through it, and the z of chosen images.

White, "Sampling Generative Networks", 2016: a straight line between two z passes
through a place where the prior never draws; a great circle does not.
"""

import re

import numpy as np
from scipy import special

from runs import sampling
from settings.errors import UserError
from tasks.parts import z_files
from tasks.parts.z_files import Inputs

RANGE = {'uniform_signed': (-1.0, 1.0), 'uniform_unsigned': (0.0, 1.0)}
NORMAL_RANGE = (-2.0, 2.0)      # holds 95 % of N(0, 1)
EDGE = 1e-7                     # nearest to 0 and 1 that a probability may come


# --- the prior ---------------------------------------------------------------

def span(z_dist):
    """Return the (lowest, highest) value to which a dimension of z is moved."""
    return RANGE.get(z_dist, NORMAL_RANGE)


def deviation(z_dist):
    """Return the standard deviation of a dimension of z."""
    low, high = RANGE.get(z_dist, (0, np.sqrt(12)))
    return (high - low) / np.sqrt(12)


def plausible(z, z_dist):
    """Return z [..., z_dim] moved to where the prior draws.

    Nearly all z of normal01 have a norm near sqrt(z_dim), a mean of several has a
    smaller one and a sum a larger one: the norm becomes sqrt(z_dim). The values of a
    uniform z are clipped to its range.
    """
    z = np.asarray(z, np.float32)
    if z_dist in RANGE:
        return np.clip(z, *RANGE[z_dist])
    return unit(z) * np.float32(np.sqrt(z.shape[-1]))


# --- paths -------------------------------------------------------------------

def unit(vectors):
    """Return vectors [..., D] divided by their norms; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norms, np.finfo(np.float32).tiny)


def lerp(a, b, t):
    """Return the points [T, D] of the line from a to b [D], at the shares `t` [T]."""
    t = np.asarray(t)[:, None]
    return ((1 - t) * a + t * b).astype(np.float32)


def slerp(a, b, t):
    """Return the points [T, D] of the arc from a to b [D], at the shares `t` [T].

    The direction turns at an even speed and the norm changes evenly. Between opposite
    vectors all arcs are as short; the one taken is always the same.
    """
    t = np.asarray(t, np.float64)[:, None]
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    start, end = unit(a), unit(b)
    across = end - start.dot(end) * start
    angle = np.arctan2(np.linalg.norm(across), start.dot(end))
    if np.linalg.norm(across) < 1e-6:       # the same direction, or opposite ones
        axis = np.eye(len(a))[np.abs(a).argmin()]
        across = axis - start.dot(axis) * start
    norm = (1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b)
    points = norm * (np.cos(angle * t) * start + np.sin(angle * t) * unit(across))
    return np.where(t == 0, a, np.where(t == 1, b, points)).astype(np.float32)


def sphere(a, b, t, z_dist):
    """Return the points [T, D] of the spherical path from a to b [D]; see slerp.

    Uniform z lie on no sphere. The inverse of the normal distribution's cumulative
    function makes their values normal; they are turned there and made uniform again. So
    every point has the distribution of the prior.
    """
    if z_dist not in RANGE:
        return slerp(a, b, t)
    low, high = RANGE[z_dist]
    normal = [special.ndtri(np.clip((np.asarray(end, np.float64) - low) / (high - low),
                                    EDGE, 1 - EDGE)) for end in (a, b)]
    points = low + (high - low) * special.ndtr(slerp(*normal, t))
    t = np.asarray(t)[:, None]
    return np.where(t == 0, a, np.where(t == 1, b, points)).astype(np.float32)


def loop(stops, places, walk, z_dist):
    """Return the Inputs at `places` [P] of the closed path through the stops [N].

    Place 0 is the first stop, 1 the second, N the first again. `walk`, sphere or line,
    is the way of z; y always goes along a line.
    """
    z, y = [], []
    for place in places:
        leg = int(place) % len(stops.z)
        t, ends = [place - int(place)], [leg, (leg + 1) % len(stops.z)]
        z.append(lerp(*stops.z[ends], t)[0] if walk == 'line'
                 else sphere(*stops.z[ends], t, z_dist)[0])
        y.append(lerp(*stops.y[ends], t)[0])
    return Inputs(np.array(z), np.array(y))


# --- the z and y of images ---------------------------------------------------

def count(config):
    """Return how many images there are to choose from: of the sheet, or of --z."""
    return len(z_files.read(config).z) if config.z else config.sheet_size


def parse_indices(text, config, least=1):
    """Return the indices [n] that a text like 3,17,4 names.

    Raises UserError where it is no such list, has fewer than `least`, or names images
    that are not on the sheet, or not in the file --z.
    """
    parts, most = [part.strip() for part in text.split(',')], count(config)
    if not all(re.fullmatch('[0-9]{1,9}', part) for part in parts):
        raise UserError('Indices %r: expected numbers of images on the sheet, counted '
                        'from 0, with commas between, as 3,17,4.' % text)
    indices = [int(part) for part in parts]
    if max(indices) >= most:
        raise UserError('Index %d: %s the images 0 to %d.%s' % (
            max(indices), config.z + ' holds' if config.z else
            'the sheet that --train False draws has', most - 1,
            '' if config.z else ' For more of them add --num_samples.'))
    if len(indices) < least:
        raise UserError('Indices %r: expected %d or more.' % (text, least))
    return indices


def sheet_inputs(sess, config, indices):
    """Return the Inputs of these images of the sheet, or of the file --z."""
    if config.z:
        return z_files.read(config).take(indices)
    z = sess.run(sampling.fixed_z(config))
    return with_labels(z, sampling.make_labels(len(z), config), config).take(indices)


def new_inputs(sess, config, num, key):
    """Return `num` new Inputs, the labels in turn; see sampling.keyed_z."""
    z = sess.run(sampling.keyed_z(config, num, key))
    return with_labels(z, np.arange(num), config)


def with_labels(z, numbers, config):
    """Return the Inputs of z with the y of these label rows; numbers may go round."""
    rows = sampling.label_rows(config)
    if not len(rows):
        return Inputs(z, np.zeros((len(z), 0), np.float32))
    return Inputs(z, rows[numbers % len(rows)])
