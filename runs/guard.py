"""The guard: notices that training has died, and says so once, with what to try.

No TensorFlow. Runs that really died, what they saw of this, and how they recovered:
docs/when-training-dies.md.
"""

import os

import numpy as np
from tqdm import tqdm

from utils import evenly_spaced, naming, transform

WINDOW = 500        # the last steps, by whose losses and accuracies we judge
RIGHT = 0.999       # D has won: right on this share of real and of generated images
STILL = 0.01        # the losses stand still: their deviation / (1 + mean) is below
ALIKE = 0.1         # G has collapsed: samples differ this much less than the data
COMPARED = 64       # samples, and images of the data, that are compared
OFTEN = 10          # steps between two such judgements; where each step is a run, also
                    # between two looks at the weights
COLUMNS = ('d_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake')

DEFAULTS = ('Try the default learning rates and --beta1, by leaving them out (with '
            '--optimizer sgd --learning_rate 0.01), in a run of another --name. ')
MORE = 'More: docs/when-training-dies.md'
MESSAGES = {
    'won': 'D was right on nearly all images, real and generated, for {steps} steps: '
           'it has won, and G hardly learns from it any more. ' + DEFAULTS +
           'Where they are in force, G is too narrow beside D: try a larger --gf_dim '
           'or a smaller --df_dim. ',
    'still': 'the losses have stood still for {steps} steps: the networks no longer '
             'learn from each other. ' + DEFAULTS +
             'With --g_steps above 1, try 1. ',
    'alike': 'the samples are nearly all alike, whatever their z: G has collapsed. '
             + DEFAULTS,
}
NAMED = 3           # of the variables with NaN, the message names so many


class Diverged(Exception):
    """Losses or weights are no longer numbers; the last checkpoint is from before."""


def check_finite(values, step):
    """Raise Diverged where a value is NaN or infinite, before anything is saved."""
    wrong = ['%s is %s' % item for item in values.items()
             if not np.isfinite(item[1]).all()]
    if wrong:
        raise Diverged(message(step, ', '.join(wrong)))


def check_variables(names, finite, step):
    """Raise Diverged, with the names of some, where not all variables are `finite`."""
    wrong = [name for name, fine in zip(names, finite) if not fine]
    if wrong:
        raise Diverged(message(step, 'NaN or infinity in %s%s' % (
            ', '.join(wrong[:NAMED]), ' and %d more of %d variables'
            % (len(wrong) - NAMED, len(names)) if len(wrong) > NAMED else '')))


def message(step, what):
    """Return what to say of a run that has diverged."""
    return ('step %d: %s. None of it is saved; a checkpoint from before is as it was. '
            'Try a smaller --learning_rate in a run of another --name; with --from '
            'RUN@STEP it begins at a checkpoint from before. %s'
            % (step, what, MORE))


class Guard:
    """Watches a run in training, and says each kind of death once."""

    def __init__(self, config, run, data, echo=tqdm.write):
        self.config, self.data, self.echo = config, data, echo
        self.path = os.path.join(run.checkpoint_dir, 'warnings.txt')
        self.recent = np.full((WINDOW, len(COLUMNS)), np.nan)   # not judged until full
        self.said = set()       # also before the run was resumed
        if os.path.exists(self.path):
            with open(self.path, encoding='utf-8', errors='replace') as file:
                before = file.read()
            self.said = {kind for kind, text in MESSAGES.items() if text[:20] in before}

    def recall(self, rows):
        """Take up the last steps of a history, as history.read returns it."""
        for index, step in list(enumerate(rows['step']))[-WINDOW:]:
            self.recent[int(step) % WINDOW] = [rows[name][index] for name in COLUMNS]

    def watch(self, values, step):
        """Judge a step by its losses and accuracies; raise Diverged at a NaN."""
        check_finite(values, step)
        self.recent[step % WINDOW] = [values[name] for name in COLUMNS]
        # a critic's answers have neither sign nor scale
        if step % OFTEN or self.config.loss == 'wgan':
            return
        if won(self.recent[:, 3:]):
            self.say('won', step)
        if still(self.recent[:, :3]):
            self.say('still', step)

    def look(self, images, step):
        """Judge a sheet's images, float32 [N, H, W, C], beside as many of the data."""
        if np.isnan(self.recent).any():     # too early: G has hardly begun
            return
        images = images[evenly_spaced(len(images), COMPARED)]
        data = self.data.images
        data = transform(data[evenly_spaced(len(data), len(images))])
        if difference(images) < ALIKE * difference(data):
            self.say('alike', step)

    def say(self, kind, step):
        """Print what is wrong, once, and keep it beside the run."""
        if kind in self.said:
            return
        self.said.add(kind)
        text = 'warning: step %d: %s%s' % (
            step, MESSAGES[kind].format(steps=WINDOW), MORE)
        self.echo(text)
        with naming(self.path), open(self.path, 'a', encoding='utf-8') as file:
            file.write(text + '\n')


def won(accuracies):
    """Tell whether D was right on nearly all, real and generated: [steps, 2]."""
    return (accuracies.mean(axis=0) >= RIGHT).all()


def still(losses):
    """Tell whether all losses [steps, kinds] stood still."""
    return (losses.std(axis=0) <= STILL * (1 + abs(losses.mean(axis=0)))).all()


def difference(images):
    """Return the median distance of an image [N, H, W, C] to its nearest neighbour.

    The nearest, so that a few pictures, each drawn many times, count as alike too. NaN
    for a single image.
    """
    if len(images) < 2:
        return np.nan
    flat = images.reshape(len(images), -1).astype(np.float32)
    squares = (flat ** 2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * flat.dot(flat.T)
    np.fill_diagonal(distances, np.inf)
    return np.median(np.sqrt(np.maximum(distances.min(axis=1), 0)))
