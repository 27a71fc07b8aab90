"""Getters: how a network gets its variables.

A custom getter stands between a layer that asks for a variable and the variable. So the
layers, and the networks made of them, read the same with a variant and without: other
initial values, spectral norm, bfloat16. WGAN's clipping is here too.
"""

import tensorflow.compat.v1 as tf

from graph.hardware import has_gpu

CLIP = 0.01     # of WGAN's weights without a penalty: Arjovsky et al., 2017


def choose(config):
    """Return G's getter, D's, and D's SpectralNorm, each None where there is none."""
    initial = [xavier] if config.init == 'xavier' else []
    narrow = [bfloat16] if config.precision == 'bfloat16' and has_gpu() else []
    norm = SpectralNorm() if config.spectral_norm else None
    return (compose(narrow + initial),
            compose(narrow + ([norm] if norm else []) + initial), norm)


def constrain(config, norm, variables, after):
    """Return ops that hold D's variables in bounds, as --spectral_norm and WGAN ask.

    `norm` is D's SpectralNorm or None; `after` are the ops of its update.
    """
    if norm:
        return norm.updates()
    if config.loss != 'wgan' or config.penalty != 'none':
        return []
    with tf.control_dependencies(after):
        return clip(variables)


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


def constants(values):
    """Return a getter that gives constants, {name: array}, in place of variables.

    Each has its variable's name. Raises ValueError where one is missing or has another
    shape.
    """
    made = {}

    def constant(getter, name, shape=None, *args, **kwargs):
        found = list(values[name].shape) if name in values else 'missing'
        if found != list(shape):
            raise ValueError('%s: %s here, %s there' % (name, list(shape), found))
        if name not in made:
            with tf.name_scope(None):
                made[name] = tf.constant(values[name], name=name)
        return made[name]
    return constant


def bfloat16(getter, name, *args, **kwargs):
    """Hand weights out in bfloat16; a layer computes in the type of its weights.

    For GPUs: on processors a rewrite of TensorFlow's does it, see sessions.py.
    """
    variable = getter(name, *args, **kwargs)
    return tf.cast(variable, tf.bfloat16) if is_weight(name) else variable


class SpectralNorm:
    """A getter that divides weights by their largest singular value.

    Miyato et al., 2018: a vector u for each layer, one step of power iteration a
    training step. Every call of the network in a step sees the same weights; `updates`
    makes the ops that move u, for whoever builds D's update to run.
    """

    def __init__(self):
        self.weights, self.moved = {}, []

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
        """Return the weights divided by their norm; remember how u moves."""
        w = tf.reshape(variable, [-1, int(variable.shape[-1])])
        v = tf.nn.l2_normalize(tf.matmul(u, w, transpose_b=True))
        new_u = tf.nn.l2_normalize(tf.matmul(v, w))
        v, new_u = tf.stop_gradient(v), tf.stop_gradient(new_u)
        norm = tf.reduce_sum(tf.matmul(v, w) * new_u)
        self.moved.append((u, new_u))
        return variable / norm

    def updates(self):
        """Return ops that move each u by its step."""
        return [u.assign(new_u) for u, new_u in self.moved]


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
