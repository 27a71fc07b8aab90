"""--features classifier: a small network that learns a data set's labels or attributes.

Trained once for a data set at one size, on its own images, never on generated ones;
kept in checkpoint/classifiers/ and used again. A static graph of its own.
"""

import itertools
import json
import os

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from metrics import classifier_data
from metrics.arrays import blocks
from metrics.network import Network
from ops import batch_norm, conv2d, linear, lrelu, move_averages, take_batch_stats
from settings.errors import UserError
from utils import atomic_write, transform

FOLDER = 'classifiers'      # in --checkpoint_dir; holds no checkpoint, so is no run
VERSION = 2                 # of the network and its training: part of the digest
ENDING = '-%d' % VERSION
WIDTH, MAPS, MOST = 128, 32, 256    # features; the fewest and the most maps
SEED, BATCH = 0, 128
STEPS, EPOCHS = 1000, 20    # whichever is fewer
LEARNING_RATE = 2e-3


class Classifier(Network):
    """The trained network: features [N, 128], after lrelu, before the last layer.

    classes: the names of the labels or attributes; exclusive: whether they are labels,
    one an image; accuracy, balanced: on the images held out, see `measure`; path: where
    it is kept.
    """

    name = 'classifier'

    def __init__(self, shape, classes, exclusive):
        super().__init__(shape)
        self.classes, self.exclusive = classes, exclusive
        with self.graph.as_default():
            tf.set_random_seed(SEED)
            self.targets = tf.placeholder(tf.float32, [None, len(classes)], 'targets')
            self.h, self.logits = network(self.images, len(classes), train=False)
            self.judged = (tf.nn.softmax if exclusive else tf.nn.sigmoid)(self.logits)
            self.variables = tf.global_variables()

    @property
    def label(self):
        """How a table names it, with its accuracy."""
        kind, balanced = 'labels', ''
        if not self.exclusive:
            kind, balanced = 'attributes', ', balanced %.1f %%' % (100 * self.balanced)
        return 'classifier (%d %s, %.1f %% right%s)' % (
            len(self.classes), kind, 100 * self.accuracy, balanced)

    def extract(self, images):
        """Return (features [N, 128], probabilities [N, K] of the labels).

        Attributes have no such probabilities: an image may have several, or none.
        """
        h, judged = self.run([self.h, self.judged], images)
        return h, judged if self.exclusive else None

    def attributes(self, images):
        """Return float32 [N, K]: how likely each of the `classes` is, 0 to 1."""
        return self.run([self.judged], images)[0]

    def save(self, meta):
        """Write the weights, then `meta`, without which they do not count."""
        values = self.sess.run(self.variables)
        with atomic_write(self.path + '.npz') as file:
            np.savez(file, **{v.op.name: value
                              for v, value in zip(self.variables, values)})
        with atomic_write(self.path + '.json', 'w') as file:
            json.dump(meta, file, indent=2)
            file.write('\n')

    def restore(self):
        """Read what save wrote; return whether it was there and whole."""
        try:
            with open(self.path + '.json', encoding='utf-8') as file:
                meta = json.load(file)
            with np.load(self.path + '.npz') as file:
                values = [file[v.op.name] for v in self.variables]
            self.accuracy = float(meta['accuracy'])
            self.balanced = float(meta['balanced'])
            for variable, value in zip(self.variables, values):
                variable.load(value, self.sess)
        except Exception:       # a damaged zip raises nearly anything
            return False
        return True


