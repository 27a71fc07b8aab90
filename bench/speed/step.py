"""This program's training step, the one that main.py runs, as a side for turns.

python bench/speed/step.py [flags of main.py]

The images are random, 64 x 64 x 3.
"""

import itertools
import os
import pathlib
import sys
import tempfile
from concurrent import futures
from multiprocessing import get_context

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import numpy as np
import tensorflow.compat.v1 as tf

from bench import turns
from bench.speed import flops
from dataset.batches import Dataset
from graph import convolution
from runs import large_pages
from runs.folders import Run
from settings import parser
from settings.config import Config
from train import Trainer


def make_trainer(words, folder):
    """Return a Trainer with these flags, on random images."""
    config = Config.make(dict(parser.parse_flags(words), train=True), {})
    images = np.random.default_rng(0).integers(0, 256, (2048, 64, 64, 3), np.uint8)
    return Trainer(config, Run('bench', folder, folder), Dataset(images))


def count_flops(words, folder):
    """Return the FLOPs of a step and of D forward, for one image.

    All convolutions count as plain ones, also those that are done by fewer products.
    """
    with convolution.plain():
        trainer = make_trainer(words, folder)
        model, feed, sess = trainer.model, dict(trainer.feed(0)), trainer.sess
        feed[model.images] = feed[model.images][:2]
        fetches = [tf.nest.flatten(model.updates)]
        if trainer.config.updates == 'together':
            fetches += [[model.g_optim]] * (trainer.config.g_steps - 1)
        return (sum(flops.count(sess, fetch, feed) / 2 for fetch in fetches),
                flops.count(sess, [model.D_logits], feed) / 2)


def main(words):
    """Serve training steps with these flags."""
    out = turns.keep_stdout()
    with tempfile.TemporaryDirectory() as folder:
        # Apart, so that its memory does not count
        with futures.ProcessPoolExecutor(1, get_context('spawn')) as pool:
            step, D = pool.submit(count_flops, words, folder).result()
        trainer = make_trainer(words, folder)
        done = itertools.count()

        def run(steps):
            for _ in range(steps):
                trainer.train_step(next(done))

        run(5)
        large_pages.take()      # as a training does once it goes on
        turns.serve(run, trainer.config.batch_size, out, MFLOP_an_image=step / 1e6,
                    passes=round(step / D))
        trainer.close()


if __name__ == '__main__':
    main(sys.argv[1:])
