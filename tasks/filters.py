"""Filters: what D's features answer to, untrained and trained, side by side.

Radford, Metz and Chintala, 2016, section 6.2 and figure 5: guided backpropagation of
the strongest responses of D's last convolution, beside those of random filters. The
untrained D has the weights that the run's training starts with; its batch norm takes
the statistics of one batch of images, since its averages of 0 and 1 would normalise
nothing.
"""

import contextlib

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

import ops
from dataset import batches
from metrics.arrays import blocks
from model import ARCHITECTURES
from runs import sampling, sessions
from runs.room import at_once
from runs.start import check_classes
from settings.errors import UserError
from tasks.parts.outputs import output_path
from utils import evenly_spaced, imsave, merge

SCANNED = 10000     # images that are looked through, without --num_samples
CALIBRATION = 256   # images whose statistics an untrained D goes by
CHUNK = 100         # images in a run of the session
FIRST = 8           # features on the sheet of gradients; the paper shows six
SELECTIVE = 12      # features on the sheet of images
BEST = 5            # images for each feature
TILE = 24           # pixels that a filter is enlarged to, or more
GAP = 24            # pixels between the sides
HIDDEN = 0.005      # share of a gradient's values that may be off the scale

SHEETS = {
    'gradients': 'the first %d features of the last convolution, each with the images '
                 'that it answers to most, and below them the guided gradient of its '
                 'strongest place' % FIRST,
    'images': 'the %d most selective features, a row each, with the images that they '
              'answer to most; one whose strongest image another row already has is '
              'passed over' % SELECTIVE,
    'd_weights': "the filters of D's first convolution",
    'g_weights': "the filters of the generator's last convolution",
}


def main(config, run, path):
    """Write the sheets of the checkpoint at `path` into the run's folder."""
    if config.architecture != 'dcgan':
        raise UserError('--task filters looks at convolutions; --architecture %s has '
                        'none.' % config.architecture)
    data = batches.load(config)
    check_classes(run, config, data)
    base = output_path(run, 'filters_')
    chosen = evenly_spaced(len(data), config.num_samples or SCANNED)
    print('looking through %d of the %d images' % (len(chosen), len(data)))
    sides = []
    for name, opened in (('untrained', untrained(config, data)),
                         ('trained', sampling.restored(config, path))):
        with tf.Graph().as_default(), opened as (sess, model):
            sides.append(look(sess, model, data, chosen, name))
    for name, about in SHEETS.items():
        print('sheet: %s\n  left untrained, right trained: %s' % (imsave(
            beside(*(side[name] for side in sides)), base + name + '.png'), about))


@contextlib.contextmanager
def untrained(config, data):
    """Give (session, model) as sampling.restored does, with untrained weights."""
    tf.set_random_seed(config.seed)
    model = ARCHITECTURES[config.architecture](config)
    images, y = data.take(evenly_spaced(len(data), CALIBRATION))
    with sessions.open_session(config) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([moving.assign(value) for moving, value in model.d_stats_real],
                 feed(model, images, y))
        yield sess, model


def feed(model, images, y):
    """Return what to feed to D: images, and y where it learned labels."""
    return {model.images: images} if y is None else {model.images: images, model.y: y}


# --- looking -----------------------------------------------------------------

