"""Augmentation: how D sees images changed at random.

Differentiable augmentation, Zhao et al., 2020. Each function takes images [N, H, W, C]
in [-1, 1] and a seed of two integers, and returns images of the same shape.
"""

import tensorflow.compat.v1 as tf

from graph.hardware import has_gpu

RAMP = 100000   # images in which --augment_target goes from none changed to all
MOST = 0.8      # share; beyond it G may draw changed images (Karras et al., 2020)


class Augmentation:
    """What D sees of images: with --augment, a share of them changed.

    `p` is that share before the step, a scalar: 1, or with --augment_target what the
    variable `share` says. `key` is (seed, step), int64 [2], `index` the number of the
    batch, and `workers` how many processes train together.
    """

    def __init__(self, config, key, index, workers=1):
        self.config, self.key, self.index, self.workers = config, key, index, workers
        self.adaptive = config.augment != 'none' and config.augment_target > 0
        self.p = tf.ones([])
        if self.adaptive:
            with tf.variable_scope('augment'):
                self.share = tf.get_variable(
                    'p', [], initializer=tf.zeros_initializer(), trainable=False)
            self.p = self.share.read_value()

    def __call__(self, images, which):
        """Return images [N, H, W, C] as D sees them, each changed with probability p.

        Until step --augment_after, none is. `which` tells two calls in a step apart,
        so that they draw other random numbers.
        """
        c = self.config
        if c.augment == 'none':
            return images
        seed = self.key + [(which + 1) << 50, 0]
        draw = tf.random.stateless_uniform([tf.shape(images)[0]], seed + [0, 1])
        begun = self.index >= c.augment_after * c.d_steps

        def change(share):
            return tf.where(draw < share, augment(images, c.augment.split(','), seed),
                            images)
        if has_gpu():       # which is faster than the processor can branch for it
            return change(self.p * tf.cast(begun, tf.float32))
        return tf.cond(tf.logical_and(begun, self.p > 0),
                       lambda: change(self.p), lambda: tf.identity(images))

    def adapt(self, d_acc_real, images):
        """Return [the op that moves the share by how sure D is]; [] without a target.

        Karras et al., 2020, "Training generative adversarial networks with limited
        data", section 3: D that knows its real images by heart calls more and more of
        them real. The share rises where more than --augment_target of a batch are, and
        falls where fewer are, at most from 0 to 1 in RAMP images.
        """
        if not self.adaptive:
            return []
        rise = tf.sign(d_acc_real - self.config.augment_target)
        count = tf.cast(tf.shape(images)[0], tf.float32)
        return [self.share.assign(tf.clip_by_value(
            self.p + rise * count / (RAMP / self.workers), 0, MOST))]


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
