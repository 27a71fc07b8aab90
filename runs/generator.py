"""The generator alone: drawing by its weights, without D and what else training needs.

So does whoever exports a network, and who draws by a checkpoint that holds no D.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from model import ARCHITECTURES
from runs import checkpoints
from settings.errors import UserError

AVERAGES = 'ema/'
OF_D = 'complete', 'classify', 'filters', 'score'     # the tasks that ask D


def weights(path, config):
    """Return {name: float32 array} of the weights that a checkpoint's sampler takes.

    They are the averages, of a run with --ema, by the names of the variables that they
    are averages of. Raises UserError where the checkpoint is damaged.
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
        return ARCHITECTURES[config.architecture](config, weights=weights)
    except ValueError as error:
        raise UserError('The checkpoint does not fit the model:\n  %s' % error)


def has_D(path):
    """Tell whether a checkpoint holds D; that of the bundled network does not."""
    return any(name.startswith('discriminator/') for name in checkpoints.shapes(path))


def check(path, config):
    """Raise UserError where a task needs D, and the checkpoint holds G alone."""
    if config.task in OF_D and not has_D(path):
        raise UserError('--task %s asks D, and %s holds the generator alone, to draw '
                        'with. Train a run of your own: --dataset NAME --train.'
                        % (config.task, path))