def look(sess, model, data, chosen, name):
    """Return {name: sheet} of one model, uint8, from the images `chosen`."""
    responses, channel, gradient = build_responses(model)
    top = Top(int(responses.shape[1]), min(BEST, len(chosen)))
    chunk = at_once(data.images.shape[1:3], CHUNK)
    for _, part in tqdm(blocks(chosen, chunk), name, -(-len(chosen) // chunk),
                            unit=' blocks', disable=None):
        top.update(sess.run(responses, feed(model, *data.take(part))), part)
    first, selective = np.arange(min(FIRST, len(top.values))), top.selective(SELECTIVE)
    print('%s: the most selective features are %s; their strongest response is %.1f '
          'deviations above the mean or more, that of all features %.1f (median)'
          % (name, ', '.join(map(str, selective)), top.selectivity()[selective].min(),
             np.median(top.selectivity())))
    images, y = data.take(top.indices[first].ravel())
    given = feed(model, images, y)
    given[channel] = np.repeat(first, top.best)
    gradients = sess.run(gradient, given)
    d, g = first_and_last_filters(sess, model)
    return {'gradients': in_pairs(images, own_range(gradients), top.best),
            'images': merge(data.take(top.indices[selective].ravel())[0],
                            (len(selective), top.best)),
            'd_weights': tiles(d), 'g_weights': tiles(g)}


def build_responses(model):
    """Build D's features; return the tensors (responses, channel, gradient).

    responses [N, C]: the largest value of each channel of the last convolution;
    channel: a placeholder int64 [N]; gradient [N, H, W, C]: the guided one of that
    channel's response. Batch norm uses its moving averages, so images do not mix.
    """
    maps = []
    with ops.guided_backprop():
        model.discriminator(model.images, model.y, reuse=True, train=False, maps=maps)
    responses = tf.reduce_max(maps[-1], [1, 2])
    channel = tf.placeholder(tf.int64, [None], 'channel')
    wanted = tf.one_hot(channel, int(responses.shape[1]))
    gradient, = tf.gradients(responses * wanted, model.images)
    return responses, channel, gradient


class Top:
    """The `best` largest values of each channel, as they come, and their indices.

    `values` and `indices` are [channels, best], the largest first.
    """

    def __init__(self, channels, best):
        self.best, self.count = best, 0
        self.values = np.full([channels, best], -np.inf, np.float32)
        self.indices = np.full([channels, best], -1)
        self.sums = np.zeros([2, channels])

    def update(self, values, indices):
        """Take in values [n, channels] and their indices, int [n]."""
        self.count += len(values)
        exact = values.astype(np.float64)
        self.sums += exact.sum(axis=0), (exact ** 2).sum(axis=0)
        values = np.concatenate([self.values, values.T], axis=1)
        indices = np.concatenate(
            [self.indices, np.tile(indices, [len(values), 1])], axis=1)
        order = np.argsort(-values, axis=1, kind='stable')[:, :self.best]
        self.values = np.take_along_axis(values, order, axis=1)
        self.indices = np.take_along_axis(indices, order, axis=1)

    def selectivity(self):
        """Return how many deviations each channel's maximum is above its mean."""
        mean, square = self.sums / self.count
        deviation = np.sqrt(np.maximum(square - mean ** 2, 0))
        return (self.values[:, 0] - mean) / np.maximum(deviation, 1e-12)

    def selective(self, most):
        """Return at most `most` channels, the most selective first.

        Many may answer to the same rare image: a channel is passed over if one before
        it has its first image.
        """
        chosen, seen = [], set()
        for channel in np.argsort(-self.selectivity(), kind='stable'):
            if len(chosen) < most and self.indices[channel, 0] not in seen:
                chosen.append(channel)
                seen.update(self.indices[channel])
        return np.array(chosen)


def first_and_last_filters(sess, model):
    """Return D's first filters [filters, k, k, c_dim], the sampler's last [gf_dim, …].

    Those of labels are left out.
    """
    config = model.config
    d = sess.run(variable(model, 'discriminator/d_h0_conv/w'))
    g = variable(model, 'generator/g_h%d/w' % (len(model.sizes) - 1))
    _, g = model.averages.get(g.op.name, (g, g))
    return (d[:, :, :config.c_dim].transpose(3, 0, 1, 2),
            sess.run(g)[..., :config.gf_dim].transpose(3, 0, 1, 2))


def variable(model, name):
    """Return a variable of the model by its name."""
    return next(v for v in model.variables if v.op.name == name)


# --- sheets ------------------------------------------------------------------

def own_range(images):
    """Scale each image [N, H, W, C] by itself to [-1, 1], so that 0 stays gray.

    The share HIDDEN of the values is then still larger; a sheet cuts it off.
    """
    largest = np.quantile(np.abs(images), 1 - HIDDEN, axis=(1, 2, 3), keepdims=True)
    return images / np.maximum(largest, 1e-30)


def tiles(filters):
    """Return a sheet of filters [N, k, k, C], enlarged, each in its own range."""
    low = filters.min(axis=(1, 2, 3), keepdims=True)
    spread = filters.max(axis=(1, 2, 3), keepdims=True) - low
    filters = 2 * (filters - low) / np.maximum(spread, 1e-30) - 1
    times = -(-TILE // filters.shape[1])
    columns = max(1, int(np.sqrt(len(filters))))
    return merge(filters.repeat(times, axis=1).repeat(times, axis=2),
                 (-(-len(filters) // columns), columns))


def in_pairs(images, gradients, columns):
    """Return a sheet of rows of images, each with its row of gradients below it."""
    shape = (-1, columns) + images.shape[1:]
    rows = np.stack([images.reshape(shape), gradients.reshape(shape)], axis=1)
    return merge(rows.reshape((-1,) + images.shape[1:]), (2 * len(rows), columns))


def beside(left, right):
    """Put two sheets [H, W, C] side by side, white where there is nothing."""
    height, width = max(len(left), len(right)), left.shape[1] + GAP
    sheet = np.full((height, width + right.shape[1], left.shape[2]), 255, np.uint8)
    sheet[:len(left), :left.shape[1]] = left
    sheet[:len(right), width:] = right
    return sheet
