"""Losses: logits in, losses out. Pure functions of tensors.

Each returns (d_loss_real, d_loss_fake, g_loss), float32 scalars; d_loss is the sum
of the first two.
"""

import tensorflow.compat.v1 as tf


def gan(D_logits, D_logits_):
    """Return the losses of Goodfellow et al., 2014, G's in the non-saturating form.

    D_logits are D's logits [N, 1] on real images, D_logits_ those on generated ones.
    D learns to answer 1 and 0; G learns to make D answer 1.
    """
    d_loss_real = cross_entropy(D_logits, 1)
    d_loss_fake = cross_entropy(D_logits_, 0)
    g_loss = cross_entropy(D_logits_, 1)
    return d_loss_real, d_loss_fake, g_loss


def cross_entropy(logits, label):
    """Return the mean sigmoid cross entropy of `logits` against one label, 0 or 1."""
    labels = tf.fill(tf.shape(logits), tf.cast(label, logits.dtype))
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
