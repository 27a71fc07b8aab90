"""Classify: how well D's features tell the labels of images apart.

Radford, Metz and Chintala, 2016, section 5.1: the maps of all of D's convolutions,
max-pooled to 4 x 4, flattened and concatenated; a linear L2-SVM on them. The paper's D
learned from ImageNet-1k and reaches 82.8 % on CIFAR-10 with 28,672 features; for SVHN
(section 5.2) it learns from 1,000 labels, 100 a class, which is --labels_per_class 100.
Here D is the run's own. The same SVM learns from raw pixels and from an untrained D, to
compare.

Departures: cross-validation among the labelled images chooses C, where the paper had
further labelled images for that. Features are standardised to mean 0 and variance 1
over the images learned from, for all three alike.
"""

import typing

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC
from tqdm import tqdm

from metrics.arrays import blocks
from ops import move_averages
from runs.room import at_once
from runs.sampling import restored
from settings.errors import UserError
from tasks.parts import svm_data
from tasks.parts.d_features import build_features, feature_count, feed
from tasks.parts.outputs import markdown, output_path, save_csv, save_text
from utils import transform

# of C, for images of squared length 1 in the mean
GRID = (0.01, 0.1, 1.0, 10.0, 100.0)
FOLDS = 3
CHUNK = 256         # images in a run of the session
CALIBRATION = 50    # real batches for the untrained D's moving averages
COLUMNS = ('features', 'count', 'labels', 'learned from', 'draws', 'accuracy %',
           'deviation', 'majority %', 'C')


def main(config, run, path):
    """Judge D's features, an untrained D's and pixels by a linear SVM: a table."""
    if config.architecture != 'dcgan':
        raise UserError('--task classify takes the maps of convolutions; the D of '
                        '--architecture %s has none.' % config.architecture)
    data = svm_data.load(config, feature_count(config))
    base = output_path(run, 'classify')
    tf.set_random_seed(config.seed)
    with restored(config, path) as (sess, model):
        features = build_features(model)
        calibrate = build_calibration(model)

        def of_D(images):
            return sess.run(features, feed(model, images))

        rows = judge('trained D', of_D, data)
        sess.run(tf.variables_initializer(tf.global_variables('discriminator/')))
        for number in range(CALIBRATION):
            rng = np.random.default_rng([config.seed, number])
            chosen = rng.choice(len(data.train), min(config.batch_size,
                                                     len(data.train)), replace=False)
            sess.run(calibrate, feed(model, data.train.images[np.sort(chosen)]))
        rows += judge('untrained D', of_D, data)
    rows += judge('pixels', lambda images: transform(images).reshape(len(images), -1),
                  data)
    rows.sort(key=lambda row: row[COLUMNS.index('labels')])     # stable
    report([COLUMNS] + rows, data, config, base)


# --- an untrained D ----------------------------------------------------------

def build_calibration(model):
    """Return the op that moves D's averages of batch norm towards those of a batch.

    With --spectral_norm the power iteration goes on too. Without this an untrained D
    would squash each map more than the last.
    """
    updates = model.spectral_norm.updates() if model.spectral_norm else []
    return tf.group(*(updates + move_averages(model.d_stats_real)))


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


def fit(x, labels, seed):
    """Return the Linear that a linear L2-SVM learns from features [N, D].

    `labels` int [N] are 0 to K - 1, each there twice or more. Where there are fewer
    images than features, the SVM learns from the triangle of a QR decomposition
    instead: the lengths and angles are the same, so the problem is, but far smaller.
    """
    x, mean = x - x.mean(axis=0), x.mean(axis=0)
    scale = x.std(axis=0)
    scale = np.sqrt(x.shape[1]) * np.where(scale > 1e-6, scale, 1)
    x /= scale
    basis = None
    if len(x) < x.shape[1]:
        basis, triangle = np.linalg.qr(x.T)
        x = triangle.T
    C = choose_C(x, labels, seed)
    svm = make_svm(C, seed).fit(x, labels)
    weights = svm.coef_.T if basis is None else basis @ svm.coef_.T
    weights = (weights / scale[:, None]).astype(np.float32)
    return Linear(weights, svm.intercept_ - mean @ weights, C)


def make_svm(C, seed):
    """Return an untrained SVM, squared hinge loss, one against the rest."""
    return LinearSVC(C=C, dual='auto', tol=1e-3, max_iter=10000, random_state=seed)


def choose_C(x, labels, seed):
    """Return the C of GRID, the smallest of equals, that cross-validation prefers."""
    folds = StratifiedKFold(min(FOLDS, np.bincount(labels).min()), shuffle=True,
                            random_state=seed)
    scores = [cross_val_score(make_svm(C, seed), x, labels, cv=folds).mean()
              for C in tqdm(GRID, 'choosing C', leave=False, disable=None)]
    return GRID[int(np.argmax(scores))]


def judge(name, features, data):
    """Return rows of COLUMNS of one kind of features, one for each target of `data`.

    All images that a draw learns from are held in memory; those of the test are not.
    """
    used, size = data.used(), data.train.images.shape[1:3]
    x = np.concatenate([features(data.train.images[part]) for _, part in in_blocks(
        used, size, 'features of ' + name)])
    svms = [[fit(x[np.searchsorted(used, draw)], target.train[draw], seed)
             for seed, draw in enumerate(target.draws)]
            for target in tqdm(data.targets, 'SVMs of ' + name, disable=None)]
    width = x.shape[1]
    del x
    right = np.zeros([len(svms), len(svms[0])])
    for start, images in in_blocks(data.test.images, size, 'test of ' + name):
        x = features(images)
        right += [[np.sum(svm.predict(x) == target.test[start:start + len(x)])
                   for svm in row] for target, row in zip(data.targets, svms)]
    return [make_row(name, width, target, accuracies, [svm.C for svm in row])
            for target, row, accuracies in zip(data.targets, svms,
                                               right / len(data.test))]


def in_blocks(array, size, title):
    """Return `blocks` of CHUNK rows, or fewer, with a progress bar.

    The rows are images of a size (H, W), or the indices of such.
    """
    chunk = at_once(size, CHUNK)
    return tqdm(blocks(array, chunk), title, -(-len(array) // chunk), unit=' blocks',
                disable=None)


# --- the table ---------------------------------------------------------------

def make_row(name, width, target, accuracies, Cs):
    """Return the texts of COLUMNS: one SVM, or the mean over draws of the images."""
    deviation = '%.2f' % (100 * np.std(accuracies, ddof=1)) if len(Cs) > 1 else ''
    return (name, str(width), target.name, str(len(target.draws[0])), str(len(Cs)),
            '%.2f' % (100 * np.mean(accuracies)), deviation,
            '%.2f' % (100 * target.majority()),
            ', '.join('%g' % C for C in sorted(set(Cs))))


def report(rows, data, config, base):
    """Print the table, and write it as Markdown and CSV."""
    notes = data.notes + [
        'C: of %s, by cross-validation among the images learned from.'
        % ', '.join('%g' % C for C in GRID),
        'The untrained D has fresh weights, and averages of batch norm taken over %d '
        'batches of real images.' % CALIBRATION]
    if config.y_dim:
        notes.append('D learned labels; here it is fed the same y for every image.')
    text = markdown(rows) + '\n\n' + ''.join('- %s\n' % note for note in notes)
    print(text, end='')
    print('table: %s' % save_text(text, base + '.md'))
    print('table: %s' % save_csv(rows, base + '.csv'))
