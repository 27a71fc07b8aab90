"""Judging a generator: which images are compared, and what training keeps of it.

Samples and real images are functions of (seed, N) alone: --task evaluate, with as many,
finds the numbers that training found.
"""

import json
import os

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from metrics import extractors
from metrics.frechet import frechet_distance
from metrics.judge import Described, fd_name
from metrics.kid import kid
from metrics.moments import Moments
from runs import checkpoints, folders, sampling, sessions
from settings.errors import UserError
from utils import atomic_write, transform

JUDGED = -2     # keys the z of judged samples; a sheet's is -1, a step's 0 or more
ORDER, LABELS, NOISE = 1, 2, 3      # what is drawn at random
BLOCK = 256     # real images at a time


# --- the images --------------------------------------------------------------

def rng(config, which):
    """Return a generator of random numbers of its own; a batch has [seed, epoch]."""
    return np.random.default_rng([config.seed, 2 ** 32, which])


def make_extractor(config):
    """Return the extractor of --features, which leaves the default graph as it is."""
    with tf.Graph().as_default():
        return extractors.make(config)


def judged_z(config, num):
    """Return the z of `num` samples, float32 [num, z_dim].

    From a graph of its own, so that training's stays as it is.
    """
    with tf.Graph().as_default(), sessions.open_session(config) as sess:
        return sess.run(sampling.keyed_z(config, num, JUDGED))


def judged_y(config, data, num):
    """Return the y of `num` samples, float32 [num, y_dim], None without labels.

    They are those of training images drawn at random: in the data's proportions, and
    attributes together as they are found.
    """
    if not config.y_dim:
        return None
    return data.y(rng(config, LABELS).integers(len(data), size=num))


def order(config, data):
    """Return a permutation of the real images, of which the first are compared."""
    return rng(config, ORDER).permutation(len(data))


def real_images(data, chosen, change=lambda images: images):
    """Yield images of the data, float32 [n, H, W, C] in [-1, 1], part by part."""
    for start in range(0, len(chosen), BLOCK):
        yield change(transform(data.images[chosen[start:start + BLOCK]]))


def describe(extractor, parts, num, title):
    """Return `num` images, float32 [n, H, W, C] in [-1, 1] part by part, as Described.

    With a progress bar of this title. ValueError where there are fewer or more.
    """
    arrays, done = None, 0
    with tqdm(total=num, desc=title, unit=' images', disable=None, leave=False) as bar:
        for images in parts:
            new = extractor.both(images)
            if arrays is None:
                arrays = Described(*(
                    part if part is None else np.empty((num, part.shape[1]), np.float32)
                    for part in new))
            for array, part in zip(arrays, new):
                if part is not None:
                    array[done:done + len(images)] = part
            done += len(images)
            bar.update(len(images))
    if done != num:
        raise ValueError('%s: found %d images; expected %d.' % (title, done, num))
    return arrays


# --- while training ----------------------------------------------------------

class Judge:
    """Judges a run's samples against as many training images, and keeps the best.

    `name` is what its numbers are of, 'pixels 16x16, 5,000 samples and images of
    mnist'; only numbers of the same name are compared. Raises UserError where there are
    too few images, and as of the extractor.
    """

    def __init__(self, config, run, data, echo=tqdm.write):
        self.config, self.run, self.data, self.echo = config, run, data, echo
        self.num = min(config.eval_samples, len(data))
        if self.num < 2:
            raise UserError('--eval_freq: found %d training image; expected at least 2.'
                            % len(data))
        self.extractor = make_extractor(config)
        self.name = '%s, %s samples and images of %s' % (
            self.extractor.label, format(self.num, ','), config.dataset)
        self.real = None

    def prepare(self):
        """Draw z and y and describe the real images, once a start."""
        self.z = judged_z(self.config, self.num)
        self.y = judged_y(self.config, self.data, self.num)
        chosen = order(self.config, self.data)[:self.num]
        self.real = describe(self.extractor, real_images(self.data, chosen), self.num,
                             'features of real images').features
        self.moments = Moments().update(self.real)
        self.best = read_best(self.run, self.name)
        if self.num < self.config.eval_samples:
            self.echo('note: --eval_samples %d: there are %d training images, and as '
                      'many samples are judged'
                      % (self.config.eval_samples, self.num))

    def judge(self, sess, model, step):
        """Return (what the history holds of this step's samples, whether it is best).

        It goes by the Fréchet distance.
        """
        if self.real is None:
            self.prepare()
        features = describe(
            self.extractor, sampling.draw_y(sess, model, self.z, self.y), self.num,
            'features of samples').features
        samples = Moments().update(features)
        fd = frechet_distance(self.moments.mean, self.moments.covariance(),
                              samples.mean, samples.covariance())
        better = self.best is None or fd < self.best
        values = dict(fd=fd, kid=kid(self.real, features)[0], judged_by=self.name)
        self.echo('step %d: %s %.4g, KID %.3g (%s)%s' % (
            step, fd_name(self.extractor.label), fd, values['kid'], self.name,
            ', the best so far' if better else '; the best %.4g' % self.best))
        return values, better

    def keep(self, sess, saver, step, values):
        """Keep the checkpoint of this step as the best; the one before goes after."""
        self.best = values['fd']
        os.makedirs(self.run.best_dir, exist_ok=True)
        with atomic_write(record_path(self.run, step), 'w') as file:
            json.dump(dict(values, step=step), file, indent=2, sort_keys=True)
            file.write('\n')
        checkpoints.save(sess, saver, self.run.best_dir, step)
        prune(self.run)

    def close(self):
        """Give back the extractor."""
        self.extractor.close()


# --- the best checkpoint -----------------------------------------------------
# The newest in best_dir is the best. A run that is cut off goes on from its newest
# checkpoint; until there is one as new as the best, the best one before stays too.

def record_path(run, step):
    """Return where the numbers of a best checkpoint are."""
    return os.path.join(run.best_dir, '%s-%d.json' % (folders.MODEL_NAME, step))


def read_best(run, name):
    """Return the distance of the best checkpoint; None where `name` found none."""
    found = folders.saved(run.best_dir)
    if not found:
        return None
    path = record_path(run, found[-1][0])
    try:
        with open(path, encoding='utf-8') as file:
            record = json.load(file)
        return float(record['fd']) if record['judged_by'] == name else None
    except (OSError, ValueError, KeyError, TypeError):
        print('warning: %s is missing or damaged: the next that is judged counts as '
              'the best' % path)
        return None


def prune(run):
    """Remove what is better known by now: all best ones but those still needed."""
    newest = max([step for step, _ in folders.saved(run.checkpoint_dir)], default=0)
    found = folders.saved(run.best_dir)
    safe = [item for item in found if item[0] <= newest]
    remove(run, [item for item in found[:-1] if item not in safe[-1:]])


def forget(run, step):
    """Remove best checkpoints of steps after this one, from which the run goes on."""
    remove(run, [item for item in folders.saved(run.best_dir) if item[0] > step])


def check_best(run):
    """Rename a best checkpoint that cannot be read: no other is compared with it.

    What was left undone when the run was cut off is done.
    """
    found, damaged = checkpoints.examine(run.best_dir)
    for path, fault in damaged.items():
        print('warning: the best checkpoint %s is damaged: %s' % (path, fault))
    checkpoints.clean(run.best_dir, found[0] if found else -1)
    prune(run)


def remove(run, found):
    """Remove best checkpoints, each (step, path), with their numbers."""
    for step, path in found:
        checkpoints.remove(path)
        if os.path.exists(record_path(run, step)):
            os.remove(record_path(run, step))
