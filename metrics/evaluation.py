"""Judging a generator: which images are compared, and the best checkpoint of training.

(seed, N) alone decide the samples and the real images, so --task evaluate with the same
N finds the numbers that training found.
"""

import json
import os

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

import utils
from metrics import extractors
from metrics.comparison import Extracted
from metrics.frechet import frechet_name, frechet_of_moments
from metrics.kid import kid
from metrics.moments import Moments
from runs import checkpoints, folders, history, room, sampling, sessions
from settings.errors import UserError
from utils import atomic_write, transform

JUDGED = -2     # keys the z of judged samples; a sheet's is -1, a step's 0 or more
ORDER, LABELS, NOISE = 1, 2, 3      # keys of random numbers, see rng
BLOCK = 256     # real images at a time


# --- the images --------------------------------------------------------------

def rng(config, which):
    """Return NumPy's generator for one of ORDER, LABELS, NOISE; see Dataset.batch."""
    return np.random.default_rng([config.seed, 2 ** 32, which])


def make_extractor(config):
    """Return the extractor of --features; the default graph stays as it is."""
    with tf.Graph().as_default():
        return extractors.make(config)


def judged_z(config, num):
    """Return the z of `num` samples, float32 [num, z_dim]; see make_extractor."""
    with tf.Graph().as_default(), sessions.open_session(config) as sess:
        return sess.run(sampling.keyed_z(config, num, JUDGED))


def judged_y(config, data, num):
    """Return the y of `num` samples, float32 [num, y_dim], None without labels.

    They are those of random training images: labels in the data's proportions, and
    attributes in the combinations that occur.
    """
    if not config.y_dim:
        return None
    return data.y(rng(config, LABELS).integers(len(data), size=num))


def order(config, data):
    """Return a permutation of the real images; the first N of them are compared."""
    return rng(config, ORDER).permutation(len(data))


def real_images(data, chosen, change=lambda images: images):
    """Yield images of the data, float32 [n, H, W, C] in [-1, 1], part by part."""
    block = room.at_once(data.images.shape[1:3], BLOCK)
    for start in range(0, len(chosen), block):
        yield change(transform(data.images[chosen[start:start + block]]))


def extract(extractor, parts, num, title):
    """Return the Extracted of images that come part by part, `num` in all.

    Images are float32 [n, H, W, C] in [-1, 1]; the progress bar has this title. Raises
    UserError where so many features cannot be held.
    """
    found = []
    with tqdm(total=num, desc=title, unit=' images', disable=None, leave=False) as bar:
        for images in parts:
            found.append(extractor.extract(images))
            room.check(num * found[0][0][0].nbytes, '%s of %s images' % (
                title, format(num, ',')), 'fewer, or other --features')
            bar.update(len(images))
    return Extracted(*(None if values[0] is None else np.concatenate(values)
                       for values in zip(*found)))


# --- while training ----------------------------------------------------------

class Judge:
    """Judges a run's samples against as many training images, and keeps the best.

    `name` says what its numbers are of, 'pixels 16x16, 5,000 samples and images of
    mnist': only numbers of the same name are compared. Raises UserError where there are
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
        """Draw z and y and extract the features of the real images, once a start."""
        self.z = judged_z(self.config, self.num)
        self.y = judged_y(self.config, self.data, self.num)
        chosen = order(self.config, self.data)[:self.num]
        self.real = extract(self.extractor, real_images(self.data, chosen), self.num,
                            'features of real images').features
        self.moments = Moments().update(self.real)
        self.best = read_best(self.run, self.name)
        if self.num < self.config.eval_samples:
            self.echo('note: --eval_samples %d: there are %d training images, and as '
                      'many samples are judged'
                      % (self.config.eval_samples, self.num))

    def judge(self, sess, model, step):
        """Return (the values for the history, whether this step is the best so far).

        The best has the least Fréchet distance.
        """
        first = self.real is None
        if first:
            self.prepare()
        features = extract(
            self.extractor, sampling.draw_y(sess, model, self.z, self.y), self.num,
            'features of samples').features
        fd = frechet_of_moments(self.moments, Moments().update(features))
        better = self.best is None or fd < self.best
        values = dict(fd=fd, kid=kid(self.real, features)[0], judged_by=self.name)
        self.echo('step %d: %s %.4g, KID %.3g (%s)%s' % (
            step, frechet_name(self.extractor.label), fd, values['kid'], self.name,
            ', the best so far' if better else '; the best %.4g' % self.best))
        if first and history.few_note(self.num):
            self.echo(history.few_note(self.num))
        return values, better

    def keep(self, sess, saver, step, values):
        """Save this step as the best checkpoint; remove those it replaces."""
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
# The newest one in best_dir is the best. A run that is cut off goes on from its newest
# checkpoint, which may be older than the best one: then the best one before that is
# needed again. So it is kept until there is a checkpoint as new as the best.

def record_path(run, step):
    """Return the path of the numbers of a best checkpoint."""
    return os.path.join(run.best_dir, '%s-%d.json' % (folders.MODEL_NAME, step))


def read_best(run, name):
    """Return the distance of the best checkpoint; None if another Judge kept it."""
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
    """Remove the best checkpoints that are needed no longer; see above."""
    newest = max([step for step, _ in folders.saved(run.checkpoint_dir)], default=0)
    found = folders.saved(run.best_dir)
    safe = [item for item in found if item[0] <= newest]
    remove(run, [item for item in found[:-1] if item not in safe[-1:]])


def tidy(run, step):
    """Bring the best checkpoints in order, where a run goes on from a step."""
    forget(run, step)
    check_best(run)


def forget(run, step):
    """Remove the best checkpoints of later steps than that where the run goes on."""
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
        utils.remove(record_path(run, step))
