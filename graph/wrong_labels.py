"""Wrong labels: real images that D must refuse because of their label.

Reed et al., 2016, "Generative adversarial text to image synthesis", the
matching-aware discriminator. There they are half of what D must refuse, and a pass of
their own. Here they are few, in the places of generated ones, and so cost nothing.
"""

import tensorflow.compat.v1 as tf


def mix(config, images, G, y):
    """Return what D must refuse: images [N, H, W, C] and their labels [N, y_dim].

    That is G, with the labels y that were asked for, but for --wrong_labels of the
    rows: real images, each with the label of the one before it in the batch. Those are
    the first rows where the two labels differ. Not for wgan: its D has no lowest score,
    and no penalty holds it at a wrong label.
    """
    if y is None or not config.wrong_labels or config.loss == 'wgan':
        return G, y
    others = tf.roll(y, 1, 0)
    differ = tf.cast(tf.reduce_any(tf.not_equal(y, others), 1), tf.float32)
    # rounded up; a little less, since 0.15 * 100 is more than 15 in float32
    count = tf.ceil(config.wrong_labels * tf.cast(tf.shape(y)[0], tf.float32) - 1e-3)
    wrong = tf.logical_and(differ > 0, tf.cumsum(differ) <= count)
    return tf.where(wrong, images, G), tf.where(wrong, others, y)
