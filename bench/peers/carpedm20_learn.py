"""carpedm20's program as a peer that learns; run by bench/quality/race.py.

His step (carpedm20.py beside this file), and his reading: the files shuffled once, and
each file of a batch opened, cropped and resized again in the loop.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np
import tensorflow.compat.v1 as tf

from bench.peers import carpedm20, learn
from bench.peers.carpedm20 import BATCH, Z, build, step
from dataset.pictures import get_image
from utils import inverse_transform, transform


class Peer:
    """His networks, session and data."""

    batch = BATCH

    def __init__(self, options):
        tf.set_random_seed(options.seed)
        carpedm20.WIDTH = options.width or carpedm20.WIDTH
        self.step, self.crop, self.seed = 0, options.crop, options.seed
        self.random = np.random.default_rng(options.seed)
        with open(options.files) as file:
            self.paths = file.read().splitlines()
        np.random.default_rng(options.seed).shuffle(self.paths)
        self.net, self.sess = build(), tf.Session()
        self.sess.run(tf.global_variables_initializer())
        self.saver = tf.train.Saver(max_to_keep=1, save_relative_paths=True)
        self.g_saver = tf.train.Saver(tf.global_variables('generator'),
                                      max_to_keep=None)

    def advance(self):
        """Read a batch and take one step on it."""
        first = self.step % (len(self.paths) // BATCH) * BATCH
        images = transform(np.array(
            [get_image(path, self.crop, self.crop, 64, 64)
             for path in self.paths[first:first + BATCH]]))
        step(self.sess, self.net, images, self.draw_z(self.random))
        self.step += 1

    def draw_z(self, random):
        """Return z float32 [64, 100], uniform in [-1, 1]."""
        return random.uniform(-1, 1, (BATCH, Z)).astype('f')

    def save(self, path):
        """Write all variables."""
        self.saver.save(self.sess, path, self.step, write_meta_graph=False)

    def restore(self, path):
        """Read the newest variables; z goes on with other random numbers."""
        newest = tf.train.latest_checkpoint(os.path.dirname(path))
        self.saver.restore(self.sess, newest)
        self.step = int(newest.rpartition('-')[2])
        self.random = np.random.default_rng([self.seed, self.step])

    def save_generator(self, path):
        """Write the generator's variables."""
        self.g_saver.save(self.sess, path, write_meta_graph=False, write_state=False)

    def sample(self, num, seed):
        """Draw by his sampler: batch norm by its moving averages."""
        random = np.random.default_rng([seed, 2**40])
        drawn = [inverse_transform(self.sess.run(
            self.net.sampler, {self.net.z: self.draw_z(random)}))
            for _ in range(-(-num // BATCH))]
        return {'sampler': np.concatenate(drawn)[:num]}


if __name__ == '__main__':
    tf.disable_v2_behavior()
    learn.main(Peer)
