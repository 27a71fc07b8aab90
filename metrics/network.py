"""What the extractors that are networks share: a graph and a session of their own.

So their variables and names never meet those of the model that is judged.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from runs import sessions

BATCH = 128         # images in a run of the session: memory stays bounded
FEW = 20            # batches without a progress bar


class Network:
    """A graph of its own: build it under `self.graph.as_default()`, then start it.

    `self.images` is the placeholder, float32 [N, H, W, C] in [-1, 1].
    """

    name = ''           # of the progress bar
    batch = BATCH

    def __init__(self, shape):
        self.graph, self.sess = tf.Graph(), None
        with self.graph.as_default():
            self.images = tf.placeholder(tf.float32, [None] + list(shape), 'images')

    def start(self, config):
        """Open the session, with the run's memory and threads but in float32."""
        with self.graph.as_default():
            self.sess = sessions.open_session(
                config.replace(precision='float32', train=False))
        return self

    def run(self, tensors, images):
        """Return the value [N, D] of each of `tensors` for images, batch by batch."""
        parts = []
        for start in tqdm(range(0, len(images), self.batch), self.name, unit=' batches',
                          disable=None if len(images) > FEW * self.batch else True):
            part = images[start:start + self.batch]
            parts.append(self.sess.run(tensors, {self.images: part}))
        return [np.concatenate(values) for values in zip(*parts)]

    def close(self):
        """Close the session."""
        if self.sess is not None:
            self.sess.close()
