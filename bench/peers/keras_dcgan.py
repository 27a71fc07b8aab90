"""A DCGAN as a Keras model with a train_step of its own, as a side for turns.

Both gradients at the same weights, the generated images judged once: 10 passes.
Kernel 4, batch 64, Adam 2e-4 and 0.5; a tf.function, called by train_on_batch.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from bench import turns

BATCH, Z, WIDTH = 64, 100, 64


def norm():
    """Return the batch norm of the other sides."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def generator():
    """Return z [N, 100] → images [N, 64, 64, 3]."""
    parts = [layers.Dense(16 * WIDTH * 8), layers.Reshape((4, 4, WIDTH * 8))]
    for channels in (WIDTH * 4, WIDTH * 2, WIDTH, 3):
        parts += [norm(), layers.ReLU(),
                  layers.Conv2DTranspose(channels, 4, 2, 'same')]
    return keras.Sequential([keras.Input((Z,)), *parts,
                             layers.Activation('tanh', dtype='float32')])


def discriminator():
    """Return images → logits [N, 1]."""
    parts = []
    for i, channels in enumerate((WIDTH, WIDTH * 2, WIDTH * 4, WIDTH * 8)):
        parts += [layers.Conv2D(channels, 4, 2, 'same')] + [norm()] * bool(i)
        parts += [layers.LeakyReLU(negative_slope=0.2)]
    return keras.Sequential([keras.Input((64, 64, 3)), *parts, layers.Flatten(),
                             layers.Dense(1, dtype='float32')])


class GAN(keras.Model):
    """Both networks, and one update of each as the train_step."""

    def __init__(self):
        super().__init__()
        self.G, self.D = generator(), discriminator()
        self.d_optimizer, self.g_optimizer = (
            keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
        self.loss_function = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, images):
        """Do one update of each; return both losses."""
        z = tf.random.normal((BATCH, Z))
        ones, zeros = tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))
        with tf.GradientTape(persistent=True) as tape:
            fake = self.G(z, training=True)
            real_logits = self.D(images, training=True)
            fake_logits = self.D(fake, training=True)
            d_loss = self.loss_function(ones, real_logits) + self.loss_function(
                zeros, fake_logits)
            g_loss = self.loss_function(ones, fake_logits)
        d, g = self.D.trainable_variables, self.G.trainable_variables
        d_gradients, g_gradients = tape.gradient(d_loss, d), tape.gradient(g_loss, g)
        self.d_optimizer.apply_gradients(zip(d_gradients, d))
        self.g_optimizer.apply_gradients(zip(g_gradients, g))
        return {'d_loss': d_loss, 'g_loss': g_loss}


def main():
    """Serve training steps on random images."""
    out = turns.keep_stdout()
    gan = GAN()
    gan.compile()
    data = np.random.default_rng(0).uniform(-1, 1, (512, 64, 64, 3)).astype('f')

    def run(steps):
        for _ in range(steps):
            gan.train_on_batch(data[np.random.randint(0, len(data), BATCH)])
    turns.serve(run, BATCH, out, passes=10)


if __name__ == '__main__':
    main()
