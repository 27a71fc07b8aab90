"""The search for the z of an image of which only a part is known.

Yeh et al., 2017, "Semantic Image Inpainting with Deep Generative Models", section 3.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph import losses
from tasks.parts import latent, masks

LEARNING_RATE = 0.05


class Search:
    """A batch of N = `count` searches: variable z, its losses, Adam's step on z alone.

    Ops: `start` sets z to the fed `initial` [N, z_dim], `step` moves it; `images`
    [N, H, W, C] and `loss` [N] are those of z. All but start need `known` float32
    [N, K, C] fed, and the model's y where it has labels.
    """

    def __init__(self, model, mask, count):
        c = model.config
        self.model, self.mask = model, mask
        self.known = tf.placeholder(
            tf.float32, [count, mask.operator.shape[0], c.c_dim], 'known')
        self.initial = tf.placeholder(tf.float32, [count, c.z_dim], 'initial')
        with tf.variable_scope('search'):
            self.z = tf.get_variable('z', [count, c.z_dim], trainable=False,
                                     initializer=tf.zeros_initializer())
        self.images = model.sampler(self.z, model.y)
        self.loss = (self.contextual_loss()
                     + c.perceptual_weight * self.perceptual_loss())
        with tf.variable_scope('search'):
            adam = tf.train.AdamOptimizer(LEARNING_RATE)
            moved = adam.minimize(self.loss, var_list=[self.z])
        with tf.control_dependencies([moved]):
            self.step = self.z.assign(bound(self.z.read_value(), c)).op
        self.start = tf.group(tf.variables_initializer(adam.variables()),
                              self.z.assign(bound(self.initial, c)))

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
        """Return G's loss of each image: [N].

        Of --loss gan it is -log D(G(z)); the paper's log(1 - D(G(z))) has a gradient
        that vanishes where D is sure.
        """
        model = self.model
        _, D_logits_ = model.discriminator(self.images, model.y, reuse=True,
                                           train=False)
        loss = losses.LOSSES[model.config.loss]
        return tf.vectorized_map(lambda logit: loss(logit, logit)[2], D_logits_)


def bound(z, config):
    """Return z [N, z_dim] moved into its prior's range.

    For a normal prior that is the ball of radius sqrt(z_dim), near whose surface nearly
    all of it lies.
    """
    if config.z_dist in latent.RANGE:
        return tf.clip_by_value(z, *latent.RANGE[config.z_dist])
    return tf.clip_by_norm(z, float(np.sqrt(config.z_dim)), [1])


def descend(sess, search, known, z, y, see, bar):
    """Run a batch of searches; return the best images [N, H, W, C] and their Inputs.

    known [N, K, C]; z [N, restarts, z_dim] and y [N, restarts, y_dim] to start from.
    At each step call see(step, draw), where draw() gives the best images so far, and
    bar.update().
    """
    count, restarts, _ = z.shape
    y = y.reshape(count * restarts, -1)
    feed = {search.known: np.repeat(known, restarts, 0)}
    if search.model.y is not None:
        feed[search.model.y] = y

    def look():
        images, z, loss = sess.run([search.images, search.z, search.loss], feed)
        best = np.arange(0, len(loss), restarts) + loss.reshape(count, -1).argmin(1)
        return images[best], latent.Inputs(z, y).take(best)

    sess.run(search.start, {search.initial: z.reshape(count * restarts, -1)})
    for step in range(search.model.config.iterations):
        if see:
            see(step, lambda: look()[0])
        sess.run(search.step, feed)
        bar.update()
    if see:
        see(step + 1, lambda: look()[0])
    return look()
