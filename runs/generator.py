"""The generator alone, to draw with: without D and the rest that training needs.

An export is made of it; and so are samples of a checkpoint that holds no D.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph import getters
from model import ARCHITECTURES
from runs import checkpoints
from settings.errors import UserError

AVERAGES = 'ema/'
OF_D = 'complete', 'classify', 'filters', 'score'     # the tasks that ask D


def weights(path, config):
    """Return {name: float32 array} of the weights that a checkpoint's sampler takes.

    With --ema these are the averages, under the names of the weights themselves. Raises
    UserError where the checkpoint is damaged.
    """
    prefix = AVERAGES if config.ema else ''
    names = [name for name in sorted(checkpoints.shapes(path))
             if name.startswith(prefix + 'generator/')]
    try:
        reader = tf.train.NewCheckpointReader(path)
        return {name[len(prefix):]: reader.get_tensor(name).astype(np.float32)
                for name in names}
    except checkpoints.DAMAGE as error:
        raise UserError('The checkpoint %s cannot be read: %s'
                        % (path, str(error).partition('\n')[0]))


def build(config, weights):
    """Return the model of the sampler alone, with {name: array} for its weights.

    Raises UserError where these are not those of the config's network.
    """
    try:
        return sampler_of(ARCHITECTURES[config.architecture], weights)(config)
    except ValueError as error:
        raise UserError('The checkpoint does not fit the model:\n  %s' % error)


def sampler_of(network, weights):
    """Return the class of a network that builds its sampler alone: no variable, no D.

    `weights`, {name: array}, are its constants. It takes z and y and gives
    `sampler_images`. Making it raises ValueError where a weight is missing or of
    another shape.
    """
    class Sampler(network):
        def build_model(self, inputs=None):
            c = self.config
            self.variables, self.averages = [], {}
            self.g_getter = getters.constants(weights)
            self.z = tf.placeholder(tf.float32, [None, c.z_dim], 'z')
            self.y = tf.placeholder(
                tf.float32, [None, c.y_dim], 'y') if c.y_dim else None
            self.sampler_images = tf.identity(
                self.generator(self.z, self.y, train=False), 'images')
    return Sampler


def has_D(path):
    """Tell whether a checkpoint holds D; that of the bundled network does not."""
    return any(name.startswith('discriminator/') for name in checkpoints.shapes(path))


def check(path, config):
    """Raise UserError where a task needs D, and the checkpoint holds G alone."""
    if config.task in OF_D and not has_D(path):
        raise UserError('--task %s asks D, and %s holds the generator alone, to draw '
                        'with. Train a run of your own: --dataset NAME --train.'
                        % (config.task, path))
