"""Wrong labels: real images that D must refuse because of their label.

Reed et al., 2016, "Generative adversarial text to image synthesis", section 4.1.
"""

import tensorflow.compat.v1 as tf


def mix(images, G, y, share):
    """Return what D must refuse: images [N, H, W, C] and their labels [N, y_dim].

    The first `share` of the rows, rounded up, are real images, each with the label of
    the image before it in the batch; the others are generated, with the labels asked
    for. So are those of the first whose two labels are the same.
    """
    n, others = tf.shape(y)[0], tf.roll(y, 1, 0)
    first = tf.range(n) < tf.cast(tf.ceil(share * tf.cast(n, tf.float32)), tf.int32)
    wrong = tf.logical_and(first, tf.reduce_any(tf.not_equal(y, others), 1))
    return tf.where(wrong, images, G), tf.where(wrong, others, y)
