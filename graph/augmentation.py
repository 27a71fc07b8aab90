"""Augmentation: how D sees images changed at random.

Differentiable augmentation, Zhao et al., 2020. Each function takes images [N, H, W, C]
in [-1, 1] and a seed of two integers, and returns images of the same shape.
"""

import tensorflow.compat.v1 as tf


def color(images, seed):
    """Change brightness by up to 0.5, saturation twofold, contrast by up to a half."""
    n = tf.shape(images)[0]
    brightness, saturation, contrast = tf.unstack(
        tf.random.stateless_uniform([3, n, 1, 1, 1], seed))
    images += brightness - 0.5
    gray = tf.reduce_mean(images, 3, keepdims=True)
    images = (images - gray) * 2 * saturation + gray
    mean = tf.reduce_mean(images, [1, 2, 3], keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def translation(images, seed):
    """Move by up to an eighth of each side; what comes in is black."""
    def shifts(size, part):
        return tf.cast(tf.floor(part * (2 * (size // 8) + 1)), tf.int32) - size // 8
    height, width = images.shape.as_list()[1:3]
    part = tf.random.stateless_uniform([2, tf.shape(images)[0]], seed)
    images = pick_lines(images + 1, shifts(height, part[0]), 1)
    return pick_lines(images, shifts(width, part[1]), 2) - 1


def pick_lines(images, shifts, axis):
    """Shift each image along an axis by its own number of lines, zeros coming in."""
    size = int(images.shape[axis])
    lines = tf.range(size)[None, :] - shifts[:, None]
    chosen = tf.one_hot(lines, size, dtype=images.dtype)        # -1 chooses nothing
    equation = 'nab,nbwc->nawc' if axis == 1 else 'nab,nhbc->nhac'
    return tf.einsum(equation, chosen, images)


def cutout(images, seed):
    """Blank a rectangle of half of each side, its centre anywhere: 0 in there."""
    height, width = images.shape.as_list()[1:3]
    centre = tf.random.stateless_uniform([2, tf.shape(images)[0], 1], seed)

    def outside(size, part):
        return tf.abs(tf.range(size, dtype=tf.float32)[None] + 0.5 - part * size
                      ) > size // 2 / 2
    mask = tf.logical_or(outside(height, centre[0])[:, :, None],
                         outside(width, centre[1])[:, None, :])
    return images * tf.cast(mask[..., None], images.dtype)


def augment(images, names, seed):
    """Apply the augmentations of these names in their order; `seed` is two integers."""
    ways = {'color': color, 'translation': translation, 'cutout': cutout}
    for number, name in enumerate(names):
        images = ways[name](images, seed + [(number + 1) << 40, 0])
    return images
