"""Measure two workers of one thread each beside one worker of one thread, in turn.

python bench/speed/workers.py [--rounds 5] [--seconds 10] [flags of main.py]

Each worker has a core of its own, as with --workers on two cores.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

from bench import turns
from workers import cluster, launch

HERE = str(pathlib.Path(__file__).resolve())
USUAL = ['--threads', '1', '--precision', 'float32', '--ckpt_freq', '1000000000',
         '--sample_freq', '1000000000', '--epoch', '1000000']


def serve(words):
    """Train as a side for turns; of two workers the first one starts the other."""
    out = turns.keep_stdout()
    together = cluster.find(os.environ, {})
    other = None
    if together and together.rank == 0:
        other = start_other(words)
    cores = launch.share_cores(2)[together.rank if together else 0]
    if cores:
        os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as folder:
        trainer, done = make_trainer(words, folder, together), itertools.count()
        if together and together.rank:
            while True:     # it follows the first one's steps, until that one ends
                trainer.train_step(next(done))

        def run(steps):
            for _ in range(steps):
                trainer.train_step(next(done))
        turns.serve(run, trainer.config.batch_size * trainer.config.workers, out)
    if other:
        other.kill()
        other.wait()
    os._exit(0)


def start_other(words):
    """Return the process of the second worker."""
    config = json.loads(os.environ['TF_CONFIG'])
    config['task']['index'] = 1
    return subprocess.Popen([sys.executable, HERE, '--serve', *words],
                            stdout=subprocess.DEVNULL,
                            env=dict(os.environ, TF_CONFIG=json.dumps(config)))


def make_trainer(words, folder, together):
    """Return the trainer of this process, on random images."""
    import numpy as np

    import train
    from dataset.batches import Dataset
    from runs.folders import Run
    from settings import parser
    from settings.config import Config
    from workers.team import Team
    from workers.training import Member

    config = Config.make(dict(parser.parse_flags(USUAL + words), train=True), {})
    images = np.random.default_rng(0).integers(0, 256, (2048, 64, 64, 3), np.uint8)
    run = Run('bench', folder, folder)
    if not together:
        return train.Trainer(config, run, Dataset(images))
    config = config.replace(workers=together.size)
    trainer = Member(Team(together, config), config, run, Dataset(images))
    trainer.stop = types.SimpleNamespace(status=0)
    return trainer


def main(words):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=10)
    options, words = parser.parse_known_args(words)
    ports = launch.free_ports(2)
    two = json.dumps({'cluster': {'worker': ['127.0.0.1:%d' % port for port in ports]},
                      'task': {'type': 'worker', 'index': 0}})
    command = [sys.executable, HERE, '--serve', *words]
    with tempfile.TemporaryDirectory() as folder:
        sides = turns.start({
            'one worker': (command, {}),
            'two workers': (['env', 'TF_CONFIG=' + two] + command, {})}, folder)
        turns.measure(sides, options.rounds, options.seconds)
        for name, side in sides.items():
            print('%s: %.1f images/s, rounds %s' % (name, side.median(), ', '.join(
                '%.1f' % r['images_per_s'] for r in side.rounds)))
        print('two workers over one: %.2f (at least 1.7)'
              % turns.ratio(sides['two workers'], sides['one worker']))
        for side in sides.values():
            side.close()


if __name__ == '__main__':
    if sys.argv[1:2] == ['--serve']:
        serve(sys.argv[2:])
    main(sys.argv[1:])
