"""Make the network that comes with the program, data/toonfaces/network, of a run.

python bench/bundle_network.py RUN_FOLDER --checkpoint best --trained_by "COMMAND"

Of the checkpoint it takes what the sampler draws with, stored in half precision, and
nothing of D: so samples differ from the run's own by a gray level at most. Run it again
with another run, and the network is exchanged.
"""

import argparse
import glob
import os
import pathlib
import shutil
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import tensorflow.compat.v1 as tf  # noqa: E402

from dataset import catalog  # noqa: E402
from runs import checkpoints, folders, generator, origin, start  # noqa: E402
from settings.config import Config  # noqa: E402
from settings.flags import CALL, FREE, fields  # noqa: E402

MOST = 3_000_000    # bytes


def main(words):
    """Write the folder anew; say how large it is."""
    options = parse(words)
    run = folders.Run('', options.run, '')
    step, path = folders.chosen(run, options.checkpoint)
    config = Config.load(run.config_path)
    weights = generator.weights(path, config)
    size = sum(value.nbytes for value in weights.values()) // 2
    if size > MOST:
        sys.exit('its weights are %d bytes in half precision; expected at most %d: '
                 'take a smaller --gf_dim' % (size, MOST))
    shutil.rmtree(options.out, ignore_errors=True)
    save(weights, generator.AVERAGES if config.ema else '', options.out, step)
    as_bundled(config).save(os.path.join(options.out, folders.CONFIG))
    with open(os.path.join(options.out, start.TRAINED_BY), 'w') as file:
        file.write(options.trained_by + '\n')
    print('%s: step %d of %s, %d bytes' % (options.out, step, options.run, sum(
        map(os.path.getsize, glob.glob(os.path.join(options.out, '*'))))))


def parse(words):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('run', help='folder of the run: its config.json, checkpoints')
    parser.add_argument('--checkpoint', help='best or a step; by default the newest')
    parser.add_argument('--trained_by', required=True, help='the command, to be shown')
    parser.add_argument('--out', default=start.bundled_folder())
    return parser.parse_args(words)


def save(weights, prefix, folder, step):
    """Write {name: array} as a checkpoint of float16."""
    with tf.Graph().as_default(), tf.Session() as sess:
        variables = [tf.get_variable(
            prefix + name, value.shape, tf.float16, tf.zeros_initializer())
            for name, value in sorted(weights.items())]
        sess.run([v.initializer for v in variables], {
            v.initializer.inputs[1]: weights[v.op.name[len(prefix):]].astype(np.float16)
            for v in variables})
        checkpoints.save(sess, checkpoints.make_saver(variables), folder, step)
    os.remove(os.path.join(folder, folders.STATE))     # it is not needed


def as_bundled(config):
    """Return the Config of a run as that of the bundled faces, whatever they lay in."""
    values = {f.name: f.default for f in fields()
              if f in fields(CALL, FREE) or f.name in origin.OF_DATA}
    return config.replace(**dict(values, dataset=catalog.BUNDLED, pictures=None,
                                 origin=None, from_=None))


if __name__ == '__main__':
    main(sys.argv[1:])
