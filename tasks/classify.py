"""Classify: how well D's features tell the labels of images apart.

Radford, Metz and Chintala, 2016, section 5.1: the maps of all of D's convolutions,
max-pooled to 4 x 4, flattened and concatenated; a linear L2-SVM on them. The paper's D
learned from ImageNet-1k and reaches 82.8 % on CIFAR-10 with 28,672 features; for SVHN
(section 5.2) it learns from 1,000 labels, 100 a class, which is --labels_per_class 100.
Here D is a run's own. Beside it stand the same SVM on raw pixels and on an untrained D.

Departures: C is chosen by cross-validation among the labelled images alone, where the
paper had further labelled images to choose by. Features are standardised, each to mean
0 and variance 1 over the images learned from, the same for all three.
"""

import csv
import io
import os
import typing

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC
from tqdm import tqdm

from metrics.arrays import blocks
from model import map_channels, map_sizes
from ops import move_averages
from runs import folders
from runs.sampling import restored
from settings.errors import UserError
from tasks.parts import labelled
from utils import atomic_write, transform

SIDE = 4            # of the maps that features are taken from
# of C, for images of squared length 1 in the mean
GRID = (0.01, 0.1, 1.0, 10.0, 100.0)
FOLDS = 3
CHUNK = 256         # images in a run of the session
CALIBRATION = 50    # real batches for the untrained D's moving averages
COLUMNS = ('features', 'count', 'labels', 'learned from', 'draws', 'accuracy %',
           'deviation', 'majority %', 'C')


class Row(typing.NamedTuple):
    """A line of the table: one SVM, or its mean over draws of the images."""

    features: str
    width: int
    target: str
    learned: int
    accuracies: list
    majority: float
    Cs: list

    def cells(self):
        """Return the texts of COLUMNS."""
        many = len(self.accuracies) > 1
        deviation = '%.2f' % (100 * np.std(self.accuracies, ddof=1)) if many else ''
        return (self.features, str(self.width), self.target, str(self.learned),
                str(len(self.accuracies)), '%.2f' % (100 * np.mean(self.accuracies)),
                deviation, '%.2f' % (100 * self.majority),
                ', '.join('%g' % C for C in sorted(set(self.Cs))))


def main(config, run, path):
    """Judge D's features, an untrained D's and pixels by a linear SVM: a table."""
    if config.architecture != 'dcgan':
        raise UserError('--task classify takes the maps of convolutions; the D of '
                        '--architecture %s has none.' % config.architecture)
    data = labelled.load(config, feature_count(config))
    folders.make_folder(run.sample_dir)
    tf.set_random_seed(config.seed)
    with restored(config, path) as (sess, model):
        features = build_features(model)
        calibrate = build_calibration(model)

        def of_D(images):
            return sess.run(features, feed(model, images))

        rows = judge('trained D', of_D, data)
        sess.run(tf.variables_initializer(tf.global_variables('discriminator/')))
        for number in range(CALIBRATION):
            images = data.train.images[batch(number, config, len(data.train))]
            sess.run(calibrate, feed(model, images))
        rows += judge('untrained D', of_D, data)
    rows += judge('pixels', flat_pixels, data)
    rows.sort(key=lambda row: row.target)       # stable: the three of a target together
    report(rows, data, config, run)


# --- features ----------------------------------------------------------------

def feature_count(config):
    """Return how many features D's maps or the pixels make, whichever are more."""
    height, width = config.output_height, config.output_width
    layers = len(map_sizes(height, width)) - 1
    return max(SIDE * SIDE * sum(map_channels(layers, config.df_dim)),
               height * width * config.c_dim)


def pool(h):
    """Max-pool maps [N, H, W, C], both sides 4 or more, to [N, 4, 4, C].

    Cell i of a side of H pixels covers those from floor(iH/4) up to ceil((i+1)H/4): a
    quarter where 4 divides H, else a little more, so that neighbours share a line and
    none is left out (14 pixels: 0-3, 3-6, 7-10, 10-13).
    """
    for axis in (1, 2):
        size = int(h.shape[axis])
        cells = [tf.gather(h, tf.range(i * size // SIDE, -(-(i + 1) * size // SIDE)),
                           axis=axis) for i in range(SIDE)]
        h = tf.stack([tf.reduce_max(cell, axis) for cell in cells], axis)
    return h


def build_features(model):
    """Return the op of D's features of model.images, float32 [N, features]."""
    maps = []
    model.discriminator(model.images, model.y, reuse=True, train=False, maps=maps)
    return tf.concat([tf.reshape(pool(h), [-1, SIDE * SIDE * int(h.shape[3])])
                      for h in maps], 1)


def build_calibration(model):
    """Return the op that fits to a batch what D has beside its weights.

    The averages of batch norm move towards the batch; with --spectral_norm the power
    iteration goes on. An untrained D without would squash each map more than the last.
    """
    updates = list(model.spectral_norm.updates) if model.spectral_norm else []
    return tf.group(*(updates + move_averages(model.d_stats_real)))


def feed(model, images):
    """Return what D's features of uint8 images are computed from.

    A conditional D is shown no label, the true one least of all: the same y for every
    image, of classes 1/K each, of attributes (1 or -1) 0 each. That is what it saw in
    the mean, if the labels are even.
    """
    fed = {model.images: transform(images)}
    if model.y is not None:
        c = model.config
        value = 0 if c.attributes else 1 / c.y_dim
        fed[model.y] = np.full([len(images), c.y_dim], value, np.float32)
    return fed


def batch(number, config, count):
    """Return the indices, ascending, of the real images of a batch of calibration."""
    rng = np.random.default_rng([config.seed, number])
    return np.sort(rng.choice(count, min(config.batch_size, count), replace=False))


def flat_pixels(images):
    """Return uint8 images as float32 rows in [-1, 1]."""
    return transform(images).reshape(len(images), -1)


def extract(name, features, images):
    """Return the features, float32 [N, D], of uint8 images."""
    made = None
    with tqdm(total=len(images), desc='features of ' + name, unit=' images',
              disable=None) as bar:
        for start, part in blocks(images, CHUNK):
            values = features(part)
            if made is None:
                made = np.empty((len(images), values.shape[1]), np.float32)
            made[start:start + len(part)] = values
            bar.update(len(part))
    return made


# --- the SVM -----------------------------------------------------------------

class Linear(typing.NamedTuple):
    """A linear classifier of raw features: weights [D, K], biases [K], and its C."""

    weights: np.ndarray
    biases: np.ndarray
    C: float

    def predict(self, x):
        """Return the label, int [N], of each row of features."""
        scores = x @ self.weights + self.biases
        return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0) + 0


