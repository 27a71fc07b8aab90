"""Write down what a TensorFlow makes of trained weights: losses, images, an update.

python tests/tf1/dump.py DATA_DIR OUT.npz RUN_FOLDER...
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))

import tensorflow.compat.v1 as tf  # noqa: E402

from dataset import batches  # noqa: E402
from model import DCGAN  # noqa: E402
from runs import (
    checkpoints,  # noqa: E402
    folders,  # noqa: E402
    sessions,  # noqa: E402
)
from settings.config import Config  # noqa: E402


def main(data_dir, out, *folders):
    """Write one file with the values of all runs."""
    values = {'version': tf.__version__}
    for folder in folders:
        with tf.Graph().as_default():
            for name, value in dump(data_dir, folder).items():
                values['%s/%s' % (os.path.basename(folder), name)] = value
    np.savez(out, **values)


def dump(data_dir, folder):
    """Return {name: array} of a run: losses, images, variables after one update.

    The checkpoint's Adam slots are restored too: fresh ones would turn a gradient of
    rounding noise into a step of the whole learning rate, in any weight.
    """
    config = Config.load(os.path.join(folder, folders.CONFIG)).replace(
        data_dir=data_dir)
    step, path = folders.latest(folder)
    data = batches.load(config)
    model = DCGAN(config)
    model.build_optimizers()
    rng = np.random.RandomState(0)
    chosen = np.arange(config.batch_size) * (len(data) // config.batch_size)
    feed = {model.images: batches.transform(data.images[chosen]),
            model.z: rng.standard_normal((config.batch_size, config.z_dim)),
            model.step: step}
    if config.conditional:
        # Of each label: maps of one label alone would be one more bias.
        feed[model.y] = batches.one_hot(data.labels[chosen], config.y_dim)
    values = {name: getattr(model, name) for name in (
        'd_loss_real', 'd_loss_fake', 'g_loss', 'G', 'sampler_images')}
    variables = tf.global_variables()
    with sessions.open_session(config) as sess:
        checkpoints.load(sess, checkpoints.make_saver(variables), variables, path)
        found = sess.run(values, feed)
        sess.run(dict(model.scalars, d_optim=model.d_optim, g_optim=model.g_optim),
                 feed)
        found.update(zip([v.op.name for v in model.variables],
                         sess.run(model.variables)))
    return found


if __name__ == '__main__':
    main(*sys.argv[1:])
