"""The space of z: its prior, paths through it, and the z of chosen images.

White, "Sampling Generative Networks", 2016: a straight line between two z passes
through a place that the prior never draws from, a great circle does not. All of it is
NumPy; only `pictures` asks a session.
"""

import re
import typing

import numpy as np
from scipy import special

from runs import sampling
from settings.errors import UserError

RANGE = {'uniform_signed': (-1.0, 1.0), 'uniform_unsigned': (0.0, 1.0)}
NORMAL_RANGE = (-2.0, 2.0)      # holds 95 % of N(0, 1)
EDGE = 1e-7                     # nearest to 0 and 1 that a probability may come


class Pictures(typing.NamedTuple):
    """What images are drawn from: z float32 [N, z_dim], y float32 [N, y_dim]."""

    z: np.ndarray
    y: np.ndarray

    def take(self, indices):
        """Return those of these indices."""
        return Pictures(self.z[indices], self.y[indices])


# --- the prior ---------------------------------------------------------------

def span(z_dist):
    """Return the (lowest, highest) value that a dimension of z is moved to."""
    return RANGE.get(z_dist, NORMAL_RANGE)


def deviation(z_dist):
    """Return the standard deviation of a dimension of z."""
    low, high = RANGE.get(z_dist, (0, np.sqrt(12)))
    return (high - low) / np.sqrt(12)


def plausible(z, z_dist):
    """Return z [..., z_dim] moved to where the prior draws from.

    Of normal01 the norm becomes sqrt(z_dim), near which nearly all of its z lie (a mean
    of several lies further in, a sum further out); the values of a uniform z are
    clipped to its range.
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
    """Return the points [T, D] at the shares `t` [T] of the line from a to b [D]."""
    t = np.asarray(t)[:, None]
    return ((1 - t) * a + t * b).astype(np.float32)


def slerp(a, b, t):
    """Return the points [T, D] at the shares `t` [T] of the arc from a to b [D].

    The direction turns at an even speed and the norm changes evenly. Between opposite
    vectors, where every arc is as short, one is taken that is always the same.
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
    """Return the points [T, D] of the spherical path from a to b [D], as `slerp`.

    Uniform z are no sphere: their values are made normal by the inverse of the normal
    distribution's cumulative function, turned there, and made uniform again. So every
    point is distributed as the prior is, and none leaves its range.
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
    """Return the Pictures at `places` [P] of the closed path through the stops [N].

    Place 0 is the first stop, 1 the second, N the first again. `walk`: sphere or line,
    for z; the labels of a stop change into those of the next along a line.
    """
    parts = []
    for place in places:
        leg = int(place) % len(stops.z)
        t, ends = [place - int(place)], [leg, (leg + 1) % len(stops.z)]
        z = lerp(*stops.z[ends], t) if walk == 'line' else sphere(
            *stops.z[ends], t, z_dist)
        parts.append((z[0], lerp(*stops.y[ends], t)[0]))
    return Pictures(*map(np.array, zip(*parts)))


# --- the images of the sheet -------------------------------------------------

def parse_indices(text, config, least=1):
    """Return the indices [n] that a text like 3,17,4 names.

    Raises UserError where they are no such list, fewer than `least`, or not on the
    sheet.
    """
    parts, most = [part.strip() for part in text.split(',')], sampling.count(config)
    if not all(re.fullmatch('[0-9]{1,9}', part) for part in parts):
        raise UserError('Indices %r: expected numbers of images on the sheet, counted '
                        'from 0, with commas between, as 3,17,4.' % text)
    indices = [int(part) for part in parts]
    if max(indices) >= most:
        raise UserError('Index %d: the sheet that --train False draws has the images 0 '
                        'to %d. For more of them add --num_samples.'
                        % (max(indices), most - 1))
    if len(indices) < least:
        raise UserError('Indices %r: expected %d or more.' % (text, least))
    return indices


def pictures(sess, config, indices):
    """Return the Pictures of these images of the sheet."""
    return with_labels(sess.run(sampling.fixed_z(config)), config).take(indices)


def with_labels(z, config):
    """Return the Pictures of z with the labels that a sheet of them has."""
    rows = sampling.label_rows(config)
    if not len(rows):
        return Pictures(z, np.zeros((len(z), 0), np.float32))
    return Pictures(z, rows[sampling.make_labels(len(z), config)])
