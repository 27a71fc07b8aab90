"""This program's training step, the one that main.py runs, as a side for turns.

python bench/speed/step.py KERNEL PRECISION G_STEPS
"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import flops
import numpy as np
import turns

from dataset.batches import Dataset
from runs.folders import Run
from settings.config import Config
from train import Trainer

BATCH = 64


def main(kernel, precision, g_steps):
    """Serve training steps on random images, 64 x 64 x 3, batch 64."""
    out = turns.keep_stdout()
    config = Config.make(dict(kernel_size=int(kernel), precision=precision,
                              g_steps=int(g_steps), batch_size=BATCH,
                              gf_dim=64, df_dim=64, ema=0, augment='none'), {})
    images = np.random.default_rng(0).integers(0, 256, (2048, 64, 64, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, Run('bench', folder, folder), Dataset(images))
        model, done = trainer.model, [0]

        few = dict(trainer.feed(0))
        few[model.images] = few[model.images][:2]

        def mflop(*fetches):
            return flops.count(trainer.sess, fetches, few) / 2 / 1e6
        each = mflop(model.d_optim, model.g_optim)
        each += (config.g_steps - 1) * mflop(model.g_optim)

        def run(steps):
            for _ in range(steps):
                trainer.train_step(done[0])
                done[0] += 1

        turns.serve(run, BATCH, out, MFLOP_an_image=each,
                    passes=round(each / mflop(model.D_logits)))
        trainer.close()


if __name__ == '__main__':
    main(*sys.argv[1:])
