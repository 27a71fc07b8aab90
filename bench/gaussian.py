"""Train the Gaussian GAN with many seeds: how often is it right, and how far off?

python bench/gaussian.py [--seeds 10] [flags of main.py, as --flagfile FILE]

A line a seed: D's accuracy after each of the last three epochs; mean and covariance of
100,000 generated points; how far the mean is off at most, and the covariance in per
cent of the target's entry. Below, how many seeds keep the accuracy within 43 to 57 % in
all three epochs, and how many have the mean within 0.1 and the covariance within 15 %.
"""

import argparse
import contextlib
import io
import pathlib
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import main
from dataset import catalog
from runs import folders, history
from settings import parser
from settings.config import Config
from settings.errors import UserError

LAST = 3                # epochs that are judged
ACCURACY = 0.43, 0.57
MEAN, COVARIANCE = 0.1, 0.15


def train(flags, seed, folder):
    """Train one seed; return D's accuracies after each epoch and generated points."""
    toy = main.start_tensorflow('toy')
    given = parser.parse_flags(['--dataset', 'gaussian', *flags, '--train',
                              '--seed', str(seed), '--checkpoint_dir', folder])
    config = Config.make(given, catalog.defaults('gaussian'))
    run = folders.at(config, 'seed%d' % seed)
    with toy.tf.Graph().as_default(), toy.opened(config, run) as trainer, \
            contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
        return toy.accuracy(history.read(run.history_path)), trainer.generate()


def errors(G):
    """Return how far the mean is off at most, and the covariance as a share."""
    import toy
    mean, covariance = toy.statistics(G)
    return (np.abs(mean - toy.MEAN).max(),
            np.abs(covariance / toy.COVARIANCE - 1).max())


def is_level(accuracies):
    """Tell whether D's accuracy was near 50 % in each of the last epochs."""
    return all(ACCURACY[0] <= value <= ACCURACY[1] for value in accuracies[-LAST:])


def is_sharp(G):
    """Tell whether mean and covariance of generated points are near the target's."""
    mean, covariance = errors(G)
    return bool(mean <= MEAN and covariance <= COVARIANCE)


def line(seed, accuracies, G):
    """Return the line of a seed."""
    import toy
    mean, covariance = toy.statistics(G)
    numbers = [covariance[0, 0], covariance[0, 1], covariance[1, 1]]
    off = errors(G)
    return '%4d   %s   %s   %s   %5.2f %5.0f%%  %s %s' % (
        seed, ' '.join('%4.1f' % (100 * a) for a in accuracies[-LAST:]),
        ' '.join('%6.3f' % x for x in mean), ' '.join('%6.3f' % x for x in numbers),
        off[0], 100 * off[1], 'level' if is_level(accuracies) else '-----',
        'sharp' if is_sharp(G) else '-----')


def report(seeds, flags):
    """Train all seeds and print the table."""
    print('seed   accuracy %       mean            covariance             off by')
    level = sharp = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            accuracies, G = train(flags, seed, folder)
            level, sharp = level + is_level(accuracies), sharp + is_sharp(G)
            print(line(seed, accuracies, G), flush=True)
    print('accuracy within %.0f to %.0f %% in each of the last %d epochs: %d of %d'
          % (100 * ACCURACY[0], 100 * ACCURACY[1], LAST, level, seeds))
    print('mean within %.1f and covariance within %.0f %%: %d of %d'
          % (MEAN, 100 * COVARIANCE, sharp, seeds))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seeds', type=int, default=10)
    arguments, rest = parser.parse_known_args()
    try:
        report(arguments.seeds, rest)
    except UserError as error:
        sys.exit('error: %s' % error)
