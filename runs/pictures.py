"""Pictures: how the many steps of one session.run get their batches, as uint8.

Where all pictures fit into a share of the GPU's memory, they are copied there once, and
each run is fed the indices of its batches. Elsewhere it is fed the pictures themselves.
Either way, batch `number` has the pictures that Dataset.batch would give.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from dataset.batches import mirror
from runs import sessions

SHARE = 0.25        # of the GPU's memory, that the pictures may take
PAGE = 2**30        # bytes of a variable: some of TensorFlow's kernels count to 2^31
BLOCK = 2**28       # bytes of the pictures of one run


def most_steps(config, data):
    """Return how many steps one run may have, so that their pictures find room."""
    step = config.d_steps * config.batch_size * data.images[0].nbytes
    return max(1, BLOCK // step)


def source(config, data, most, sess):
    """Return where the pictures come from: OnCard where there is room, else Fed."""
    fits = data.images.nbytes <= SHARE * sessions.gpu_memory(sess)
    return OnCard(config, data, most, sess) if fits else Fed(config, data, most)


def transform(images):
    """Turn uint8 into float32 in [-1, 1], as utils.transform does, to the bit."""
    return tf.cast(images, tf.float32) * np.float32(1 / 127.5) - 1


class Fed:
    """Pictures and labels of up to `most` steps, fed to each run."""

    said = ''       # of it, at the start

    def __init__(self, config, data, most):
        self.config, self.data, self.most = config, data, most
        # None: as in the model itself. A known size TensorFlow rounds in other ways
        self.shape = [most, config.d_steps, None]

    def build(self):
        """Return {'images': uint8 [most, d_steps, N, H, W, C], 'y': float32 …}."""
        c, found = self.config, {'images': self.build_images()}
        if c.flip:
            self.mirrored = tf.placeholder(tf.bool, self.shape)
            found['images'] = tf.where_v2(
                self.mirrored[..., None, None, None],
                tf.reverse(found['images'], [4]), found['images'])
        if c.y_dim:
            found['y'] = self.y = tf.placeholder(tf.float32, self.shape + [c.y_dim])
        return found

    def build_images(self):
        """Return the pictures of a run, unmirrored."""
        self.images = tf.placeholder(
            tf.uint8, self.shape + list(self.data.images.shape[1:]))
        return self.images

    def feed(self, numbers):
        """Return what to feed for the batches of these numbers, int [steps, d_steps].

        What is left of `most` steps is zeros.
        """
        c = self.config
        chosen = np.zeros(numbers.shape + (c.batch_size,), np.int32)
        for place in np.ndindex(*numbers.shape):
            chosen[place] = self.data.chosen(numbers[place], c.batch_size, c.seed)
        feed = self.feed_images(chosen)
        if c.y_dim:
            feed[self.y] = padded(self.data.y(chosen.ravel()).reshape(
                chosen.shape + (c.y_dim,)), self.most)
        if c.flip:
            feed[self.mirrored] = padded(np.array(
                [[mirror(n, c.batch_size, c.seed) for n in row] for row in numbers],
                bool).reshape(chosen.shape), self.most)
        return feed

    def feed_images(self, chosen):
        """Return the feed of the pictures with these indices."""
        return {self.images: padded(self.data.images[chosen], self.most)}


class OnCard(Fed):
    """Pictures that are in the GPU's memory; the indices of each batch are fed."""

    said = "; the pictures are in the GPU's memory"

    def __init__(self, config, data, most, sess):
        super().__init__(config, data, most)
        images = data.images
        self.size = max(1, PAGE // images[0].nbytes)    # pictures of a page
        self.pages = [load(sess, images[start:start + self.size])
                      for start in range(0, len(images), self.size)]

    def build_images(self):
        """Return the pictures of a run, unmirrored."""
        self.chosen = tf.placeholder(tf.int32, self.shape)
        found = tf.gather(self.pages[0], self.within(0))
        for number in range(1, len(self.pages)):
            found = tf.where_v2(
                (self.chosen < number * self.size)[..., None, None, None],
                found, tf.gather(self.pages[number], self.within(number)))
        return found

    def within(self, number):
        """Return the indices within a page; any number for pictures of other pages."""
        last = int(self.pages[number].shape[0]) - 1
        return tf.clip_by_value(self.chosen - number * self.size, 0, last)

    def feed_images(self, chosen):
        """Return the feed of the pictures with these indices."""
        return {self.chosen: padded(chosen, self.most)}


def load(sess, images):
    """Return a variable that holds pictures, and is saved in no checkpoint."""
    value = tf.placeholder(tf.uint8, images.shape)
    page = tf.Variable(value, trainable=False, name='pictures',
                       collections=[tf.GraphKeys.LOCAL_VARIABLES])
    sess.run(page.initializer, {value: images})
    return page


def padded(array, most):
    """Return an array of `most` rows, zeros after those that there are."""
    if len(array) == most:
        return array
    whole = np.zeros((most,) + array.shape[1:], array.dtype)
    whole[:len(array)] = array
    return whole
