"""Variants: how a network gets its variables, and how D sees images.

A custom getter stands between a layer that asks for a variable and the variable. So the
layers, and the networks made of them, read the same with a variant and without.
"""

import tensorflow.compat.v1 as tf

CLIP = 0.01     # of WGAN's weights without a penalty: Arjovsky et al., 2017


def is_weight(name):
    """Tell whether a variable of this name holds a layer's weights."""
    return name.split('/')[-1] in ('w', 'Matrix')


def xavier(getter, name, *args, **kwargs):
    """Start weights as Glorot and Bengio, 2010, and gamma at 1."""
    if is_weight(name):
        kwargs['initializer'] = tf.glorot_uniform_initializer()
    elif name.endswith('/gamma'):
        kwargs['initializer'] = tf.ones_initializer()
    return getter(name, *args, **kwargs)


class SpectralNorm:
    """A getter that divides weights by their largest singular value.

    Miyato et al., 2018: a vector u for each layer, one step of power iteration a
    training step. Every call of the network in a step sees the same weights; `updates`
    are the ops that move u, for whoever builds D's update to run.
    """

    def __init__(self):
        self.weights, self.updates = {}, []

    def __call__(self, getter, name, *args, **kwargs):
        """Return the variable, divided if it holds weights."""
        variable = getter(name, *args, **kwargs)
        if not is_weight(name):
            return variable
        if name not in self.weights:
            u = getter(name + '_u', [1, int(variable.shape[-1])], trainable=False,
                       initializer=tf.random_normal_initializer())
            self.weights[name] = self.divide(variable, u)
        return self.weights[name]

    def divide(self, variable, u):
        """Return the weights over their norm; see to u's update."""
        w = tf.reshape(variable, [-1, int(variable.shape[-1])])
        v = tf.nn.l2_normalize(tf.matmul(u, w, transpose_b=True))
        new_u = tf.nn.l2_normalize(tf.matmul(v, w))
        v, new_u = tf.stop_gradient(v), tf.stop_gradient(new_u)
        norm = tf.reduce_sum(tf.matmul(v, w) * new_u)
        self.updates.append(u.assign(new_u))
        return variable / norm


def compose(getters):
    """Return one custom getter that goes through all of them, None for none."""
    if not getters:
        return None
    first, rest = getters[0], compose(getters[1:])
    if rest is None:
        return first
    return lambda getter, *args, **kwargs: first(
        lambda *a, **k: rest(getter, *a, **k), *args, **kwargs)


def clip(variables):
    """Return ops that clip `variables`, as WGAN does without a penalty."""
    return [v.assign(tf.clip_by_value(v.read_value(), -CLIP, CLIP)) for v in variables]


# Differentiable augmentation: Zhao et al., 2020. Each takes images [N, H, W, C] in
# [-1, 1] and a seed, and returns the like.

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
