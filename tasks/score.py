"""Score: what D answers to pictures of one's own, --images, one by one.

The logit is D's answer as a number, and the probability, 1 / (1 + exp(-logit)), is how
sure D is that a picture is of the data and not drawn by this run's generator, as it was
at this step. Both compare pictures by one D. They do not tell how good or how rare a
picture is: a D that is well ahead of its G is sure of nearly every photograph, also of
kinds that it never saw, and after a perfect training it says 0.5 to all. The logits of
two runs, or of two steps of one, do not compare. Only --loss gan trains D to tell a
probability; of other losses there are logits alone.

A D that learned labels is asked with each of them, and answers for the one that it
takes the picture for most; with --label for that one. Batch norm goes by its moving
averages, so that a picture's answer does not depend on the others.
"""

import os

import numpy as np
from tqdm import tqdm

from dataset import packing
from dataset.cache import printable
from runs import sampling
from settings.errors import NotFoundError, UserError
from tasks import sample
from tasks.parts import d_features, given, latent
from tasks.parts.outputs import output_path, save_csv
from utils import atomic_write, evenly_spaced, transform

CHUNK = 256         # pictures in a run of the session
NAMED = 20          # files that cannot be used, at most, of which all are named


def main(config, run, path):
    """Write D's answers to --images as CSV; with --save_features its features too."""
    paths = named_files(config)
    with sampling.restored(config, path) as (sess, model):
        judge = Judge(sess, model)
        answers = list(ask(judge, paths, config))
        base = output_path(run, 'score')
        report(answers, config, base)
        say_own(judge, config)
    if config.save_features:
        print('features: %s' % save_features(answers, base + '.npz'))


def named_files(config):
    """Return the files of --images. Raises where none is named, or one is not there."""
    if config.save_features and config.architecture != 'dcgan':
        raise UserError('--save_features takes the maps of convolutions; the D of '
                        '--architecture %s has none.' % config.architecture)
    paths = given.files(config.images)
    missing = [path for path in paths if not os.path.exists(path)]
    if missing or not paths:
        raise NotFoundError(
            '--images %s: there is no such file.' % missing[0] if missing else
            '--task score needs --images: the pictures to score, or their folder.')
    return paths


class Judge:
    """D of a model, to be asked about images; `model` without labels is asked once."""

    def __init__(self, sess, model):
        self.sess, self.model = sess, model
        self.rows = sampling.label_rows(model.config)
        self.logits = model.discriminator(model.images, model.y, reuse=True,
                                          train=False)[1][:, 0]
        self.features = (d_features.build_features(model)
                         if model.config.save_features else None)

    def answer(self, images, y=None):
        """Return D's logits [N] of uint8 images, with labels y [N, y_dim]."""
        feed = {self.model.images: transform(images)}
        if y is not None:
            feed[self.model.y] = y
        return self.sess.run(self.logits, feed)

    def best(self, images):
        """Return D's logits [N] and the label rows [N] that they are for, the surest.

        Without labels all rows are -1.
        """
        if not len(self.rows):
            return self.answer(images), np.full(len(images), -1)
        logits = np.stack([self.answer(images, np.repeat(row[None], len(images), 0))
                           for row in self.rows])
        return logits.max(0), logits.argmax(0)

    def features_of(self, images):
        """Return D's features float32 [N, F] of uint8 images; None where none asked."""
        if self.features is None:
            return [None] * len(images)
        return self.sess.run(self.features, d_features.feed(self.model, images))


def ask(judge, paths, config):
    """Yield (file, logit, label row, features or None) of each file that can be used.

    A file is its path as text that can be printed. Those that cannot be used are named,
    with the reason. UserError where all are.
    """
    bad, waiting = [], []
    with packing.packed(paths, config) as results:
        bar = tqdm(results, 'scoring', len(paths), unit=' images', disable=None)
        for path, image in zip(map(printable, paths), bar):
            if isinstance(image, str):
                bad.append('  %s: %s' % (path, printable(image)))
            else:
                waiting.append((path, image))
            if len(waiting) == CHUNK:
                yield from ask_some(judge, waiting)
                waiting = []
    if len(bad) == len(paths):
        raise UserError('--images: none of %d can be used:\n%s'
                        % (len(bad), '\n'.join(bad[:NAMED])))
    if waiting:
        yield from ask_some(judge, waiting)
    if bad:
        print('warning: %d of %d images cannot be used and have no line:\n%s%s' % (
            len(bad), len(paths), '\n'.join(bad[:NAMED]), '\n  …' * (len(bad) > NAMED)))


def ask_some(judge, waiting):
    """Return what ask yields, of some (file, uint8 image)."""
    paths, images = zip(*waiting)
    images = np.stack(images)
    return zip(paths, *judge.best(images), judge.features_of(images))


def report(answers, config, base):
    """Write the CSV; print where it is, and the mean and the ends of the logits."""
    sure = config.loss == 'gan'
    names = [sample.name_of(y, config) for y in sampling.label_rows(config)]
    rows = [['file'] + ['label'] * bool(names) + ['logit'] + ['probability'] * sure]
    for path, logit, row, _ in answers:
        rows.append([path] + names[row:][:1] + ['%.6g' % logit]
                    + ['%.6g' % probability(logit)] * sure)
    print('table: %s' % save_csv(rows, base + '.csv'))
    logits = np.array([logit for _, logit, _, _ in answers])
    low, high = logits.argmin(), logits.argmax()
    print('logits of %d images: mean %.3f, from %.3f (%s) to %.3f (%s)' % (
        len(logits), logits.mean(), logits[low], answers[low][0], logits[high],
        answers[high][0]))
    if sure:
        print('D takes %d of them for real' % (logits > 0).sum())
    else:
        print('note: D of --loss %s tells no probability' % config.loss)


def probability(logit):
    """Return 1 / (1 + exp(-logit)), without an overflow."""
    return 0.5 + 0.5 * np.tanh(logit / 2)


def say_own(judge, config):
    """Print D's mean logit of the run's own samples, to compare with."""
    inputs = latent.sheet_inputs(judge.sess, config,
                                 evenly_spaced(config.sheet_size, CHUNK))
    images = sampling.draw(judge.sess, judge.model, *inputs)
    logits = judge.sess.run(judge.logits, dict(
        [(judge.model.images, images)]
        + [(judge.model.y, inputs.y)] * (judge.model.y is not None)))
    print('to compare: %d samples of the run itself: mean %.3f'
          % (len(logits), logits.mean()))


def save_features(answers, path):
    """Write D's features [N, F], with the names of the files; return the path."""
    names, logits, _, features = zip(*answers)
    with atomic_write(path) as file:
        np.savez(file, features=np.stack(features), names=np.array(names),
                 logits=np.array(logits))
    return path
