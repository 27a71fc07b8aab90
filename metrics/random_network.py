"""--features random: convolutions whose weights nobody trained, always the same ones.

A check beside learned features: what these show too, no training has made.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from metrics.network import Network
from ops import lrelu

SEED, KERNEL, CHANNELS = 0, 4, (32, 64, 128, 128)


class Random(Network):
    """Four convolutions of stride 2; features are each map's mean and maximum.

    NumPy's generator of 2011 draws the weights: its numbers do not change.
    """

    name = 'random'
    label = 'random conv net, %d' % (2 * CHANNELS[-1])

    def __init__(self, shape):
        super().__init__(shape)
        with self.graph.as_default():
            self.h = network(self.images)

    def extract(self, images):
        """Return (features [N, 256], None)."""
        return self.run([self.h], images)[0], None


def network(images):
    """Return the features [N, 256] of images [N, H, W, C]."""
    rng, h = np.random.RandomState(SEED), images
    for channels in CHANNELS:
        shape = [KERNEL, KERNEL, int(h.shape[3]), channels]
        scale = np.sqrt(2 / np.prod(shape[:3]))     # He et al., 2015: no layer fades
        w = tf.constant(scale * rng.standard_normal(shape), tf.float32)
        biases = tf.constant(0.1 * rng.standard_normal(channels), tf.float32)
        h = tf.nn.conv2d(h, w, strides=[1, 2, 2, 1], padding='SAME')
        h = lrelu(tf.nn.bias_add(h, biases))
    return tf.concat([tf.reduce_mean(h, [1, 2]), tf.reduce_max(h, [1, 2])], axis=1)


def make(config, echo):
    """Return the Random network of a config's channels, its session open."""
    return Random([None, None, config.c_dim]).start(config)
