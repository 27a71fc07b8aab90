"""What --features classifier learns from: a data set's labels, or its attributes.

NumPy, no TensorFlow.
"""

import hashlib
import typing

import numpy as np

from dataset import batches, catalog, tables
from settings.errors import NotFoundError, UserError
from utils import evenly_spaced

RARE = 0.02             # an attribute that fewer images have, or lack, is left out
TENTH = 10              # one in so many images is held out where no others are
HASHED = 1000           # images whose pixels the digest takes
OTHERS = 'Take --features pixels, random or inception instead.'


class ClassifierData(typing.NamedTuple):
    """The K classes, and the images of training and those held out.

    exclusive: whether the classes are labels, one an image, and not attributes. train
    and held_out are (images uint8 [N, H, W, C], targets float32 [N, K] of 0 and 1,
    indices of the images that belong to that part).
    """

    classes: tuple
    exclusive: bool
    train: tuple
    held_out: tuple
    digest: str


def load(config, echo=print):
    """Return the ClassifierData of config's data set.

    Held out are the data set's own test images, else a tenth, at random but always the
    same ones. What --train_size leaves out stays unseen. Raises UserError where there
    are neither labels nor attributes, or a single image.
    """
    config = with_labels(config)
    data = batches.load(config, echo)
    exclusive = data.labels.ndim == 1
    targets, classes = to_targets(data)
    if not classes:
        raise UserError('Each attribute of %s is had or lacked by less than %g %% of '
                        'the images: nothing to learn. %s'
                        % (config.dataset, 100 * RARE, OTHERS))
    try:
        test = batches.load(config.replace(part='held_out', train_size=None), echo)
        train, held_out = np.arange(len(data)), (
            test.images, to_targets(test)[0], np.arange(len(test)))
    except NotFoundError:       # the data set brings no test images
        train, held_out = divide(data, targets)
    return ClassifierData(classes, exclusive, (data.images, targets, train), held_out,
                    digest(data, classes))


def divide(data, targets):
    """Return the indices to learn from, and (images, targets, indices) of the others.

    Raises UserError for a single image.
    """
    if len(data) < 2:
        raise UserError('--features classifier found 1 image with a label; expected at '
                        'least 2, to learn and to be tested. %s' % OTHERS)
    order = np.random.default_rng(0).permutation(len(data))
    held_out, train = np.split(order, [max(1, len(data) // TENTH)])
    return np.sort(train), (data.images, targets, np.sort(held_out))


def with_labels(config):
    """Return the Config that loads a data set with its attributes, else its labels.

    A table of its own wins over that of --labels: so all runs of the data set have the
    same classifier. Else what is learned is what --labels gives, or the folders. Raises
    NotFoundError where there is no data set, UserError where it has neither.
    """
    config = config.replace(part='train', label=None)
    names = tables.attribute_names(catalog.folder_of(config))
    if names:
        return config.replace(conditional=False, attributes=','.join(names),
                              labels=None)
    if config.labels is None or config.attributes is None:
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


def to_targets(data):
    """Return float32 [N, K] of 0 and 1, and the names of the K.

    They are all labels; or the attributes, but for those that are RARE or whose absence
    is.
    """
    if data.labels.ndim == 1:
        return batches.one_hot(data.labels, len(data.classes)), data.classes
    targets = (data.labels > 0).astype(np.float32)
    share = targets.mean(axis=0, dtype=np.float64)
    kept = np.flatnonzero((share >= RARE) & (share <= 1 - RARE))
    return targets[:, kept], tuple(data.classes[i] for i in kept)


def digest(data, classes):
    """Return a hash of the labels, the size and the pixels of some images."""
    names = tuple(map(np.str_, classes))        # whose repr NumPy decides
    sums = hashlib.sha256(repr((data.images.shape, names)).encode())
    sums.update(np.ascontiguousarray(data.labels, np.int8 if data.labels.ndim == 2
                                     else np.int64).tobytes())
    sums.update(data.images[evenly_spaced(len(data), HASHED)].tobytes())
    return sums.hexdigest()
