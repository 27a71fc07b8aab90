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

    name = ''           # how the table of EXTRACTORS calls it
    batch = BATCH

    def __init__(self, shape):
        self.graph, self.sess = tf.Graph(), None
        with self.graph.as_default():
            self.images = tf.placeholder(tf.float32, [None] + list(shape), 'images')

    def start(self, config):
        """Open the session: GPU memory and threads as in `config`, but in float32."""
        with self.graph.as_default():
            self.sess = sessions.open_session(config.replace(precision='float32'))

    def run(self, tensors, images):
        """Return the value [N, D] of each of `tensors` for images, batch by batch.

        Raises ValueError for images of another shape than the network's.
        """
        expected, found = self.images.shape.as_list()[1:], list(images.shape[1:])
        if len(found) != 3 or any(e not in (None, f) for e, f in zip(expected, found)):
            raise ValueError('images: found shape %s; %s takes [N, H, W, C] of %s.'
                             % (images.shape, self.name, expected))
        parts = []
        for start in tqdm(range(0, len(images), self.batch), self.name, unit=' batches',
                          disable=None if len(images) > FEW * self.batch else True):
            part = images[start:start + self.batch]
            parts.append(self.sess.run(tensors, {self.images: part}))
        return [np.concatenate(values) for values in zip(*parts)]

    def both(self, images):
        """Return (features, probabilities) of images."""
        return self.features(images), self.probabilities(images)

    def close(self):
        """Close the session."""
        if self.sess is not None:
            self.sess.close()
            self.sess = None
