"""Measure the sampler against PyTorch's generator at several batch sizes, in turn.

python bench/speed/sampling.py [--rounds 5] [--seconds 3]; `make bench` sets up PyTorch.
"""

import argparse
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

from bench import turns

BATCHES = (1, 16, 64, 256)


def serve_ours(batch):
    """Serve batches as the task sample draws them, at the default width."""
    out = turns.keep_stdout()
    import numpy as np
    import tensorflow.compat.v1 as tf

    from model import DCGAN
    from runs import sampling, sessions
    from settings.config import Config
    config = Config.make(dict(gf_dim=64, df_dim=64, ema=0, precision='float32'), {})
    model = DCGAN(config)
    sampling.CHUNK = batch
    z = np.random.default_rng(0).standard_normal((12 * batch, config.z_dim), np.float32)
    with sessions.open_session(config) as sess:
        sess.run(tf.global_variables_initializer())

        def run(steps):
            for _ in range(steps):
                for images in sampling.draw_batches(sess, model, z, None):
                    assert len(images) == batch
        turns.serve(run, len(z), out, warm_up=1)


def serve_torch(batch):
    """Serve batches from PyTorch's generator, compiled, in evaluation mode."""
    out = turns.keep_stdout()
    import torch

    from bench.peers.torch_dcgan import Z, generator
    G = generator().eval().to(memory_format=torch.channels_last)
    G = torch.compile(G)
    z = torch.randn(batch, Z, 1, 1)

    def run(steps):
        with torch.inference_mode():
            for _ in range(steps):
                G(z)
    turns.serve(run, batch, out)


def main():
    """Run all sides in turn; print a table and the ratio of the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=3)
    parser.add_argument('--serve', nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        {'ours': serve_ours, 'torch': serve_torch}[options.serve[0]](
            int(options.serve[1]))
        return
    sides = {}
    with tempfile.TemporaryDirectory() as folder:
        for who, interpreter in (('ours', sys.executable), ('torch', turns.TORCH)):
            for batch in BATCHES:
                name = '%s %d' % (who, batch)
                sides[name] = [interpreter, os.path.abspath(__file__), '--serve', who,
                               str(batch)], {}
        sides = turns.start(sides, folder)
        turns.measure(sides, options.rounds, options.seconds)
    print('| batch | ours, images/s | PyTorch compiled, images/s |')
    print('| --- | --- | --- |')
    for batch in BATCHES:
        print('| %d | %.0f | %.0f |' % (batch, sides['ours %d' % batch].median(),
                                        sides['torch %d' % batch].median()))
    best = [max((side for side in sides.values() if side.name.startswith(who)),
                key=turns.Side.median) for who in ('ours', 'torch')]
    print('\nbest of each: %s over %s: %.2f (at least 1.3)'
          % (best[0].name, best[1].name, turns.ratio(*best)))
    for side in sides.values():
        side.close()


if __name__ == '__main__':
    main()
