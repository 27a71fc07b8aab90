"""The guard: notices that training has died, and says so once, with what to try.

No TensorFlow. Runs that really died, what they saw of this, and how they recovered:
docs/when-training-dies.md.
"""

import os

import numpy as np
from tqdm import tqdm

from utils import transform

WINDOW = 300        # steps in a row that losses and accuracies are judged by
RIGHT = 0.999       # D has won where it is right on so many of either half
STILL = 1e-3        # losses stand still within so much of 1 + their mean
ALIKE = 0.1         # samples differ by less than so much of what the data do
WEIGHTS_EVERY = 10  # steps from one look at the weights to the next
COLUMNS = ('d_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake')

MESSAGES = {
    'won': 'D',
    'still': 'losses',
    'alike': 'samples',
}


class Diverged(Exception):
    """Losses or weights are no longer numbers; the last checkpoint is from before."""


def check_finite(values, step):
    """Raise Diverged where a value is NaN or infinite, before anything is saved."""
    wrong = ['%s is %s' % item for item in values.items()
             if not np.isfinite(item[1]).all()]
    if wrong:
        raise Diverged(
            'step %d: %s. The last checkpoint is from before and untouched; try a '
            'smaller --learning_rate in a run of another --name.'
            % (step, ', '.join(wrong)))


class Guard:
    """Watches a run in training; each kind of death is told once."""

    def __init__(self, config, run, data, echo=tqdm.write):
        self.config, self.data, self.echo = config, data, echo
        self.path = os.path.join(run.checkpoint_dir, 'warnings.txt')
        self.recent = np.full((WINDOW, len(COLUMNS)), np.nan)   # not judged until full
        self.said = set()

    def watch(self, values, step):
        """Judge a step by its losses and accuracies; raise Diverged at a NaN."""
        check_finite(values, step)
        self.recent[step % WINDOW] = [values[name] for name in COLUMNS]
        if won(self.recent[:, 3:]) and self.config.loss != 'wgan':
            self.say('won', step)
        if still(self.recent[:, :3]):
            self.say('still', step)

    def look(self, images, step):
        """Judge a sheet's images, float32 [N, H, W, C], beside as many of the data."""
        ratio = difference(images) / difference(self.some_data(len(images)))
        self.echo('step %d ratio %.4f' % (step, ratio))
        if ratio < ALIKE:
            self.say('alike', step)

    def some_data(self, count):
        """Return up to `count` images of the data set, evenly chosen."""
        images = self.data.images
        chosen = np.unique(np.linspace(0, len(images) - 1, count, dtype=int))
        return transform(images[chosen])

    def say(self, kind, step):
        """Print what is wrong, once, and keep it beside the run."""
        if kind in self.said:
            return
        self.said.add(kind)
        text = 'warning: step %d: %s' % (step, MESSAGES[kind])
        self.echo(text)
        with open(self.path, 'a', encoding='utf-8') as file:
            file.write(text + '\n')


def won(accuracies):
    """Tell whether D was right on everything, real and generated [steps, 2]."""
    return (accuracies.mean(axis=0) >= RIGHT).all()


def still(losses):
    """Tell whether all losses [steps, kinds] stood still."""
    return (np.ptp(losses, axis=0) <= STILL * (1 + abs(losses.mean(axis=0)))).all()


def difference(images, most=256):
    """Return the median distance of an image [N, H, W, C] to the nearest other one.

    So a few pictures that come again and again are as much alike as a single one.
    """
    images = images[np.linspace(0, len(images) - 1, min(most, len(images)), dtype=int)]
    flat = images.reshape(len(images), -1).astype(np.float64)
    squares = (flat ** 2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(max(0, np.median(distances.min(axis=1))))
