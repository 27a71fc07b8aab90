"""Networks in float64, so that N workers and one process can be compared to 1e-10.

Run by processes of main.py before it. One process draws for a step the z of both
workers' batches. Batch norm, where there is one, goes by --sync_batch_norm.
"""

import tensorflow.compat.v1 as tf

import model
from graph.alone import Alone
from ops import draw_z

WORKERS = 2
batch_norm = model.batch_norm


def in_float64(network):
    """Return the class of a network with all its variables in float64."""
    class Float64(network):
        def build_model(self, inputs=None):
            with tf.variable_scope(tf.get_variable_scope(), dtype=tf.float64):
                super().build_model(inputs)

        def build_optimizers(self):
            with tf.variable_scope(tf.get_variable_scope(), dtype=tf.float64):
                super().build_optimizers()

        def build_inputs(self, inputs=None):
            super().build_inputs(inputs)
            c = self.config
            self.images = tf.placeholder(tf.float64, self.images.shape)
            numbers = [self.step] if self.team.size > 1 else [
                WORKERS * self.step + rank for rank in range(WORKERS)]
            shape = [tf.shape(self.images)[0] // len(numbers), c.z_dim]
            z = tf.concat([draw_z(c.z_dist, shape, [tf.constant(c.seed, tf.int64), n])
                           for n in numbers], 0)
            self.z = tf.placeholder_with_default(tf.cast(z, tf.float64),
                                                 [None, c.z_dim])

        def penalty(self, real, fake):
            return tf.zeros([], tf.float64)
    return Float64


def own_moments(x):
    """Return what Averages.all_moments does, of one process that has all of x."""
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), x.dtype)
    return mean, variance, variance * count / (count - 1)


def batch_norm_of_training(x, train, name, biases=None, moments=None):
    """Normalise in training; nothing is compared that the sampler draws."""
    return batch_norm(x, train, name, biases, moments) if train else x


model.batch_norm = batch_norm_of_training
Alone.moments = staticmethod(own_moments)
model.ARCHITECTURES.update({name: in_float64(network) for name, network in
                            model.ARCHITECTURES.items()})
