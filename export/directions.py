"""Directions of z in which the pictures change most: the sliders of the page.

With a classifier of attributes, these are first the directions along which it sees an
attribute come and go, such as eyeglasses. The rest, up to eight, are those of Härkönen
et al., "GANSpace", 2020: the principal directions of what an early layer makes of many
z, turned into directions of z by least squares. Here that layer is the first map, and
the directions that change the pictures most are kept. No TensorFlow.

A direction is one of normal numbers: of z itself, or where z is uniform, of the numbers
that it is made of (see page/numbers.js). All have the length 1 and are at right angles,
so that no slider moves what another does.
"""

import numpy as np
from scipy import special

from export import looks

COUNT = 8           # directions that are kept
CANDIDATES = 20     # of which they are chosen
POINTS = 2000       # by which they are found
NUMBERS = 2**22     # of all points at most, where z is long
TRIED = 16          # pictures by which they are chosen
SEEN = 64           # pictures by which they are named
PIXELS = 2**22      # of these at most, where they are large
REACH = 3           # to both sides, in standard deviations of z
SURER = 0.25        # by how much an attribute must be likelier at the far end
NOT = 'No_'         # begins an attribute that says what is not there
WORN = 'Wearing_'   # begins one of a thing that is worn
WITH = 'without', 'with'            # the ends of most attributes
ENDS = dict.fromkeys(['Attractive', 'Bald', 'Blurry', 'Chubby', 'Smiling'],
                     ('less', 'more'))
ENDS.update({'Male': ('female', 'male'), 'Young': ('older', 'younger'),
             'Mouth slightly open': ('closed', 'open')})
APART = 0.7         # of a direction's length that must be new, beside those before it
EPSILON = 1e-5      # of ops.batch_norm
DIGITS = 4          # that are kept, so that sums in another order make no difference


class Painter:
    """Draws what is seen of some points: `draw` returns images [N, H, W, C] of z, y.

    `rows` are the labels of a sheet, [rows, y_dim], of which each point has one.
    """

    def __init__(self, config, rows, draw):
        rng, many = np.random.RandomState(0), min(POINTS, NUMBERS // config.z_dim)
        size = config.output_height * config.output_width
        self.seen = max(2, min(SEEN, PIXELS // size))
        self.z_dist, self.draw = config.z_dist, draw
        self.points = rng.standard_normal((many, config.z_dim))
        self.y = np.zeros((many, 0), np.float32)
        if len(rows):
            self.y = np.asarray(rows, np.float32)[rng.randint(len(rows), size=many)]

    @property
    def z(self):
        """The z of the points."""
        return to_z(self.points, self.z_dist)

    def images(self):
        """Yield the images of all points, in parts of `seen`."""
        for i in range(0, len(self.points), self.seen):
            part = slice(i, i + self.seen)
            yield self.draw(to_z(self.points[part], self.z_dist), self.y[part])

    def ends(self, vector, count):
        """Return the images of the first points, moved to both ends of a direction."""
        count = min(count, self.seen)
        points = self.points[:count]
        points = points - np.outer(points @ vector, vector)
        return [self.draw(to_z(points + value * vector, self.z_dist), self.y[:count])
                for value in (-REACH, REACH)]


def find(config, weights, rows, draw, critic=None):
    """Return at most COUNT directions, those of attributes first.

    Each is a dict of `name`, `attribute`, whether it is one's, `vector`, a list of
    z_dim numbers, and `low` and `high`, what is seen at its ends, or '' where that
    cannot be told. `weights` are {name: array} of the generator; see Painter for `rows`
    and `draw`. `critic` is a metrics.classifier of attributes.
    """
    painter = Painter(config, rows, draw)
    names, vectors = attributes(painter, critic) if critic else ((), [])
    vectors = list(vectors) + list(principal(painter, weights))
    kept, vectors = square(vectors)
    of_attributes = [i for i in kept if i < len(names)]
    words = [ENDS.get(names[i], WITH) + (1,) for i in of_attributes] + looks.name_all(
        [painter.ends(vector, SEEN) for vector in vectors[len(of_attributes):]],
        next(painter.images()))
    return [dict(name=names[i] if i < len(names) else 'Direction %d' % number,
                 attribute=i < len(names), low=low, high=high,
                 vector=[round(float(sign * x), DIGITS) for x in v])
            for number, (i, v, (low, high, sign)) in enumerate(
                zip(kept, vectors, words), 1)]


def to_z(points, z_dist):
    """Return the z [N, z_dim] of points, which are normal; see numbers.js."""
    if z_dist == 'normal01':
        return points.astype(np.float32)
    low = -1 if z_dist == 'uniform_signed' else 0
    return (low + (1 - low) * special.ndtr(points)).astype(np.float32)


def unit(vectors):
    """Return vectors [N, z_dim] divided by their lengths."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def square(vectors):
    """Return the indices of at most COUNT vectors, and these, made at right angles.

    From each, its parts along those before it are taken off. A vector of which little
    would be left is left out.
    """
    numbers, kept = [], np.zeros((0, len(vectors[0])))
    for number, vector in enumerate(vectors):
        rest = vector - kept.T @ (kept @ vector)
        if len(kept) < COUNT and np.linalg.norm(rest) > APART:
            numbers.append(number)
            kept = np.vstack([kept, unit(rest)])
    return numbers, kept


# --- of attributes -----------------------------------------------------------

def attributes(painter, critic):
    """Return the names and vectors along which attributes come, the surest first."""
    likely = np.concatenate([critic.attributes(part) for part in painter.images()])
    likely = np.clip(likely, 1e-3, 1 - 1e-3)
    logits = np.log(likely / (1 - likely))
    vectors = unit(np.linalg.lstsq(
        painter.points, logits - logits.mean(axis=0), rcond=None)[0].T + 1e-9)
    gains = []
    for number, vector in enumerate(vectors):
        low, high = (critic.attributes(images)[:, number]
                     for images in painter.ends(vector, TRIED))
        gains.append(np.mean(high - low))
    best = [i for i in np.argsort(gains)[::-1] if gains[i] >= SURER]
    signs = [-1 if critic.classes[i].startswith(NOT) else 1 for i in best]
    return ([called(critic.classes[i]) for i in best],
            vectors[best] * np.reshape(signs, (-1, 1)))


def called(attribute):
    """Return the name of an attribute's slider."""
    return attribute.replace(NOT, '').replace(WORN, '').replace('_', ' ').capitalize()


# --- of the first map --------------------------------------------------------

def principal(painter, weights):
    """Return vectors along which first maps differ, those first that change most."""
    from sklearn.decomposition import PCA
    maps = first_map(weights, painter.z, painter.y)
    number = min(CANDIDATES, painter.points.shape[1], maps.shape[1])
    places = PCA(number, svd_solver='randomized', random_state=0).fit_transform(maps)
    vectors = unit(np.linalg.lstsq(places, painter.points, rcond=None)[0])
    changes = [np.abs(np.subtract(*painter.ends(vector, TRIED))).mean()
               for vector in vectors]
    return vectors[np.argsort(changes)[::-1]]


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