def network(images, classes, train, reuse=False):
    """Return the features [N, 128] of images [N, H, W, C], and the logits [N, classes].

    Convolutions of stride 2 until the smaller side is below 7. For images of 128 pixels
    and more the first has a larger stride, so that the time does not grow with them.
    """
    stride = 2 * max(1, min(images.shape.as_list()[1:3]) // 64)
    with tf.variable_scope('classifier', reuse=reuse):
        h, kernel, maps = images, 2 * stride, MAPS
        for i in itertools.count():
            h, _ = conv2d(h, maps, kernel, stride, name='h%d_conv' % i, biases='none')
            h = tf.nn.relu(batch_norm(h, train, 'bn%d' % i))
            kernel, stride, maps = 3, 2, min(2 * maps, MOST)
            if min(h.shape.as_list()[1:3]) < 7:
                break
        size = int(np.prod(h.shape.as_list()[1:]))
        h = lrelu(linear(tf.reshape(h, [-1, size]), WIDTH, name='features'))
        return h, linear(h, classes, name='logits')


# --- training ----------------------------------------------------------------

def make(config, echo=print, wanted=()):
    """Return the Classifier of config's data set and size, trained first if need be.

    Raises UserError before that where it would not know one of the `wanted` classes.
    """
    data = classifier_data.load(config, echo)
    unknown = [name for name in wanted if name not in data.classes]
    if unknown:
        raise UserError('The classifier of %s knows no %s (rare ones are left out); it '
                        'knows %s.' % (config.dataset, ', '.join(unknown),
                                       ', '.join(data.classes)))
    shape = data.train[0].shape[1:]
    classifier = Classifier(shape, data.classes, data.exclusive).start(config)
    classifier.path = path_of(config, shape, data.digest[:8])
    if not classifier.restore():
        echo('training a classifier of %d %s (once; kept in %s.npz)' % (
            len(data.classes), 'labels' if data.exclusive else 'attributes',
            classifier.path))
        train(classifier, *data.train)
        meta = measure(classifier, *data.held_out)
        classifier.accuracy, classifier.balanced = meta['accuracy'], meta['balanced']
        classifier.save(dict(meta, dataset=config.dataset, trained=len(data.train[2]),
                             exclusive=data.exclusive, digest=data.digest))
    echo('features: %s' % classifier.label)
    guessing = 1 / len(data.classes) if data.exclusive else 0.5
    if not classifier.balanced >= 1.1 * guessing:       # NaN too
        echo('note: it is hardly better than guessing, so what it says of images '
             'means little. It learned from %d of them: add more, or take --features '
             'pixels.' % len(data.train[2]))
    return classifier


def path_of(config, shape, digest):
    """Return where the classifier of a data set is kept, without its ending."""
    name = '%s_%dx%dx%d-' % ((config.dataset,) + tuple(shape))
    return os.path.join(config.checkpoint_dir, FOLDER, name + digest + ENDING)


def kept(config, shape):
    """Return the newest Classifier of attributes that was trained before, or None."""
    folder, name = os.path.split(path_of(config, shape, ''))
    start, end = name[:-len(ENDING)], ENDING + '.json'
    found = [os.path.join(folder, file) for file in (
        os.listdir(folder) if os.path.isdir(folder) else [])
        if file.startswith(start) and file.endswith(end)]
    for path in sorted(found, key=os.path.getmtime, reverse=True):
        try:
            with open(path, encoding='utf-8') as file:
                meta = json.load(file)
            classes, exclusive = tuple(meta['classes']), meta['exclusive']
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not exclusive and classes:
            classifier = Classifier(shape, classes, False).start(config)
            classifier.path = path[:-len('.json')]
            if classifier.restore():
                return classifier
            classifier.close()
    return None


def train(classifier, images, targets, indices):
    """Train on the images uint8 [N, H, W, C] of these indices."""
    steps = max(1, min(STEPS, EPOCHS * len(indices) // BATCH))
    with classifier.graph.as_default():
        rate = tf.placeholder(tf.float32, [])
        update = minimize(classifier, rate)
        classifier.sess.run(tf.global_variables_initializer())
    for step, chosen in enumerate(tqdm(batches(indices, steps), 'classifier', steps,
                                       unit=' steps', disable=None)):
        classifier.sess.run(update, {
            classifier.images: transform(images[chosen]),
            classifier.targets: targets[chosen],
            rate: LEARNING_RATE * (1 - step / steps)})


def minimize(classifier, rate):
    """Return the op that updates the weights, and batch norm's moving averages."""
    _, logits = network(classifier.images, len(classifier.classes), True, reuse=True)
    entropy = (tf.nn.softmax_cross_entropy_with_logits_v2 if classifier.exclusive
               else tf.nn.sigmoid_cross_entropy_with_logits)
    loss = tf.reduce_mean(entropy(labels=classifier.targets, logits=logits))
    return tf.group(tf.train.AdamOptimizer(rate).minimize(loss),
                    *move_averages(take_batch_stats()))


def batches(indices, steps):
    """Yield `steps` batches of indices: one permutation after another."""
    rng, order = np.random.default_rng(SEED), np.zeros(0, int)
    for _ in range(steps):
        while len(order) < BATCH:
            order = np.concatenate([order, rng.permutation(indices)])
        yield np.sort(order[:BATCH])
        order = order[BATCH:]


def measure(classifier, images, targets, indices):
    """Return how often the classifier is right about images that it was not shown.

    accuracy: the share of images whose label is right; the mean over attributes.
    balanced: the mean over labels of each one's share; of an attribute, the mean share
    of the images with it and of those without. classes: both numbers of each.
    """
    judged = np.concatenate([classifier.attributes(transform(images[part]))
                             for _, part in blocks(indices)])
    truth = targets[indices] > 0
    said = (judged == judged.max(axis=1, keepdims=True) if classifier.exclusive
            else judged > 0.5)
    right = said == truth
    with np.errstate(invalid='ignore'):     # where none has it, or all
        had = (right & truth).sum(axis=0) / truth.sum(axis=0)
        lacked = (right & ~truth).sum(axis=0) / (~truth).sum(axis=0)
    balanced = had if classifier.exclusive else (had + lacked) / 2
    accuracy = right.all(axis=1) if classifier.exclusive else right
    return dict(accuracy=float(accuracy.mean()), balanced=float(np.nanmean(balanced)),
                held_out=len(indices), classes={
                    name: [float(a), float(b)] for name, a, b in
                    zip(classifier.classes, right.mean(axis=0), balanced)})
