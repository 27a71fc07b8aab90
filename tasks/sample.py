"""Sampling: images from the moving-average sampler, as a sheet or one by one."""

import os
import re

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

import runs
import session
from architectures import ARCHITECTURES
from dataset import one_hot
from ops import draw_z
from utils import image_manifold_size, imsave, inverse_transform, save_images

FIXED = -1        # keys the z of sheets; a training step's key is the step, 0 or more
CHUNK = 256       # images drawn at a time


def run(config, run, path):
    """Draw --num_samples images from the checkpoint at `path` into the run's folder."""
    y = make_labels(count(config), config)
    model = ARCHITECTURES[config.architecture](config)
    z = fixed_z(config)
    with session.open_session(config) as sess:
        saver = session.make_saver(model.variables)
        session.restore(sess, saver, model.variables, path)
        runs.make_folder(run.sample_dir)
        batches = draw_batches(sess, model, sess.run(z), y)
        name = 'test_%s' % config.label if config.label else 'test'
        if config.separate:
            folder = empty_folder(os.path.join(run.sample_dir, name))
            print('%d images: %s' % (save_separate(batches, folder),
                                     os.path.join(folder, '*.png')))
        else:
            print('sheet: %s' % save_sheet(np.concatenate(list(batches)), y,
                                           os.path.join(run.sample_dir, name + '.png')))


def count(config):
    """Return --num_samples; by default 64, or 10 for each label."""
    return config.num_samples or 10 * config.y_dim or 64


def make_labels(num, config):
    """Return a label for each of `num` images, int [num]; all -1 without labels.

    With --label all are that one; else each label has its share, in order.
    """
    if config.label is None:
        if not config.y_dim:
            return np.full(num, -1)
        return np.sort(np.arange(num) % config.y_dim)
    return np.full(num, config.classes.index(config.label))


def draw(sess, model, z, labels):
    """Return float32 images [N, H, W, C] of z [N, z_dim] and labels [N] by sampler."""
    return np.concatenate(list(draw_batches(sess, model, z, labels)))


def draw_batches(sess, model, z, labels):
    """Yield what draw returns in parts, so that any number fits into memory."""
    with tqdm(total=len(z), desc='sampling', unit=' images',
              disable=None if len(z) > CHUNK else True) as bar:
        for start in range(0, len(z), CHUNK):
            feed = {model.z: z[start:start + CHUNK]}
            if model.y is not None:
                feed[model.y] = one_hot(labels[start:start + CHUNK], model.config.y_dim)
            images = sess.run(model.sampler_images, feed)
            yield images
            bar.update(len(images))


def empty_folder(folder):
    """Take the images of an earlier call out of a folder; return it."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.match(r'\d{6,}\.png$', name):
            os.remove(os.path.join(folder, name))
    return folder


def save_separate(batches, folder):
    """Write each image as folder/000000.png and so on; return how many."""
    index = -1
    for index, image in enumerate(image for batch in batches for image in batch):
        imsave(inverse_transform(image), os.path.join(folder, '%06d.png' % index))
    return index + 1


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
    return draw_z(config.z_dist, [count(config), config.z_dim],
                  [tf.constant(config.seed, tf.int64), FIXED])
