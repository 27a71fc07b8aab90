"""Sampling: z and labels → images, and sheets of them, by the sampler."""

import collections
import concurrent.futures
import contextlib
import itertools

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from model import ARCHITECTURES
from ops import draw_z
from runs import checkpoints, generator, room, sessions
from settings.config import COMBINED
from utils import image_manifold_size, save_images

FIXED = -1        # keys the z of sheets; a training step's key is the step, 0 or more
CHUNK = 64        # images drawn in a run of the session
AT_ONCE = 3       # runs side by side: one takes the cores that another leaves idle
FEW = 256         # images without a progress bar


@contextlib.contextmanager
def restored(config, path):
    """Give (session, model) of a run with the weights of the checkpoint at `path`.

    What only training needs (see DCGAN.variables) has its first value. The caller
    initialises variables that it makes itself. Of a checkpoint without D the model is
    the sampler alone. Raises what checkpoints.load does.
    """
    if not generator.has_D(path):
        model = generator.build(config, generator.weights(path, config))
        with sessions.open_session(config) as sess:
            yield sess, model
        return
    model = ARCHITECTURES[config.architecture](config)
    with sessions.open_session(config) as sess:
        saver = checkpoints.make_saver(model.variables)
        checkpoints.load(sess, saver, model.variables, path)
        sess.run(tf.variables_initializer(
            [v for v in tf.global_variables() if v not in model.variables]))
        yield sess, model


def label_rows(config):
    """Return the y of each row of a sheet, float32 [rows, y_dim]; none without labels.

    A row for each label, or only that of --label. With attributes, a row for each
    combination of -1 and 1, where the first attribute changes last; with more than
    COMBINED of them, a row without any, then a row for each alone.
    """
    names, bits = config.classes, (False, True)
    if config.label:
        rows = [config.label.split(',') if config.attributes else [config.label]]
    elif not config.attributes:
        rows = [[name] for name in names]
    elif len(names) > COMBINED:
        rows = [[]] + [[name] for name in names]
    else:
        rows = [list(itertools.compress(names, chosen))
                for chosen in itertools.product(bits, repeat=len(names))]
    absent = -1 if config.attributes else 0
    return np.array([[1 if name in row else absent for name in names] for row in rows],
                    np.float32)


def make_labels(num, config):
    """Return the row of the sheet of each of `num` images, int [num], in order.

    Each row gets its share of the images. Without labels all are -1.
    """
    rows = len(label_rows(config))
    return np.sort(np.arange(num) % rows) if rows else np.full(num, -1)


def draw(sess, model, z, labels):
    """Return float32 images [N, H, W, C] of z [N, z_dim] and their labels, by sampler.

    `labels` are rows of a sheet, int [N], or y itself, float32 [N, y_dim]. Raises
    UserError where so many cannot be held at once.
    """
    room.check_images(model.config, len(z))
    return np.concatenate(list(draw_batches(sess, model, z, labels)))


def draw_batches(sess, model, z, labels):
    """Yield what draw returns in parts, so that any number fits into memory."""
    labels = np.asarray(labels)
    y = labels if labels.ndim == 2 or model.y is None else (
        label_rows(model.config)[labels])
    with tqdm(total=len(z), desc='sampling', unit=' images',
              disable=None if len(z) > FEW else True) as bar:
        for images in draw_y(sess, model, z, y):
            yield images
            bar.update(len(images))


def draw_y(sess, model, z, y=None):
    """Yield images of z [N, z_dim] and y [N, y_dim], as draw_batches does."""
    waiting = collections.deque()
    chunk = room.at_once(model.sizes[0], CHUNK)

    def draw_part(start):
        feed = {model.z: z[start:start + chunk]}
        if model.y is not None:
            feed[model.y] = y[start:start + chunk]
        return sess.run(model.sampler_images, feed)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(z), chunk):
            waiting.append(pool.submit(draw_part, start))
            while len(waiting) == AT_ONCE or waiting and start + chunk >= len(z):
                yield waiting.popleft().result()


def save_sheet(images, labels, path):
    """Write a sheet: about square, or a row for each label where there are several."""
    kinds = np.unique(labels)
    if len(kinds) == 1:
        return save_images(images, image_manifold_size(len(images)), path)
    rows = [list(images[labels == kind]) for kind in kinds]
    columns = max(map(len, rows))
    cells = [image for row in rows for image in row + [None] * (columns - len(row))]
    return save_images(cells, (len(rows), columns), path)


def fixed_z(config):
    """Return the op that draws the z of the sheets of a run's training."""
    return keyed_z(config, config.sheet_size, FIXED)


def keyed_z(config, num, key):
    """Return the op that draws z, float32 [num, z_dim], by the seed and a key below 0.

    Another key gives other z. Keys of 0 and more belong to the training steps. Raises
    UserError where so many cannot be held.
    """
    room.check_z(config, num)
    return draw_z(config.z_dist, [num, config.z_dim],
                  [tf.constant(config.seed, tf.int64), key])
