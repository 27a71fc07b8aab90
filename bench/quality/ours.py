"""This program as main.py trains it, as a side of bench/quality/race.py.

python bench/quality/ours.py serve FOLDER FLAGS    serve steps of its loop to turns
python bench/quality/ours.py train FLAGS           train by these flags of main.py
python bench/quality/ours.py draw RUN_FOLDER STEP NUM SEED FILE    draw samples

The loop served is Trainer.train itself: batches, history, guard, summaries; only its
sheets and checkpoints, which belong to the milestones here, are left out.
"""

import os
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import numpy as np

import main as program
from bench import turns
from dataset import batches, catalog
from runs.folders import Run, chosen
from settings import parser
from settings.config import Config
from utils import atomic_write, inverse_transform


def make_config(flags):
    """Return the Config that main.py makes of these flags."""
    given = parser.parse_flags(flags)
    return Config.make(given, catalog.defaults(given['dataset']))


def serve(folder, *flags):
    """Serve steps of the training loop."""
    out, config = turns.keep_stdout(), make_config(flags)
    data = batches.load(config)
    trainer = program.start_tensorflow('train').Trainer(
        config, Run('speed', folder, folder), data)
    trainer.save = trainer.sample = lambda *arguments: None
    trainer.total = 0

    def run(steps):
        trainer.start, trainer.total = trainer.total, trainer.total + steps
        trainer.train(types.SimpleNamespace(status=0))
    images = trainer.record.images_per_step
    turns.serve(run, images, out, images_a_step=images)
    trainer.close()


def train(*flags):
    """Train as main.py does; but every seed on the same images of --train_size."""
    from runs import start
    config, given = start.complete(list(flags))
    sys.exit(program.train(config.replace(chosen_by=Config.seed), given))


def draw(folder, step, num, seed, path):
    """Write samples of the checkpoint of a step: uint8 [num, H, W, C], by z of seed."""
    run = Run(os.path.basename(folder), folder, folder)
    config = Config.load(run.config_path).replace(num_samples=int(num), seed=int(seed),
                                                  train=False)
    sample = program.start_tensorflow('runs.sampling')
    _, checkpoint = chosen(run, step)
    with sample.restored(config, checkpoint) as (sess, model):
        images = sample.draw(sess, model, sess.run(sample.fixed_z(config)),
                             sample.make_labels(int(num), config))
    with atomic_write(path) as file:
        np.save(file, inverse_transform(images))


if __name__ == '__main__':
    {'serve': serve, 'train': train, 'draw': draw}[sys.argv[1]](*sys.argv[2:])
