"""The search for the z of an image of which only a part is known. A graph of its own.

Yeh et al., 2017, "Semantic Image Inpainting with Deep Generative Models", section 3.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph import losses
from tasks.parts import masks

LEARNING_RATE = 0.05


class Search:
    """A batch of `count` searches: variable z, its losses, Adam's step on it alone.

    `step` and `start` are ops; `images` [N, H, W, C] and `loss` [N] are of z as it is.
    Fed: `known` float32 [N, K, C]; `y` where the model has labels; `initial`
    [N, z_dim] for start.
    """

    def __init__(self, model, mask, count):
        c = model.config
        self.model, self.mask, self.count = model, mask, count
        self.known = tf.placeholder(
            tf.float32, [count, mask.operator.shape[0], c.c_dim], 'known')
        self.initial = tf.placeholder(tf.float32, [count, c.z_dim], 'initial')
        with tf.variable_scope('search'):
            self.z = tf.get_variable('z', [count, c.z_dim], trainable=False,
                                     initializer=tf.zeros_initializer())
        self.images = model.sampler(self.z, model.y)
        self.loss = (self.contextual_loss()
                     + c.perceptual_weight * self.perceptual_loss())
        self.build_step()

    def contextual_loss(self):
        """Return each image's weighted L1 distance from what is known: [N].

        The weights are masks.importance; summed, not averaged, as in the paper.
        """
        operator = self.mask.operator.tocoo()
        matrix = tf.SparseTensor(
            np.stack([operator.row, operator.col], 1).astype(np.int64),
            operator.data.astype(np.float32), operator.shape)
        count, known, channels = self.known.shape.as_list()
        pixels = tf.transpose(tf.reshape(self.images, [count, -1, channels]), [1, 0, 2])
        seen = tf.sparse.sparse_dense_matmul(
            matrix, tf.reshape(pixels, [-1, count * channels]))
        seen = tf.transpose(tf.reshape(seen, [known, count, channels]), [1, 0, 2])
        weights = masks.importance(self.mask)[:, None].astype(np.float32)
        return tf.reduce_sum(weights * tf.abs(seen - self.known), [1, 2])

    def perceptual_loss(self):
        """Return what G's loss says of each image: [N].

        -log D(G(z)), the non-saturating form, where the paper has log(1 - D(G(z))),
        whose gradient vanishes where D is sure; of --loss wgan and so on, theirs.
        """
        model = self.model
        _, D_logits_ = model.discriminator(self.images, model.y, reuse=True,
                                           train=False)
        loss = losses.LOSSES[model.config.loss]
        return tf.vectorized_map(lambda logit: loss(logit, logit)[2], D_logits_)

    def build_step(self):
        """Make the ops `start`, which sets z, and `step`, which moves it."""
        c = self.model.config
        with tf.variable_scope('search'):
            adam = tf.train.AdamOptimizer(LEARNING_RATE)
            moved = adam.minimize(self.loss, var_list=[self.z])
        with tf.control_dependencies([moved]):
            self.step = self.z.assign(bound(self.z.read_value(), c)).op
        self.start = tf.group(tf.variables_initializer(adam.variables()),
                              self.z.assign(bound(self.initial, c)))


def bound(z, config):
    """Return z [N, z_dim] within its prior's range.

    Of a uniform prior that is its box. A normal one has none, but nearly all of it lies
    about the sphere of radius sqrt(z_dim): what is outside of it is brought back to it.
    """
    if config.z_dist == 'normal01':
        return tf.clip_by_norm(z, float(np.sqrt(config.z_dim)), [1])
    low = {'uniform_signed': -1.0, 'uniform_unsigned': 0.0}[config.z_dist]
    return tf.clip_by_value(z, low, 1.0)


def descend(sess, search, known, z, y, see, bar):
    """Run a batch of searches; return the best image of each of N [N, H, W, C].

    known [N, K, C]; z [N, restarts, z_dim] and y [N, restarts, y_dim] to start from.
    At each step see(step, draw) is called, where draw() gives the best images so far,
    and bar.update().
    """
    count, restarts, _ = z.shape
    feed = {search.known: np.repeat(known, restarts, 0)}
    if search.model.y is not None:
        feed[search.model.y] = y.reshape(count * restarts, -1)

    def draw():
        images, loss = sess.run([search.images, search.loss], feed)
        best = np.arange(0, len(loss), restarts) + loss.reshape(count, -1).argmin(1)
        return images[best]

    sess.run(search.start, {search.initial: z.reshape(count * restarts, -1)})
    for step in range(search.model.config.iterations):
        if see:
            see(step, draw)
        sess.run(search.step, feed)
        bar.update()
    if see:
        see(step + 1, draw)
    return draw()
