"""This program's training loop on a GPU, as a side of card.py.

python bench/speed/card_ours.py [flags of main.py]

The loop is Trainer.train itself, with history, guard and summaries; only sheets and
checkpoints are left out. The images are random.
"""

import os
import pathlib
import sys
import tempfile
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import numpy as np
import tensorflow.compat.v1 as tf

from bench import turns
from bench.speed import flops
from dataset.batches import Dataset
from runs import sessions
from runs.folders import Run
from settings import parser
from settings.config import Config
from train import Trainer

IMAGES = 4096
WARM_UP = 200       # steps


def timed(sess):
    """Let a session add up the seconds within its run; return where they stand."""
    spent, run = [0.0], sess.run

    def timed_run(*arguments, **options):
        began = time.perf_counter()
        try:
            return run(*arguments, **options)
        finally:
            spent[0] += time.perf_counter() - began
    sess.run = timed_run
    return spent


def flop_of_a_step(trainer):
    """Return the FLOP of a step for one image, from the shapes in the graph."""
    model, c = trainer.model, trainer.config
    fetches = [tf.nest.flatten(model.updates)] + [[model.d_optim]] * (c.d_steps - 1)
    if c.updates == 'together':
        fetches += [[model.g_optim]] * (c.g_steps - 1)
    return sum(flops.count_static(fetch, c.batch_size) for fetch in fetches) / (
        c.batch_size * c.d_steps)


def main(words):
    """Serve steps of the training loop with these flags."""
    out = turns.keep_stdout()
    config = Config.make(dict(parser.parse_flags(words), train=True), {})
    config = sessions.at_hand(config, {'precision'})
    images = np.random.default_rng(0).integers(
        0, 256, (IMAGES, config.output_height, config.output_width, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, Run('bench', folder, folder), Dataset(images))
        trainer.save = trainer.sample = lambda *arguments: None
        spent, trainer.total = timed(trainer.sess), 0

        def run(steps):
            spent[0] = 0.0
            trainer.start, trainer.total = trainer.total, trainer.total + steps
            trainer.train(types.SimpleNamespace(status=0))
        serve(run, spent, trainer, out)
        trainer.close()


def serve(run, spent, trainer, out):
    """Serve as turns.serve does; tell also which share was spent in session.run."""
    c, steps = trainer.config, trainer.steps
    run(WARM_UP)
    turns.answer(out, {
        'ready': True, 'MFLOP_an_image': flop_of_a_step(trainer) / 1e6,
        'pictures': type(steps.source).__name__ if steps else 'one step a run'})
    for line in sys.stdin:
        began = time.perf_counter()
        run(int(line))
        took = time.perf_counter() - began
        turns.answer(out, {'seconds': took, 'in_run': spent[0] / took, 'images_per_s':
                           int(line) * c.batch_size * c.d_steps / took})


if __name__ == '__main__':
    main(sys.argv[1:])
