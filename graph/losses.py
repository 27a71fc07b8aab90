"""Losses: logits in, losses out; penalties on D's gradient. Pure functions of tensors.

Each loss takes D's outputs [N, 1] on real images, D_logits, and on generated ones,
D_logits_, and how much label smoothing takes off the label of real images. It returns
(d_loss_real, d_loss_fake, g_loss), float32 scalars; d_loss is the sum of the first two.
"""

import tensorflow.compat.v1 as tf


def gan(D_logits, D_logits_, smoothing=0.0):
    """Return the losses of Goodfellow et al., 2014, G's in the non-saturating form.

    D learns to answer 1 (less the smoothing) and 0; G learns to make D answer 1.
    """
    return (cross_entropy(D_logits, 1 - smoothing), cross_entropy(D_logits_, 0),
            cross_entropy(D_logits_, 1))


def lsgan(D_logits, D_logits_, smoothing=0.0):
    """Return the least-squares losses of Mao et al., 2017, with labels 0 and 1."""
    return (tf.reduce_mean(tf.square(D_logits - (1 - smoothing))) / 2,
            tf.reduce_mean(tf.square(D_logits_)) / 2,
            tf.reduce_mean(tf.square(D_logits_ - 1)) / 2)


def wgan(D_logits, D_logits_, smoothing=0.0):
    """Return the losses of Arjovsky et al., 2017: D's outputs are a critic's scores.

    They need a D that changes slowly: a penalty, or else its weights clipped.
    """
    return (-tf.reduce_mean(D_logits), tf.reduce_mean(D_logits_),
            -tf.reduce_mean(D_logits_))


def hinge(D_logits, D_logits_, smoothing=0.0):
    """Return the hinge losses of Lim and Ye, 2017, and Miyato et al., 2018."""
    return (tf.reduce_mean(tf.nn.relu(1 - D_logits)),
            tf.reduce_mean(tf.nn.relu(1 + D_logits_)), -tf.reduce_mean(D_logits_))


# A new one also needs its name in flags.py (`loss`) and its threshold below.
LOSSES = {'gan': gan, 'lsgan': lsgan, 'wgan': wgan, 'hinge': hinge}


def threshold(loss, D_logits, D_logits_):
    """Return the output of D above which an image counts as taken for real.

    Halfway between the labels; a critic's scores have none: there it is halfway
    between the two means.
    """
    if loss == 'wgan':
        return (tf.reduce_mean(D_logits) + tf.reduce_mean(D_logits_)) / 2
    return {'gan': 0.0, 'hinge': 0.0, 'lsgan': 0.5}[loss]


def accuracies(loss, D_logits, D_logits_):
    """Return the share that D gets right of real and of generated images, 0 to 1."""
    real = threshold(loss, D_logits, D_logits_)
    return (tf.reduce_mean(tf.cast(D_logits > real, tf.float32)),
            tf.reduce_mean(tf.cast(D_logits_ <= real, tf.float32)))


def cross_entropy(logits, label):
    """Return the mean sigmoid cross entropy of `logits` against one label, 0 to 1."""
    labels = tf.fill(tf.shape(logits), tf.cast(label, logits.dtype))
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


# Penalties: (discriminate, images, G, noise) → a scalar. `discriminate` maps images to
# logits, `noise` is uniform in [0, 1): [N, 1, 1, 1] and the shape of the images.

def wgan_gp(discriminate, images, G, noise):
    """Return the penalty of Gulrajani et al., 2017: slope 1 between real and drawn."""
    between = images + noise[0] * (G - images)
    return tf.reduce_mean(tf.square(slopes(discriminate, between) - 1))


def dragan(discriminate, images, G, noise):
    """Return the penalty of Kodali et al., 2017: slope 1 around the real images.

    As in their code: noise of half the batch's standard deviation, and a share of it.
    """
    deviation = tf.sqrt(tf.nn.moments(images, list(range(images.shape.ndims)))[1])
    near = images + noise[0] * 0.5 * deviation * noise[1]
    return tf.reduce_mean(tf.square(slopes(discriminate, near) - 1))


def r1(discriminate, images, G, noise):
    """Return half the squared slope at the real images: Mescheder et al., 2018."""
    return tf.reduce_mean(tf.square(slopes(discriminate, images))) / 2


PENALTIES = {'wgan-gp': wgan_gp, 'dragan': dragan, 'r1': r1}


def penalty(config, discriminate, real, fake, key):
    """Return the weighted --penalty, 0 for none; `key` is (seed, step), int64 [2]."""
    if config.penalty == 'none':
        return tf.zeros([])
    shape = tf.shape(real)
    noise = [tf.random.stateless_uniform(size, key + [(i + 1) << 60, 0])
             for i, size in enumerate(([shape[0], 1, 1, 1], shape))]
    return config.penalty_weight * PENALTIES[config.penalty](
        discriminate, real, fake, noise)


def slopes(discriminate, images):
    """Return the length of each logit's gradient by its image: [N]."""
    images = tf.identity(images)
    gradient, = tf.gradients(discriminate(images), images)
    axes = list(range(1, images.shape.ndims))
    # the root's own gradient at 0 is infinite
    return tf.sqrt(tf.reduce_sum(tf.square(gradient), axes) + 1e-12)
