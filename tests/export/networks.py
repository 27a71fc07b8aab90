"""Networks of every kind with numbers like trained ones, and what their samplers draw.

A case is a whole model saved as training saves it; its averages differ from its
weights, so that whoever draws with the wrong ones is found.
"""

import functools
import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

from model import ARCHITECTURES
from runs import checkpoints, folders, generator, sessions
from settings.config import Config

HOSTILE = '</script><img src=x onerror=alert(1)>', '<!-- <script>', '&amp; "cats"'
LABELS = dict(conditional=True, classes=('a', 'b', 'c'))
MLP = dict(architecture='mlp', output_height=12, gf_dim=32, df_dim=32, c_dim=1)
CASES = {
    'default': dict(output_height=64, gf_dim=8),
    'gray, labels': dict(output_height=28, c_dim=1, **LABELS),
    'gray, hostile labels': dict(output_height=28, c_dim=1, **dict(
        LABELS, classes=HOSTILE)),
    'odd, kernel 4': dict(output_height=33, output_width=47),
    'odd, kernel 3, labels': dict(output_height=33, output_width=47, kernel_size=3,
                                  **LABELS),
    'odd, kernel 5, biases': dict(output_height=33, output_width=47, kernel_size=5,
                                  bias=True),
    'biases, labels': dict(bias=True, **LABELS),
    'attributes, uniform': dict(attributes='A,B', classes=('A', 'B'),
                                z_dist='uniform_signed'),
    'smallest, no averages': dict(output_height=7, output_width=9, ema=0.0,
                                  z_dist='uniform_unsigned'),
    'mlp': MLP, 'mlp, labels, no averages': dict(MLP, ema=0.0, **LABELS)}
DOCUMENT = 'as docs/export.md has it'


def make_config(**values):
    """Return the Config of a case."""
    return Config.make(dict(dict(output_height=16, gf_dim=4, df_dim=4, z_dim=8,
                                 dataset='flat', precision='float32'), **values), {})


def random_values(variables, seed=0):
    """Return [a value] of each variable: nothing in the graph is 0 or 1 by chance."""
    rng = np.random.RandomState(seed)
    return [random_value(rng, v.op.name, v.shape.as_list()) for v in variables]


def random_value(rng, name, shape):
    noise = rng.randn(*shape)
    if name.endswith(('gamma', 'moving_variance')):
        return np.abs(1 + 0.3 * noise) + 0.05
    if len(shape) < 2:
        return 0.3 * noise
    fan_in = shape[0] if len(shape) == 2 else shape[0] * shape[1] / 4 * shape[3]
    return noise * 1.4 / np.sqrt(fan_in)


def save(config, folder, feed, step=3, seed=0):
    """Save a case as a run's checkpoint; return its path and what its sampler draws."""
    with tf.Graph().as_default(), sessions.open_session(config) as sess:
        model = ARCHITECTURES[config.architecture](config)
        sess.run([v.initializer for v in model.variables], {
            v.initializer.inputs[1]: value for v, value in zip(
                model.variables, random_values(model.variables, seed))})
        images = sess.run(model.sampler_images, {
            getattr(model, name): value for name, value in feed.items()})
        folders.make_folder(folder)
        config.save('%s/%s' % (folder, folders.CONFIG))
        return checkpoints.save(sess, checkpoints.make_saver(model.variables),
                                folder, step), images


def inputs(config, number, seed=1):
    """Return {name: array}: z, and y where there are labels."""
    rng = np.random.RandomState(seed)
    z = rng.randn(number, config.z_dim) if config.z_dist == 'normal01' else (
        rng.uniform(-1, 1, (number, config.z_dim)))
    feed = {'z': z.astype('f')}
    if config.y_dim:
        y = np.eye(config.y_dim)[rng.randint(config.y_dim, size=number)]
        if config.attributes:
            y = rng.choice([-1, 1], (number, config.y_dim))
        feed['y'] = y.astype('f')
    return feed


@functools.lru_cache(maxsize=None)
def case(name, number=5):
    """Return (config, its sampler's weights, feed, images) of a case."""
    config = make_config(**CASES.get(name, dict(z_dim=100)))    # DOCUMENT
    feed = inputs(config, number)
    with tempfile.TemporaryDirectory() as folder:
        path, images = save(config, folder, feed)
        return config, generator.weights(path, config), feed, images
