"""Runs of tiny networks that were never trained, saved as training saves them."""

import tensorflow.compat.v1 as tf

from model import DCGAN
from runs import checkpoints, folders, sessions
from settings.config import Config

CONTRAST = 10       # the weights times this, so that the images are not all gray


def save(root, name, classes=()):
    """Save the checkpoint of a run `name` of data set flat in a folder."""
    config = Config.make(dict(
        output_height=16, gf_dim=4, df_dim=4, z_dim=8, ema=0, name=name, dataset='flat',
        checkpoint_dir=str(root), conditional=bool(classes), classes=classes), {})
    with tf.Graph().as_default(), sessions.open_session(config) as sess:
        tf.set_random_seed(0)
        run, model = folders.at(config), DCGAN(config)
        folders.make_folder(run.checkpoint_dir)
        config.save(run.config_path)
        sess.run(tf.variables_initializer(model.variables))
        sess.run([v.assign(CONTRAST * v) for v in model.g_vars
                  if v.op.name.split('/')[-1] in ('w', 'Matrix')])
        checkpoints.save(sess, checkpoints.make_saver(model.variables),
                         run.checkpoint_dir, 1)
