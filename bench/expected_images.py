"""Write what a run's own sampler draws of some z and y, to compare exported files with.

PYTHON bench/expected_images.py RUN_FOLDER OUT.npz      see read_export.py

For any Python from 3.7 and TensorFlow from 1.15.
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['CUDA_VISIBLE_DEVICES'] = '-1'

import tensorflow.compat.v1 as tf  # noqa: E402

from runs import folders, sampling  # noqa: E402
from settings.config import Config  # noqa: E402

IMAGES = 32


def main(run_folder, out):
    """Draw with the newest checkpoint, in float32."""
    config = Config.load(os.path.join(run_folder, folders.CONFIG)).replace(
        precision='float32')
    rng = np.random.RandomState(0)
    feed = {'z': rng.randn(IMAGES, config.z_dim).astype('f')}
    if config.y_dim:
        y = np.eye(config.y_dim)[rng.randint(config.y_dim, size=IMAGES)]
        feed['y'] = (2 * y - 1 if config.attributes else y).astype('f')
    with tf.Graph().as_default(), sampling.restored(
            config, folders.latest(run_folder)[1]) as (sess, model):
        images = sess.run(model.sampler_images, {
            getattr(model, name): value for name, value in feed.items()})
    np.savez(out, images=images, **feed)


if __name__ == '__main__':
    main(*sys.argv[1:])
