"""D's features of images: the maps of all of its convolutions, max-pooled to 4 x 4.

Radford, Metz and Chintala, 2016, section 5.1.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph.maps import map_channels, map_sizes
from utils import transform

SIDE = 4            # of the maps that features are taken from


def feature_count(config):
    """Return how many features there are, of D's maps or of the pixels: the larger."""
    height, width = config.output_height, config.output_width
    layers = len(map_sizes(height, width)) - 1
    return max(SIDE * SIDE * sum(map_channels(layers, config.df_dim)),
               height * width * config.c_dim)


def pool(h):
    """Max-pool maps [N, H, W, C], both sides 4 or more, to [N, 4, 4, C].

    Cell i of a side of H pixels covers floor(iH/4) to ceil((i+1)H/4). Where 4 does not
    divide H, neighbours share a line (14 pixels: 0-3, 3-6, 7-10, 10-13).
    """
    for axis in (1, 2):
        size = int(h.shape[axis])
        cells = [tf.gather(h, tf.range(i * size // SIDE, -(-(i + 1) * size // SIDE)),
                           axis=axis) for i in range(SIDE)]
        h = tf.stack([tf.reduce_max(cell, axis) for cell in cells], axis)
    return h


def build_features(model):
    """Return the op of D's features of model.images, float32 [N, features]."""
    maps = []
    model.discriminator(model.images, model.y, reuse=True, train=False, maps=maps)
    return tf.concat([tf.reshape(pool(h), [-1, SIDE * SIDE * int(h.shape[3])])
                      for h in maps], 1)


def feed(model, images):
    """Return what to feed for D's features of uint8 images.

    A conditional D is not told the labels. It gets the same y for every image, the mean
    of even labels: 1/K for each class, 0 for attributes, which are 1 or -1.
    """
    fed, config = {model.images: transform(images)}, model.config
    if model.y is not None:
        value = 0 if config.attributes else 1 / config.y_dim
        fed[model.y] = np.full([len(images), config.y_dim], value, np.float32)
    return fed
