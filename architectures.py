"""The networks that --architecture names: DCGAN, and the small one of tutorials."""

import numpy as np
import tensorflow.compat.v1 as tf

from model import DCGAN
from ops import concat_label, linear, lrelu

HIDDEN = 128


class MLP(DCGAN):
    """A generator and a discriminator of one hidden layer each: --architecture mlp.

    With labels it is the conditional GAN of Mirza and Osindero, 2014, as tutorials
    train it on MNIST: z and y, or image and y, side by side.
    """

    def generator(self, z, y=None, train=True, reuse=False):
        """Draw images [N, H, W, C] in [-1, 1] from z [N, z_dim] and labels y."""
        size = self.images.shape.as_list()[1:]
        with tf.variable_scope('generator', reuse=reuse, custom_getter=self.g_getter):
            h = tf.nn.relu(linear(concat_label(z, y), HIDDEN, name='g_h0_lin'))
            h = linear(h, int(np.prod(size)), name='g_h1_lin')
            return tf.reshape(tf.nn.tanh(h), [-1] + size)

    def discriminator(self, images, y=None, reuse=False, train=True):
        """Return the probability [N, 1] that each image is real, and its logit.

        It has no batch norm: `train` makes no difference.
        """
        with tf.variable_scope('discriminator', reuse=reuse,
                               custom_getter=self.d_getter):
            h = tf.reshape(images, [-1, int(np.prod(images.shape.as_list()[1:]))])
            h = lrelu(linear(concat_label(h, y), HIDDEN, name='d_h0_lin'))
            logits = linear(h, 1, name='d_h1_lin')
            return tf.nn.sigmoid(logits), logits


ARCHITECTURES = {'dcgan': DCGAN, 'mlp': MLP}