def fit(x, labels, seed, update=lambda: None):
    """Return the Linear that a linear L2-SVM learns from features [N, D].

    `labels` int [N] are 0 to K - 1, each there twice or more. `update` is called after
    each fit, of which there are fits_of_C() + 1. Where there are fewer images than
    features, their lengths and angles are all that decides, so the SVM sees the
    triangle of a QR decomposition in their place: the same problem, and far smaller.
    """
    x, mean = x - x.mean(axis=0), x.mean(axis=0)
    scale = x.std(axis=0)
    scale = np.sqrt(x.shape[1]) * np.where(scale > 1e-6, scale, 1)
    x /= scale
    basis = None
    if len(x) < x.shape[1]:
        basis, triangle = np.linalg.qr(x.T)
        x = triangle.T
    C = choose_C(x, labels, seed, update)
    svm = make_svm(C, seed).fit(x, labels)
    update()
    weights = svm.coef_.T if basis is None else basis @ svm.coef_.T
    weights = (weights / scale[:, None]).astype(np.float32)
    return Linear(weights, svm.intercept_ - mean @ weights, C)


def make_svm(C, seed):
    """Return an untrained SVM, squared hinge loss, one against the rest."""
    return LinearSVC(C=C, dual='auto', tol=1e-3, max_iter=10000, random_state=seed)


def choose_C(x, labels, seed, update):
    """Return the C of GRID, the smallest of equals, that cross-validation prefers."""
    folds = StratifiedKFold(min(FOLDS, np.bincount(labels).min()), shuffle=True,
                            random_state=seed)
    scores = []
    for C in GRID:
        scores.append(cross_val_score(make_svm(C, seed), x, labels, cv=folds).mean())
        update()
    return GRID[int(np.argmax(scores))]


def judge(name, features, data):
    """Return the Rows of one kind of features, a Row for each target of `data`.

    All images that a draw learns from are held in memory; those of the test are not.
    """
    used = data.used()
    x = extract(name, features, data.train.images[used])
    count = sum(len(target.draws) for target in data.targets)
    with tqdm(total=count * (len(GRID) + 1), desc='SVMs of ' + name, unit=' fits',
              disable=None) as bar:
        learned = [[fit(x[np.searchsorted(used, draw)], target.train[draw], seed,
                        bar.update) for seed, draw in enumerate(target.draws)]
                   for target in data.targets]
    width = x.shape[1]
    del x
    right = np.zeros([len(data.targets), max(len(t.draws) for t in data.targets)])
    for start, images in tqdm(blocks(data.test.images, CHUNK), 'test of ' + name,
                              -(-len(data.test) // CHUNK), disable=None):
        x = features(images)
        for place, (target, svms) in enumerate(zip(data.targets, learned)):
            for draw, svm in enumerate(svms):
                right[place, draw] += np.sum(
                    svm.predict(x) == target.test[start:start + len(x)])
    return [Row(name, width, target.name, len(target.draws[0]),
                list(hits[:len(svms)] / len(data.test)),
                target.majority(), [svm.C for svm in svms])
            for target, svms, hits in zip(data.targets, learned, right)]


# --- the table ---------------------------------------------------------------

def report(rows, data, config, run):
    """Print the table, and write it as Markdown and CSV into the run's folder."""
    cells = [COLUMNS] + [row.cells() for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ['| %s |' % ' | '.join(cell.ljust(width) for cell, width
                                   in zip(line, widths)) for line in cells]
    lines.insert(1, '|%s|' % '|'.join('-' * (width + 2) for width in widths))
    notes = data.notes + [
        'C: of %s, by cross-validation among the images learned from.'
        % ', '.join('%g' % C for C in GRID),
        'The untrained D has fresh weights, and averages of batch norm taken over %d '
        'batches of real images.' % CALIBRATION]
    if config.y_dim:
        notes.append('D learned labels; here it is fed the same y for every image.')
    text = '\n'.join(lines) + '\n\n' + '\n'.join('- ' + note for note in notes) + '\n'
    print(text, end='')
    path = os.path.join(run.sample_dir, 'classify')
    with atomic_write(path + '.md', 'w') as file:
        file.write(text)
    table = io.StringIO()
    csv.writer(table, lineterminator='\n').writerows(cells)
    with atomic_write(path + '.csv', 'w') as file:
        file.write(table.getvalue())
    print('table: %s.md\ntable: %s.csv' % (path, path))
