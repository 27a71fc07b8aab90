"""What a data set itself knows of its images: its labels, or its table of attributes.

The classifier of --features classifier learns from them. NumPy, no TensorFlow.
"""

import hashlib
import typing

import numpy as np

from dataset import attributes, batches, catalog
from settings.config import NotFoundError, UserError

RARE = 0.02             # an attribute that fewer images have, or lack, is left out
TENTH = 10              # one of so many images is held out where no others are
HASHED = 1000           # images of which the digest takes the pixels
OTHERS = 'Take --features pixels, random or inception instead.'


class Labelled(typing.NamedTuple):
    """Images uint8 [N, H, W, C], targets float32 [N, K] of 0 and 1, the names of the K.

    exclusive: whether an image has just one of the K, a label, and not several,
    attributes. train and held_out: (images, targets, indices) of either part.
    """

    classes: tuple
    exclusive: bool
    train: tuple
    held_out: tuple
    digest: str


def load(config, echo=print):
    """Return the Labelled images of config's data set.

    Held out are the data set's own test images, else every tenth image, by chance but
    always the same ones. Those that --train_size keeps from training stay unseen.
    Raises UserError where there are neither labels nor attributes, or one image alone.
    """
    config = with_labels(config)
    data = batches.load(config, echo)
    exclusive = data.labels.ndim == 1
    targets, kept = to_targets(data)
    classes = tuple(np.array(data.classes)[kept])
    if not classes:
        raise UserError('Each attribute of %s is had or lacked by less than %g %% of '
                        'the images: nothing to learn. %s'
                        % (config.dataset, 100 * RARE, OTHERS))
    test = own_test(config, echo)
    if test is None:
        train, held_out = divide(data, targets)
    else:
        train, held_out = np.arange(len(data)), (
            test.images, to_targets(test)[0], np.arange(len(test)))
    return Labelled(classes, exclusive, (data.images, targets, train), held_out,
                    digest(data, classes))


def divide(data, targets):
    """Return the indices to learn from, and (images, targets, indices) of the others.

    Raises UserError for a single image.
    """
    if len(data) < 2:
        raise UserError('--features classifier found 1 image with a label; expected at '
                        'least 2, to learn and to be tested. %s' % OTHERS)
    order, number = np.random.default_rng(0).permutation(len(data)), len(data) // TENTH
    order = np.split(order, [max(1, number)])
    return np.sort(order[1]), (data.images, targets, np.sort(order[0]))


def with_labels(config):
    """Return the Config that loads a data set with its attributes, else its labels.

    Raises NotFoundError where there is no data set, UserError where it has neither.
    """
    config = config.replace(part='train', label=None)
    names = attributes.attribute_names(catalog.folder_of(config))
    if names:
        return config.replace(conditional=False, attributes=','.join(names))
    config = config.replace(conditional=True, attributes=None)
    try:
        catalog.find(config)
    except NotFoundError:
        raise
    except UserError as error:
        raise UserError('--features classifier learns from labels, and %s has neither '
                        'a table of attributes nor folders as labels (%s) %s'
                        % (config.dataset, error, OTHERS))
    return config


def own_test(config, echo):
    """Return the test images that the data set itself brings, None without any."""
    try:
        return batches.load(config.replace(part='held_out', train_size=None), echo)
    except NotFoundError:
        return None


def to_targets(data):
    """Return float32 [N, K] of 0 and 1, and which of the classes they are.

    All labels; of attributes those that neither nearly all images have nor nearly none.
    """
    if data.labels.ndim == 1:
        return (batches.one_hot(data.labels, len(data.classes)),
                np.arange(len(data.classes)))
    targets = (data.labels > 0).astype(np.float32)
    share = targets.mean(axis=0, dtype=np.float64)
    kept = np.flatnonzero((share >= RARE) & (share <= 1 - RARE))
    return targets[:, kept], kept


def digest(data, classes):
    """Return a text that changes with the labels, the size or the pixels of images."""
    sums = hashlib.sha256(repr((data.images.shape, classes)).encode())
    sums.update(np.ascontiguousarray(data.labels, np.int8 if data.labels.ndim == 2
                                     else np.int64).tobytes())
    chosen = np.unique(np.linspace(0, len(data) - 1, HASHED).astype(int))
    sums.update(data.images[chosen].tobytes())
    return sums.hexdigest()
